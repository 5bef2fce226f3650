//! Where a count is and where it may go from there; and the other words of counts.

use serde::{Deserialize, Serialize};

use crate::{Error, Refusal, Result};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
        #[sqlx(type_name = "text", rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The word of the API and the database.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Where a count is.
    CountStatus {
        /// It can still be changed.
        Planned = "planned",
        /// People count.
        Counting = "counting",
        /// Everything is counted; differences get their reasons.
        Review = "review",
        /// It is approved, and its corrections are being written page by page.
        Posting = "posting",
        /// The ledger is as it was counted.
        Posted = "posted",
        /// Called off.
        Cancelled = "cancelled",
    }
}

words! {
    /// What a count is about.
    CountScope {
        /// Everything that lies in the warehouse and is not picked.
        Warehouse = "warehouse",
        /// Some zones.
        Zones = "zones",
        /// Some cells.
        Cells = "cells",
        /// Some products, wherever they lie in the warehouse.
        Products = "products",
    }
}

words! {
    /// Why something else lies there than was known.
    CountReason {
        /// Broken and gone.
        Damaged = "damaged",
        /// Cannot be found.
        Lost = "lost",
        /// More is there than was known.
        Found = "found",
        /// It lies, or lay, in another place.
        Misplaced = "misplaced",
        /// It was counted or written down wrongly before.
        MiscountedBefore = "miscounted_before",
        /// The supplier sent more or fewer than was posted.
        SupplierError = "supplier_error",
        /// Stolen.
        Theft = "theft",
        /// The comment says.
        Other = "other",
    }
}

words! {
    /// How something was counted.
    TallyKind {
        /// Somebody said how many.
        Counted = "counted",
        /// Scanned one by one; the sum so far.
        Scanned = "scanned",
        /// The cell was said to be empty.
        Empty = "empty",
        /// Nobody counted it, and the review took it for none.
        Decided = "decided",
    }
}

impl CountStatus {
    /// Where it may go from here.
    pub fn next(self) -> &'static [Self] {
        use CountStatus::{Cancelled, Counting, Planned, Posted, Posting, Review};
        match self {
            Planned => &[Counting, Cancelled],
            Counting => &[Review, Cancelled],
            Review => &[Counting, Posting, Posted, Cancelled],
            Posting => &[Posted, Review],
            Posted | Cancelled => &[],
        }
    }

    /// Refuses a step that the machine above does not have.
    pub fn check(self, to: Self) -> Result<()> {
        if self.next().contains(&to) {
            return Ok(());
        }
        Err(Error::Refused {
            refusal: Refusal::CountTransition,
            detail: format!("the count is {}, it cannot become {}", self.name(), to.name()),
            allowed: self.next().iter().map(|status| status.name().to_owned()).collect(),
        })
    }

    /// Refuses what is done in one status only.
    pub(super) fn require(self, status: Self) -> Result<()> {
        if self == status {
            return Ok(());
        }
        Err(Error::Refused {
            refusal: Refusal::CountTransition,
            detail: format!("the count is {}: this is done while it is {}", self.name(), status.name()),
            allowed: vec![status.name().to_owned()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_or_cancelled_stays_so_and_nothing_is_posted_without_a_review() {
        use CountStatus::{Cancelled, Counting, Planned, Posted, Posting, Review};
        for status in [Planned, Counting, Review, Posting, Posted, Cancelled] {
            assert_eq!(status.next().is_empty(), [Posted, Cancelled].contains(&status));
            assert_eq!(status.check(Posting).is_ok(), status == Review);
            assert_eq!(status.check(Posted).is_ok(), [Review, Posting].contains(&status));
            assert!(status.require(status).is_ok() && (status == Planned || status.require(Planned).is_err()));
        }
    }
}
