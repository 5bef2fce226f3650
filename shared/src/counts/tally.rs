//! Taking in what somebody counted: which line it is about, whether they may, what the ledger says at that moment.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::{self, Held};
use super::{TallyKind, freeze, start};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::error::Refusal;
use crate::ids::{CellId, CountLineId, CountTallyId, LotId, ProductId};
use crate::inventory::{self, Batch, Heading, Item, Mode, Verdict};

/// One lot of a product in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_field_names, reason = "ids of three things, each by its own name")]
pub(super) struct Place {
    pub cell_id: CellId,
    pub product_id: ProductId,
    pub lot_id: LotId,
}

/// So many units were found there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub place: Place,
    pub quantity: i32,
    /// At that moment, if not just now.
    pub counted_at: Option<DateTime<Utc>>,
}

/// A line that is there already.
struct Line {
    round: i32,
    /// Whether it waits for somebody who has not counted it, and the actor has.
    waits_for_another: bool,
}

/// What each row is about, or why it is not taken in. What was not expected is found in cells of the count; if that is about
/// products, in every cell of the warehouse that no other count has.
pub(super) async fn judge(
    tx: &mut EnterpriseTx,
    count: &Held,
    mode: Mode,
    rows: &[(&Item, &String)],
) -> Result<Vec<Verdict<Place>>> {
    let heading = Heading { warehouse_id: count.warehouse_id, number: None, comment: None, mode };
    let (items, codes) = (rows.iter().map(|(item, _)| *item), rows.iter().map(|(_, cell)| *cell));
    let mut batch = Batch::open(tx, &heading, Permission::WorkCounts, items, codes).await?;
    let cells = batch.cells();
    let extent = store::extent(tx, count, &cells).await?;
    let elsewhere = taken_elsewhere(tx, count, &cells).await?;
    let within = |batch: &Batch, row: usize| -> Verdict<(CellId, ProductId)> {
        let (product_id, code) = (batch.product(row)?, rows[row].1);
        let cell_id = batch.counted_cell(code)?;
        if let Some(other) = elsewhere.get(&cell_id) {
            return Err((Refusal::CellUnderCount, format!("cell {code} is being counted by «{other}»")));
        }
        match &extent.products {
            Some(products) if !products.contains(&product_id) => {
                Err((Refusal::CountOutside, "the product is none of the count's".to_owned()))
            }
            None if !extent.cells.contains(&cell_id) => {
                Err((Refusal::CountOutside, format!("cell {code} is none of the count's")))
            }
            Some(_) | None => Ok((cell_id, product_id)),
        }
    };
    let lots_named: Vec<_> =
        (0..rows.len()).map(|row| rows[row].0.lot.as_ref().map(|_| batch.own_lot(row)).transpose()).collect();
    let lots = lots_there(tx, count, &cells, &batch.products()).await?;
    let place = |row: usize| -> Verdict<Place> {
        let (cell_id, product_id) = within(&batch, row)?;
        let there = lots.get(&(cell_id, product_id)).map_or(&[][..], Vec::as_slice);
        let lot_id = match (lots_named[row].clone()?, there) {
            (Some(lot), _) => lot,
            (None, []) => inventory::without_code(product_id),
            (None, [one]) => *one,
            (None, several) => {
                return Err((Refusal::LotNeeded, format!("{} lots of it are known in {}", several.len(), rows[row].1)));
            }
        };
        Ok(Place { cell_id, product_id, lot_id })
    };
    let places: Vec<_> = (0..rows.len()).map(place).collect();
    let lines = lines_at(tx, count, places.iter().flatten()).await?;
    let mut seen = HashSet::new();
    let checked = |place: Verdict<Place>| -> Verdict<Place> {
        let place = place?;
        if !seen.insert(place) {
            return Err((Refusal::CountRowTwice, "a row before it is about the same: say the sum".to_owned()));
        }
        match lines.get(&place) {
            Some(line) if line.round != count.round => {
                Err((Refusal::CountLineClosed, format!("round {} does not count it again", count.round)))
            }
            Some(line) if line.waits_for_another => {
                Err((Refusal::CountRecountByAnother, "you have counted it before".to_owned()))
            }
            Some(_) | None => Ok(place),
        }
    };
    let checked: Vec<_> = places.into_iter().map(checked).collect();
    batch.make_lots(tx, checked.iter().flatten().map(|place| place.lot_id)).await?;
    Ok(checked)
}

/// The counts that have these cells, but for this one.
async fn taken_elsewhere(tx: &mut EnterpriseTx, count: &Held, cells: &[CellId]) -> Result<HashMap<CellId, String>> {
    let rows = sqlx::query!(
        "SELECT o.cell_id, k.name FROM count_cells AS o JOIN counts AS k ON k.id = o.count_id
         WHERE o.cell_id = ANY($2) AND o.count_id <> $1 AND o.ended_at IS NULL",
        count.id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.cell_id, row.name)).collect())
}

/// The lots that are known of these products in these cells, by the count or by the ledger.
async fn lots_there(
    tx: &mut EnterpriseTx,
    count: &Held,
    cells: &[CellId],
    products: &[ProductId],
) -> Result<HashMap<(CellId, ProductId), Vec<LotId>>> {
    let rows = sqlx::query!(
        r#"SELECT cell_id AS "cell_id!: CellId", product_id AS "product_id!: ProductId", lot_id AS "lot_id!: LotId"
           FROM (SELECT cell_id, product_id, lot_id FROM count_lines
                 WHERE count_id = $1 AND cell_id = ANY($2) AND product_id = ANY($3)
                 UNION SELECT cell_id, product_id, lot_id FROM balances
                 WHERE cell_id = ANY($2) AND product_id = ANY($3) AND on_hand > 0) AS known"#,
        count.id as _,
        &cells.iter().map(|cell| cell.0).collect::<Vec<_>>(),
        &products.iter().map(|product| product.0).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut lots: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        lots.entry((row.cell_id, row.product_id)).or_default().push(row.lot_id);
    }
    Ok(lots)
}

/// The lines of these places, held in one order for all.
async fn lines_at(
    tx: &mut EnterpriseTx,
    count: &Held,
    places: impl Iterator<Item = &Place>,
) -> Result<HashMap<Place, Line>> {
    let (cells, lots): (Vec<Uuid>, Vec<Uuid>) = places.map(|place| (place.cell_id.0, place.lot_id.0)).unzip();
    let (actor, person) = (tx.actor().to_string(), store::person(tx).await?);
    let rows = sqlx::query!(
        r#"SELECT l.cell_id, l.product_id, l.lot_id, l.round,
                  (l.by_another AND EXISTS (SELECT FROM count_tallies AS t
                                            WHERE t.count_line_id = l.id AND t.round < l.round
                                              AND (t.person_id = $5 OR t.actor = $4))) AS "waits_for_another!"
           FROM count_lines AS l
           WHERE l.count_id = $1 AND (l.cell_id, l.lot_id) IN (SELECT * FROM unnest($2::uuid[], $3::uuid[]))
           ORDER BY l.id FOR NO KEY UPDATE OF l"#,
        count.id as _,
        &cells,
        &lots,
        actor,
        person as _,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let place = Place { cell_id: row.cell_id, product_id: row.product_id, lot_id: row.lot_id };
            (place, Line { round: row.round, waits_for_another: row.waits_for_another })
        })
        .collect())
}

/// Keeps what was found in places that were judged, each once, and lets go of the frozen cells that hold what was known.
pub(super) async fn keep(
    tx: &mut EnterpriseTx,
    count: &Held,
    kind: TallyKind,
    found: &[Found],
) -> Result<HashMap<Place, CountLineId>> {
    let mut cells: Vec<_> = found.iter().map(|found| found.place.cell_id).collect();
    cells.sort_unstable();
    cells.dedup();
    start::take_cells(tx, count, &cells).await?;
    let lines = make_lines(tx, count, found).await?;
    let tallies = insert(tx, count, kind, found).await?;
    follow(tx, &tallies).await?;
    freeze::thaw_settled(tx, count, &cells).await?;
    Ok(lines)
}

/// Lines of what was not expected; answers with all of them.
async fn make_lines(tx: &mut EnterpriseTx, count: &Held, found: &[Found]) -> Result<HashMap<Place, CountLineId>> {
    let enterprise_id = tx.enterprise_id();
    let (cells, products, lots) = columns(found);
    sqlx::query!(
        "INSERT INTO count_lines (enterprise_id, id, count_id, cell_id, product_id, lot_id, round, expected_at_start, expected)
         SELECT $1, l.id, $2, l.cell_id, l.product_id, l.lot_id, $3, 0, 0
         FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[]) AS l (id, cell_id, product_id, lot_id)
         ON CONFLICT (enterprise_id, count_id, cell_id, lot_id) DO NOTHING",
        enterprise_id as _,
        count.id as _,
        count.round,
        &found.iter().map(|_| CountLineId::new().0).collect::<Vec<_>>(),
        &cells,
        &products,
        &lots,
    )
    .execute(tx.conn())
    .await?;
    // Held again: one may have been made by somebody else since it was looked for.
    let rows = sqlx::query!(
        "SELECT id, cell_id, product_id, lot_id FROM count_lines
         WHERE count_id = $1 AND (cell_id, lot_id) IN (SELECT * FROM unnest($2::uuid[], $3::uuid[]))
         ORDER BY id FOR NO KEY UPDATE",
        count.id as _,
        &cells,
        &lots,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (Place { cell_id: row.cell_id, product_id: row.product_id, lot_id: row.lot_id }, row.id))
        .collect())
}

/// Beside each quantity what the ledger says: at this moment, or when it was counted, less what came and plus what went since.
async fn insert(tx: &mut EnterpriseTx, count: &Held, kind: TallyKind, found: &[Found]) -> Result<Vec<CountTallyId>> {
    let (enterprise_id, now, actor, person) =
        (tx.enterprise_id(), tx.now().await?, tx.actor().to_string(), store::person(tx).await?);
    let (cells, _, lots) = columns(found);
    Ok(sqlx::query_scalar!(
        "INSERT INTO count_tallies (enterprise_id, id, count_id, count_line_id, number, round, kind, quantity, expected, actor, person_id,
                                    counted_at, recorded_at)
         SELECT $1, t.id, $2, l.id, 1 + (SELECT count(*) FROM count_tallies AS b WHERE b.count_line_id = l.id), l.round, $3, t.quantity,
                greatest(0, coalesce(b.on_hand, 0) - came.units + went.units), $4, $5, coalesce(t.counted_at, $6), $6
         FROM unnest($7::uuid[], $8::uuid[], $9::uuid[], $10::int[], $11::timestamptz[]) AS t (id, cell_id, lot_id, quantity, counted_at)
         JOIN count_lines AS l ON l.count_id = $2 AND l.cell_id = t.cell_id AND l.lot_id = t.lot_id
         LEFT JOIN balances AS b ON b.cell_id = l.cell_id AND b.product_id = l.product_id AND b.lot_id = l.lot_id
         CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                             WHERE e.to_cell_id = l.cell_id AND e.product_id = l.product_id AND e.lot_id = l.lot_id
                               AND e.occurred_at > t.counted_at) AS came
         CROSS JOIN LATERAL (SELECT coalesce(sum(e.quantity), 0) AS units FROM stock_entries AS e
                             WHERE e.from_cell_id = l.cell_id AND e.product_id = l.product_id AND e.lot_id = l.lot_id
                               AND e.occurred_at > t.counted_at) AS went
         RETURNING id",
        enterprise_id as _,
        count.id as _,
        kind as TallyKind,
        actor,
        person as _,
        now,
        &found.iter().map(|_| CountTallyId::new().0).collect::<Vec<_>>(),
        &cells,
        &lots,
        &found.iter().map(|found| found.quantity).collect::<Vec<_>>(),
        &found.iter().map(|found| found.counted_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The last tally is what the line says; it is disputed as long as people's last ones of this round differ. Two who counted
/// at different moments agree when their differences do.
async fn follow(tx: &mut EnterpriseTx, tallies: &[CountTallyId]) -> Result<()> {
    sqlx::query!(
        "UPDATE count_lines AS l
         SET counted = t.quantity, expected = t.expected, counted_at = t.counted_at, counted_by = t.actor,
             kept = false, reason = NULL, comment = NULL, problem = NULL,
             disputed = (SELECT count(DISTINCT said.difference) > 1
                         FROM (SELECT DISTINCT ON (coalesce(o.person_id::text, o.actor)) o.quantity - o.expected AS difference
                               FROM count_tallies AS o WHERE o.count_line_id = l.id AND o.round = l.round
                               ORDER BY coalesce(o.person_id::text, o.actor), o.number DESC) AS said)
         FROM count_tallies AS t WHERE t.id = ANY($1) AND l.id = t.count_line_id",
        &tallies.iter().map(|tally| tally.0).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn columns(found: &[Found]) -> (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) {
    let places = || found.iter().map(|found| found.place);
    (
        places().map(|place| place.cell_id.0).collect(),
        places().map(|place| place.product_id.0).collect(),
        places().map(|place| place.lot_id.0).collect(),
    )
}

/// Takes lines for none that nobody counted.
pub(super) async fn decide(tx: &mut EnterpriseTx, count: &Held, found: &[Found]) -> Result<()> {
    let tallies = insert(tx, count, TallyKind::Decided, found).await?;
    follow(tx, &tallies).await
}
