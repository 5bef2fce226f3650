//! The control calls under `/_control`: everything a test can turn, over HTTP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::acts::BuyerAct;
use crate::ask::parse_query;
use crate::fault::Fault;
use crate::label::Key;
use crate::limits::Limits;
use crate::reply::Reply;
use crate::seller::{OrderSpec, Seller, Shop};
use crate::token::{ALL_CATEGORIES, TokenKind, TokenSpec};
use crate::world::{Incoming, World, lock};

/// Call, body, meaning.
const CALLS: &[(&str, &str, &str)] = &[
    ("GET /_control", "", "this list"),
    (
        "POST /_control/sellers",
        "{name?, cards?, warehouses?, marked?, large?}",
        "open a seller's account; answers its number, sid, token and warehouses",
    ),
    ("GET /_control/sellers", "", "all sellers"),
    (
        "GET /_control/sellers/{seller}?limit=100",
        "",
        "state: orders (latest first), supplies, stickers; a seller is named by number or sid",
    ),
    (
        "POST /_control/sellers/{seller}/tokens",
        "{kind?: personal|service|base|test, categories?, expiresAt?, readOnly?}",
        "mint a token",
    ),
    ("POST /_control/tokens/withdraw", "{token}", "withdraw a token"),
    (
        "POST /_control/sellers/{seller}/orders",
        "{count?, chrtId?, warehouseId?, price?, createdAt?, inStock?, b2b?, crossBorder?, cargoType?, pickupPoint?, zero?, required?, optional?}",
        "place orders",
    ),
    ("PUT /_control/sellers/{seller}/stream", "{perMinute}", "orders that keep coming; 0 stops them"),
    (
        "POST /_control/sellers/{seller}/orders/{order}/acts",
        "{act: cancel|decline|wb_cancel|sort|arrive|receive|refuse|defect|postpone}",
        "the buyer or Wildberries acts",
    ),
    ("POST /_control/sellers/{seller}/orders/{order}/labels", "{key, decision}", "verify or reject a label identifier"),
    ("POST /_control/sellers/{seller}/supplies/{supply}/scan", "{orders?}", "Wildberries scans a supply"),
    ("POST /_control/sellers/{seller}/supplies/{supply}/lose", "", "what was not scanned goes to reshipment"),
    ("PATCH /_control/sellers/{seller}/cards/{nmId}", "{title?, trashed?}", "change a card or put it into the bin"),
    ("PATCH /_control/sellers/{seller}/warehouses/{warehouse}", "{isProcessing}", "make a warehouse busy"),
    ("PUT /_control/sellers/{seller}/stocks", "{warehouseId, chrtId, amount}", "set the stock Wildberries believes in"),
    ("GET|PUT /_control/limits", "{limits: real|off|FACTOR}", "budgets"),
    (
        "GET|POST|DELETE /_control/faults",
        "{kind, path?, method?, seller?, times?, …}",
        "kinds: too_many{retry} status{status} plain_text{status} drop drop_after_commit timeout_after_commit slow{millis} truncate extra_fields unknown_enum shuffled duplicated missing{count} mutated{at, change: gone | {renamed} | {became}}",
    ),
    ("GET|PUT /_control/clock", "{at?, advanceSeconds?, rate?}", "time"),
    ("PUT /_control/rules", "{shippingRequired}", "rules that may be off"),
    ("GET|DELETE /_control/exchanges?last=100", "", "what was asked and answered"),
    ("GET /_control/statistics", "", "counts by path and status"),
    ("POST /_control/reset", "", "forget all sellers, faults and exchanges"),
];

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
        ("POST", "faults") => lock(&world.faults).add(body::<Fault>(incoming)?),
        ("DELETE", "faults") => lock(&world.faults).clear(),
        ("GET", "faults") => return Ok(json!(lock(&world.faults).waiting())),
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
                shipping_required: bool,
            }
            let rules: Body = body(incoming)?;
            world.shipping_required.store(rules.shipping_required, Ordering::Relaxed);
        }
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
