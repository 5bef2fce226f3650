//! Everything that lives behind the port, and the way of a request through it: route, token, budget, fault, method, log.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::ask::{Ask, parse_query};
use crate::cabinet::Cabinet;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::exchange::{Exchange, Log};
use crate::fault::FaultKind;
use crate::faults::Faults;
use crate::interference;
use crate::limits::{Budgets, Key};
use crate::perform::perform;
use crate::reply::{Reply, gateway};
use crate::route::{self, Call, Route};
use crate::rules::Rules;
use crate::seller::Shop;
use crate::token::{Caller, Mint, TokenSpec};
use crate::wire::Wire;

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
    pub rules: Mutex<Rules>,
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
        lock(&self.faults).forget();
        lock(&self.withdrawn).clear();
        lock(&self.log).clear();
        let mut budgets = lock(&self.budgets);
        let limits = budgets.limits();
        budgets.set(limits);
    }

    /// Answers one request, and says how the answer goes out.
    pub(crate) async fn answer(self: Arc<Self>, incoming: Incoming) -> (Reply, Wire) {
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
                        fault = lock(&self.faults).meet(at, &incoming.method, &route.path, key.seller);
                        let mut reply = self.work(route, &incoming, cabinet, fault.as_ref(), key.seller).await;
                        lock(&self.budgets).settle(key, self.clock.now(), &mut reply);
                        reply
                    }
                }
            },
        };
        let wire = fault.as_ref().map_or(Wire::Whole, FaultKind::wire);
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
        (reply, wire)
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
        if let Some(FaultKind::Conflict { code }) = fault {
            return interference::conflict(route, &incoming.body, code.as_deref());
        }
        let ignored = match (fault, &route.call) {
            (Some(FaultKind::IgnoredRows { percent }), Call::WriteStocks(warehouse)) => {
                interference::ignored(&mut lock(&self.faults), *percent, seller, *warehouse, &incoming.body)
            }
            _ => Vec::new(),
        };
        let ask = Ask {
            now: self.clock.now(),
            query: parse_query(&incoming.query),
            body: incoming.body.clone(),
            rules: *lock(&self.rules),
            ignored: interference::sizes(&ignored),
        };
        let mut reply = apart(cabinet.clone(), ask.clone(), route.call.clone()).await;
        if reply.status == 204 {
            lock(&self.faults).remember(ignored);
        }
        match fault {
            Some(FaultKind::Slow { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
            Some(FaultKind::MissingShare { percent }) => interference::thin_out(&mut reply, &self.faults, *percent),
            Some(FaultKind::EndlessPages) => {
                if let Some(left) = interference::end_of_list(&reply, &ask) {
                    if left == 0 {
                        reply = apart(cabinet, interference::once_more(&ask), route.call.clone()).await;
                    }
                    interference::promise_more(&mut reply, &ask);
                }
            }
            _ => {}
        }
        interference::shift(&mut reply, &ask, &mut lock(&self.faults), fault, seller, &route.path);
        if let Some(fault) = fault {
            fault.spoil(&mut reply);
        }
        reply
    }
}

/// Does the work where it may take its time.
async fn apart(cabinet: Arc<Mutex<Cabinet>>, ask: Ask, call: Call) -> Reply {
    let work = tokio::task::spawn_blocking(move || perform(&cabinet, &ask, call).unwrap_or_else(|refusal| refusal));
    work.await.unwrap_or_else(|_| gateway(500, "the simulator failed"))
}
