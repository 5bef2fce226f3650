//! Everything that lives behind the port, and the way of a request through it: route, token, budget, fault, method, log.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::ask::{Ask, parse_query};
use crate::cabinet::Cabinet;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::exchange::{Exchange, Log};
use crate::fault::{FaultKind, Faults};
use crate::limits::{Budgets, Key};
use crate::reply::{Answer, Reply, gateway, refusal};
use crate::route::{self, Call, Route};
use crate::seller::Shop;
use crate::token::{Caller, Mint, TokenSpec};

pub(crate) struct World {
    pub seed: u64,
    pub clock: Clock,
    pub mint: Mint,
    pub budgets: Mutex<Budgets>,
    pub faults: Mutex<Faults>,
    pub log: Mutex<Log>,
    pub cabinets: Mutex<BTreeMap<i64, Arc<Mutex<Cabinet>>>>,
    pub by_sid: Mutex<BTreeMap<Uuid, Arc<Mutex<Cabinet>>>>,
    pub withdrawn: Mutex<HashSet<Uuid>>,
    pub issued: AtomicI64,
    pub shipping_required: AtomicBool,
}

/// A lock that a panic elsewhere does not close for good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request as it came off the wire.
pub(crate) struct Incoming {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

impl World {
    pub(crate) fn open_shop(&self, shop: &Shop) -> Arc<Mutex<Cabinet>> {
        let mut cabinets = lock(&self.cabinets);
        let number = cabinets.last_key_value().map_or(1, |(number, _)| number + 1);
        let cabinet = crate::seed::cabinet(self.seed, number, shop, self.clock.now());
        let sid = cabinet.sid;
        let cabinet = Arc::new(Mutex::new(cabinet));
        cabinets.insert(number, cabinet.clone());
        lock(&self.by_sid).insert(sid, cabinet.clone());
        cabinet
    }

    pub(crate) fn issue(&self, sid: Uuid, spec: &TokenSpec) -> String {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let id = Chance::new(self.seed ^ number.unsigned_abs() << 20).uuid();
        self.mint.issue(id, sid, number, spec, self.clock.now())
    }

    pub(crate) fn reset(&self) {
        lock(&self.cabinets).clear();
        lock(&self.by_sid).clear();
        lock(&self.faults).clear();
        lock(&self.withdrawn).clear();
        lock(&self.log).clear();
        let mut budgets = lock(&self.budgets);
        let limits = budgets.limits();
        budgets.set(limits);
    }

    /// Answers one request; the second value says whether the connection is to be cut.
    pub(crate) async fn answer(self: Arc<Self>, incoming: Incoming) -> (Reply, bool) {
        let started = Instant::now();
        let at = self.clock.now();
        let route = route::find(&incoming.method, &incoming.path);
        let mut seller = None;
        let mut fault = None;
        let reply = match &route {
            None => gateway(404, "no such path"),
            Some(route) => match self.admit(route, incoming.authorization.as_deref()) {
                Err(reply) => reply,
                Ok((caller, cabinet)) => {
                    seller = Some(caller.claims.sid);
                    let key = Key { seller: caller.claims.sid, kind: caller.kind, group: route.group };
                    let taken = lock(&self.budgets).take(key, at);
                    if let Err(reply) = taken {
                        reply
                    } else {
                        fault = lock(&self.faults).meet(&incoming.method, &route.path, key.seller);
                        let mut reply = self.work(route, &incoming, cabinet, fault.as_ref(), key.seller).await;
                        lock(&self.budgets).settle(key, self.clock.now(), &mut reply);
                        reply
                    }
                }
            },
        };
        let cut = fault.as_ref().is_some_and(FaultKind::cuts);
        let headers = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let content_type =
            (!reply.content_type.is_empty()).then(|| ("Content-Type".to_owned(), reply.content_type.to_owned()));
        lock(&self.log).push(Exchange {
            number: 0,
            at,
            seller,
            category: route.as_ref().map(|route| route.category),
            template: route.as_ref().map(|route| route.template),
            method: incoming.method,
            path: route.map_or(incoming.path, |route| route.path),
            query: incoming.query,
            request: String::from_utf8_lossy(&incoming.body).into_owned(),
            status: reply.status,
            headers: headers.chain(content_type).collect(),
            response: String::from_utf8_lossy(&reply.body).into_owned(),
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            fault: fault.map(|fault| format!("{fault:?}")),
        });
        (reply, cut)
    }

    /// Checks token and seller.
    fn admit(&self, route: &Route, header: Option<&str>) -> Result<(Caller, Arc<Mutex<Cabinet>>), Reply> {
        let caller = self.mint.read(header, self.clock.now())?;
        let cabinet = lock(&self.by_sid).get(&caller.claims.sid).cloned();
        match cabinet {
            Some(cabinet) if !lock(&self.withdrawn).contains(&caller.claims.id) => {
                caller.may(route.category, route.writes)?;
                Ok((caller, cabinet))
            }
            _ => Err(gateway(401, "token problem; token expired or withdrawn")),
        }
    }

    async fn work(
        &self,
        route: &Route,
        incoming: &Incoming,
        cabinet: Arc<Mutex<Cabinet>>,
        fault: Option<&FaultKind>,
        seller: Uuid,
    ) -> Reply {
        if let Some(reply) = fault.and_then(|fault| fault.instead(&seller.to_string())) {
            return reply;
        }
        let ask = Ask {
            now: self.clock.now(),
            query: parse_query(&incoming.query),
            body: incoming.body.clone(),
            shipping_required: self.shipping_required.load(Ordering::Relaxed),
        };
        let call = route.call.clone();
        let work = tokio::task::spawn_blocking(move || perform(&cabinet, &ask, call).unwrap_or_else(|refusal| refusal));
        let mut reply = work.await.unwrap_or_else(|_| gateway(500, "the simulator failed"));
        if let Some(FaultKind::Slow { millis }) = fault {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
        }
        if let Some(fault) = fault {
            fault.spoil(&mut reply);
        }
        reply
    }
}

fn perform(cabinet: &Mutex<Cabinet>, ask: &Ask, call: Call) -> Answer {
    let mut cabinet = lock(cabinet);
    cabinet.catch_up(ask.now);
    match call {
        Call::BadNumber => Err(refusal(400, "IncorrectParameter")),
        Call::Ping => Ok(Reply::json(200, &serde_json::json!({ "TS": ask.now.to_rfc3339(), "Status": "OK" }))),
        Call::SellerInfo => Ok(cabinet.seller_info()),
        Call::Cards => cabinet.catalogue.list(ask),
        Call::Bin => cabinet.catalogue.bin(ask),
        Call::Offices => Ok(cabinet.offices()),
        Call::Warehouses => Ok(cabinet.list_warehouses()),
        Call::ReadStocks(warehouse) => cabinet.read_stocks(ask, warehouse),
        Call::WriteStocks(warehouse) => cabinet.write_stocks(ask, warehouse),
        Call::DeleteStocks(warehouse) => cabinet.delete_stocks(ask, warehouse),
        Call::NewOrders => Ok(cabinet.new_orders()),
        Call::Orders => cabinet.list_orders(ask),
        Call::OrderStatus => cabinet.order_status(ask),
        Call::Cancel(id) => cabinet.cancel_order(id),
        Call::Labels => cabinet.labels(ask),
        Call::WriteLabel(id, key) => cabinet.write_label(ask, id, key),
        Call::DeleteLabel(id) => cabinet.delete_label(ask, id),
        Call::OpenSupply => cabinet.open_supply(ask),
        Call::Supplies => cabinet.list_supplies(ask),
        Call::Supply(id) => cabinet.show_supply(&id),
        Call::DeleteSupply(id) => cabinet.delete_supply(&id),
        Call::AddToSupply(id) => cabinet.add_to_supply(ask, &id),
        Call::SupplyOrders(id) => cabinet.supply_orders(&id),
        Call::Deliver(id) => cabinet.deliver(ask, &id),
        Call::SupplyCode(id) => cabinet.supply_code(ask, &id),
        Call::Reshipment => Ok(cabinet.reshipment()),
        Call::ShippingPoints(id) => cabinet.shipping_points(ask, &id),
        Call::ChooseShipping => cabinet.choose_shipping(ask),
        Call::Transfer(id) => cabinet.transfer(ask, &id),
        Call::Stickers => {
            let drawing = cabinet.stickers(ask)?;
            drop(cabinet);
            Ok(drawing.draw())
        }
    }
}
