//! WB Assistant's HTTP API: recognise, begin, do, commit, show.
//!
//! A noun is two lines here: its module, and its `Api` in `Nouns`. `edge` lies around all of them, `problem` is the form
//! of every failure, `auth` says who is asking.

pub mod admin;
pub mod alarms;
pub mod answers;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod bodies;
mod clearable;
pub mod counts;
pub mod docs;
pub mod document;
pub mod drifts;
pub mod edge;
pub mod enterprises;
pub mod exports;
pub mod health;
pub mod home;
pub mod idempotency;
pub mod inventory;
pub mod jobs;
pub mod needs;
pub mod orders;
pub mod origin;
pub mod passwords;
pub mod printing;
pub mod problem;
pub mod products;
pub mod publishing;
pub mod requests;
pub mod roles;
pub mod routes;
pub mod secret;
pub mod setup;
pub mod supplies;
pub mod sync;
pub mod tokens;
pub mod users;
pub mod versions;
pub mod warehouses;
pub mod wildberries;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route};
use poem_openapi::{OpenApiService, Tags};
use serde_json::Value;
use shared::config::Config;
use shared::db::Db;
use shared::wildberries::Client;

use crate::auth::KnownSessions;
use crate::bodies::Bodies;
use crate::edge::{Edge, Rates};
use crate::health::Health;
use crate::passwords::Passwords;
use crate::routes::Routes;
use crate::tokens::Tokens;

/// What the API is called.
pub const NAME: &str = "WB Assistant";
/// Which version it is.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many connections to the database a process holds at most.
pub const CONNECTIONS: u32 = 10;

/// Everything that is served.
type Nouns = (
    home::Api,
    health::Api,
    auth::Apis,
    (enterprises::Api, api_keys::Api),
    (users::Api, roles::Api),
    (wildberries::Api, publishing::Api, drifts::Api),
    sync::Api,
    warehouses::Apis,
    products::Apis,
    (
        inventory::Api,
        inventory::acts::Api,
        inventory::answers::Api,
        inventory::held::Api,
        inventory::proof::Api,
        inventory::receipts::Api,
        inventory::transfers::Api,
    ),
    orders::Api,
    (requests::Api, counts::Apis),
    supplies::Api,
    printing::Api,
    jobs::Api,
    (alarms::Api, audit::Api, exports::Apis),
);

const NOUNS: Nouns = (
    home::Api,
    health::Api,
    auth::APIS,
    (enterprises::Api, api_keys::Api),
    (users::Api, roles::Api),
    (wildberries::Api, publishing::Api, drifts::Api),
    sync::Api,
    warehouses::APIS,
    products::APIS,
    (
        inventory::Api,
        inventory::acts::Api,
        inventory::answers::Api,
        inventory::held::Api,
        inventory::proof::Api,
        inventory::receipts::Api,
        inventory::transfers::Api,
    ),
    orders::Api,
    (requests::Api, counts::APIS),
    supplies::Api,
    printing::Api,
    jobs::Api,
    (alarms::Api, audit::Api, exports::APIS),
);

/// What handlers may need: `Data<&State>`; the most wanted of it also by itself, `Data<&Db>` and `Data<&Passwords>`.
#[derive(Clone, Debug)]
pub struct State {
    /// The only road to SQL.
    pub db: Db,
    /// The checked environment.
    pub config: Arc<Config>,
    /// Signs and verifies our own tokens.
    pub tokens: Tokens,
    /// Who is acting in which session, for half a second.
    pub sessions: KnownSessions,
    /// Wildberries, for what cannot wait for a worker.
    pub wildberries: Client,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// What monitors are told.
    pub health: Arc<Health>,
    /// Who has asked how much.
    pub rates: Rates,
}

impl State {
    /// With its own queue for passwords, its own memory of sessions, for health checks and rates. Must be called inside a Tokio
    /// runtime.
    pub fn new(db: Db, config: Config, wildberries: Client) -> Self {
        let (sessions, herald) = KnownSessions::connect(&config.redis_url);
        let db = db.with_herald(herald);
        let health = Health::new(db.clone(), config.redis_url.clone(), config.health_token.clone());
        let tokens = Tokens::new(&config.jwt_keys);
        let rates = Rates::connect(&config.door.rates, &config.redis_url);
        Self {
            db,
            config: Arc::new(config),
            tokens,
            sessions,
            wildberries,
            passwords: Passwords::default(),
            health: Arc::new(health),
            rates,
        }
    }
}

/// The groups of operations, as the document shows them.
#[derive(Clone, Copy, Debug, Tags)]
pub enum Tag {
    /// What this is.
    Home,
    /// For monitors: whether it works.
    Health,
    /// Signing in and out.
    Auth,
    /// Tenants and their service keys.
    Enterprises,
    /// People and roles.
    Users,
    /// Promised work.
    Jobs,
    /// Seller accounts at Wildberries and what is known of their warehouses.
    Wildberries,
    /// Own warehouses and cells.
    Warehouses,
    /// Products and their barcodes.
    Products,
    /// Stock, goods receipts and the ledger.
    Inventory,
    /// Stock counts: what is known, what is found, and the correction of one by the other.
    Counts,
    /// Assembly orders.
    Orders,
    /// What is handed over to Wildberries.
    Supplies,
    /// Units of human work.
    Requests,
    /// Printers, stickers and labels.
    Printing,
    /// What is fetched from Wildberries.
    Sync,
    /// What somebody has to know.
    Alarms,
    /// Who did what, from where, with before and after.
    Audit,
}

/// The whole API, as a server or a test calls it.
pub fn app(state: State) -> impl Endpoint<Output = Response> + 'static {
    let document = document();
    let mut routes = Route::new().nest("/", service());
    let mut beside: &[&str] = &[];
    if state.config.docs {
        routes = routes.at(docs::PAGE, docs::page(page)).at(docs::DOCUMENT, docs::document(pretty(&document)));
        beside = &[docs::PAGE, docs::DOCUMENT];
    }
    let edge =
        Edge { routes: Routes::of(&document, beside), door: state.config.door.clone(), rates: state.rates.clone() };
    let (db, bodies, known) = (state.db.clone(), Arc::new(Bodies::of(&document)), state.clone());
    let routes = routes.data(state.db.clone()).data(state.passwords.clone()).data(state);
    let routes = routes
        .around(move |routes, request| bodies::hold(routes, request, Arc::clone(&bodies)))
        .around(move |routes, request| audit::note_denials(routes, request, db.clone()))
        .around(versions::answer_unchanged)
        .around(move |routes, request| idempotency::read(routes, request, known.clone()));
    edge::around(routes, edge)
}

/// The OpenAPI document, as it is published.
pub fn openapi() -> String {
    pretty(&document())
}

fn service() -> OpenApiService<Nouns, ()> {
    OpenApiService::new(NOUNS, NAME, VERSION).description(
        "The warehouse of a Wildberries FBS seller. Failures are `application/problem+json` with a stable `code`.",
    )
}

fn document() -> Value {
    document::publish(&service().spec())
}

fn page() -> String {
    let service = service();
    service.swagger_ui_html().replacen(&service.spec(), &openapi(), 1)
}

fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document is written as it was read");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
