//! What the acts by hand have in common: a heading, lines that name their goods, a verdict for each line, a document.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::lots::{self, Known, LotName, Named};
use super::turn::line_up;
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RowRefused;
use crate::ids::{CellId, LotId, ProductId, StockDocumentId, WarehouseId};
use crate::warehouses::{self, Purpose};
use crate::{Error, Refusal, Result, products};

/// The largest batch, in lines.
pub const MAX_LINES: usize = 1000;

/// What becomes of the other lines when one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
pub enum Mode {
    /// Nothing is done.
    AllOrNothing,
    /// They are done; each line has its own verdict.
    EachRow,
}

/// What somebody did to stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DocumentKind {
    /// From cell to cell.
    Move,
    /// Corrected.
    Adjust,
    /// Broken, lost or used.
    WriteOff,
    /// Kept from everybody.
    Hold,
    /// Kept for somebody.
    Reserve,
    /// Given back: holds or reservations.
    Release,
    /// Come back from buyers.
    Return,
}

/// What all lines of a batch share.
#[derive(Clone, Debug)]
pub struct Heading {
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// The number of the seller's own document.
    pub number: Option<String>,
    /// In words.
    pub comment: Option<String>,
    /// What becomes of the other lines when one is refused.
    pub mode: Mode,
}

/// Which goods a line is about: by a barcode or by the product, one of them.
#[derive(Clone, Debug)]
pub struct Item {
    /// Any barcode of the product.
    pub barcode: Option<String>,
    /// The product.
    pub product_id: Option<ProductId>,
    /// Of this lot. Where goods are taken, absent means any, first expired first; where they are put, the one without a code.
    pub lot: Option<LotName>,
}

/// What somebody did to stock by hand.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockDocument {
    /// Ours.
    pub id: StockDocumentId,
    /// What was done.
    pub kind: DocumentKind,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// The number of the seller's own document.
    pub number: Option<String>,
    /// In words.
    pub comment: Option<String>,
    /// Who.
    pub actor: String,
    /// When.
    pub posted_at: DateTime<Utc>,
}

/// What a line did: so many units of one lot in one cell.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The entry, the reservation or the hold.
    pub id: Uuid,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// Where it lay, or lies now.
    pub cell_id: CellId,
    /// Units.
    pub quantity: i32,
}

/// What became of a line.
pub type Row = std::result::Result<Vec<Part>, RowRefused>;

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Absent when every line was refused.
    pub document: Option<StockDocument>,
    /// Line by line, as asked.
    pub rows: Vec<Row>,
    /// Whose waiting orders may now be served.
    pub freed: Vec<ProductId>,
}

/// What is said of a line, or why it is refused.
pub(crate) type Verdict<T> = std::result::Result<T, (Refusal, String)>;

/// A cell that a line names.
#[derive(Clone, Debug)]
struct Place {
    id: CellId,
    purpose: Purpose,
    blocked_reason: Option<String>,
    /// The count that has frozen it.
    frozen_by: Option<String>,
    /// The count that counts it whole; what one counts of single products the database knows.
    counted_by: Option<String>,
    /// Whether it takes no more than so much, or not everything together.
    is_limited: bool,
}

/// A batch whose lines were looked up, and whose products are ours until the transaction ends.
#[derive(Debug)]
pub(crate) struct Batch {
    products: Vec<Verdict<ProductId>>,
    /// Those that no cell keeps.
    not_kept: HashMap<ProductId, (Refusal, String)>,
    lots: Vec<Option<Named>>,
    known: Known,
    /// Lots that are not there yet, by the ids that they would have.
    new: HashMap<LotId, Named>,
    cells: HashMap<String, Place>,
}

impl Batch {
    /// Checks the heading, finds what the lines name and lines up at their products.
    pub async fn open<'a>(
        tx: &mut EnterpriseTx,
        heading: &Heading,
        permission: Permission,
        items: impl Iterator<Item = &'a Item> + Clone,
        cells: impl Iterator<Item = &'a String>,
    ) -> Result<Self> {
        enter(tx, heading, permission, items.clone().count()).await?;
        let named = find_products(tx, items.clone()).await?;
        let mut lots = Vec::with_capacity(named.len());
        for (row, item) in items.enumerate() {
            let name = item.lot.as_ref().map(|lot| lot.code(&format!("lines.{row}.lot"))).transpose()?;
            let expires_on = item.lot.as_ref().and_then(|lot| lot.expires_on);
            lots.push(name.zip(named[row].as_ref().ok()).map(|(code, product_id)| Named {
                product_id: *product_id,
                code,
                expires_on,
            }));
        }
        let cells = find_cells(tx, heading.warehouse_id, cells).await?;
        let found: Vec<_> = named.iter().flatten().copied().collect();
        // Asked before it is our turn: what can be done before others have to wait is done before.
        tx.now().await?;
        line_up(tx, &found).await?;
        // Whoever makes a lot has lined up at its product: what is not there now is made by nobody else.
        let named_lots: Vec<_> = lots.iter().flatten().cloned().collect();
        let known = lots::find(tx, &named_lots).await?;
        let not_kept = products::not_kept(tx, &found).await?;
        Ok(Self { products: named, not_kept, lots, known, new: HashMap::new(), cells })
    }

    /// A batch whose lines name no goods, only cells.
    pub async fn of_cells<'a>(
        tx: &mut EnterpriseTx,
        heading: &Heading,
        cells: impl Iterator<Item = &'a String>,
    ) -> Result<Self> {
        let cells = find_cells(tx, heading.warehouse_id, cells).await?;
        Ok(Self {
            products: Vec::new(),
            not_kept: HashMap::new(),
            lots: Vec::new(),
            known: Known::default(),
            new: HashMap::new(),
            cells,
        })
    }

    /// The lot that goods of a line belong to: the one it names, which is made if nobody has heard of it and something of the
    /// line is done; or the one without a code.
    pub fn own_lot(&mut self, row: usize) -> Verdict<LotId> {
        let product_id = self.product(row)?;
        let Some(named) = &self.lots[row] else { return Ok(lots::without_code(product_id)) };
        match self.known.find(named) {
            Err((Refusal::LotUnknown, _)) => {
                let id = self.known.add(named);
                self.new.insert(id, named.clone());
                Ok(id)
            }
            known => known,
        }
    }

    /// Makes those of these lots that are not there yet.
    pub async fn make_lots(&self, tx: &mut EnterpriseTx, used: impl Iterator<Item = LotId>) -> Result<()> {
        let new: HashMap<_, _> = used.filter_map(|id| Some((id, self.new.get(&id)?))).collect();
        lots::make(tx, &new.into_iter().collect::<Vec<_>>()).await
    }

    /// The product of a line.
    pub fn product(&self, row: usize) -> Verdict<ProductId> {
        let unnamed = || Err((Refusal::ProductUnknown, "the line names no product".to_owned()));
        self.products.get(row).cloned().unwrap_or_else(unnamed)
    }

    /// The same, of goods that come in.
    pub fn incoming(&self, row: usize) -> Verdict<ProductId> {
        let product_id = self.product(row)?;
        self.not_kept.get(&product_id).cloned().map_or(Ok(product_id), Err)
    }

    /// The lot that a line names, if it names one.
    pub fn lot(&self, row: usize) -> Verdict<Option<LotId>> {
        self.lots[row].as_ref().map(|named| self.known.find(named)).transpose()
    }

    /// The cell of this code, whether it gives and takes or not.
    pub fn cell(&self, code: &str) -> Verdict<CellId> {
        self.place(code).map(|place| place.id)
    }

    /// The same, where goods may be taken.
    pub fn giving_cell(&self, code: &str) -> Verdict<CellId> {
        let place = self.place(code)?;
        match (&place.blocked_reason, &place.frozen_by) {
            (Some(reason), _) => Err((Refusal::CellBlocked, format!("cell {code} is blocked: {reason}"))),
            (None, Some(count)) => {
                Err((Refusal::CellFrozen, format!("cell {code} is frozen while «{count}» counts it")))
            }
            (None, None) => Ok(place.id),
        }
    }

    /// Refuses to correct by hand what is being counted.
    pub fn check_uncounted(&self, code: &str) -> Verdict<()> {
        match &self.place(code)?.counted_by {
            None => Ok(()),
            Some(count) => {
                Err((Refusal::CellUnderCount, format!("cell {code} is being counted by «{count}», which corrects it")))
            }
        }
    }

    /// The same cell, where goods may lie that were not picked.
    pub fn counted_cell(&self, code: &str) -> Verdict<CellId> {
        let place = self.place(code)?;
        if place.purpose.is_counted() {
            return Ok(place.id);
        }
        Err((
            Refusal::CellOfPacking,
            format!("{code} holds picked goods only, each of them an order's: it is not counted"),
        ))
    }

    /// The same, where goods may be put by hand.
    pub fn taking_cell(&self, code: &str) -> Verdict<CellId> {
        let id = self.giving_cell(code)?;
        match self.place(code)?.purpose {
            Purpose::Receiving | Purpose::Storage | Purpose::Picking | Purpose::Quarantine => Ok(id),
            Purpose::Packing | Purpose::Shipping => {
                Err((Refusal::CellOfPacking, format!("{code} takes picked goods only: scan them out of their cell")))
            }
        }
    }

    fn place(&self, code: &str) -> Verdict<&Place> {
        self.cells.get(code).ok_or_else(|| (Refusal::CellUnknown, format!("the warehouse has no cell {code}")))
    }

    /// Those of these cells that have limits.
    pub fn limited<'a>(&self, codes: impl Iterator<Item = &'a String>) -> Vec<Uuid> {
        codes.filter_map(|code| self.cells.get(code)).filter(|place| place.is_limited).map(|place| place.id.0).collect()
    }

    /// Every product that was found.
    pub fn products(&self) -> Vec<ProductId> {
        self.products.iter().flatten().copied().collect()
    }

    /// Every cell that was found.
    pub fn cells(&self) -> Vec<CellId> {
        self.cells.values().map(|place| place.id).collect()
    }
}

/// Fails unless the heading makes sense and the actor may.
pub(super) async fn enter(
    tx: &mut EnterpriseTx,
    heading: &Heading,
    permission: Permission,
    lines: usize,
) -> Result<()> {
    warehouses::enter_open(tx, heading.warehouse_id, permission).await?;
    let length = |text: &Option<String>| text.as_deref().map(|text| text.trim().chars().count());
    if length(&heading.number).is_some_and(|length| !(1..=100).contains(&length)) {
        return Err(Error::invalid("number", "must have 1 to 100 characters"));
    }
    if length(&heading.comment).is_some_and(|length| !(1..=1000).contains(&length)) {
        return Err(Error::invalid("comment", "must have 1 to 1000 characters"));
    }
    if lines == 0 || lines > MAX_LINES {
        return Err(Error::invalid("lines", format!("must be 1 to {MAX_LINES}")));
    }
    Ok(())
}

/// Fails unless the quantity of a line makes sense.
pub(super) fn check_quantity(row: usize, quantity: i32) -> Result<()> {
    if (1..=1_000_000).contains(&quantity) {
        return Ok(());
    }
    Err(Error::invalid(format!("lines.{row}.quantity"), "must be between 1 and 1000000"))
}

async fn find_products<'a>(
    tx: &mut EnterpriseTx,
    items: impl Iterator<Item = &'a Item> + Clone,
) -> Result<Vec<Verdict<ProductId>>> {
    for (row, item) in items.clone().enumerate() {
        if item.barcode.is_some() == item.product_id.is_some() {
            return Err(Error::invalid(format!("lines.{row}.barcode"), "name a barcode or a productId, one of them"));
        }
    }
    let barcodes: Vec<_> = items.clone().filter_map(|item| item.barcode.clone()).collect();
    let by_barcode = if barcodes.is_empty() { HashMap::new() } else { products::by_barcodes(tx, &barcodes).await? };
    let ids: Vec<_> = items.clone().filter_map(|item| item.product_id.map(|id| id.0)).collect();
    let there = if ids.is_empty() {
        Vec::new()
    } else {
        sqlx::query_scalar!("SELECT id FROM products WHERE id = ANY($1)", &ids).fetch_all(tx.conn()).await?
    };
    let find = |item: &Item| match (&item.barcode, item.product_id) {
        (Some(barcode), _) => by_barcode
            .get(barcode)
            .copied()
            .ok_or_else(|| (Refusal::BarcodeUnknown, format!("no product has the barcode {barcode}"))),
        (None, Some(id)) if there.contains(&id) => Ok(id),
        (None, _) => Err((Refusal::ProductUnknown, "there is no such product".to_owned())),
    };
    Ok(items.map(find).collect())
}

/// The cells off which these are read: by their barcodes, else by their codes.
async fn find_cells<'a>(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    readings: impl Iterator<Item = &'a String>,
) -> Result<HashMap<String, Place>> {
    let readings: Vec<_> = readings.cloned().collect();
    if readings.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"SELECT code, barcode, id, purpose, blocked_reason,
                  (SELECT k.name FROM counts AS k WHERE k.id = frozen_count_id) AS frozen_by,
                  (SELECT k.name FROM counts AS k JOIN count_cells AS o ON o.count_id = k.id
                   WHERE o.cell_id = cells.id AND o.ended_at IS NULL AND k.scope <> 'products') AS counted_by,
                  (mixing <> 'anything' OR num_nonnulls(capacity_units, capacity_volume_ml, capacity_weight_g) > 0) AS "is_limited!"
           FROM cells
           WHERE warehouse_id = $1 AND (code = ANY($2) OR barcode = ANY($2)) AND archived_at IS NULL"#,
        warehouse_id as _,
        &readings
    )
    .fetch_all(tx.conn())
    .await?;
    let mut cells = HashMap::new();
    let mut by_barcode = Vec::new();
    for row in rows {
        let place = Place {
            id: row.id,
            purpose: row.purpose,
            blocked_reason: row.blocked_reason,
            frozen_by: row.frozen_by,
            counted_by: row.counted_by,
            is_limited: row.is_limited,
        };
        by_barcode.extend(row.barcode.map(|barcode| (barcode, place.clone())));
        cells.insert(row.code, place);
    }
    cells.extend(by_barcode);
    Ok(cells)
}

/// The verdicts as they are told; where all must be done, one refused line refuses the batch.
pub(crate) fn settle<T>(mode: Mode, verdicts: Vec<Verdict<T>>) -> Result<Vec<std::result::Result<T, RowRefused>>> {
    let told =
        |(row, verdict): (usize, Verdict<T>)| verdict.map_err(|(refusal, detail)| RowRefused { row, refusal, detail });
    let rows: Vec<_> = verdicts.into_iter().enumerate().map(told).collect();
    let refused: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err().cloned()).collect();
    if mode == Mode::AllOrNothing && !refused.is_empty() {
        return Err(Error::RowsRefused(refused));
    }
    Ok(rows)
}

/// The document of a batch of which something is done.
pub(super) async fn document(
    tx: &mut EnterpriseTx,
    heading: &Heading,
    kind: DocumentKind,
    rows: &[Row],
) -> Result<Option<StockDocument>> {
    let done: Vec<_> = rows.iter().flatten().collect();
    if done.is_empty() {
        return Ok(None);
    }
    let (number, comment) = (heading.number.as_deref(), heading.comment.as_deref());
    let document = insert_document(tx, kind, heading.warehouse_id, number, comment).await?;
    let quantity: i64 = done.iter().flat_map(|parts| parts.iter()).map(|part| i64::from(part.quantity)).sum();
    let facts = json!({
        "kind": document.kind, "warehouseId": document.warehouse_id, "number": document.number,
        "comment": document.comment, "lines": done.len(), "quantity": quantity,
    });
    let action = match kind {
        DocumentKind::Move => Action::StockMoved,
        DocumentKind::Adjust => Action::StockAdjusted,
        DocumentKind::WriteOff => Action::StockWrittenOff,
        DocumentKind::Hold => Action::StockHeld,
        DocumentKind::Reserve => Action::StockReserved,
        DocumentKind::Release => Action::StockReleased,
        DocumentKind::Return => Action::StockReturned,
    };
    audit::noted(tx, action, Object::of("stock_document", document.id), &facts).await?;
    Ok(Some(document))
}

pub(super) async fn insert_document(
    tx: &mut EnterpriseTx,
    kind: DocumentKind,
    warehouse_id: WarehouseId,
    number: Option<&str>,
    comment: Option<&str>,
) -> Result<StockDocument> {
    let (id, enterprise_id, now, actor) =
        (StockDocumentId::new(), tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    Ok(sqlx::query_as!(
        StockDocument,
        "INSERT INTO stock_documents (enterprise_id, id, kind, warehouse_id, number, comment, actor, posted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id, kind, warehouse_id, number, comment, actor, posted_at",
        enterprise_id as _,
        id as _,
        kind as DocumentKind,
        warehouse_id as _,
        number.map(str::trim),
        comment.map(str::trim),
        actor,
        now,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The products of what was done, each once.
pub(super) fn touched(rows: &[Row]) -> Vec<ProductId> {
    let mut products: Vec<_> = rows.iter().flatten().flatten().map(|part| part.product_id).collect();
    products.sort_unstable();
    products.dedup();
    products
}
