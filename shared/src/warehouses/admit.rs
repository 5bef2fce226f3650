//! What cells refuse, in the words of the database, which alone sees what everybody is putting into them at this moment.

use crate::{Error, Refusal, Result};

/// A number that its column cannot hold: the units of a lot in a cell are the one that grows without end.
const OUT_OF_RANGE: &str = "22003";

/// Turns the refusals of cells into ours, at every statement that writes to the ledger.
pub(crate) trait AdmittedByCells<T> {
    /// The facts of the case come with the violation.
    fn admitted_by_cells(self) -> Result<T>;
}

impl<T> AdmittedByCells<T> for std::result::Result<T, sqlx::Error> {
    fn admitted_by_cells(self) -> Result<T> {
        self.map_err(|error| {
            let sqlx::Error::Database(database) = &error else { return error.into() };
            match database.constraint().and_then(refusal) {
                Some(refusal) => Error::refused(refusal, database.message()),
                None if database.code().is_some_and(|code| code == OUT_OF_RANGE) => {
                    Error::refused(Refusal::CellFull, "no cell holds more than 2147483647 units of a lot")
                }
                None => error.into(),
            }
        })
    }
}

fn refusal(rule: &str) -> Option<Refusal> {
    match rule {
        "cells_archived" => Some(Refusal::CellArchived),
        "cells_blocked" => Some(Refusal::CellBlocked),
        "cells_capacity" => Some(Refusal::CellFull),
        "cells_counted" => Some(Refusal::CellUnderCount),
        "cells_frozen" => Some(Refusal::CellFrozen),
        "cells_mixing" => Some(Refusal::CellMixing),
        _ => None,
    }
}
