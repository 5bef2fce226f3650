//! The ledger's proof over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{CellId, HoldId, LotId, OrderId, ProductId, ReservationId, StockDifferenceId, StockEntryId};
use shared::inventory::{self, EntryKind, HoldReason};

use crate::Tag;
use crate::answers::shown;
use crate::auth::Caller;
use crate::problem::ApiError;

shown! {
    /// An entry as it changed one balance.
    EntryOfPlace from inventory::EntryOfPlace {
        /// Which one.
        id: StockEntryId,
        /// Why it was written.
        kind: EntryKind,
        /// By how many units, negative where they left.
        change: i32,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

shown! {
    /// A reservation that holds units of one balance.
    HeldInPlace from inventory::HeldInPlace {
        /// Which one.
        id: ReservationId,
        /// For which order; absent where somebody reserved by hand.
        order_id: Option<OrderId>,
        /// Units.
        quantity: i32,
    }
}

shown! {
    /// A hold that keeps units of one balance from everybody.
    KeptInPlace from inventory::KeptInPlace {
        /// Which one.
        id: HoldId,
        /// Why.
        reason: HoldReason,
        /// Units.
        quantity: i32,
    }
}

/// A balance that is not what its rows say.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct StockDifference {
    /// Where.
    pub cell_id: CellId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// What the balance says.
    pub on_hand: i64,
    /// What the entries sum to.
    pub entries: i64,
    /// What the balance says.
    pub reserved: i64,
    /// What the active reservations sum to.
    pub reservations: i64,
    /// What the balance says.
    pub on_hold: i64,
    /// What the active holds sum to.
    pub holds: i64,
    /// The place's latest entries, newest first, at most twenty; older ones are in the ledger.
    pub latest: Vec<EntryOfPlace>,
    /// What is held there, at most twenty reservations.
    pub held: Vec<HeldInPlace>,
    /// What is kept from everybody there, at most twenty holds.
    pub kept: Vec<KeptInPlace>,
}

impl From<inventory::Named> for StockDifference {
    fn from(named: inventory::Named) -> Self {
        let inventory::Named { difference, latest, held, kept } = named;
        Self {
            cell_id: difference.cell_id,
            product_id: difference.product_id,
            lot_id: difference.lot_id,
            on_hand: difference.on_hand,
            entries: difference.entries,
            reserved: difference.reserved,
            reservations: difference.reservations,
            on_hold: difference.on_hold,
            holds: difference.holds,
            latest: latest.into_iter().map(Into::into).collect(),
            held: held.into_iter().map(Into::into).collect(),
            kept: kept.into_iter().map(Into::into).collect(),
        }
    }
}

/// A difference that the checks by the clock found and that has not agreed again since.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct RecordedDifference {
    /// Which one.
    pub id: StockDifferenceId,
    /// As it was seen last.
    pub difference: StockDifference,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
}

impl From<inventory::Recorded> for RecordedDifference {
    fn from(recorded: inventory::Recorded) -> Self {
        let inventory::Recorded { id, named, found_at, seen_at } = recorded;
        Self { id, difference: named.into(), found_at, seen_at }
    }
}

shown! {
    /// What a check by the clock came to, over the whole enterprise.
    StockProof from inventory::Proof {
        /// When it began.
        began_at: DateTime<Utc>,
        /// When it ended.
        ended_at: DateTime<Utc>,
        /// Balances recomputed.
        balances: i64,
        /// Sides of entries summed: an entry between two cells has two.
        entries: i64,
        /// Active reservations summed.
        reservations: i64,
        /// Active holds summed.
        holds: i64,
        /// How much was wrong.
        differences: i64,
    }
}

/// Up to twenty thousand balances recomputed now, and what the checks by the clock found.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct StockConsistency {
    /// Balances recomputed now.
    pub balances: i64,
    /// Sides of entries summed now: an entry between two cells has two.
    pub entries: i64,
    /// Active reservations summed now.
    pub reservations: i64,
    /// Active holds summed now.
    pub holds: i64,
    /// The first hundred balances that are wrong now; none is the promise.
    pub differences: Vec<StockDifference>,
    /// Send it as `after` to recompute the next ones; absent when everything behind was recomputed.
    pub next: Option<String>,
    /// The first hundred differences that the checks by the clock found and that did not agree again.
    pub recorded: Vec<RecordedDifference>,
    /// The last part, checked each minute.
    pub last_part: Option<StockProof>,
    /// The last time that everything was recomputed, which is done each night.
    pub last_whole: Option<StockProof>,
}

impl From<inventory::Consistency> for StockConsistency {
    fn from(found: inventory::Consistency) -> Self {
        Self {
            balances: found.balances,
            entries: found.entries,
            reservations: found.reservations,
            holds: found.holds,
            differences: found.differences.into_iter().map(Into::into).collect(),
            next: found.next,
            recorded: found.recorded.into_iter().map(Into::into).collect(),
            last_part: found.last_part.map(Into::into),
            last_whole: found.last_whole.map(Into::into),
        }
    }
}

/// The proof.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// Recompute balances from their entries and reservations, twenty thousand at a time
    #[oai(path = "/inventory/consistency", method = "get", operation_id = "check_consistency")]
    async fn consistency(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// The `next` of the answer before.
        after: Query<Option<String>>,
    ) -> Result<Json<StockConsistency>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let found = inventory::consistency(&mut tx, after.0).await?;
        tx.commit().await?;
        Ok(Json(found.into()))
    }
}
