//! Sending handed-over orders back to assembly: once per order, into another open supply, with a new sticker.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::{Cabinet, ORDERS_EACH};
use crate::order::SupplierStatus;
use crate::reply::{Answer, Reply, message, problem};

impl Cabinet {
    /// `PATCH /api/marketplace/v3/fbs/supplies/{id}/orders/transfer`
    pub(crate) fn transfer(&mut self, ask: &Ask, from: &str) -> Answer {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            order_ids: Vec<i64>,
            new_supply_id: String,
        }
        let body: Body = ask.body().map_err(|_: Reply| problem(400, "IncorrectRequestBody", "body", ""))?;
        if !(1..=100).contains(&body.order_ids.len()) {
            return Err(problem(400, "IncorrectRequest", "body.orderIds", &body.order_ids.len().to_string()));
        }
        let source = self.supply(from).map_err(|_| problem(404, "NotFound", "path.supplyId", from))?.number;
        let target = self.supply(&body.new_supply_id).ok().filter(|supply| !supply.is_done());
        let target = target.ok_or_else(|| problem(404, "NotFound", "body.newSupplyId", &body.new_supply_id))?.number;
        let rows: Vec<Value> = body.order_ids.into_iter().map(|id| self.transfer_one(id, source, target)).collect();
        Ok(Reply::json(200, &json!({ "transferredOrders": rows })))
    }

    fn transfer_one(&mut self, id: i64, source: i64, target: i64) -> Value {
        let refused = |code: &str| json!({ "orderId": id, "error": { "code": code, "detail": message(code) } });
        let Some(order) = self.orders.get(id).filter(|order| order.supply == Some(source)) else {
            return refused("NotFound");
        };
        if !order.is_transferable() {
            return refused("StatusChangeNotAllowed");
        }
        let old = order.sticker;
        // The numbers of all first stickers lie below, so that a second one never meets them.
        let new = old + 100 * ORDERS_EACH * 7919;
        self.take_out_of_supply(id);
        self.orders.change(id, |order| {
            order.supplier_status = SupplierStatus::Confirm;
            order.supply = Some(target);
            order.sticker = new;
            order.transferred = true;
            order.reshipment = false;
        });
        if let Some(supply) = self.supplies.get_mut(&target) {
            supply.orders.insert(id);
        }
        json!({ "orderId": id, "oldStickerId": old, "newStickerId": new, "success": true })
    }
}
