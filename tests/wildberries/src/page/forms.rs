//! What the forms of the page do.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use chrono::Duration;
use serde_json::{Map, Value, json};

use super::kinds::KINDS;
use super::{Fields, Said};
use crate::acts::BuyerAct;
use crate::control::plant;
use crate::label::Key;
use crate::limits::Limits;
use crate::rules::BoxRule;
use crate::seller::{OrderSpec, Seller, Shop};
use crate::token::{ALL_CATEGORIES, TokenKind};
use crate::world::{World, lock};

/// Does what a form asks for.
pub(super) fn submit(world: &Arc<World>, seller: Option<&Seller>, form: &str, fields: &Fields) -> Result<Said> {
    match form {
        "clock" => clock(world, fields)?,
        "rules" => rules(world, fields)?,
        "fault" => fault(world, seller, fields)?,
        "fault-off" => {
            let number = must(fields, "number")?;
            ensure!(lock(&world.faults).remove(number), "сбой {number} уже снят");
        }
        "faults-off" => lock(&world.faults).clear(),
        "seller" => {
            let name = text(fields, "name").map(str::to_owned);
            let shop = Shop { name, ..Shop::default() };
            world.open_shop(&shop);
        }
        _ => return of_seller(seller.context("сначала откройте магазин")?, form, fields),
    }
    Ok(Said::Nothing)
}

fn of_seller(seller: &Seller, form: &str, fields: &Fields) -> Result<Said> {
    let supply = || text(fields, "supply").context("не указана поставка");
    match form {
        "orders" => return orders(seller, fields),
        "stream" => seller.stream(must(fields, "per_minute")?),
        "act" => {
            let act: BuyerAct = serde_json::from_value(json!(text(fields, "act"))).context("не указано действие")?;
            seller.buyer(must(fields, "order")?, act)?;
        }
        "scan" => {
            let only = ids(fields)?;
            seller.scan(supply()?, only.as_deref())?;
        }
        "receive" => {
            let held = seller.supply(supply()?).context("нет такой поставки")?.orders;
            let now = seller.world.clock.now();
            let may = |id: &i64| seller.order(*id).is_some_and(|order| order.may(BuyerAct::Receive, now));
            let open = held.into_iter().filter(may);
            let received = open.map(|id| seller.receive(id)).collect::<Result<Vec<()>>>()?;
            ensure!(!received.is_empty(), "в поставке нечего получать");
        }
        "lose" => {
            let lost = seller.lose(supply()?)?;
            ensure!(!lost.is_empty(), "терять нечего: всё отсканировано");
        }
        "processing" => {
            let id = must(fields, "warehouse")?;
            ensure!(seller.set_processing(id, text(fields, "busy").is_some()), "нет склада {id}");
        }
        "token" => return Ok(Said::Token(seller.token(TokenKind::Personal, ALL_CATEGORIES))),
        _ => return Err(anyhow!("такой формы нет")),
    }
    Ok(Said::Nothing)
}

/// The most orders one click places.
const MOST: usize = 10_000;

fn orders(seller: &Seller, fields: &Fields) -> Result<Said> {
    let count: usize = number(fields, "count")?.unwrap_or(1);
    ensure!((1..=MOST).contains(&count), "от 1 до {MOST} заказов за раз");
    let spec = OrderSpec {
        chrt_id: number(fields, "chrt_id")?,
        warehouse_id: number(fields, "warehouse")?,
        in_stock: text(fields, "in_stock").is_some(),
        b2b: text(fields, "b2b").is_some(),
        pickup_point: text(fields, "not_pickup").is_some().then_some(false),
        required: text(fields, "marked").is_some().then(|| vec![Key::Sgtin]),
        ..OrderSpec::default()
    };
    let placed = seller.place_many(&spec, count);
    ensure!(!placed.is_empty(), "такого товара в магазине нет");
    Ok(if placed.len() < count {
        Said::Done(format!("Размещено {} из {count}", placed.len()))
    } else {
        Said::Nothing
    })
}

fn clock(world: &World, fields: &Fields) -> Result<()> {
    if let Some(minutes) = number::<i64>(fields, "minutes")? {
        ensure!((0..=1_000_000).contains(&minutes), "вперёд на 0–1 000 000 минут");
        world.clock.advance(Duration::minutes(minutes));
    }
    if let Some(rate) = number::<f64>(fields, "rate")? {
        ensure!((0.0..=100_000.0).contains(&rate), "скорость часов от 0 до 100 000");
        world.clock.run(rate);
    }
    Ok(())
}

fn rules(world: &World, fields: &Fields) -> Result<()> {
    if let Some(word) = text(fields, "limits") {
        let limits: Limits = word.parse().map_err(|error: String| anyhow!(error))?;
        lock(&world.budgets).set(limits);
    }
    let mut rules = lock(&world.rules);
    rules.shipping_required = text(fields, "shipping").is_some();
    rules.boxes = if text(fields, "boxes").is_some() { BoxRule::OneMore } else { BoxRule::Half };
    Ok(())
}

fn fault(world: &World, seller: Option<&Seller>, fields: &Fields) -> Result<()> {
    let wanted = text(fields, "kind").context("не указан сбой")?;
    let (kind, _, parameter) = KINDS.iter().find(|(kind, ..)| *kind == wanted).context("такого сбоя нет")?;
    let mut body = Map::from_iter([("kind".to_owned(), json!(kind))]);
    if let Some((name, usual)) = parameter {
        let value = number::<u32>(fields, "value")?.unwrap_or(*usual);
        body.insert((*name).to_owned(), json!(value));
    }
    for name in ["path", "method"] {
        if let Some(text) = text(fields, name) {
            body.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(times) = number::<u32>(fields, "times")? {
        body.insert("times".to_owned(), json!(times));
    }
    if let Some(percent) = number::<f64>(fields, "percent")? {
        ensure!((0.0..=100.0).contains(&percent), "доля от 0 до 100 %");
        body.insert("share".to_owned(), json!(percent / 100.0));
    }
    if let Some(seconds) = number::<u32>(fields, "seconds")? {
        body.insert("forMillis".to_owned(), json!(u64::from(seconds) * 1000));
    }
    if let Some(seller) = seller.filter(|_| text(fields, "only_seller").is_some()) {
        body.insert("seller".to_owned(), json!(seller.sid()));
    }
    plant(world, serde_json::from_value(Value::Object(body)).context("так сбой не включить")?);
    Ok(())
}

/// Orders named by their ids, apart by spaces or commas; `None` if none is named.
fn ids(fields: &Fields) -> Result<Option<Vec<i64>>> {
    let Some(named) = text(fields, "orders") else { return Ok(None) };
    let words = named.split([' ', ',', '\n', '\r']).filter(|word| !word.is_empty());
    let read = |word: &str| word.parse().with_context(|| format!("«{word}» — не номер заказа"));
    words.map(read).collect::<Result<_>>().map(Some)
}

fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn number<T: FromStr>(fields: &Fields, name: &str) -> Result<Option<T>> {
    let read = |text: &str| text.replace(',', ".").parse().map_err(|_| anyhow!("«{text}» — не то число, что нужно"));
    text(fields, name).map(read).transpose()
}

fn must<T: FromStr>(fields: &Fields, name: &str) -> Result<T> {
    number(fields, name)?.with_context(|| format!("не указано: {name}"))
}
