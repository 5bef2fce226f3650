//! What carriers were told against what is there: every receipt once with exactly its lines, every transfer as its last
//! answer told it, with entries from where to where it went, and nothing else.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::history::{History, ReceiptLine};

pub(super) async fn compare(admin: &mut PgConnection, history: &History) -> anyhow::Result<()> {
    compare_receipts(admin, history).await?;
    compare_transfers(admin, &history.transfers).await
}

async fn compare_receipts(admin: &mut PgConnection, history: &History) -> anyhow::Result<()> {
    let mut there: BTreeMap<String, Vec<ReceiptLine>> = BTreeMap::new();
    let query = "SELECT g.id::text, e.kind, e.from_outside, e.product_id::text, c.code AS cell, l.code AS lot, e.quantity::bigint
                 FROM goods_receipts AS g
                 JOIN stock_entries AS e ON e.receipt_id = g.id
                 JOIN cells AS c ON c.id = e.to_cell_id AND c.warehouse_id = g.warehouse_id
                 JOIN lots AS l ON l.id = e.lot_id AND l.product_id = e.product_id";
    for row in sqlx::query(query).fetch_all(&mut *admin).await? {
        let (kind, from): (String, Option<String>) = (row.get("kind"), row.get("from_outside"));
        ensure!(kind == "receipt" && from.as_deref() == Some("supplier"), "a receipt has a {kind} from {from:?}");
        let line = ReceiptLine {
            product: row.get("product_id"),
            cell: row.get("cell"),
            lot: row.get("lot"),
            quantity: row.get("quantity"),
        };
        there.entry(row.get("id")).or_default().push(line);
    }
    for receipt in &history.receipts {
        let mut lines = there.remove(&receipt.id).context("a receipt was acknowledged and is not there")?;
        let mut asked = receipt.lines.clone();
        lines.sort();
        asked.sort();
        ensure!(lines == asked, "of a receipt {asked:?} was asked for, there is {lines:?}");
    }
    ensure!(there.is_empty(), "{} receipts are there that nobody was told of", there.len());
    let query = "SELECT (SELECT count(*) FROM stock_entries WHERE receipt_id IS NOT NULL) - coalesce((SELECT sum(lines) FROM goods_receipts), 0)";
    let strange: i64 = sqlx::query_scalar(query).fetch_one(admin).await?;
    ensure!(strange == 0, "receipts say they have other lines than they have");
    Ok(())
}

/// Units of a lot by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Went {
    sent: i64,
    received: i64,
    returned: i64,
    lost: i64,
}

async fn compare_transfers(admin: &mut PgConnection, told: &[Value]) -> anyhow::Result<()> {
    let mut went = went(admin).await?;
    let mut there = BTreeMap::new();
    for row in sqlx::query("SELECT id::text, status FROM transfers").fetch_all(admin).await? {
        there.insert(row.get::<String, _>("id"), row.get::<String, _>("status"));
    }
    for transfer in told {
        let id = transfer["id"].as_str().context("an id")?;
        let status = there.remove(id).context("a transfer was acknowledged and is not there")?;
        ensure!(transfer["status"] == status.as_str(), "{transfer} was told, it is {status}");
        for lot in transfer["goods"].as_array().context("goods")? {
            let units = |field: &str| lot[field].as_i64().with_context(|| format!("{field} in {lot}"));
            let told = Went {
                sent: units("sent")?,
                received: units("received")?,
                returned: units("returned")?,
                lost: units("lost")?,
            };
            let word = |field: &str| lot[field].as_str().unwrap_or_default().to_owned();
            let found = went.remove(&(id.to_owned(), word("productId"), word("lotId"))).unwrap_or_default();
            ensure!(found == told, "{lot} was told, there is {found:?}");
            let over = found.received + found.returned + found.lost;
            ensure!(over == found.sent, "{found:?}: some are on their way and nobody brings them");
        }
    }
    ensure!(there.is_empty(), "{} transfers are there that nobody was told of", there.len());
    ensure!(went.is_empty(), "{} lots went and nobody was told", went.len());
    Ok(())
}

/// By transfer, product and lot.
async fn went(admin: &mut PgConnection) -> anyhow::Result<BTreeMap<(String, String, String), Went>> {
    let mut went: BTreeMap<(String, String, String), Went> = BTreeMap::new();
    let query = "SELECT t.id::text AS transfer, e.product_id::text, e.lot_id::text, e.kind, e.quantity::bigint,
                        coalesce(e.from_outside, CASE f.warehouse_id WHEN t.from_warehouse_id THEN 'here' WHEN t.to_warehouse_id THEN 'there' END) AS \"from\",
                        coalesce(e.to_outside, CASE c.warehouse_id WHEN t.from_warehouse_id THEN 'here' WHEN t.to_warehouse_id THEN 'there' END) AS \"to\"
                 FROM stock_entries AS e
                 JOIN transfers AS t ON t.id = e.transfer_id
                 LEFT JOIN cells AS f ON f.id = e.from_cell_id
                 LEFT JOIN cells AS c ON c.id = e.to_cell_id";
    for row in sqlx::query(query).fetch_all(admin).await? {
        let went = went.entry((row.get("transfer"), row.get("product_id"), row.get("lot_id"))).or_default();
        let (kind, from, to): (String, Option<String>, Option<String>) =
            (row.get("kind"), row.get("from"), row.get("to"));
        let units: i64 = row.get("quantity");
        match (kind.as_str(), from.as_deref(), to.as_deref()) {
            ("transfer_out", Some("here"), Some("in_transit")) => went.sent += units,
            ("transfer_in", Some("in_transit"), Some("there")) => went.received += units,
            ("transfer_back", Some("in_transit"), Some("here")) => went.returned += units,
            ("transfer_loss", Some("in_transit"), Some("loss")) => went.lost += units,
            _ => anyhow::bail!("{kind} from {from:?} to {to:?}"),
        }
    }
    Ok(went)
}
