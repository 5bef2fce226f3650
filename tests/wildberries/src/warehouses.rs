//! Offices of Wildberries, warehouses of the seller, and the stocks the seller declares in them.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::reply::{Answer, Reply, refusal, refusals};
use crate::words::{OFFICES, Office};

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
    /// When Wildberries is done with what it is busy with; never by itself if not said.
    #[serde(skip)]
    pub(crate) busy_until: Option<DateTime<Utc>>,
    /// When it was last tied to another office.
    #[serde(skip)]
    pub(crate) moved_at: Option<DateTime<Utc>>,
}

impl Warehouse {
    /// A warehouse with which nothing goes on.
    pub(crate) fn new(id: i64, name: String, office: &Office) -> Self {
        Self {
            id,
            name,
            office_id: office.id,
            cargo_type: office.cargo,
            delivery_type: 1,
            is_deleting: false,
            is_processing: false,
            busy_until: None,
            moved_at: None,
        }
    }

    fn keep_busy(&mut self, now: DateTime<Utc>) {
        self.is_processing = true;
        self.busy_until = Some(now + BUSY);
    }
}

/// How long Wildberries is busy with a warehouse that was opened, changed or given up.
const BUSY: Duration = Duration::minutes(2);

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

    /// What Wildberries was busy with comes to its end.
    pub(crate) fn settle_warehouses(&mut self, now: DateTime<Utc>) {
        let over = |warehouse: &Warehouse| warehouse.busy_until.is_some_and(|until| until <= now);
        if !self.warehouses.iter().any(over) {
            return;
        }
        let gone: Vec<i64> = self.warehouses.iter().filter(|it| it.is_deleting && over(it)).map(|it| it.id).collect();
        self.warehouses.retain(|warehouse| !gone.contains(&warehouse.id));
        self.stocks.retain(|(warehouse, _), _| !gone.contains(warehouse));
        for warehouse in self.warehouses.iter_mut().filter(|warehouse| over(warehouse)) {
            (warehouse.is_processing, warehouse.busy_until) = (false, None);
        }
    }

    /// `POST /api/v3/warehouses`
    pub(crate) fn open_warehouse(&mut self, ask: &Ask) -> Answer {
        let (name, office) = Wanted::read(ask)?;
        if self.warehouses.iter().any(|known| known.office_id == office.id) {
            return Err(refusal(409, "OfficeAlreadyUsed"));
        }
        self.last_warehouse += 1;
        let id = self.last_warehouse;
        let mut warehouse = Warehouse::new(id, name, office);
        warehouse.keep_busy(ask.now);
        self.warehouses.push(warehouse);
        Ok(Reply::json(201, &json!({ "id": id })))
    }

    /// `PUT /api/v3/warehouses/{id}`
    pub(crate) fn change_warehouse(&mut self, ask: &Ask, id: i64) -> Answer {
        let (name, office) = Wanted::read(ask)?;
        if self.warehouses.iter().any(|known| known.office_id == office.id && known.id != id) {
            return Err(refusal(409, "OfficeAlreadyUsed"));
        }
        let known = self.warehouses.iter_mut().find(|known| known.id == id && !known.is_deleting);
        let known = known.ok_or_else(|| refusal(404, "NotFound"))?;
        if known.office_id != office.id {
            if known.moved_at.is_some_and(|at| ask.now < at + Duration::days(1)) {
                return Err(refusal(409, "OfficeChangeLimit"));
            }
            (known.office_id, known.cargo_type, known.moved_at) = (office.id, office.cargo, Some(ask.now));
        }
        known.name = name;
        known.keep_busy(ask.now);
        Ok(Reply::no_content())
    }

    /// `DELETE /api/v3/warehouses/{id}`
    pub(crate) fn delete_warehouse(&mut self, ask: &Ask, id: i64) -> Answer {
        let known = self.warehouses.iter_mut().find(|known| known.id == id && !known.is_deleting);
        let known = known.ok_or_else(|| refusal(404, "NotFound"))?;
        known.is_deleting = true;
        known.busy_until = Some(ask.now + BUSY);
        Ok(Reply::no_content())
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
        for (size, amount) in rows.into_iter().filter(|(size, _)| !ask.ignored.contains(size)) {
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    name: String,
    office_id: i64,
}

impl Wanted {
    fn read(ask: &Ask) -> Result<(String, &'static Office), Reply> {
        let Self { name, office_id } = ask.body()?;
        if !(1..=200).contains(&name.chars().count()) {
            return Err(refusal(400, "WarehouseNameInvalid"));
        }
        let office = OFFICES.iter().find(|office| office.id == office_id);
        Ok((name, office.ok_or_else(|| refusal(404, "NotFound"))?))
    }
}
