//! Starting and stopping the simulator, and everything a test turns while it runs.

use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use poem::{Endpoint, Request, Response, Server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock::Clock;
use crate::connection::{Door, Open};
use crate::exchange::{Exchange, Log, Statistics};
use crate::fault::Fault;
use crate::faults::{Faults, IgnoredRow};
use crate::limits::{Budgets, Limits};
use crate::reply::{Reply, gateway};
use crate::rules::{BoxRule, Rules};
use crate::seller::{Seller, Shop};
use crate::token::Mint;
use crate::wire::respond;
use crate::world::{Incoming, World, lock};

/// How the simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port zero takes any that is free.
    pub listen: SocketAddr,
    /// What everything random grows from.
    pub seed: u64,
    /// How strictly budgets are kept.
    pub limits: Limits,
    /// What its clock shows at the start; the present if not said.
    pub now: Option<DateTime<Utc>>,
    /// How fast its clock runs.
    pub clock_rate: f64,
    /// Whether a supply needs shipping parameters before it is delivered.
    pub shipping_required: bool,
    /// How many boxes a supply may have.
    pub boxes: BoxRule,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 7,
            limits: Limits::Real,
            now: None,
            clock_rate: 1.0,
            shipping_required: true,
            boxes: BoxRule::default(),
        }
    }
}

/// A running simulator; dropping it ends its server.
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Simulator {
    /// Starts listening.
    pub async fn start(options: Options) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(options.listen).await.context("binding the simulator's port")?;
        let address = listener.local_addr().context("reading the simulator's port")?;
        let mut budgets = Budgets::default();
        budgets.set(options.limits);
        let world = Arc::new(World {
            seed: options.seed,
            clock: Clock::new(options.now.unwrap_or_else(Utc::now), options.clock_rate),
            mint: Mint::new(options.seed),
            budgets: Mutex::new(budgets),
            faults: Mutex::new(Faults::new(options.seed)),
            log: Mutex::new(Log::default()),
            cabinets: Mutex::default(),
            by_sid: Mutex::default(),
            withdrawn: Mutex::default(),
            issued: AtomicI64::new(1),
            rules: Mutex::new(Rules { shipping_required: options.shipping_required, boxes: options.boxes }),
        });
        let open = Open::default();
        let door = Door::new(listener, open.clone()).context("opening the simulator's door")?;
        let (stop, stopped) = oneshot::channel::<()>();
        let front = Front { world: world.clone(), open };
        let server = tokio::spawn(Server::new_with_acceptor(door).run_with_graceful_shutdown(
            front,
            async move {
                let _ = stopped.await;
            },
            Some(Duration::from_millis(50)),
        ));
        Ok(Self { world, address, stop: Some(stop), server: Some(server) })
    }

    /// Where it listens, as a URL without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server and waits for it.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
    }

    /// Waits until the server ends by itself.
    pub async fn wait(mut self) -> Result<()> {
        let server = self.server.take().context("the server was waited for before")?;
        server.await?.context("serving")
    }

    /// Opens a new seller's account.
    #[expect(clippy::needless_pass_by_value, reason = "written in place by every caller")]
    pub fn shop(&self, shop: Shop) -> Seller {
        Seller { cabinet: self.world.open_shop(&shop), world: self.world.clone() }
    }

    /// All sellers in the order of their creation.
    pub fn sellers(&self) -> Vec<Seller> {
        let cabinets = lock(&self.world.cabinets);
        cabinets.values().map(|cabinet| Seller { cabinet: cabinet.clone(), world: self.world.clone() }).collect()
    }

    /// The seller with this id.
    pub fn seller(&self, sid: Uuid) -> Option<Seller> {
        let cabinet = lock(&self.world.by_sid).get(&sid).cloned()?;
        Some(Seller { cabinet, world: self.world.clone() })
    }

    /// Wildberries' clock.
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// Keeps budgets in another way; all of them are full again.
    pub fn set_limits(&self, limits: Limits) {
        lock(&self.world.budgets).set(limits);
    }

    /// Whether supplies need shipping parameters.
    pub fn require_shipping(&self, required: bool) {
        lock(&self.world.rules).shipping_required = required;
    }

    /// How many boxes a supply may have from now on.
    pub fn set_boxes(&self, rule: BoxRule) {
        lock(&self.world.rules).boxes = rule;
    }

    /// Puts a fault in the way of the calls that match it.
    pub fn fault(&self, fault: Fault) {
        lock(&self.world.faults).add(fault);
    }

    /// The rows of stock updates that were answered 204 and changed nothing, oldest first.
    pub fn ignored_rows(&self) -> Vec<IgnoredRow> {
        lock(&self.world.faults).ignored().to_vec()
    }

    /// Takes all faults away that are still on.
    pub fn clear_faults(&self) {
        lock(&self.world.faults).clear();
    }

    /// A token is good for nothing from now on; `false` if it is none of ours.
    pub fn withdraw(&self, token: &str) -> bool {
        let read = self.world.mint.read(Some(token), self.world.clock.now());
        read.map(|caller| lock(&self.world.withdrawn).insert(caller.claims.id)).is_ok()
    }

    /// The exchanges that are kept, oldest first.
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        lock(&self.world.log).all()
    }

    /// Forgets exchanges and statistics.
    pub fn clear_exchanges(&self) {
        lock(&self.world.log).clear();
    }

    /// How often each method was called and how it answered.
    pub fn statistics(&self) -> Statistics {
        lock(&self.world.log).statistics()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

/// What stands behind the port.
struct Front {
    world: Arc<World>,
    open: Open,
}

/// Whether a page of another site asks: the controls ask for no token, so that browsers must keep strangers out.
fn is_foreign(request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let origin = header("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, authority)| authority));
    origin.is_some_and(|origin| header("host") != Some(origin))
}

/// Bodies above this are refused, as the gateway does.
const LARGEST: usize = 10 << 20;

impl Endpoint for Front {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body();
        let Ok(body) = body.into_bytes_limit(LARGEST).await else {
            return Ok(respond(gateway(413, "the body is too large")));
        };
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let incoming = Incoming {
            method: request.method().as_str().to_owned(),
            path: crate::ask::unescape(&request.uri().path().replace('+', "%2B")),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization: header.map(str::to_owned),
            body: body.to_vec(),
        };
        let under = |place: &str| {
            incoming.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let turned = if under("/_control") {
            Some(crate::control::answer as fn(&Arc<World>, &Incoming) -> Reply)
        } else {
            under("/_sim").then_some(crate::page::answer as fn(&Arc<World>, &Incoming) -> Reply)
        };
        if let Some(answer) = turned {
            let reply = if is_foreign(&request) {
                Reply::text(403, "asked from another site")
            } else {
                answer(&self.world, &incoming)
            };
            return Ok(respond(reply));
        }
        let (reply, wire) = self.world.clone().answer(incoming).await;
        Ok(wire.send(reply, &self.open, request.remote_addr()).await)
    }
}
