//! The acts of the storm, drawn by chance.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::history::Act;
use super::{CELLS, Product, code};

/// What a client knows to be kept by itself.
#[derive(Default)]
pub(super) struct Kept {
    pub holds: Vec<Value>,
    pub reservations: Vec<Value>,
}

/// The next act.
pub(super) fn draw(chance: &mut StdRng, number: &str, warehouse: &str, products: &[Product], kept: &mut Kept) -> Act {
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
    Act { kind, path, body }
}

fn line(chance: &mut StdRng, kind: &str, products: &[Product]) -> Value {
    let product = &products[chance.random_range(0..products.len())].id;
    let (cell, other) = (code(chance.random_range(0..CELLS)), code(chance.random_range(0..CELLS)));
    let quantity = chance.random_range(1..5);
    let mut line = json!({ "productId": product, "quantity": quantity });
    match kind {
        "adjust" => {
            let more = chance.random_bool(0.7);
            line = json!({ "productId": product, "cell": cell, "change": if more { 2 * quantity } else { -quantity },
                           "reason": if more { "found" } else { "missing" } });
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
    // What comes belongs to one of three lots, the one without a code among them; what is taken mostly to any.
    let lot = match chance.random_range(0..if line["change"].as_i64() > Some(0) { 3 } else { 12 }) {
        0 => Some("А"),
        1 => Some("Б"),
        _ => None,
    };
    if let Some(lot) = lot {
        line["lot"] = json!({ "code": lot });
    }
    line
}
