//! The checker: what clients were told against what the tables hold. It shares no code with the product.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, ensure};
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::World;
use super::storm::{Line, Told};

/// What was compared.
#[derive(Default)]
pub(super) struct Found {
    pub done: u64,
    pub refused: u64,
    pub unknown: u64,
    pub unknown_done: u64,
    pub entries: usize,
    pub balances: usize,
}

/// Cell, product and lot.
type Place = (String, String, String);
/// The row's id, product, lot, cell and units.
type Part = (String, String, String, String, i64);

/// On hand, reserved, on hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    on_hand: i64,
    reserved: i64,
    on_hold: i64,
}

pub(super) async fn check(world: &World, history: &[Line]) -> anyhow::Result<Found> {
    let mut admin = world.stack.servers.admin(&world.stack.database).await?;
    let mut found = compare_history(&mut admin, history).await?;
    (found.entries, found.balances) = compare_sums(&mut admin).await?;
    Ok(found)
}

/// Every act that was acknowledged is there as it was told, none that was refused is, and nothing is there that nobody asked for.
async fn compare_history(admin: &mut PgConnection, history: &[Line]) -> anyhow::Result<Found> {
    let mut documents: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for row in sqlx::query("SELECT id::text, number, kind FROM stock_documents WHERE number LIKE 'storm-%'")
        .fetch_all(&mut *admin)
        .await?
    {
        documents.entry(row.get("number")).or_default().push((row.get("id"), row.get("kind")));
    }
    let parts = parts(admin).await?;
    let mut found = Found::default();
    for Line { number, kind, told } in history {
        let there = documents.remove(number).unwrap_or_default();
        ensure!(there.len() <= 1, "{number} was done {} times", there.len());
        ensure!(there.iter().all(|(_, as_kind)| as_kind == kind), "{number} is a {kind}, the database has {there:?}");
        match told {
            Told::Done(answer) => {
                found.done += 1;
                let (id, _) = there.first().with_context(|| format!("{number} was acknowledged and is not there"))?;
                ensure!(answer["document"]["id"] == id.as_str(), "{number} was acknowledged under another id");
                let kept = parts.get(id).cloned().unwrap_or_default();
                let said = said(answer)?;
                ensure!(said == kept, "{number} was told {said:?}, the database has {kept:?}");
            }
            Told::Refused => {
                found.refused += 1;
                ensure!(there.is_empty(), "{number} was refused and took effect");
            }
            Told::Nothing => {
                found.unknown += 1;
                found.unknown_done += u64::from(!there.is_empty());
                for (id, _) in &there {
                    ensure!(parts.contains_key(id), "{number} left a document without lines");
                }
            }
        }
    }
    ensure!(documents.is_empty(), "nobody asked for {:?}", documents.keys().next());
    Ok(found)
}

/// What an answer says was done.
fn said(answer: &Value) -> anyhow::Result<BTreeSet<Part>> {
    let rows = answer["rows"].as_array().context("an answer has rows")?;
    let parts = rows.iter().flat_map(|row| row["parts"].as_array().into_iter().flatten());
    parts
        .map(|part| {
            let word =
                |field: &str| part[field].as_str().map(str::to_owned).with_context(|| format!("{field} in {part}"));
            let quantity = part["quantity"].as_i64().context("a quantity")?;
            Ok((word("id")?, word("productId")?, word("lotId")?, word("cellId")?, quantity))
        })
        .collect()
}

/// What the database has under each document.
async fn parts(admin: &mut PgConnection) -> anyhow::Result<HashMap<String, BTreeSet<Part>>> {
    let query = "SELECT document_id::text AS document, id::text, product_id::text, lot_id::text,
                        coalesce(from_cell_id, to_cell_id)::text AS cell_id, quantity::bigint
                 FROM stock_entries WHERE document_id IS NOT NULL
                 UNION ALL
                 SELECT document_id::text, id::text, product_id::text, lot_id::text, cell_id::text, quantity::bigint
                 FROM reservations WHERE document_id IS NOT NULL
                 UNION ALL
                 SELECT ended_document_id::text, id::text, product_id::text, lot_id::text, cell_id::text, quantity::bigint
                 FROM reservations WHERE ended_document_id IS NOT NULL AND status = 'released'
                 UNION ALL
                 SELECT document_id::text, id::text, product_id::text, lot_id::text, cell_id::text, quantity::bigint FROM holds
                 UNION ALL
                 SELECT ended_document_id::text, id::text, product_id::text, lot_id::text, cell_id::text, quantity::bigint
                 FROM holds WHERE ended_document_id IS NOT NULL AND status = 'released'";
    let mut parts: HashMap<String, BTreeSet<Part>> = HashMap::new();
    for row in sqlx::query(query).fetch_all(admin).await? {
        let part = (row.get("id"), row.get("product_id"), row.get("lot_id"), row.get("cell_id"), row.get("quantity"));
        parts.entry(row.get("document")).or_default().insert(part);
    }
    Ok(parts)
}

/// Every balance is what its entries, reservations and holds sum to here, and what is kept is never more than is there.
async fn compare_sums(admin: &mut PgConnection) -> anyhow::Result<(usize, usize)> {
    let mut sums: BTreeMap<Place, Sums> = BTreeMap::new();
    let entries = sqlx::query(
        "SELECT product_id::text, lot_id::text, from_cell_id::text, to_cell_id::text, quantity::bigint FROM stock_entries",
    )
    .fetch_all(&mut *admin)
    .await?;
    for row in &entries {
        let (product, lot): (String, String) = (row.get("product_id"), row.get("lot_id"));
        let quantity: i64 = row.get("quantity");
        for (column, change) in [("to_cell_id", quantity), ("from_cell_id", -quantity)] {
            if let Some(cell) = row.get::<Option<String>, _>(column) {
                sums.entry((cell, product.clone(), lot.clone())).or_default().on_hand += change;
            }
        }
    }
    let kept = "SELECT cell_id::text, product_id::text, lot_id::text, quantity::bigint, true AS reserved FROM reservations WHERE status = 'active'
                UNION ALL
                SELECT cell_id::text, product_id::text, lot_id::text, quantity::bigint, false FROM holds WHERE status = 'active'";
    for row in sqlx::query(kept).fetch_all(&mut *admin).await? {
        let sums = sums.entry((row.get("cell_id"), row.get("product_id"), row.get("lot_id"))).or_default();
        let quantity: i64 = row.get("quantity");
        *(if row.get("reserved") { &mut sums.reserved } else { &mut sums.on_hold }) += quantity;
    }
    let balances = sqlx::query(
        "SELECT cell_id::text, product_id::text, lot_id::text, on_hand::bigint, reserved::bigint, on_hold::bigint FROM balances",
    )
    .fetch_all(admin)
    .await?;
    for row in &balances {
        let place: Place = (row.get("cell_id"), row.get("product_id"), row.get("lot_id"));
        let balance = Sums { on_hand: row.get("on_hand"), reserved: row.get("reserved"), on_hold: row.get("on_hold") };
        let summed = sums.remove(&place).unwrap_or_default();
        ensure!(balance == summed, "at {place:?} the balance is {balance:?}, its rows sum to {summed:?}");
        ensure!(
            summed.reserved + summed.on_hold <= summed.on_hand,
            "at {place:?} more is kept than there is: {summed:?}"
        );
    }
    ensure!(sums.is_empty(), "{} places have rows and no balance", sums.len());
    Ok((entries.len(), balances.len()))
}
