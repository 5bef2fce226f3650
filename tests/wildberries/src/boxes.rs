//! Boxes: places in a supply that goes to a pick-up point. Wildberries does not know which order lies in which.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::picture::{Format, Picture, Size};
use crate::reply::{Answer, Reply, refusal};
use crate::supply::Supply;

/// A box's id as Wildberries writes it.
pub(crate) fn box_id(number: i64) -> String {
    format!("WB-TRBX-{number}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    trbx_ids: Vec<String>,
}

impl Cabinet {
    /// `GET /api/v3/supplies/{id}/trbx`
    pub(crate) fn list_boxes(&self, id: &str) -> Answer {
        let boxes: Vec<Value> = self.supply(id)?.boxes.iter().map(|number| json!({ "id": box_id(*number) })).collect();
        Ok(Reply::json(200, &json!({ "trbxes": boxes })))
    }

    /// `POST /api/v3/supplies/{id}/trbx`: not idempotent, every call makes more.
    pub(crate) fn add_boxes(&mut self, ask: &Ask, id: &str) -> Answer {
        #[derive(Deserialize)]
        struct Body {
            amount: i64,
        }
        let Body { amount } = ask.body()?;
        if !(1..=1000).contains(&amount) {
            return Err(refusal(400, "IncorrectParameter"));
        }
        let supply = self.supply(id)?;
        let most = ask.rules.boxes.most(supply.orders.len());
        let wanted = supply.boxes.len() + usize::try_from(amount).unwrap_or(usize::MAX);
        if supply.is_done() || !self.goes_to_pickup_point(supply) || wanted > most {
            return Err(refusal(400, "IncorrectParameter"));
        }
        let number = supply.number;
        let first = self.last_box + 1;
        self.last_box += amount;
        let added = first..=self.last_box;
        let ids: Vec<String> = added.clone().map(box_id).collect();
        if let Some(supply) = self.supplies.get_mut(&number) {
            supply.boxes.extend(added);
        }
        Ok(Reply::json(201, &json!({ "trbxIds": ids })))
    }

    /// `DELETE /api/v3/supplies/{id}/trbx`
    pub(crate) fn delete_boxes(&mut self, ask: &Ask, id: &str) -> Answer {
        let supply = self.supply(id)?;
        let gone = named(ask, supply)?;
        if supply.is_done() {
            return Err(refusal(400, "IncorrectParameter"));
        }
        let number = supply.number;
        if let Some(supply) = self.supplies.get_mut(&number) {
            supply.boxes.retain(|number| !gone.contains(number));
        }
        Ok(Reply::no_content())
    }

    /// `POST /api/v3/supplies/{id}/trbx/stickers`, first half.
    pub(crate) fn box_stickers(&self, ask: &Ask, id: &str) -> Result<BoxDrawing, Reply> {
        let format = ask.query("type").and_then(Format::of).ok_or_else(|| refusal(400, "IncorrectParameter"))?;
        let supply = self.supply(id)?;
        Ok(BoxDrawing { format, supply: supply.number, boxes: named(ask, supply)? })
    }

    /// Whether everything in a supply may be handed over at a pick-up point.
    pub(crate) fn goes_to_pickup_point(&self, supply: &Supply) -> bool {
        let mut orders = supply.orders.iter().filter_map(|id| self.orders.get(*id));
        !supply.orders.is_empty() && orders.all(|order| order.pickup_point)
    }
}

/// The boxes that a body names, all of them in the supply.
fn named(ask: &Ask, supply: &Supply) -> Result<Vec<i64>, Reply> {
    let Named { trbx_ids } = ask.body()?;
    if trbx_ids.is_empty() {
        return Err(refusal(400, "IncorrectRequest"));
    }
    let number = |id: &String| id.strip_prefix("WB-TRBX-").and_then(|number| number.parse::<i64>().ok());
    let held = |id| number(id).filter(|number| supply.boxes.contains(number)).ok_or_else(|| refusal(404, "NotFound"));
    trbx_ids.iter().map(held).collect()
}

/// Labels to draw.
pub(crate) struct BoxDrawing {
    format: Format,
    supply: i64,
    boxes: Vec<i64>,
}

impl BoxDrawing {
    /// The second half: draws without holding anything.
    pub(crate) fn draw(self) -> Reply {
        let drawn = |number: &i64| {
            let code = format!("$WBMP:1:{}:{number}", self.supply);
            let picture = Picture::new(Size::Large, &code, "Грузоместо", &number.to_string());
            json!({ "barcode": code, "file": STANDARD.encode(picture.draw(self.format)) })
        };
        let stickers: Vec<Value> = self.boxes.iter().map(drawn).collect();
        Reply::json(200, &json!({ "stickers": stickers }))
    }
}
