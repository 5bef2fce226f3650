//! The acts of the storm, drawn by chance: each under a number of its own, so that its document is found afterwards.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{CELLS, code};

/// What a client asks for.
pub(super) struct Act {
    /// The number of its document.
    pub number: String,
    /// What its document is called.
    pub kind: &'static str,
    pub path: &'static str,
    pub body: Value,
}

/// What a client knows to be kept by itself.
#[derive(Default)]
pub(super) struct Kept {
    pub holds: Vec<Value>,
    pub reservations: Vec<Value>,
}

/// The next act.
pub(super) fn draw(
    chance: &mut StdRng,
    number: String,
    warehouse: &str,
    products: &[(String, i64)],
    kept: &mut Kept,
) -> Act {
    let (kind, path) = match chance.random_range(0..100) {
        0..22 => ("adjust", "/inventory/adjustments"),
        22..30 => ("write_off", "/inventory/write-offs"),
        30..55 => ("move", "/inventory/moves"),
        55..65 => ("hold", "/inventory/holds"),
        65..80 => ("reserve", "/inventory/reservations"),
        80..90 => ("release", "/inventory/holds/release"),
        _ => ("release", "/inventory/reservations/release"),
    };
    let mode = if chance.random_bool(0.5) { "each_row" } else { "all_or_nothing" };
    let mut body = json!({ "warehouseId": warehouse, "number": number, "mode": mode });
    if kind == "release" {
        let list = if path.contains("holds") { &mut kept.holds } else { &mut kept.reservations };
        let some = list.len().min(chance.random_range(1..4));
        let ids: Vec<_> = (0..some).map(|_| list.swap_remove(chance.random_range(0..list.len()))).collect();
        // Who keeps nothing asks for what is not there.
        let nobody = json!(["01900000-0000-7000-8000-000000000000"]);
        body["ids"] = if ids.is_empty() { nobody } else { json!(ids) };
    } else {
        let lines: Vec<_> = (0..chance.random_range(1..4)).map(|_| line(chance, kind, products)).collect();
        body["lines"] = json!(lines);
    }
    Act { number, kind, path, body }
}

fn line(chance: &mut StdRng, kind: &str, products: &[(String, i64)]) -> Value {
    let product = &products[chance.random_range(0..products.len())].0;
    let (cell, other) = (code(chance.random_range(0..CELLS)), code(chance.random_range(0..CELLS)));
    let quantity = chance.random_range(1..5);
    let lot = ["", "А", "Б"][chance.random_range(0..3)];
    let mut line = json!({ "productId": product, "quantity": quantity });
    match kind {
        "adjust" => {
            let more = chance.random_bool(0.7);
            line = json!({ "productId": product, "cell": cell, "change": if more { 2 * quantity } else { -quantity },
                           "reason": if more { "found" } else { "missing" } });
            if more && !lot.is_empty() {
                line["lot"] = json!({ "code": lot });
            }
        }
        "write_off" => {
            line["cell"] = json!(cell);
            line["reason"] = json!("damaged");
        }
        "move" => {
            line["from"] = json!(cell);
            line["to"] = json!(other);
        }
        "hold" => {
            line["cell"] = json!(cell);
            line["reason"] = json!("quarantine");
        }
        _ => {}
    }
    line
}
