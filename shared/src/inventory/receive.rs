//! Goods receipts: what came in, into which cells. A receipt is posted whole or not at all, and once: its number says so.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::lots::{self, LotName, Named};
use super::turn::line_up;
use super::write::{By, Moved, write};
use super::{EntryKind, Outside};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, GoodsReceiptId, LotId, ProductId, StockEntryId, WarehouseId};
use crate::{Error, Refusal, Result, products, warehouses};

/// A posted goods receipt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoodsReceipt {
    /// Ours.
    pub id: GoodsReceiptId,
    /// Where it was unloaded.
    pub warehouse_id: WarehouseId,
    /// The document's number, unique in the enterprise.
    pub number: String,
    /// How many lines.
    pub lines: i32,
    /// How many units.
    pub quantity: i64,
    /// Who posted it.
    pub actor: String,
    /// When.
    pub posted_at: DateTime<Utc>,
}

/// So many units of a product into a cell.
#[derive(Clone, Debug)]
pub struct ReceiptLine {
    /// Any barcode of the product.
    pub barcode: String,
    /// The code of a cell for receiving, storage, picking or quarantine.
    pub cell: String,
    /// Units.
    pub quantity: i32,
    /// Of this lot; one that nobody has heard of is made.
    pub lot: Option<LotName>,
}

/// What a receipt did.
#[derive(Clone, Debug)]
pub struct Received {
    /// The document.
    pub receipt: GoodsReceipt,
    /// Whose waiting orders may now be served.
    pub products: Vec<ProductId>,
}

/// The largest receipt, in lines.
pub const MAX_LINES: usize = 1000;

/// Posts a goods receipt into cells that take it.
pub async fn receive(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    number: &str,
    lines: &[ReceiptLine],
) -> Result<Received> {
    warehouses::enter_open(tx, warehouse_id, Permission::ReceiveGoods).await?;
    let number = number.trim();
    if number.is_empty() || number.chars().count() > 100 {
        return Err(Error::invalid("number", "must have 1 to 100 characters"));
    }
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(Error::invalid("lines", format!("must be 1 to {MAX_LINES}")));
    }
    let (cells, goods) = resolve(tx, warehouse_id, lines).await?;
    line_up(tx, &goods).await?;
    let not_kept = products::not_kept(tx, &goods).await?;
    if let Some((line, (refusal, why))) = goods.iter().zip(1..).find_map(|(id, line)| Some((line, not_kept.get(id)?))) {
        return Err(Error::refused(*refusal, format!("line {line}: {why}")));
    }
    let lots = resolve_lots(tx, lines, &goods).await?;
    let quantity = lines.iter().map(|line| i64::from(line.quantity)).sum();
    let receipt = insert_receipt(tx, warehouse_id, number, lines.len(), quantity).await?;
    let came: Vec<_> = (0..lines.len())
        .map(|line| Moved {
            id: StockEntryId::new(),
            product_id: goods[line],
            lot_id: lots[line],
            from: Outside::Supplier.into(),
            to: cells[line].into(),
            quantity: lines[line].quantity,
            order: None,
            reason: None,
        })
        .collect();
    write(tx, EntryKind::Receipt, By { receipt: Some(receipt.id), ..By::default() }, &came).await?;
    audit::created(tx, Action::GoodsReceiptPosted, Object::of("goods_receipt", receipt.id), &receipt).await?;
    Ok(Received { receipt, products: goods })
}

/// Writes the document down; its number is posted once.
pub(super) async fn insert_receipt(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    number: &str,
    lines: usize,
    quantity: i64,
) -> Result<GoodsReceipt> {
    let (id, enterprise_id, now) = (GoodsReceiptId::new(), tx.enterprise_id(), tx.now().await?);
    let actor = tx.actor().to_string();
    sqlx::query_as!(
        GoodsReceipt,
        "INSERT INTO goods_receipts (enterprise_id, id, warehouse_id, number, lines, quantity, actor, posted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id, warehouse_id, number, lines, quantity, actor, posted_at",
        enterprise_id as _,
        id as _,
        warehouse_id as _,
        number,
        i32::try_from(lines).expect("lines are bounded"),
        quantity,
        actor,
        now,
    )
    .fetch_one(tx.conn())
    .await
    .refused_on("goods_receipts_number_key", Refusal::GoodsReceiptNumberTaken, || {
        format!("goods receipt {number} is already posted")
    })
}

/// Finds every line's cell and product before anything is written, and names the first line that is wrong.
async fn resolve(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    lines: &[ReceiptLine],
) -> Result<(Vec<CellId>, Vec<ProductId>)> {
    let barcodes: Vec<_> = lines.iter().map(|line| line.barcode.clone()).collect();
    let by_barcode = products::by_barcodes(tx, &barcodes).await?;
    let codes: Vec<_> = lines.iter().map(|line| line.cell.clone()).collect();
    let rows = sqlx::query!(
        "SELECT code, id FROM cells
         WHERE warehouse_id = $1 AND purpose IN ('receiving', 'storage', 'picking', 'quarantine') AND archived_at IS NULL AND code = ANY($2)",
        warehouse_id as _,
        &codes
    )
    .fetch_all(tx.conn())
    .await?;
    let by_code: std::collections::HashMap<_, _> = rows.into_iter().map(|row| (row.code, row.id)).collect();
    let (mut cells, mut products) = (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
    for (index, line) in lines.iter().enumerate() {
        if !(1..=1_000_000).contains(&line.quantity) {
            return Err(Error::invalid(format!("lines.{index}.quantity"), "must be between 1 and 1000000"));
        }
        cells.push(*by_code.get(&line.cell).ok_or_else(|| {
            Error::refused(
                Refusal::CellUnknown,
                format!("line {}: the warehouse has no cell {} for goods that come in", index + 1, line.cell),
            )
        })?);
        products.push(*by_barcode.get(&line.barcode).ok_or_else(|| {
            Error::refused(
                Refusal::BarcodeUnknown,
                format!("line {}: no product has the barcode {}", index + 1, line.barcode),
            )
        })?);
    }
    Ok((cells, products))
}

/// Finds every line's lot, and makes those that are new.
async fn resolve_lots(tx: &mut EnterpriseTx, lines: &[ReceiptLine], products: &[ProductId]) -> Result<Vec<LotId>> {
    let mut named = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let code = line.lot.as_ref().map(|lot| lot.code(&format!("lines.{index}.lot"))).transpose()?;
        let expires_on = line.lot.as_ref().and_then(|lot| lot.expires_on);
        named.push(code.map(|code| Named { product_id: products[index], code, expires_on }));
    }
    let mut known = lots::find(tx, &named.iter().flatten().cloned().collect::<Vec<_>>()).await?;
    let (mut found, mut new) = (Vec::with_capacity(lines.len()), Vec::new());
    for (index, named) in named.iter().enumerate() {
        found.push(match named.as_ref().map(|named| (named, known.find(named))) {
            None => lots::without_code(products[index]),
            Some((_, Ok(id))) => id,
            Some((named, Err((Refusal::LotUnknown, _)))) => {
                let id = known.add(named);
                new.push((id, named));
                id
            }
            Some((_, Err((refusal, detail)))) => {
                return Err(Error::refused(refusal, format!("line {}: {detail}", index + 1)));
            }
        });
    }
    lots::make(tx, &new).await?;
    Ok(found)
}
