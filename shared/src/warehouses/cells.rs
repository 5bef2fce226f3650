//! Cells: where stock lies.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::pattern::check_code;
use super::{Purpose, enter_open, look, zones};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, CountId, WarehouseId, ZoneId};
use crate::versions::Version;
use crate::{Error, Refusal, Result};

/// What may lie together in a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Mixing {
    /// Anything.
    #[default]
    Anything,
    /// The sizes of one card.
    OneCard,
    /// One product.
    OneProduct,
}

/// A place for stock, and what lies there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Ours.
    pub id: CellId,
    /// Where.
    pub warehouse_id: WarehouseId,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What people call it; unique in the warehouse. A scanner may read it too.
    pub code: String,
    /// What the scanner reads off it, unique in the enterprise; absent: the code.
    pub barcode: Option<String>,
    /// What it is for: what its zone is for.
    pub purpose: Purpose,
    /// Its place on the walking path; smaller is earlier.
    pub pick_sequence: i32,
    /// What may lie together in it.
    pub mixing: Mixing,
    /// How many units it takes.
    pub capacity_units: Option<i32>,
    /// How much space it has, in millilitres.
    pub capacity_volume_ml: Option<i64>,
    /// How much it carries, in grams.
    pub capacity_weight_g: Option<i64>,
    /// Since when it takes nothing in and gives nothing out.
    pub blocked_at: Option<DateTime<Utc>>,
    /// Why.
    pub blocked_reason: Option<String>,
    /// Who blocked it.
    pub blocked_by: Option<String>,
    /// The count that has frozen it: nothing goes in or out until it is counted.
    pub frozen_count_id: Option<CountId>,
    /// Since when it is out of use.
    pub archived_at: Option<DateTime<Utc>>,
    /// How often it was changed.
    pub version: Version,
    /// Units that lie there.
    pub units: i64,
    /// Of these, held for orders.
    pub reserved: i64,
    /// Different products that lie there.
    pub products: i64,
    /// What they take up, in millilitres, as far as it is known.
    pub volume_ml: i64,
    /// What they weigh, in grams, as far as it is known.
    pub weight_g: i64,
    /// Units of which size or weight is not known.
    pub unmeasured_units: i64,
}

/// A cell to be made.
#[derive(Clone, Debug, Default)]
pub struct NewCell {
    /// What people will call it.
    pub code: String,
    /// What the scanner will read; absent: the code.
    pub barcode: Option<String>,
    /// In which zone.
    pub zone_id: Option<ZoneId>,
    /// What it is for, if it lies in no zone; absent: storage.
    pub purpose: Option<Purpose>,
    /// Its place on the walking path.
    pub pick_sequence: i32,
    /// What may lie together in it.
    pub mixing: Mixing,
    /// How many units it takes.
    pub capacity_units: Option<i32>,
    /// How much space it has, in millilitres.
    pub capacity_volume_ml: Option<i64>,
    /// How much it carries, in grams.
    pub capacity_weight_g: Option<i64>,
}

/// The most cells that are added or changed at once.
pub(super) const MAX_BATCH: usize = 1000;

fn check_limits(field: &str, units: Option<i32>, volume_ml: Option<i64>, weight_g: Option<i64>) -> Result<()> {
    let limits = [
        ("capacityUnits", units.map(i64::from), 1_000_000),
        ("capacityVolumeMl", volume_ml, 1_000_000_000),
        ("capacityWeightG", weight_g, 1_000_000_000),
    ];
    match limits.into_iter().find(|(_, limit, most)| limit.is_some_and(|limit| !(1..=*most).contains(&limit))) {
        Some((name, _, most)) => Err(Error::invalid(format!("{field}{name}"), format!("must be between 1 and {most}"))),
        None => Ok(()),
    }
}

/// Says what is wrong with a cell as somebody wants it.
pub(super) fn check(field: &str, cell: &NewCell) -> Result<()> {
    check_code(&cell.code).map_err(|why| Error::invalid(format!("{field}code"), why))?;
    if let Some(barcode) = &cell.barcode
        && (barcode.trim() != barcode
            || !(1..=128).contains(&barcode.chars().count())
            || barcode.chars().any(char::is_control))
    {
        return Err(Error::invalid(format!("{field}barcode"), "must have 1 to 128 characters and no blanks around"));
    }
    check_limits(field, cell.capacity_units, cell.capacity_volume_ml, cell.capacity_weight_g)
}

/// Adds cells, all of them or none.
pub async fn add_cells(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, cells: &[NewCell]) -> Result<Vec<Cell>> {
    enter_open(tx, warehouse_id, Permission::ManageWarehouses).await?;
    if cells.is_empty() || cells.len() > MAX_BATCH {
        return Err(Error::invalid("cells", format!("must be 1 to {MAX_BATCH}")));
    }
    for (index, cell) in cells.iter().enumerate() {
        check(&format!("cells.{index}."), cell)?;
    }
    insert(tx, warehouse_id, cells).await
}

/// Writes checked cells. What is read off them must be theirs alone.
pub(super) async fn insert(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, cells: &[NewCell]) -> Result<Vec<Cell>> {
    let taken = taken_codes(tx, warehouse_id, cells).await?;
    if !taken.is_empty() {
        return Err(Error::refused(Refusal::CellCodeTaken, words("already taken, or named twice", &taken)));
    }
    check_readings(tx, warehouse_id, None, cells).await?;
    let purposes: HashMap<_, _> =
        zones::of_warehouse(tx, warehouse_id).await?.into_iter().map(|zone| (zone.id, zone.purpose)).collect();
    let mut rows = Vec::with_capacity(cells.len());
    for cell in cells {
        let purpose = match cell.zone_id {
            Some(zone) => *purposes.get(&zone).ok_or(Error::NotFound("zone"))?,
            None => cell.purpose.unwrap_or(Purpose::Storage),
        };
        rows.push((CellId::new(), purpose, cell));
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let ids: Vec<_> = rows.iter().map(|(id, ..)| id.0).collect();
    sqlx::query!(
        "INSERT INTO cells (enterprise_id, id, warehouse_id, code, barcode, zone_id, purpose, pick_sequence, mixing,
                            capacity_units, capacity_volume_ml, capacity_weight_g, created_at)
         SELECT $1, new.id, $2, new.code, new.barcode, new.zone_id, new.purpose, new.pick_sequence, new.mixing,
                new.capacity_units, new.capacity_volume_ml, new.capacity_weight_g, $3
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::int[], $10::text[], $11::int[], $12::bigint[], $13::bigint[])
              AS new (id, code, barcode, zone_id, purpose, pick_sequence, mixing, capacity_units, capacity_volume_ml, capacity_weight_g)",
        enterprise_id as _,
        warehouse_id as _,
        now,
        &ids,
        &cells.iter().map(|cell| cell.code.clone()).collect::<Vec<_>>(),
        &cells.iter().map(|cell| cell.barcode.clone()).collect::<Vec<_>>() as &[Option<String>],
        &cells.iter().map(|cell| cell.zone_id.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, purpose, _)| purpose.name().to_owned()).collect::<Vec<_>>(),
        &cells.iter().map(|cell| cell.pick_sequence).collect::<Vec<_>>(),
        &cells.iter().map(|cell| cell.mixing.name().to_owned()).collect::<Vec<_>>(),
        &cells.iter().map(|cell| cell.capacity_units).collect::<Vec<_>>() as &[Option<i32>],
        &cells.iter().map(|cell| cell.capacity_volume_ml).collect::<Vec<_>>() as &[Option<i64>],
        &cells.iter().map(|cell| cell.capacity_weight_g).collect::<Vec<_>>() as &[Option<i64>],
    )
    .execute(tx.conn())
    .await
    .refused_on("cells_code_key", Refusal::CellCodeTaken, || "somebody is just taking one of the codes".to_owned())
    .refused_on("cells_barcode_key", Refusal::CellBarcodeTaken, || {
        "one of the barcodes is already on another cell of the enterprise, or named twice".to_owned()
    })?;
    let codes: Vec<_> = cells.iter().map(|cell| cell.code.as_str()).collect();
    audit::noted(tx, Action::CellsAdded, Object::of("warehouse", warehouse_id), &json!({ "codes": codes })).await?;
    look::by_ids(tx, &ids).await
}

impl Mixing {
    fn name(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::OneCard => "one_card",
            Self::OneProduct => "one_product",
        }
    }
}

/// The first ten of them, in words.
pub(super) fn words(what: &str, codes: &[String]) -> String {
    let more = codes.len().saturating_sub(10);
    let named = codes.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{what}: {named} and {more} more") } else { format!("{what}: {named}") }
}

/// Codes that the warehouse has already, or that are named twice.
pub(super) async fn taken_codes(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    cells: &[NewCell],
) -> Result<Vec<String>> {
    let codes: Vec<_> = cells.iter().map(|cell| cell.code.clone()).collect();
    let there: HashSet<_> = sqlx::query_scalar!(
        "SELECT code FROM cells WHERE warehouse_id = $1 AND code = ANY($2)",
        warehouse_id as _,
        &codes
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .collect();
    let mut seen = HashSet::new();
    let twice = |code: &String| there.contains(code) || !seen.insert(code.clone());
    Ok(codes.into_iter().filter(twice).collect())
}

/// Refuses a barcode that is on another cell, and one that reads as another cell's code: a scanner cannot tell them apart.
pub(super) async fn check_readings(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    but: Option<CellId>,
    cells: &[NewCell],
) -> Result<()> {
    let barcodes: Vec<_> = cells.iter().filter_map(|cell| cell.barcode.clone()).collect();
    let codes: Vec<_> = cells.iter().map(|cell| cell.code.clone()).collect();
    let mut own: HashMap<&str, usize> = HashMap::new();
    for (index, cell) in cells.iter().enumerate() {
        for reading in std::iter::once(cell.code.as_str()).chain(cell.barcode.as_deref()) {
            if own.insert(reading, index).is_some_and(|other| other != index) {
                return Err(Error::refused(Refusal::CellBarcodeTaken, format!("{reading} would read as two cells")));
            }
        }
    }
    let clash = sqlx::query_scalar!(
        "SELECT c.code FROM cells AS c
         WHERE ($4::uuid IS NULL OR c.id <> $4)
           AND (c.barcode = ANY($2) OR (c.warehouse_id = $1 AND (c.code = ANY($2) OR c.barcode = ANY($3))))
         ORDER BY c.code LIMIT 1",
        warehouse_id as _,
        &barcodes,
        &codes,
        but as _,
    )
    .fetch_optional(tx.conn())
    .await?;
    match clash {
        Some(code) => Err(Error::refused(
            Refusal::CellBarcodeTaken,
            format!("a scanner would take one of the cells for cell {code}"),
        )),
        None => Ok(()),
    }
}
