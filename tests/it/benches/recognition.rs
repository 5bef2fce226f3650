//! What it costs to ask who is asking and to keep enterprises apart: `GET /products?limit=50` through the whole front door,
//! against the same handler without session check and row security, taking turns in one run.
//!
//! `cargo wb bench --only recognition`

#![expect(clippy::cast_precision_loss, reason = "figures are rounded for people")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use api::answers::Page;
use api::edge::{Edge, Patience, Rates};
use api::problem::ApiError;
use api::products::Product;
use api::routes::Routes;
use futures::future::try_join_all;
use it::{PASSWORD, TestApp};
use poem::web::Data;
use poem::{EndpointExt, Route};
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{OpenApi, OpenApiService};
use secrecy::SecretString;
use shared::access::{Actor, Grants, Reach, Role};
use shared::config::Door;
use shared::db::{Db, DbOptions};
use shared::ids::{EnterpriseId, UserId};
use shared::page::PageQuery;
use shared::products::{self, ProductFilter};
use stack::Client;
use tokio::net::TcpListener;

const SESSIONS: usize = 8;
const AT_ONCE: usize = 16;
const TURNS: usize = 6;
const TURN: Duration = Duration::from_secs(3);
const PROMISE: f64 = 0.70;

/// The handler of `list_products`, for an actor whom nobody asked who they are.
struct Bare(Actor);

#[OpenApi]
impl Bare {
    #[oai(path = "/products", method = "get")]
    async fn list(
        &self,
        db: Data<&Db>,
        barcode: Query<Option<String>>,
        text: Query<Option<String>>,
        limit: Query<Option<i64>>,
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Product>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = ProductFilter { barcode: barcode.0, text: text.0, ..ProductFilter::default() };
        let mut tx = db.begin(&self.0).await?;
        let page = products::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let app = TestApp::start().await?;
    let email = app.founded("Ромашка").await?;
    let mut clients = Vec::new();
    for _ in 0..SESSIONS {
        clients.push(Client::new(&app.url)?.sign_in(&email, PASSWORD).await?);
    }
    let me = clients[0].get("/users/me").await?;
    let enterprise: EnterpriseId = serde_json::from_value(me["enterpriseId"].clone())?;
    let user: UserId = serde_json::from_value(me["user"]["id"].clone())?;
    sqlx::query(
        "INSERT INTO products (enterprise_id, id, sku, name, created_at, changed_at)
         SELECT $1, gen_random_uuid(), 'sku-' || n, 'Кроссовки летние ' || n, now(), now() FROM generate_series(1, 2000) AS n",
    )
    .bind(enterprise.0)
    .execute(&mut app.admin_in(&enterprise.to_string()).await?)
    .await?;

    // As superuser, whom row security does not bind.
    let options =
        DbOptions { max_connections: 6, statement_timeout: Duration::from_secs(30), application_name: "wb-bench" };
    let db = Db::open(&SecretString::from(app.admin_url()), &options)?;
    let bare = OpenApiService::new(
        Bare(Actor::user(enterprise, user, Grants::of_role(Role::Administrator, &Reach::Everywhere))),
        "bare",
        "1",
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let rates = stack::programs::UNHINDERED.parse().map_err(anyhow::Error::msg)?;
    let door = Door { rates, ..Door::default() };
    let rates = Rates::connect(&door.rates, &SecretString::from(app.redis_url()));
    let routes =
        api::edge::around(Route::new().nest("/", bare).data(db), Edge { routes: Routes::default(), door, rates });
    tokio::spawn(api::edge::serve(listener, routes, Patience::default(), std::future::pending(), Duration::ZERO));
    let strangers: Vec<_> = clients.iter().map(|client| client.with_token(None).at(&address)).collect();

    let (full, without) = (clients[0].get("/products?limit=50").await?, strangers[0].get("/products?limit=50").await?);
    ensure!(full == without, "both answer the same");
    let (mut door, mut bare) = (0.0, 0.0);
    for _ in 0..TURNS {
        bare += turn(&strangers).await?;
        door += turn(&clients).await?;
    }
    let (door, bare) = (door / TURNS as f64, bare / TURNS as f64);
    writeln!(std::io::stdout(), "{door:.0} answers/s, without {bare:.0}: ratio {:.2}", door / bare)?;
    ensure!(door / bare >= PROMISE, "less than {PROMISE}");
    Ok(())
}

/// Answers a second over one turn.
async fn turn(clients: &[Client]) -> Result<f64> {
    let (begin, answered) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let asking = (0..AT_ONCE).map(|index| {
        let (client, answered) = (clients[index % clients.len()].clone(), Arc::clone(&answered));
        async move {
            while begin.elapsed() < TURN {
                client.get("/products?limit=50").await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }
    });
    try_join_all(asking).await?;
    Ok(answered.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}
