//! The page under `/_sim`: a person plays the buyer and Wildberries. Server-rendered, forms only, nothing from elsewhere.

mod forms;
mod html;
mod kinds;
mod shop;
mod view;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use crate::ask::parse_query;
use crate::picture::{Format, Picture, Size};
use crate::reply::Reply;
use crate::seller::Seller;
use crate::sticker::Sticker;
use crate::world::{Incoming, World, lock};

/// What a page has to say besides what it shows.
enum Said {
    Nothing,
    Done(String),
    Wrong(String),
    Token(String),
}

type Fields = HashMap<String, String>;

pub(crate) fn answer(world: &Arc<World>, incoming: &Incoming) -> Reply {
    let query = parse_query(&incoming.query);
    let part = incoming.path.trim_start_matches("/_sim").trim_matches('/');
    match (incoming.method.as_str(), part) {
        ("GET", "") => shown(world, &query, 200, &Said::Nothing),
        ("GET", "style.css") => {
            guarded(Reply { content_type: "text/css", ..Reply::text(200, include_str!("style.css")) })
        }
        ("GET", "label.svg") => picture(label(world, &query)),
        ("GET", "supply.svg") => picture(supply_code(world, &query)),
        ("POST", form) => {
            let fields = parse_query(&String::from_utf8_lossy(&incoming.body));
            match forms::submit(world, seller(world, &fields).as_ref(), form, &fields) {
                Ok(Said::Nothing) => back(&fields, form),
                Ok(said) => shown(world, &fields, 200, &said),
                Err(error) => shown(world, &fields, 409, &Said::Wrong(format!("{error:#}"))),
            }
        }
        _ => shown(world, &query, 404, &Said::Wrong("такой страницы нет".into())),
    }
}

/// The seller a page is about: the one that is named, or the first.
fn seller(world: &Arc<World>, fields: &Fields) -> Option<Seller> {
    let cabinets = lock(&world.cabinets);
    let wanted = fields.get("seller").and_then(|number| number.parse::<i64>().ok());
    let named = wanted.and_then(|number| cabinets.get(&number));
    let cabinet = named.or_else(|| cabinets.values().next())?.clone();
    Some(Seller { cabinet, world: world.clone() })
}

fn shown(world: &Arc<World>, fields: &Fields, status: u16, said: &Said) -> Reply {
    let seller = seller(world, fields);
    guarded(Reply::html(status, &view::page(world, seller.as_ref(), fields, said)))
}

/// After a form, the browser asks for the page anew, so that reloading repeats nothing.
fn back(fields: &Fields, form: &str) -> Reply {
    let mut reply = Reply { status: 303, ..Reply::no_content() };
    let seller = fields.get("seller").and_then(|number| number.parse::<i64>().ok());
    let seller = seller.map_or_else(String::new, |number| format!("?seller={number}"));
    reply.headers.push(("Location", format!("/_sim{seller}#{}", words::part_of(form))));
    reply
}

/// Nothing but what this page itself brings, and nobody may frame it.
fn guarded(mut reply: Reply) -> Reply {
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                  base-uri 'none'";
    reply.headers.push(("Content-Security-Policy", policy.into()));
    reply.headers.push(("X-Content-Type-Options", "nosniff".into()));
    reply.headers.push(("Referrer-Policy", "no-referrer".into()));
    reply.headers.push(("Cache-Control", "no-store".into()));
    reply
}

fn picture(drawn: Option<Picture>) -> Reply {
    let svg = drawn.map(|picture| picture.draw(Format::Svg));
    let reply = svg.map_or_else(
        || Reply::text(404, "нет такой этикетки"),
        |body| Reply { content_type: "image/svg+xml", body, ..Reply::text(200, "") },
    );
    guarded(reply)
}

fn label(world: &Arc<World>, query: &Fields) -> Option<Picture> {
    let order = seller(world, query)?.order(query.get("order")?.parse().ok()?)?;
    let Sticker { part_a, part_b, barcode } = Sticker::of(order.sticker);
    order.has_sticker().then(|| Picture::new(Size::Large, &barcode, &part_a, &part_b))
}

fn supply_code(world: &Arc<World>, query: &Fields) -> Option<Picture> {
    let supply = seller(world, query)?.supply(query.get("supply")?)?;
    let number = supply.number.to_string();
    supply.is_done().then(|| Picture::new(Size::Large, &supply.id(), "Поставка", &number))
}
