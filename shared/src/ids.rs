//! The registry of ids. Ours are `UUIDv7`, made here and nowhere else; Wildberries' are kept as they are.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; later ids sort after earlier ones.
            #[expect(clippy::disallowed_methods, clippy::new_without_default, reason = "this is the one place where ids are made")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A seller account at Wildberries, as an enterprise stored it.
    AccountId,
    /// Something that somebody of an enterprise has to know.
    AlarmId,
    /// One act in the audit log.
    AuditEntryId,
    /// A branch of the tree that products are sorted into.
    CategoryId,
    /// A storage place with a code that a scanner reads.
    CellId,
    /// A stock count.
    CountId,
    /// One lot of a product in a cell, as a count has it.
    CountLineId,
    /// What somebody counted.
    CountTallyId,
    /// Something in Wildberries' answers that is not as it was.
    DriftId,
    /// A line of a history.
    HistoryId,
    /// Goods that nobody may have for now.
    HoldId,
    /// A tenant: nothing is shared between enterprises.
    EnterpriseId,
    /// A posted goods receipt.
    GoodsReceiptId,
    /// A role given to somebody, with its reach.
    GrantId,
    /// A promise of work.
    JobId,
    /// A service key.
    KeyId,
    /// A letter to a person.
    LetterId,
    /// Goods of one product that came together; the lot without a code has the product's id.
    LotId,
    /// A line of a put-back request.
    MoveLineId,
    /// An assembly order.
    OrderId,
    /// A line of a picking request.
    PickLineId,
    /// One label of a print job.
    PrintItemId,
    /// A batch of labels for one printer.
    PrintJobId,
    /// A label printer.
    PrinterId,
    /// The smallest stocked unit.
    ProductId,
    /// A file of products that is being imported.
    ProductImportId,
    /// A rise of published stock that was too large for one person.
    PublicationId,
    /// An entry of an answer that could not be read.
    QuarantineId,
    /// What was counted of goods that came.
    ReceiptCountId,
    /// What is expected, counted and explained before a goods receipt is posted.
    ReceiptSheetId,
    /// A lot of a product on a receipt sheet.
    ReceiptSheetLineId,
    /// A unit of human work.
    RequestId,
    /// Stock held for one order, or by hand.
    ReservationId,
    /// A role of an enterprise's own.
    RoleId,
    /// A timer.
    ScheduleId,
    /// A signed-in client.
    SessionId,
    /// A balance that was not what its rows say.
    StockDifferenceId,
    /// What somebody did to stock by hand.
    StockDocumentId,
    /// One line of the stock ledger.
    StockEntryId,
    /// What is handed over to Wildberries.
    SupplyId,
    /// One execution of a sync.
    SyncRunId,
    /// Goods that go from one own warehouse to another.
    TransferId,
    /// So many units that are to go.
    TransferLineId,
    /// A person of the installation.
    UserId,
    /// An own warehouse.
    WarehouseId,
    /// A worker process.
    WorkerId,
    /// A part of a warehouse.
    ZoneId,
}

macro_rules! wildberries_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

wildberries_ids! {
    /// A size of a card at Wildberries (`chrtID`).
    ChrtId,
    /// A card at Wildberries (`nmID`).
    NmId,
    /// An office (sorting centre, pick-up point) of Wildberries.
    WbOfficeId,
    /// An assembly order's number at Wildberries.
    WbOrderId,
    /// A point where supplies are handed over to Wildberries.
    WbShippingPointId,
    /// The seller's virtual warehouse at Wildberries.
    WbWarehouseId,
}

/// A supply's number at Wildberries, for example `WB-GI-1234567`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct WbSupplyId(pub String);

impl std::fmt::Display for WbSupplyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
