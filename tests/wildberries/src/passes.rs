//! Passes: who drives what to which office, for two days.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::reply::{Answer, Reply, refusal};
use crate::words::{OFFICES, Office};

/// How long a pass is good.
const GOOD_FOR: Duration = Duration::hours(48);

/// All passes of a seller.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    last: i64,
    list: BTreeMap<i64, Pass>,
}

#[derive(Debug)]
struct Pass {
    wanted: Wanted,
    office: &'static Office,
    until: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    first_name: String,
    last_name: String,
    car_model: String,
    car_number: String,
    office_id: i64,
}

impl Wanted {
    fn read(ask: &Ask) -> Result<(Self, &'static Office), Reply> {
        let wanted: Self = ask.body()?;
        let length = |text: &str| text.chars().count();
        let (first, last) = (length(&wanted.first_name), length(&wanted.last_name));
        let fits = first >= 1
            && last >= 1
            && (6..=100).contains(&(first + last))
            && (1..=100).contains(&length(&wanted.car_model))
            && (6..=9).contains(&length(&wanted.car_number))
            && wanted.car_number.chars().all(char::is_alphanumeric)
            && wanted.office_id >= 1;
        if !fits {
            return Err(refusal(400, "IncorrectRequest"));
        }
        let office = OFFICES.iter().find(|office| office.id == wanted.office_id);
        Ok((wanted, office.ok_or_else(|| refusal(404, "NotFound"))?))
    }
}

impl Passes {
    /// Passes that are over disappear by themselves.
    pub(crate) fn expire(&mut self, now: DateTime<Utc>) {
        self.list.retain(|_, pass| now < pass.until);
    }
}

/// `GET /api/v3/passes/offices`
pub(crate) fn offices() -> Reply {
    let shown = |office: &Office| json!({ "id": office.id, "name": office.name, "address": office.address });
    Reply::json(200, &OFFICES.iter().map(shown).collect::<Vec<Value>>())
}

impl Cabinet {
    /// `GET /api/v3/passes`
    pub(crate) fn list_passes(&self) -> Reply {
        let shown = |(id, pass): (&i64, &Pass)| {
            json!({
                "id": id,
                "firstName": pass.wanted.first_name,
                "lastName": pass.wanted.last_name,
                "carModel": pass.wanted.car_model,
                "carNumber": pass.wanted.car_number,
                "officeId": pass.office.id,
                "officeName": pass.office.name,
                "officeAddress": pass.office.address,
                "dateEnd": pass.until.format("%Y-%m-%d %H:%M:%S+00:00").to_string(),
            })
        };
        Reply::json(200, &self.passes.list.iter().map(shown).collect::<Vec<_>>())
    }

    /// `POST /api/v3/passes`
    pub(crate) fn order_pass(&mut self, ask: &Ask) -> Answer {
        let (wanted, office) = Wanted::read(ask)?;
        self.passes.last += 1;
        let id = self.number * 100_000 + self.passes.last;
        self.passes.list.insert(id, Pass { wanted, office, until: ask.now + GOOD_FOR });
        Ok(Reply::json(201, &json!({ "id": id })))
    }

    /// `PUT /api/v3/passes/{id}`
    pub(crate) fn change_pass(&mut self, ask: &Ask, id: i64) -> Answer {
        let (wanted, office) = Wanted::read(ask)?;
        let pass = self.passes.list.get_mut(&id).ok_or_else(|| refusal(404, "NotFound"))?;
        (pass.wanted, pass.office) = (wanted, office);
        Ok(Reply::no_content())
    }

    /// `DELETE /api/v3/passes/{id}`
    pub(crate) fn delete_pass(&mut self, id: i64) -> Answer {
        self.passes.list.remove(&id).ok_or_else(|| refusal(404, "NotFound"))?;
        Ok(Reply::no_content())
    }
}
