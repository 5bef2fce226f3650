//! The stock ledger and what stands on it: append-only entries with two sides, balances that are their sums,
//! reservations and holds as rows. Triggers keep the balances; constraints keep `0 ≤ reserved + on hold ≤ on hand` at
//! every commit.

mod admit;
mod allot;
mod batch;
mod corrections;
mod counted;
mod feed;
mod fulfil;
mod held;
mod history;
mod holds;
mod look;
mod lots;
mod moves;
mod past;
mod proof;
mod receive;
mod release;
mod returns;
mod sheets;
mod shelf;
mod transfers;
mod turn;
mod turnover;
mod write;

use serde::{Deserialize, Serialize};

use crate::ids::ProductId;

pub(crate) use allot::line_up_with_parts;
pub use allot::{Allotted, Wanted, allot, reserve, served};
pub(crate) use batch::{Batch, Verdict, settle};
pub use batch::{DocumentKind, Heading, Item, MAX_LINES, Mode, Part, Posted, Row, StockDocument};
pub use corrections::{AdjustLine, AdjustReason, WriteOffLine, WriteOffReason, adjust, write_off};
pub(crate) use counted::{Correction, Lying, correct, held_beside, lying, open_correction, youngest};
pub use feed::{Changes, changes};
pub use fulfil::{Held, deliver, expect_return, pick, put_back, release, ship};
pub use held::{HeldFilter, Hold, Reservation, holds, reservations};
pub use history::{Entry, EntryFilter, Turn, entries};
pub use holds::{HoldLine, HoldReason, ReserveLine, hold, reserve_by_hand};
pub use look::{Balance, BalanceFilter, Grouping, balances};
pub(crate) use look::{free_in, line_up_at, products_in};
pub use lots::LotName;
pub(crate) use lots::without_code;
pub use moves::{MoveLine, move_stock};
pub use past::{PastBalance, past};
pub use proof::{
    Consistency, Difference, EntryOfPlace, HeldInPlace, KeptInPlace, Named, Proof, ProveStock, Recorded, Scope, Step,
    consistency, measure, prove_changed, prove_next, standing, whole_is_due,
};
pub use receive::{GoodsReceipt, ReceiptLine, Received, receive};
pub use release::{release_holds, release_reservations};
pub use returns::ReturnLine;
pub(crate) use returns::receive_returns;
pub use sheets::{
    CountLine, Counted, DiscrepancyReason, ExpectedLine, NewSheet, Sheet, SheetFilter, SheetLine, SheetStatus,
    Suggestion, cancel_sheet, count, counts, explain_and_post, open_sheet, sheet, sheets, suggest,
};
pub use transfers::{
    ArrivedLine, InTransit, InTransitFilter, MissingLine, MissingReason, NewTransfer, NewTransferLine, Transfer,
    TransferFilter, TransferGoods, TransferLine, TransferStatus, Transferred, cancel_transfer, close_transfer,
    in_transit, plan_transfer, receive_transfer, send_transfer, transfer, transfers,
};
pub use turn::{line_up, line_up_for};
pub use turnover::{SlowMover, Span, Turnover, slow_movers, turnover};

/// The places outside the cells. The outside world is a place too: what an entry takes it takes from somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outside {
    /// Where goods come from.
    Supplier,
    /// Handed over to Wildberries, not yet with the buyer.
    InDelivery,
    /// The buyer has it.
    Customer,
    /// Cancelled after hand-over: expected back.
    Returning,
    /// Corrections.
    Adjustment,
    /// Broken or lost.
    Loss,
    /// Between two own warehouses.
    InTransit,
}

impl Outside {
    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supplier => "supplier",
            Self::InDelivery => "in_delivery",
            Self::Customer => "customer",
            Self::Returning => "returning",
            Self::Adjustment => "adjustment",
            Self::Loss => "loss",
            Self::InTransit => "in_transit",
        }
    }
}

/// Why an entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EntryKind {
    /// Goods came in.
    Receipt,
    /// Out of its cell, towards packing.
    Pick,
    /// Back from packing.
    PutBack,
    /// Handed over to Wildberries.
    Ship,
    /// The buyer took it.
    Deliver,
    /// Cancelled on its way.
    ReturnExpected,
    /// It came back.
    ReturnReceived,
    /// From cell to cell.
    Move,
    /// Broken or lost.
    WriteOff,
    /// Corrected.
    Adjust,
    /// Left for another own warehouse.
    TransferOut,
    /// Came from another own warehouse.
    TransferIn,
    /// Left for another own warehouse and came back, or never left.
    TransferBack,
    /// Left for another own warehouse and will not come.
    TransferLoss,
}

/// Something after which goods lie free that others may have waited for.
pub trait Frees {
    /// Whose waiting orders may now be served.
    fn freed(&self) -> &[ProductId];
}

impl Frees for Posted {
    fn freed(&self) -> &[ProductId] {
        &self.freed
    }
}

impl Frees for Transferred {
    fn freed(&self) -> &[ProductId] {
        &self.freed
    }
}
