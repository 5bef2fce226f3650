//! Tariffs of the common host: numbers as text with a comma, and a dash where there is none.

use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::chance::mix;
use crate::reply::{Answer, Reply, plain_problem};
use crate::words::{OFFICES, Office, SUBJECTS};

/// Which table is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tariff {
    Box,
    Pallet,
    Return,
    Commission,
}

impl Tariff {
    /// `GET /api/v1/tariffs/{box,pallet,return,commission}`
    pub(crate) fn answer(self, ask: &Ask) -> Answer {
        if self == Self::Commission {
            return commission(ask);
        }
        let day = ask.query("date").and_then(|day| day.parse::<NaiveDate>().ok());
        let day = day.ok_or_else(|| plain_problem(400, "bad request", "date must be YYYY-MM-DD"))?;
        let until = day.checked_add_days(Days::new(7)).unwrap_or(day).to_string();
        let mut data = json!({ "currency": "руб.", "dtTillMax": until });
        let rows: Vec<Value> = OFFICES.iter().map(|office| self.row(office, day)).collect();
        match self {
            Self::Box => data["dtNextBox"] = until.into(),
            Self::Pallet => data["dtNextPallet"] = until.into(),
            Self::Return => {
                for kind in ["Kgt", "Srg", "Sup"] {
                    data[format!("dtNextDeliveryDump{kind}")] = until.clone().into();
                }
                // Returns have no end of their own.
                data.as_object_mut().and_then(|data| data.remove("dtTillMax"));
            }
            Self::Commission => {}
        }
        data["warehouseList"] = rows.into();
        Ok(Reply::json(200, &json!({ "response": { "data": data } })))
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Box => &[
                "boxDeliveryBase",
                "boxDeliveryCoefExpr",
                "boxDeliveryLiter",
                "boxDeliveryMarketplaceBase",
                "boxDeliveryMarketplaceCoefExpr",
                "boxDeliveryMarketplaceLiter",
                "boxStorageBase",
                "boxStorageCoefExpr",
                "boxStorageLiter",
            ],
            Self::Pallet => &[
                "palletDeliveryExpr",
                "palletDeliveryValueBase",
                "palletDeliveryValueLiter",
                "palletStorageExpr",
                "palletStorageValueExpr",
            ],
            Self::Return => &[
                "deliveryDumpKgtOfficeBase",
                "deliveryDumpKgtOfficeLiter",
                "deliveryDumpKgtReturnExpr",
                "deliveryDumpSrgOfficeExpr",
                "deliveryDumpSrgReturnExpr",
                "deliveryDumpSupCourierBase",
                "deliveryDumpSupCourierLiter",
                "deliveryDumpSupOfficeBase",
                "deliveryDumpSupOfficeLiter",
                "deliveryDumpSupReturnExpr",
            ],
            Self::Commission => &[],
        }
    }

    fn row(self, office: &Office, day: NaiveDate) -> Value {
        let seed = mix(office.id.unsigned_abs()) ^ mix(u64::from(day.num_days_from_ce().unsigned_abs()) / 7);
        let mut row: serde_json::Map<String, Value> = self
            .fields()
            .iter()
            .zip(1..)
            .map(|(name, place)| ((*name).to_owned(), number(name, mix(seed ^ place)).into()))
            .collect();
        row.insert("warehouseName".into(), office.name.into());
        if self == Self::Box {
            row.insert("geoName".into(), office.district.map_or_else(String::new, |name| format!("{name} ФО")).into());
        }
        row.into()
    }
}

/// A coefficient in per cent, or roubles with kopecks.
fn number(name: &str, chance: u64) -> String {
    match chance % 16 {
        0 => "-".to_owned(),
        _ if name.ends_with("Expr") => (80 + chance % 24 * 5).to_string(),
        _ if chance.is_multiple_of(5) => (10 + chance % 90).to_string(),
        _ => format!("{},{}", 10 + chance % 90, 1 + chance % 9),
    }
}

fn commission(ask: &Ask) -> Answer {
    if ask.query("locale").is_some_and(|locale| !["ru", "en", "zh"].contains(&locale)) {
        return Err(plain_problem(400, "bad request", "unknown locale"));
    }
    let report: Vec<Value> = SUBJECTS
        .iter()
        .map(|subject| {
            let percent = |place: u64| {
                let tenths = u32::try_from(mix(subject.id.unsigned_abs() ^ place) % 200).unwrap_or(0);
                f64::from(100 + tenths) / 10.0
            };
            json!({
                "subjectID": subject.id,
                "subjectName": subject.name,
                "parentID": subject.id / 100 + 1,
                "parentName": "Товары для дома и одежда",
                "kgvpMarketplace": percent(1),
                "kgvpSupplier": percent(2),
                "kgvpSupplierExpress": percent(3),
                "kgvpPickup": percent(4),
                "kgvpBooking": percent(5),
                "paidStorageKgvp": percent(6),
            })
        })
        .collect();
    Ok(Reply::json(200, &json!({ "report": report })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_a_comma_and_nothing_is_a_dash() {
        let drawn: Vec<String> = (0..400).map(|place| number("boxStorageBase", mix(place))).collect();
        assert!(drawn.iter().any(|text| text.contains(',')) && drawn.iter().any(|text| text == "-"));
        assert!(drawn.iter().all(|text| !text.contains('.')));
    }
}
