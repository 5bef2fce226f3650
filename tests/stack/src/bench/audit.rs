//! What an audit entry costs: the same small change with and without it, by several connections at once, in turns, so that
//! whatever else the machine does meets both.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};

use super::Figure;
use crate::{Role, Servers};

const CONNECTIONS: usize = 8;
const TURNS: usize = 8;
const TURN: Duration = Duration::from_millis(1500);

/// What the API writes when a warehouse is opened; one round trip begins the transaction, as in the API.
const CHANGE: [&str; 2] = [
    "INSERT INTO warehouses (enterprise_id, id, name, created_at) VALUES ($1, $2, $3, now())",
    "INSERT INTO cells (enterprise_id, id, warehouse_id, code, purpose, pick_sequence, created_at)
     VALUES ($1, gen_random_uuid(), $2, $3, 'packing', 1, now())",
];
const ENTRY: &str = "INSERT INTO audit_entries (enterprise_id, id, occurred_at, actor, session_id, address, request_id, operation, action,
                                                object_kind, object_id, after)
     VALUES ($1, gen_random_uuid(), now(), 'user:' || $2::uuid, $2::uuid, '192.168.1.17', $3::text, 'create_warehouse', 'warehouse.created',
             'warehouse', $2::uuid::text, jsonb_build_object('id', $2::uuid, 'name', $3::text, 'address', NULL, 'createdAt', now(), 'version', 1))";

pub(super) async fn figure(servers: &Servers, database: &str) -> Result<Figure> {
    let mut admin = servers.admin(database).await?;
    let enterprise: Uuid = sqlx::query_scalar(
        "INSERT INTO enterprises (id, name, created_at) VALUES (gen_random_uuid(), 'Замер', now()) RETURNING id",
    )
    .fetch_one(&mut admin)
    .await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let url = servers.database_url(Role::Api, database);
        connections.push(PgConnection::connect(&url).await.context("connecting")?);
    }
    let (mut plain, mut audited) = (Vec::new(), Vec::new());
    turn(&mut connections, enterprise, true).await?;
    for number in 0..TURNS {
        // Each goes first as often as the other.
        for with in [number % 2 == 0, number % 2 == 1] {
            let rate = turn(&mut connections, enterprise, with).await?;
            if with { audited.push(rate) } else { plain.push(rate) }
        }
    }
    let (plain, audited) = (middle(plain), middle(audited));
    Ok(Figure {
        what: "changes with their audit entry, against the same without",
        promise: "≥ 0.75",
        reached: format!("{audited:.0} changes/s, without {plain:.0}: ratio {:.2}", audited / plain),
        held: audited / plain >= 0.75,
    })
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Changes per second, over all connections.
async fn turn(connections: &mut [PgConnection], enterprise: Uuid, with: bool) -> Result<f64> {
    let begin = Instant::now();
    let changing = connections.iter_mut().map(|connection| change(connection, enterprise, with, begin));
    let done: usize = try_join_all(changing).await?.into_iter().sum();
    Ok(done as f64 / begin.elapsed().as_secs_f64())
}

async fn change(connection: &mut PgConnection, enterprise: Uuid, with: bool, begin: Instant) -> Result<usize> {
    let (mut done, opening) = (0, format!("BEGIN; SET LOCAL app.enterprise_id = '{enterprise}'"));
    while begin.elapsed() < TURN {
        let id = Uuid::from_u128(rand::random());
        let mut tx = connection.begin_with(sqlx::AssertSqlSafe(opening.clone())).await?;
        for statement in CHANGE.into_iter().chain(with.then_some(ENTRY)) {
            sqlx::query(statement).bind(enterprise).bind(id).bind(id.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        done += 1;
    }
    Ok(done)
}
