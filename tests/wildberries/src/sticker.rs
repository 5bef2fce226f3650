//! Stickers of orders and the QR codes of supplies.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::label::Key;
use crate::picture::{Format, Picture, Size};
use crate::reply::{Answer, Reply, refusal};

/// What a person reads on a sticker and what a scanner reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sticker {
    /// Printed above, small.
    pub part_a: String,
    /// Printed large.
    pub part_b: String,
    /// Content of the QR code.
    pub barcode: String,
}

impl Sticker {
    /// The sticker with this number.
    pub fn of(number: i64) -> Self {
        Self {
            part_a: (number / 10_000).to_string(),
            part_b: format!("{:04}", number % 10_000),
            barcode: barcode(number),
        }
    }
}

/// Eight characters that differ for every number: multiplying by a number without common factors loses nothing.
fn barcode(number: i64) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const ALL: u128 = 62_u128.pow(8);
    let mut rest = u128::from(number.unsigned_abs()) * 120_040_007_919_143 % ALL;
    let mut text = String::from("!");
    for _ in 0..8 {
        text.push(char::from(LETTERS[usize::try_from(rest % 62).unwrap_or(0)]));
        rest /= 62;
    }
    text
}

/// What was asked for, taken from the cabinet under its lock; drawing happens after.
pub(crate) struct Drawing {
    format: Format,
    size: Size,
    orders: Vec<(i64, Sticker)>,
}

impl Cabinet {
    /// `POST /api/v3/orders/stickers`, first half.
    pub(crate) fn stickers(&self, ask: &Ask) -> Result<Drawing, Reply> {
        let wrong = || refusal(400, "IncorrectParameter");
        let format = ask.query("type").and_then(Format::of).ok_or_else(wrong)?;
        let size = Size::of(ask.number("width", 40, 58)?, ask.number("height", 30, 40)?).ok_or_else(wrong)?;
        let ids = ask.orders(1, 100)?;
        let found = ids.into_iter().filter_map(|id| self.orders.get(id)).filter(|order| order.has_sticker());
        let mut orders = Vec::new();
        for order in found {
            let undeclared = order
                .labels
                .iter()
                .any(|label| label.key == Key::CustomsDeclaration && label.required && label.value.is_none());
            if undeclared {
                return Err(refusal(409, "CustomsDeclarationIsRequired"));
            }
            orders.push((order.id, Sticker::of(order.sticker)));
        }
        Ok(Drawing { format, size, orders })
    }

    /// `GET /api/v3/supplies/{id}/barcode`
    pub(crate) fn supply_code(&self, ask: &Ask, id: &str) -> Answer {
        let format = ask.query("type").and_then(Format::of).ok_or_else(|| refusal(400, "IncorrectParameter"))?;
        let supply = self.supply(id)?;
        if !supply.is_done() {
            return Err(refusal(409, "SupplyNotClosed"));
        }
        let id = supply.id();
        let picture = Picture::new(Size::Large, &id, "Поставка", id.trim_start_matches("WB-GI-"));
        Ok(Reply::json(200, &json!({ "barcode": id, "file": STANDARD.encode(picture.draw(format)) })))
    }
}

impl Drawing {
    /// The second half: draws without holding anything.
    pub(crate) fn draw(self) -> Reply {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            order_id: i64,
            #[serde(flatten)]
            sticker: Sticker,
            file: String,
        }
        let stickers: Vec<Row> = self
            .orders
            .into_iter()
            .map(|(order_id, sticker)| {
                let picture = Picture::new(self.size, &sticker.barcode, &sticker.part_a, &sticker.part_b);
                Row { order_id, file: STANDARD.encode(picture.draw(self.format)), sticker }
            })
            .collect();
        Reply::json(200, &json!({ "stickers": stickers }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_stickers_share_a_barcode() {
        let codes: std::collections::HashSet<String> =
            (0..50_000).map(|number| barcode(20_000_000_000 + number * 7919)).collect();
        assert_eq!(codes.len(), 50_000);
    }
}
