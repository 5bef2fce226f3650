//! Where the documents are known to be older or poorer than the API itself.

/// One known difference.
#[derive(Debug)]
pub struct Difference {
    /// Path with its variables in braces; empty for all.
    pub path: &'static str,
    /// What is different.
    pub what: What,
    /// Why it is no violation.
    pub why: &'static str,
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The documents do not know the method.
    Method,
    /// A field of the answer has values the documents do not list.
    Field(&'static str),
    /// Statuses of the answer from this one to the other.
    Statuses(u16, u16),
}

/// The whole list.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        path: "/api/marketplace/v3/fbs/supplies/{supplyId}/shipping-points",
        what: What::Method,
        why: "came in September 2026, after the documents",
    },
    Difference {
        path: "/api/marketplace/v3/fbs/supplies/shipping-method",
        what: What::Method,
        why: "came in September 2026, after the documents",
    },
    Difference {
        path: "/api/marketplace/v3/fbs/supplies/{supplyId}/orders/transfer",
        what: What::Method,
        why: "came in October 2026, after the documents",
    },
    Difference {
        path: "/api/v3/orders/status",
        what: What::Field("supplierStatus"),
        why: "the text also names cancel_carrier, the list of values does not",
    },
    Difference {
        path: "/api/v3/orders/status",
        what: What::Field("wbStatus"),
        why: "the text also names canceled_by_carrier, the list of values does not",
    },
    Difference {
        path: "/api/v3/supplies",
        what: What::Field("cargoType"),
        why: "null for an empty supply since October 2026, zero before; published clients refuse the zero",
    },
    Difference {
        path: "/api/v3/supplies/{supplyId}",
        what: What::Field("cargoType"),
        why: "null for an empty supply since October 2026, zero before; published clients refuse the zero",
    },
    Difference {
        path: "",
        what: What::Statuses(500, 599),
        why: "no document describes failures of the gateway; clients meet them nevertheless",
    },
    Difference { path: "", what: What::Statuses(413, 413), why: "the size of bodies is the gateway's business" },
];

/// The difference that excuses this, if there is one.
pub(super) fn known(path: &str, what: &dyn Fn(What) -> bool) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|known| (known.path.is_empty() || known.path == path) && what(known.what))
}
