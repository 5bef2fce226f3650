//! How far a permission reaches: the enterprise, some warehouses, a person's own requests, or several of these.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Finest;
use crate::ids::WarehouseId;

/// How far something is permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All over the enterprise.
    Everywhere,
    /// Where at least one of these holds; nowhere if none does.
    Within {
        /// In these warehouses.
        warehouses: BTreeSet<WarehouseId>,
        /// In the person's own requests, with what hangs on them.
        own: bool,
    },
}

impl Reach {
    /// What permits nothing.
    pub const NOWHERE: Self = Self::Within { warehouses: BTreeSet::new(), own: false };

    /// In these warehouses.
    pub fn warehouses(warehouses: impl IntoIterator<Item = WarehouseId>) -> Self {
        Self::Within { warehouses: warehouses.into_iter().collect(), own: false }
    }

    /// In the person's own requests.
    pub fn own() -> Self {
        Self::Within { warehouses: BTreeSet::new(), own: true }
    }

    /// Whether it is the whole enterprise.
    pub fn is_everywhere(&self) -> bool {
        *self == Self::Everywhere
    }

    /// Whether it is nothing at all.
    pub fn is_nowhere(&self) -> bool {
        *self == Self::NOWHERE
    }

    /// Whether it holds in a warehouse, whoever has the request there. What lies in no warehouse is only reached from
    /// everywhere.
    pub fn holds_in(&self, warehouse: Option<WarehouseId>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within { warehouses, .. } => warehouse.is_some_and(|id| warehouses.contains(&id)),
        }
    }

    /// Whether nothing of the other lies outside.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Within { .. }, Self::Everywhere) => false,
            (Self::Within { warehouses, own }, Self::Within { warehouses: theirs, own: their_own }) => {
                theirs.is_subset(warehouses) && (*own || !their_own)
            }
        }
    }

    /// What lies in one or the other.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everywhere, _) | (_, Self::Everywhere) => Self::Everywhere,
            (Self::Within { mut warehouses, own }, Self::Within { warehouses: more, own: or_own }) => {
                warehouses.extend(more);
                Self::Within { warehouses, own: own || or_own }
            }
        }
    }

    /// What lies in both.
    #[must_use]
    pub fn intersection(self, other: &Self) -> Self {
        match (self, other) {
            (reach, Self::Everywhere) => reach,
            (Self::Everywhere, other) => other.clone(),
            (Self::Within { warehouses, own }, Self::Within { warehouses: theirs, own: their_own }) => {
                Self::Within { warehouses: warehouses.intersection(theirs).copied().collect(), own: own && *their_own }
            }
        }
    }

    /// What is left of it for a permission that cannot be narrowed further than this.
    #[must_use]
    pub fn at_finest(self, finest: Finest) -> Self {
        match (self, finest) {
            (Self::Everywhere, _) => Self::Everywhere,
            (Self::Within { .. }, Finest::Enterprise) => Self::NOWHERE,
            (Self::Within { warehouses, .. }, Finest::Warehouses) => Self::Within { warehouses, own: false },
            (reach @ Self::Within { .. }, Finest::Own) => reach,
        }
    }
}

/// A reach as queries ask for it: `$n::uuid[] IS NULL OR warehouse_id = ANY($n) OR assignee_id = $m`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Absent: everywhere.
    pub warehouses: Option<Vec<Uuid>>,
    /// Whose own requests are in reach, too.
    pub person: Option<Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(warehouses: &[WarehouseId], own: bool) -> Reach {
        Reach::Within { warehouses: warehouses.iter().copied().collect(), own }
    }

    #[test]
    fn reaches_add_up_cover_and_cut_each_other() {
        let (a, b) = (WarehouseId::new(), WarehouseId::new());
        let both = within(&[a], false).union(within(&[b], true));
        assert_eq!(both, within(&[a, b], true));
        assert_eq!(both.clone().union(Reach::Everywhere), Reach::Everywhere);
        assert!(both.covers(&within(&[b], false)) && both.covers(&Reach::own()) && both.covers(&Reach::NOWHERE));
        assert!(!both.covers(&Reach::Everywhere) && !within(&[a], false).covers(&both));
        assert!(!within(&[a], false).covers(&Reach::own()), "a warehouse is not every request of one's own");
        assert_eq!(both.clone().intersection(&within(&[a], false)), within(&[a], false));
        assert_eq!(Reach::Everywhere.intersection(&both), both);
        assert_eq!(within(&[a], false).intersection(&within(&[b], false)), Reach::NOWHERE);
    }

    #[test]
    fn a_permission_of_the_whole_enterprise_is_not_given_in_a_warehouse() {
        let a = WarehouseId::new();
        assert!(within(&[a], true).at_finest(Finest::Enterprise).is_nowhere());
        assert_eq!(within(&[a], true).at_finest(Finest::Warehouses), within(&[a], false));
        assert_eq!(within(&[a], true).at_finest(Finest::Own), within(&[a], true));
        assert!(Reach::Everywhere.at_finest(Finest::Enterprise).is_everywhere());
    }

    #[test]
    fn what_lies_in_no_warehouse_is_only_reached_from_everywhere() {
        let a = WarehouseId::new();
        assert!(Reach::Everywhere.holds_in(None) && within(&[a], false).holds_in(Some(a)));
        assert!(!within(&[a], true).holds_in(None) && !within(&[a], true).holds_in(Some(WarehouseId::new())));
    }
}
