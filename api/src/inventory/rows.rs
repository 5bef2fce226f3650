//! What acts on stock share: how lots are named, and what became of each row.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use shared::ids::{CellId, LotId, ProductId, StockDocumentId, WarehouseId};
use shared::inventory::{self, DocumentKind, Item, Posted};
use uuid::Uuid;

use crate::answers::shown;
use crate::problem::Code;

/// Goods of one product that came together.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct LotName {
    /// What is printed on it, 1 to 60 characters; if absent, its last day of sale is its code.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub code: Option<String>,
    /// The last day on which it may be sold.
    pub expires_on: Option<NaiveDate>,
}

impl From<LotName> for inventory::LotName {
    fn from(lot: LotName) -> Self {
        let LotName { code, expires_on } = lot;
        Self { code, expires_on }
    }
}

/// An act on stock of one warehouse: what every one has, and its rows.
macro_rules! act {
    ($(#[$meta:meta])* $name:ident { $(#[$rows_meta:meta])* $rows:ident: $row:ty $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, poem_openapi::Object)]
        #[oai(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            /// In which warehouse.
            pub warehouse_id: shared::ids::WarehouseId,
            /// The number of your own document.
            #[oai(validator(min_length = 1, max_length = 100))]
            pub number: Option<String>,
            /// In words.
            #[oai(validator(min_length = 1, max_length = 1000))]
            pub comment: Option<String>,
            /// What becomes of the others when one is refused; `all_or_nothing` if absent.
            pub mode: Option<shared::inventory::Mode>,
            $(#[$rows_meta])*
            #[oai(validator(min_items = 1, max_items = 1000))]
            pub $rows: Vec<$row>,
        }

        impl $name {
            fn apart(self) -> (shared::inventory::Heading, Vec<$row>) {
                let Self { warehouse_id, number, comment, mode, $rows } = self;
                let mode = mode.unwrap_or(shared::inventory::Mode::AllOrNothing);
                (shared::inventory::Heading { warehouse_id, number, comment, mode }, $rows)
            }
        }
    };
}
pub(super) use act;

pub(super) fn item(barcode: Option<String>, product_id: Option<ProductId>, lot: Option<LotName>) -> Item {
    Item { barcode, product_id, lot: lot.map(Into::into) }
}

shown! {
    /// What somebody did to stock by hand.
    StockDocument from inventory::StockDocument {
        /// Which one.
        id: StockDocumentId,
        /// What was done.
        kind: DocumentKind,
        /// In which warehouse.
        warehouse_id: WarehouseId,
        /// The number of the seller's own document.
        number: Option<String>,
        /// In words.
        comment: Option<String>,
        /// Who.
        actor: String,
        /// When.
        posted_at: DateTime<Utc>,
    }
}

shown! {
    /// What a row did: so many units of one lot in one cell.
    StockPart from inventory::Part {
        /// The entry, the reservation or the hold.
        id: Uuid,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// Where it lay, or lies now.
        cell_id: CellId,
        /// Units.
        quantity: i32,
    }
}

/// What became of a row.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StockRow {
    /// Whether it was done.
    pub done: bool,
    /// What it did; more than one where several lots or cells were needed.
    pub parts: Vec<StockPart>,
    /// Which rule said no.
    pub problem: Option<Code>,
    /// The facts of the case.
    pub detail: Option<String>,
}

impl From<inventory::Row> for StockRow {
    fn from(row: inventory::Row) -> Self {
        match row {
            Ok(parts) => {
                let parts = parts.into_iter().map(Into::into).collect();
                Self { done: true, parts, problem: None, detail: None }
            }
            Err(refused) => Self {
                done: false,
                parts: Vec::new(),
                problem: Some(refused.refusal.into()),
                detail: Some(refused.detail),
            },
        }
    }
}

/// What became of a batch.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StockPosted {
    /// Absent when every row was refused.
    pub document: Option<StockDocument>,
    /// Row by row, in the order of the request.
    pub rows: Vec<StockRow>,
}

impl From<Posted> for StockPosted {
    fn from(posted: Posted) -> Self {
        let Posted { document, rows, freed: _ } = posted;
        Self { document: document.map(Into::into), rows: rows.into_iter().map(Into::into).collect() }
    }
}
