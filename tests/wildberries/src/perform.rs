//! Hands a call that was let in to the method that answers it.

use std::sync::Mutex;

use serde_json::json;

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::reply::{Answer, Reply, refusal};
use crate::route::Call;
use crate::world::lock;

pub(crate) fn perform(cabinet: &Mutex<Cabinet>, ask: &Ask, call: Call) -> Answer {
    let mut cabinet = lock(cabinet);
    cabinet.catch_up(ask.now);
    match call {
        Call::BadNumber => Err(refusal(400, "IncorrectParameter")),
        Call::Ping => Ok(Reply::json(200, &json!({ "TS": ask.now.to_rfc3339(), "Status": "OK" }))),
        Call::SellerInfo => Ok(cabinet.seller_info()),
        Call::Tariff(tariff) => tariff.answer(ask),
        Call::Cards => cabinet.catalogue.list(ask),
        Call::Bin => cabinet.catalogue.bin(ask),
        Call::CardErrors => cabinet.card_errors.list(ask),
        Call::Prices => cabinet.list_prices(ask),
        Call::PricesOf => cabinet.prices_of(ask),
        Call::UploadPrices => cabinet.upload_prices(ask),
        Call::UploadState => cabinet.upload_state(ask),
        Call::UploadedGoods => cabinet.uploaded_goods(ask),
        Call::Quarantine => cabinet.quarantine(ask),
        Call::Offices => Ok(cabinet.offices()),
        Call::Warehouses => Ok(cabinet.list_warehouses()),
        Call::OpenWarehouse => cabinet.open_warehouse(ask),
        Call::ChangeWarehouse(id) => cabinet.change_warehouse(ask, id),
        Call::DeleteWarehouse(id) => cabinet.delete_warehouse(ask, id),
        Call::ReadStocks(warehouse) => cabinet.read_stocks(ask, warehouse),
        Call::WriteStocks(warehouse) => cabinet.write_stocks(ask, warehouse),
        Call::DeleteStocks(warehouse) => cabinet.delete_stocks(ask, warehouse),
        Call::PassOffices => Ok(crate::passes::offices()),
        Call::Passes => Ok(cabinet.list_passes()),
        Call::OrderPass => cabinet.order_pass(ask),
        Call::ChangePass(id) => cabinet.change_pass(ask, id),
        Call::DeletePass(id) => cabinet.delete_pass(id),
        Call::NewOrders => Ok(cabinet.new_orders()),
        Call::Orders => cabinet.list_orders(ask),
        Call::Archive => cabinet.archive(ask),
        Call::OrderStatus => cabinet.order_status(ask),
        Call::Cancel(id) => cabinet.cancel_order(id),
        Call::Labels => cabinet.labels(ask),
        Call::WriteLabel(id, key) => cabinet.write_label(ask, id, key),
        Call::DeleteLabel(id) => cabinet.delete_label(ask, id),
        Call::OpenSupply => cabinet.open_supply(ask),
        Call::Supplies => cabinet.list_supplies(ask),
        Call::Supply(id) => cabinet.show_supply(&id),
        Call::DeleteSupply(id) => cabinet.delete_supply(&id),
        Call::AddToSupply(id) => cabinet.add_to_supply(ask, &id),
        Call::SupplyOrders(id) => cabinet.supply_orders(&id),
        Call::Deliver(id) => cabinet.deliver(ask, &id),
        Call::SupplyCode(id) => cabinet.supply_code(ask, &id),
        Call::Reshipment => Ok(cabinet.reshipment()),
        Call::ShippingPoints(id) => cabinet.shipping_points(ask, &id),
        Call::ChooseShipping => cabinet.choose_shipping(ask),
        Call::Transfer(id) => cabinet.transfer(ask, &id),
        Call::Boxes(id) => cabinet.list_boxes(&id),
        Call::AddBoxes(id) => cabinet.add_boxes(ask, &id),
        Call::DeleteBoxes(id) => cabinet.delete_boxes(ask, &id),
        // Drawing takes its time and needs nothing but numbers: it happens after the lock is given back.
        Call::Stickers => {
            let drawing = cabinet.stickers(ask)?;
            drop(cabinet);
            Ok(drawing.draw())
        }
        Call::BoxStickers(id) => {
            let drawing = cabinet.box_stickers(ask, &id)?;
            drop(cabinet);
            Ok(drawing.draw())
        }
    }
}
