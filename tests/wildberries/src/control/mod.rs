//! The control calls under `/_control`: everything a test can turn, over HTTP.

mod calls;

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::acts::BuyerAct;
use crate::ask::parse_query;
use crate::card_errors::RefusedCard;
use crate::fault::Fault;
use crate::label::Key;
use crate::limits::Limits;
use crate::reply::Reply;
use crate::rules::BoxRule;
use crate::seller::{OrderSpec, Seller, Shop};
use crate::token::{ALL_CATEGORIES, TokenKind, TokenSpec};
use crate::world::{Incoming, World, lock};
use calls::CALLS;

pub(crate) fn answer(world: &Arc<World>, incoming: &Incoming) -> Reply {
    match act(world, incoming) {
        Ok(body) => Reply::json(200, &body),
        Err(error) => {
            Reply::json(if error.is::<Unknown>() { 404 } else { 409 }, &json!({ "error": format!("{error:#}") }))
        }
    }
}

#[derive(Debug)]
struct Unknown;

impl std::fmt::Display for Unknown {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("no such control call: see GET /_control")
    }
}

impl std::error::Error for Unknown {}

fn act(world: &Arc<World>, incoming: &Incoming) -> Result<Value> {
    let parts: Vec<&str> = incoming.path.trim_matches('/').split('/').skip(1).collect();
    let query = parse_query(&incoming.query);
    let number = |name: &str| query.get(name).and_then(|text| text.parse().ok());
    match (incoming.method.as_str(), parts.as_slice()) {
        ("GET", []) => Ok(json!(
            CALLS
                .iter()
                .map(|(call, body, what)| json!({ "call": call, "body": body, "what": what }))
                .collect::<Vec<_>>()
        )),
        ("POST", ["sellers"]) => {
            let shop: Shop = body(incoming)?;
            let seller = Seller { cabinet: world.open_shop(&shop), world: world.clone() };
            Ok(shown(&seller, true))
        }
        ("GET", ["sellers"]) => {
            let cabinets: Vec<_> = lock(&world.cabinets).values().cloned().collect();
            let sellers = cabinets.into_iter().map(|cabinet| shown(&Seller { cabinet, world: world.clone() }, false));
            Ok(sellers.collect())
        }
        ("GET", ["sellers", seller]) => Ok(find(world, seller)?.dump(number("limit").unwrap_or(100))),
        (_, ["sellers", seller, rest @ ..]) => of_seller(&find(world, seller)?, incoming, rest),
        ("POST", ["reset"]) => {
            world.reset();
            Ok(json!({}))
        }
        ("GET", ["faults", "ignored"]) => Ok(json!(lock(&world.faults).ignored())),
        ("DELETE", ["faults", number]) => {
            let number = number.parse().context("a fault is named by its number")?;
            if lock(&world.faults).remove(number) { Ok(json!({})) } else { Err(anyhow!("no fault {number} is on")) }
        }
        (_, [subject]) => turn(world, incoming, subject, number("last")),
        ("POST", ["tokens", "withdraw"]) => {
            #[derive(Deserialize)]
            struct Body {
                token: String,
            }
            let Body { token } = body(incoming)?;
            let caller =
                world.mint.read(Some(&token), world.clock.now()).map_err(|_| anyhow!("this is no token of ours"))?;
            lock(&world.withdrawn).insert(caller.claims.id);
            Ok(json!({}))
        }
        _ => Err(Unknown.into()),
    }
}

/// What belongs to no seller.
fn turn(world: &World, incoming: &Incoming, subject: &str, last: Option<usize>) -> Result<Value> {
    match (incoming.method.as_str(), subject) {
        ("PUT", "limits") => {
            #[derive(Deserialize)]
            struct Body {
                limits: Value,
            }
            let Body { limits } = body(incoming)?;
            let wanted = limits.as_str().map_or_else(|| limits.to_string(), str::to_owned);
            let limits: Limits = wanted.parse().map_err(|error: String| anyhow!(error))?;
            lock(&world.budgets).set(limits);
        }
        ("GET", "limits") => return Ok(json!({ "limits": format!("{:?}", lock(&world.budgets).limits()) })),
        ("POST", "faults") => {
            let planted = plant(world, body(incoming)?);
            return Ok(json!({ "number": planted }));
        }
        ("DELETE", "faults") => lock(&world.faults).clear(),
        ("GET", "faults") => return Ok(json!(lock(&world.faults).waiting(world.clock.now()))),
        ("PUT", "clock") => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Body {
                at: Option<DateTime<Utc>>,
                advance_seconds: Option<i64>,
                rate: Option<f64>,
            }
            let Body { at, advance_seconds, rate } = body(incoming)?;
            if let Some(at) = at {
                world.clock.set(at);
            }
            if let Some(by) = advance_seconds {
                world.clock.advance(Duration::seconds(by));
            }
            if let Some(rate) = rate {
                world.clock.run(rate);
            }
        }
        ("GET", "clock") => {}
        ("PUT", "rules") => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Body {
                shipping_required: Option<bool>,
                boxes: Option<BoxRule>,
            }
            let wanted: Body = body(incoming)?;
            let mut rules = lock(&world.rules);
            rules.shipping_required = wanted.shipping_required.unwrap_or(rules.shipping_required);
            rules.boxes = wanted.boxes.unwrap_or(rules.boxes);
        }
        ("GET", "rules") => return Ok(json!(*lock(&world.rules))),
        ("GET", "exchanges") => {
            return Ok(json!(
                lock(&world.log).last(last.unwrap_or(100)).iter().map(|kept| &**kept).collect::<Vec<_>>()
            ));
        }
        ("DELETE", "exchanges") => lock(&world.log).clear(),
        ("GET", "statistics") => return Ok(json!(lock(&world.log).statistics())),
        _ => return Err(Unknown.into()),
    }
    Ok(json!({ "now": world.clock.now(), "rate": world.clock.rate() }))
}

/// A fault that may be told how long it lasts instead of when it ends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planting {
    for_millis: Option<i64>,
    #[serde(flatten)]
    fault: Fault,
}

/// Puts a fault in the way and answers its number.
pub(crate) fn plant(world: &World, Planting { for_millis, mut fault }: Planting) -> u64 {
    fault.until = for_millis.map(|millis| world.clock.now() + Duration::milliseconds(millis)).or(fault.until);
    lock(&world.faults).add(fault)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placing {
    #[serde(default = "one")]
    count: usize,
    #[serde(flatten)]
    spec: OrderSpec,
}

fn one() -> usize {
    1
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Minting {
    kind: Option<TokenKind>,
    categories: Option<u32>,
    expires_at: Option<DateTime<Utc>>,
    read_only: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Wish {
    per_minute: f64,
    act: Option<BuyerAct>,
    key: Option<Key>,
    decision: Option<String>,
    orders: Option<Vec<i64>>,
    title: Option<String>,
    trashed: bool,
    is_processing: bool,
    warehouse_id: i64,
    chrt_id: i64,
    amount: i64,
}

fn of_seller(seller: &Seller, incoming: &Incoming, parts: &[&str]) -> Result<Value> {
    match (incoming.method.as_str(), parts) {
        ("POST", ["tokens"]) => {
            let wish: Minting = body(incoming)?;
            let token = seller.token_with(&TokenSpec {
                kind: wish.kind.unwrap_or(TokenKind::Personal),
                categories: wish.categories.unwrap_or(ALL_CATEGORIES),
                expires_at: wish.expires_at,
                read_only: wish.read_only,
                ..TokenSpec::default()
            });
            return Ok(json!({ "token": token }));
        }
        ("POST", ["orders"]) => {
            let Placing { count, spec } = body(incoming)?;
            let placed = seller.place_many(&spec, count);
            if placed.is_empty() && count > 0 {
                bail!("the shop has nothing of the kind");
            }
            return Ok(json!({ "orders": placed }));
        }
        ("POST", ["card-errors"]) => {
            #[derive(Deserialize)]
            struct Body {
                cards: Vec<RefusedCard>,
            }
            let Body { cards } = body(incoming)?;
            return Ok(json!({ "batchUUID": seller.refuse_cards(cards) }));
        }
        _ => {}
    }
    let wish: Wish = body(incoming)?;
    let order = |text: &str| text.parse::<i64>().context("an order is named by its id");
    match (incoming.method.as_str(), parts) {
        ("PUT", ["stream"]) => seller.stream(wish.per_minute),
        ("POST", ["orders", id, "acts"]) => seller.buyer(order(id)?, wish.act.context("which act?")?)?,
        ("POST", ["orders", id, "labels"]) => {
            seller.rule(order(id)?, wish.key.context("which key?")?, &wish.decision.context("which decision?")?)?;
        }
        ("POST", ["supplies", id, "scan"]) => return Ok(json!({ "orders": seller.scan(id, wish.orders.as_deref())? })),
        ("POST", ["supplies", id, "lose"]) => return Ok(json!({ "orders": seller.lose(id)? })),
        ("PATCH", ["cards", id]) => {
            let id = order(id)?;
            let found = if wish.trashed { seller.trash_card(id) } else { seller.change_card(id, wish.title) };
            return if found { Ok(json!({})) } else { Err(anyhow!("no card {id}")) };
        }
        ("PATCH", ["warehouses", id]) => {
            let found = seller.set_processing(order(id)?, wish.is_processing);
            return if found { Ok(json!({})) } else { Err(anyhow!("no warehouse {id}")) };
        }
        ("POST", ["prices", id, "release"]) => {
            let id = order(id)?;
            return if seller.release_price(id) { Ok(json!({})) } else { Err(anyhow!("{id} is not in quarantine")) };
        }
        ("PUT", ["stocks"]) => seller.set_stock(wish.warehouse_id, wish.chrt_id, wish.amount),
        _ => return Err(Unknown.into()),
    }
    Ok(json!({}))
}

fn shown(seller: &Seller, with_token: bool) -> Value {
    let mut shown = json!({
        "number": seller.number(),
        "sid": seller.sid(),
        "name": seller.name(),
        "warehouses": seller.warehouses(),
        "orderCount": seller.order_count(),
    });
    if with_token {
        shown["token"] = seller.token(TokenKind::Personal, ALL_CATEGORIES).into();
    }
    shown
}

fn find(world: &Arc<World>, name: &str) -> Result<Seller> {
    let by_number = name.parse().ok().and_then(|number: i64| lock(&world.cabinets).get(&number).cloned());
    let by_sid = || name.parse().ok().and_then(|sid: uuid::Uuid| lock(&world.by_sid).get(&sid).cloned());
    let cabinet = by_number.or_else(by_sid).with_context(|| format!("no seller {name}"))?;
    Ok(Seller { cabinet, world: world.clone() })
}

/// The body as JSON; an empty one counts as an empty object.
fn body<T: DeserializeOwned>(incoming: &Incoming) -> Result<T> {
    let bytes: &[u8] = if incoming.body.is_empty() { b"{}" } else { &incoming.body };
    serde_json::from_slice(bytes).context("reading the body")
}
