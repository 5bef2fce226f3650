//! Rules of Wildberries that came in the autumn of 2026 and can be turned back.

use serde::{Deserialize, Serialize};

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Whether a supply needs shipping parameters before it is delivered.
    pub shipping_required: bool,
    /// How many boxes a supply may have.
    pub boxes: BoxRule,
}

impl Default for Rules {
    fn default() -> Self {
        Self { shipping_required: true, boxes: BoxRule::default() }
    }
}

/// How many boxes a supply may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxRule {
    /// One for every two orders, and one at least: since 4 September 2026.
    #[default]
    Half,
    /// One more than orders, as before.
    OneMore,
}

impl BoxRule {
    /// The most boxes for so many orders.
    pub fn most(self, orders: usize) -> usize {
        match self {
            _ if orders == 0 => 0,
            Self::Half => (orders / 2).max(1),
            Self::OneMore => orders + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_boxes_is_half_of_the_orders() {
        assert_eq!([0, 1, 10, 20, 100].map(|orders| BoxRule::Half.most(orders)), [0, 1, 5, 10, 50]);
        assert_eq!([0, 1, 10].map(|orders| BoxRule::OneMore.most(orders)), [0, 2, 11]);
    }
}
