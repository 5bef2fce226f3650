//! The checker: what clients asked for and were told against what the tables hold. It shares no code with the product.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, ensure};
use sqlx::{PgConnection, Row};

use super::asked::{Came, Document, Left, judge};
use super::history::{History, Line};
use super::{World, carried, orders};

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

/// On hand, reserved, on hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    on_hand: i64,
    reserved: i64,
    on_hold: i64,
}

pub(super) async fn check(world: &World, history: &History) -> anyhow::Result<Found> {
    let mut admin = world.stack.servers.admin(&world.stack.database).await?;
    let mut found = compare_acts(&mut admin, &history.acts).await?;
    orders::compare(&mut admin, world, history).await?;
    carried::compare(&mut admin, history).await?;
    (found.entries, found.balances) = compare_sums(&mut admin).await?;
    Ok(found)
}

/// Every act left what it asked for and was told, and nothing is there that nobody asked for.
async fn compare_acts(admin: &mut PgConnection, acts: &[Line]) -> anyhow::Result<Found> {
    let mut documents = documents(admin).await?;
    let mut found = Found::default();
    for line in acts {
        let number = line.act.number();
        let there = documents.remove(number).unwrap_or_default();
        ensure!(there.len() <= 1, "{number} was done {} times", there.len());
        let came = judge(line, there.first())
            .with_context(|| format!("{number}: {} {} was told {:?}", line.act.path, line.act.body, line.told))?;
        match came {
            Came::Done => found.done += 1,
            Came::Refused => found.refused += 1,
            Came::UnknownDone => (found.unknown, found.unknown_done) = (found.unknown + 1, found.unknown_done + 1),
            Came::UnknownNot => found.unknown += 1,
        }
    }
    ensure!(documents.is_empty(), "nobody asked for {:?}", documents.keys().next());
    Ok(found)
}

/// Every document by its number, with what stands under it.
async fn documents(admin: &mut PgConnection) -> anyhow::Result<HashMap<String, Vec<Document>>> {
    let mut left = left(admin).await?;
    let mut documents: HashMap<String, Vec<Document>> = HashMap::new();
    let query =
        "SELECT id::text, coalesce(number, '') AS number, kind, warehouse_id::text AS warehouse FROM stock_documents";
    for row in sqlx::query(query).fetch_all(admin).await? {
        let id: String = row.get("id");
        let left = left.remove(&id).unwrap_or_default();
        let document = Document { id, kind: row.get("kind"), warehouse: row.get("warehouse"), left };
        documents.entry(row.get("number")).or_default().push(document);
    }
    ensure!(left.is_empty(), "rows stand under documents that are not there: {:?}", left.keys().next());
    Ok(documents)
}

/// What stands under each document: entries, what is kept by it and what is given back by it. The kind of an entry is its
/// document's.
async fn left(admin: &mut PgConnection) -> anyhow::Result<HashMap<String, Vec<Left>>> {
    let query = "WITH rows AS (
                     SELECT document_id, id, product_id, lot_id, from_cell_id, from_outside, to_cell_id, to_outside, quantity, reason
                     FROM stock_entries WHERE document_id IS NOT NULL
                     UNION ALL
                     SELECT document_id, id, product_id, lot_id, cell_id, NULL, NULL, 'reserved', quantity, NULL
                     FROM reservations WHERE document_id IS NOT NULL
                     UNION ALL
                     SELECT ended_document_id, id, product_id, lot_id, cell_id, NULL, NULL, 'released', quantity, NULL
                     FROM reservations WHERE ended_document_id IS NOT NULL
                     UNION ALL
                     SELECT document_id, id, product_id, lot_id, cell_id, NULL, NULL, 'on_hold', quantity, reason FROM holds
                     UNION ALL
                     SELECT ended_document_id, id, product_id, lot_id, cell_id, NULL, NULL, 'released', quantity, NULL
                     FROM holds WHERE ended_document_id IS NOT NULL
                 )
                 SELECT r.document_id::text AS document, r.id::text, r.product_id::text, r.lot_id::text, l.code AS lot,
                        coalesce(r.from_cell_id, r.to_cell_id)::text AS cell_id, coalesce(f.code, r.from_outside) AS \"from\",
                        coalesce(t.code, r.to_outside) AS \"to\", r.quantity::bigint, r.reason
                 FROM rows AS r
                 JOIN lots AS l ON l.id = r.lot_id AND l.product_id = r.product_id
                 LEFT JOIN cells AS f ON f.id = r.from_cell_id
                 LEFT JOIN cells AS t ON t.id = r.to_cell_id";
    let mut left: HashMap<String, Vec<Left>> = HashMap::new();
    for row in sqlx::query(query).fetch_all(&mut *admin).await? {
        let one = Left {
            id: row.get("id"),
            product: row.get("product_id"),
            lot_id: row.get("lot_id"),
            lot: row.get("lot"),
            cell_id: row.get("cell_id"),
            from: row.get("from"),
            to: row.get("to"),
            quantity: row.get("quantity"),
            reason: row.get("reason"),
        };
        left.entry(row.get("document")).or_default().push(one);
    }
    let query = "SELECT count(*) FROM stock_entries AS e JOIN stock_documents AS d ON d.id = e.document_id WHERE d.kind <> e.kind";
    let strange: i64 = sqlx::query_scalar(query).fetch_one(&mut *admin).await?;
    ensure!(strange == 0, "{strange} entries are not of the kind of their document");
    let query = "SELECT (SELECT count(*) FROM reservations WHERE document_id IS NOT NULL AND (status = 'active') <> (ended_document_id IS NULL))
                      + (SELECT count(*) FROM holds WHERE (status = 'active') <> (ended_document_id IS NULL))";
    let strange: i64 = sqlx::query_scalar(query).fetch_one(admin).await?;
    ensure!(
        strange == 0,
        "{strange} rows that were kept by hand ended without a document, or are under one that ended them"
    );
    Ok(left)
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
