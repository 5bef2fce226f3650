//! Offices of Wildberries, warehouses of the seller, and the stocks the seller declares in them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::reply::{Answer, Reply, refusal, refusals};
use crate::words::OFFICES;

/// A seller's warehouse as Wildberries knows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warehouse {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The office it is tied to.
    pub office_id: i64,
    /// 1 small, 2 very large, 3 large goods.
    pub cargo_type: u8,
    /// 1 is delivery to a Wildberries office.
    pub delivery_type: u8,
    /// Whether it is going away.
    pub is_deleting: bool,
    /// Whether Wildberries is busy with it and refuses stocks.
    pub is_processing: bool,
}

impl Cabinet {
    /// `GET /api/v3/offices`
    pub(crate) fn offices(&self) -> Reply {
        let offices: Vec<Value> = OFFICES
            .iter()
            .map(|office| {
                json!({
                    "id": office.id,
                    "name": office.name,
                    "address": office.address,
                    "city": office.city,
                    "longitude": office.at.0,
                    "latitude": office.at.1,
                    "cargoType": office.cargo,
                    "deliveryType": 1,
                    "federalDistrict": office.district,
                    "selected": self.warehouses.iter().any(|warehouse| warehouse.office_id == office.id),
                })
            })
            .collect();
        Reply::json(200, &offices)
    }

    /// `GET /api/v3/warehouses`
    pub(crate) fn list_warehouses(&self) -> Reply {
        Reply::json(200, &self.warehouses)
    }

    fn warehouse(&self, id: i64) -> Result<&Warehouse, Reply> {
        self.warehouses.iter().find(|warehouse| warehouse.id == id).ok_or_else(|| refusal(404, "NotFound"))
    }

    fn sizes(ask: &Ask, least: usize) -> Result<Vec<i64>, Reply> {
        let body: Value = ask.body()?;
        let sizes = body["chrtIds"].as_array().ok_or_else(|| refusal(400, "IncorrectRequestBody"))?;
        if !(least..=1000).contains(&sizes.len()) {
            return Err(refusal(400, "IncorrectRequest"));
        }
        sizes.iter().map(|size| size.as_i64().ok_or_else(|| refusal(400, "IncorrectRequestBody"))).collect()
    }

    /// `POST /api/v3/stocks/{warehouseId}`: sizes without stock are simply missing.
    pub(crate) fn read_stocks(&self, ask: &Ask, warehouse: i64) -> Answer {
        self.warehouse(warehouse)?;
        let stocks: Vec<Value> = Self::sizes(ask, 0)?
            .into_iter()
            .filter_map(|chrt_id| Some((chrt_id, self.stocks.get(&(warehouse, chrt_id)).copied()?)))
            .filter(|(_, amount)| *amount > 0)
            .map(|(chrt_id, amount)| json!({ "chrtId": chrt_id, "amount": amount }))
            .collect();
        Ok(Reply::json(200, &json!({ "stocks": stocks })))
    }

    /// `PUT /api/v3/stocks/{warehouseId}`: an absolute overwrite; a row with unknown names changes nothing, in silence.
    pub(crate) fn write_stocks(&mut self, ask: &Ask, warehouse: i64) -> Answer {
        #[derive(Deserialize)]
        struct Body {
            stocks: Vec<Row>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Row {
            chrt_id: Option<i64>,
            amount: Option<i64>,
            sku: Option<Value>,
        }
        let Body { stocks } = ask.body()?;
        if stocks.iter().any(|row| row.sku.is_some()) {
            return Err(refusal(400, "SKUUploadDisabled"));
        }
        let wild = stocks.iter().filter_map(|row| row.amount).any(|amount| !(0..=100_000).contains(&amount));
        if wild || !(1..=1000).contains(&stocks.len()) {
            return Err(refusal(400, "IncorrectRequest"));
        }
        let place = self.warehouse(warehouse)?;
        let rows: Vec<(i64, i64)> = stocks.iter().filter_map(|row| Some((row.chrt_id?, row.amount?))).collect();
        let named = |rows: &[(i64, i64)]| -> Vec<Value> {
            rows.iter().map(|(chrt_id, amount)| json!({ "sku": "", "chrtId": chrt_id, "amount": amount })).collect()
        };
        if place.is_processing {
            return Err(refusals(409, "StoreIsProcessing", &named(&rows)));
        }
        let unknown: Vec<_> =
            rows.iter().copied().filter(|(size, _)| self.catalogue.of_size(*size).is_none()).collect();
        if !unknown.is_empty() {
            return Err(refusals(409, "NotFound", &named(&unknown)));
        }
        let cargo = |size: i64| self.catalogue.of_size(size).map(|(card, _)| card.cargo_type);
        let unfit: Vec<_> = rows.iter().copied().filter(|(size, _)| cargo(*size) != Some(place.cargo_type)).collect();
        if !unfit.is_empty() {
            let code = match place.cargo_type {
                1 => "CargoWarehouseRestrictionMGT",
                2 => "CargoWarehouseRestrictionSGT",
                _ => "CargoWarehouseRestrictionKGTPlus",
            };
            return Err(refusals(409, code, &named(&unfit)));
        }
        for (size, amount) in rows {
            self.stocks.insert((warehouse, size), amount);
        }
        Ok(Reply::no_content())
    }

    /// `DELETE /api/v3/stocks/{warehouseId}`
    pub(crate) fn delete_stocks(&mut self, ask: &Ask, warehouse: i64) -> Answer {
        let sizes = Self::sizes(ask, 1)?;
        if self.warehouse(warehouse)?.is_processing {
            return Err(refusal(409, "StoreIsProcessing"));
        }
        for size in sizes {
            self.stocks.remove(&(warehouse, size));
        }
        Ok(Reply::no_content())
    }
}
