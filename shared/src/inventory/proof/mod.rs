//! The ledger proves itself. A balance is recomputed from its entries and reservations in one statement, so that both sides
//! are seen at the same moment and nothing has to wait: what is being written meanwhile is no difference.
//!
//! Balances that changed are recomputed first, all others in turn by day, all of them at night (`walk`). What differs is kept
//! and raises an alarm until it agrees again (`found`); here it is shown.

mod compare;
mod found;
mod walk;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{EntryKind, HoldReason};
use crate::Result;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, HoldId, LotId, OrderId, ProductId, ReservationId, StockDifferenceId, StockEntryId};
use crate::page::PageQuery;

pub use walk::{ProveStock, Step, measure, prove_changed, prove_next, standing, whole_is_due};

/// Balances that one request looks at.
const AT_ONCE: i64 = 20_000;
/// Differences that are told at once.
const TOLD: usize = 100;

/// A cell, a product and a lot: where a balance is.
pub(crate) type Place = (CellId, ProductId, LotId);

/// How much of the ledger a walk takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Scope {
    /// One part after the other, all day.
    Part,
    /// Everything, at night.
    Whole,
}

/// A balance that is not what its rows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
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
}

impl Difference {
    /// Where it is.
    fn place(&self) -> Place {
        (self.cell_id, self.product_id, self.lot_id)
    }

    /// Whether it is one.
    fn differs(&self) -> bool {
        (self.on_hand, self.reserved, self.on_hold) != (self.entries, self.reservations, self.holds)
    }
}

/// An entry as it changed one balance.
#[derive(Clone, Debug)]
pub struct EntryOfPlace {
    /// Which one.
    pub id: StockEntryId,
    /// Why it was written.
    pub kind: EntryKind,
    /// By how many units, negative where they left.
    pub change: i32,
    /// Who.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// A reservation that holds units of one balance.
#[derive(Clone, Debug)]
pub struct HeldInPlace {
    /// Which one.
    pub id: ReservationId,
    /// For which order; absent where somebody reserved by hand.
    pub order_id: Option<OrderId>,
    /// Units.
    pub quantity: i32,
}

/// A hold that keeps units of one balance from everybody.
#[derive(Clone, Debug)]
pub struct KeptInPlace {
    /// Which one.
    pub id: HoldId,
    /// Why.
    pub reason: HoldReason,
    /// Units.
    pub quantity: i32,
}

/// A difference with what it is made of.
#[derive(Clone, Debug)]
pub struct Named {
    /// The figures.
    pub difference: Difference,
    /// The place's latest entries, newest first; at most twenty.
    pub latest: Vec<EntryOfPlace>,
    /// What is held there; at most twenty.
    pub held: Vec<HeldInPlace>,
    /// What is kept from everybody there; at most twenty.
    pub kept: Vec<KeptInPlace>,
}

/// A difference that a walk found and that has not agreed again since.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which one.
    pub id: StockDifferenceId,
    /// As it was seen last, with what it is made of now.
    pub named: Named,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
}

/// What a walk, or a part of it, came to.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Balances recomputed.
    pub balances: i64,
    /// Sides of entries summed: an entry between two cells has two.
    pub entries: i64,
    /// Active reservations summed.
    pub reservations: i64,
    /// Active holds summed.
    pub holds: i64,
    /// How much was wrong.
    pub differences: i64,
}

/// What was recomputed just now, and what the walks found before.
#[derive(Clone, Debug)]
pub struct Consistency {
    /// Balances recomputed now.
    pub balances: i64,
    /// Sides of entries summed now.
    pub entries: i64,
    /// Active reservations summed now.
    pub reservations: i64,
    /// Active holds summed now.
    pub holds: i64,
    /// The first hundred balances that are wrong now; none is the promise.
    pub differences: Vec<Named>,
    /// Where to go on; absent when everything behind was recomputed.
    pub next: Option<String>,
    /// The first hundred differences that the walks found and that did not agree again.
    pub recorded: Vec<Recorded>,
    /// The last part.
    pub last_part: Option<Proof>,
    /// The last time that everything was recomputed.
    pub last_whole: Option<Proof>,
}

/// Recomputes twenty thousand balances from their entries and reservations, from a cursor on, and shows what the walks found
/// lately. Only what is in reach is counted and named; nothing is one's own here.
pub async fn consistency(tx: &mut EnterpriseTx, after: Option<String>) -> Result<Consistency> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let warehouses = bounds.warehouses.as_deref();
    let query = PageQuery { limit: AT_ONCE, after };
    let range = compare::range(tx, query.key()?, AT_ONCE).await?;
    let mut compared = compare::all_in(tx, range, warehouses).await?;
    compared.differences.truncate(TOLD);
    let differences = found::name(tx, compared.differences).await?;
    let recorded = found::recorded(tx, warehouses, i64::try_from(TOLD).expect("a small number")).await?;
    Ok(Consistency {
        balances: compared.balances,
        entries: compared.entries,
        reservations: compared.reservations,
        holds: compared.holds,
        differences,
        next: range.to.map(|place| crate::page::cursor(&place)),
        recorded,
        last_part: walk::last(tx, Scope::Part).await?,
        last_whole: walk::last(tx, Scope::Whole).await?,
    })
}
