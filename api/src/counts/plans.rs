//! How counts are planned.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use shared::counts::{CountChange, NewCount, Targets};
use shared::ids::{CellId, ProductId, UserId, WarehouseId, ZoneId};
use shared::{Error, Result};

use crate::clearable::Clearable;

/// A count to plan. Of zones, cells and products at most one is named; with none it is about the whole warehouse. What is picked
/// and on its way out is never counted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanCount {
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// What people will call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
    /// Of these zones.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub zone_ids: Option<Vec<ZoneId>>,
    /// Of these cells.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Option<Vec<CellId>>,
    /// Of these products, wherever they lie in the warehouse.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub product_ids: Option<Vec<ProductId>>,
    /// Whether those who count are kept from knowing what is expected.
    #[oai(default)]
    pub blind: bool,
    /// Whether nothing goes in or out of its cells until they are counted.
    #[oai(default)]
    pub freeze: bool,
    /// Who is asked to count.
    pub assignee_id: Option<UserId>,
    /// By when.
    pub due_at: Option<DateTime<Utc>>,
}

/// What is changed of a plan; what is not named stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCount {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// In words; null: none.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Clearable<String>,
    /// Of these zones instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub zone_ids: Option<Vec<ZoneId>>,
    /// Of these cells instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub cell_ids: Option<Vec<CellId>>,
    /// Of these products instead.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub product_ids: Option<Vec<ProductId>>,
    /// Whether those who count are kept from knowing what is expected.
    pub blind: Option<bool>,
    /// Whether nothing goes in or out of its cells until they are counted.
    pub freeze: Option<bool>,
}

/// Why a step is taken.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountStep {
    /// In words.
    #[oai(validator(min_length = 1, max_length = 1000))]
    pub comment: Option<String>,
}

fn targets(
    zones: Option<Vec<ZoneId>>,
    cells: Option<Vec<CellId>>,
    products: Option<Vec<ProductId>>,
) -> Result<Option<Targets>> {
    match (zones, cells, products) {
        (None, None, None) => Ok(None),
        (Some(zones), None, None) => Ok(Some(Targets::Zones(zones))),
        (None, Some(cells), None) => Ok(Some(Targets::Cells(cells))),
        (None, None, Some(products)) => Ok(Some(Targets::Products(products))),
        (_, _, _) => Err(Error::invalid("zoneIds", "name zones, cells or products, one kind of them")),
    }
}

impl PlanCount {
    pub(super) fn read(self) -> Result<NewCount> {
        let targets = targets(self.zone_ids, self.cell_ids, self.product_ids)?.unwrap_or(Targets::Warehouse);
        let Self { warehouse_id, name, comment, blind, freeze, assignee_id, due_at, .. } = self;
        Ok(NewCount { warehouse_id, name, comment, targets, blind, freeze, assignee_id, due_at })
    }
}

impl ChangeCount {
    pub(super) fn read(self) -> Result<CountChange> {
        let targets = targets(self.zone_ids, self.cell_ids, self.product_ids)?;
        let Self { name, comment, blind, freeze, .. } = self;
        Ok(CountChange { name, comment: comment.0, targets, blind, freeze })
    }
}
