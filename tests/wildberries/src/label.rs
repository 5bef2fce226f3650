//! Label identifiers (marking codes and their kin): written at once, verified later.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cabinet::Cabinet;
use crate::order::SupplierStatus;
use crate::reply::{Answer, Reply, refusal, refusal_v3};

/// Which identifier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// Marking code.
    Sgtin,
    /// Jewellery number.
    Uin,
    /// Telephone number of the set.
    Imei,
    /// Article number for Belarus.
    Gtin,
    /// Best before.
    Expiration,
    /// Customs declaration.
    CustomsDeclaration,
}

impl Key {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "sgtin" => Self::Sgtin,
            "uin" => Self::Uin,
            "imei" => Self::Imei,
            "gtin" => Self::Gtin,
            "expiration" => Self::Expiration,
            "customs-declaration" | "customsDeclaration" => Self::CustomsDeclaration,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sgtin => "sgtin",
            Self::Uin => "uin",
            Self::Imei => "imei",
            Self::Gtin => "gtin",
            Self::Expiration => "expiration",
            Self::CustomsDeclaration => "customsDeclaration",
        }
    }
}

/// One identifier an order must or may have.
#[derive(Debug, Clone)]
pub struct Label {
    /// Which.
    pub key: Key,
    /// Whether delivery waits for it.
    pub required: bool,
    /// What the seller wrote.
    pub value: Option<String>,
    /// When the verdict is due.
    pub due: DateTime<Utc>,
    /// The verdict, if a person has given one.
    pub ruling: Option<String>,
}

/// Decisions an order may be delivered with.
const FINE: &[&str] = &[
    "filled",
    "optional",
    "deadlineExceeded",
    "imeiMaySell",
    "imeiSoldB2B",
    "uinMaySell",
    "sgtinIntroduced",
    "sgtinSoldB2B",
];

/// How long the state's register takes to verify a code.
const VERIFYING: Duration = Duration::seconds(2);

impl Label {
    pub(crate) fn new(key: Key, required: bool) -> Self {
        Self { key, required, value: None, due: DateTime::UNIX_EPOCH, ruling: None }
    }

    /// What Wildberries says of it now.
    pub fn decision(&self, now: DateTime<Utc>) -> String {
        let word = match (&self.value, &self.ruling) {
            (None, _) if self.required => "required",
            (None, _) => "optional",
            (Some(_), Some(ruling)) => ruling,
            (Some(_), None) if now < self.due => "pending",
            (Some(value), None) => match self.key {
                Key::Sgtin => value
                    .split(',')
                    .map(judge_sgtin)
                    .find(|word| *word != "sgtinIntroduced")
                    .unwrap_or("sgtinIntroduced"),
                Key::Uin => "uinMaySell",
                Key::Imei => "imeiMaySell",
                Key::Gtin | Key::Expiration | Key::CustomsDeclaration => "filled",
            },
        };
        word.to_owned()
    }

    /// Whether delivery may go ahead.
    pub fn is_fine(&self, now: DateTime<Utc>) -> bool {
        FINE.contains(&self.decision(now).as_str())
    }

    /// As a refused delivery shows it: a missing value is empty there, and null elsewhere.
    pub(crate) fn complained(&self, now: DateTime<Utc>) -> Value {
        json!({ "key": self.key.name(), "value": self.value.as_deref().unwrap_or_default(), "decision": self.decision(now) })
    }

    pub(crate) fn shown(&self, now: DateTime<Utc>) -> Value {
        json!({ "key": self.key.name(), "value": self.value, "decision": self.decision(now) })
    }
}

fn judge_sgtin(code: &str) -> &'static str {
    if code.chars().any(char::is_alphabetic) && code.chars().any(|letter| letter.is_alphabetic() && !letter.is_ascii())
    {
        "sgtinHasNonLatinSymbols"
    } else if code.chars().any(|letter| letter.is_control() && letter != '\u{1d}') {
        "sgtinHasInvalidSymbols"
    } else if !code.contains('\u{1d}') {
        "sgtinNoGS"
    } else if !code.starts_with("01") {
        "sgtinInvalidPattern"
    } else {
        "sgtinIntroduced"
    }
}

/// The value in a body, checked for its key.
fn read(key: Key, ask: &Ask) -> Result<String, Reply> {
    let body: Value = ask.body()?;
    let out_of_bounds = || refusal(400, "IncorrectRequest");
    let unreadable = || refusal(400, "IncorrectRequestBody");
    if key == Key::Sgtin {
        let codes = body["sgtins"].as_array().ok_or_else(unreadable)?;
        let codes: Vec<&str> =
            codes.iter().map(|code| code.as_str().ok_or_else(unreadable)).collect::<Result<_, _>>()?;
        let fits = |code: &&str| (16..=135).contains(&code.chars().count());
        return if (1..=100).contains(&codes.len()) && codes.iter().all(fits) {
            Ok(codes.join(","))
        } else {
            Err(out_of_bounds())
        };
    }
    let value = body[key.name()].as_str().ok_or_else(unreadable)?;
    let length = value.chars().count();
    let fits = match key {
        Key::Uin => length == 16,
        Key::Imei => length == 15,
        Key::Gtin => length == 13,
        Key::CustomsDeclaration => (17..=29).contains(&length),
        Key::Sgtin => true,
        Key::Expiration => {
            let day = chrono::NaiveDate::parse_from_str(value, "%d.%m.%Y").map_err(|_| out_of_bounds())?;
            if day < ask.now.date_naive() + Duration::days(30) {
                return Err(refusal(400, "LowExpirationDate"));
            }
            true
        }
    };
    if fits { Ok(value.to_owned()) } else { Err(out_of_bounds()) }
}

impl Cabinet {
    /// `POST /api/marketplace/v3/orders/meta`
    pub(crate) fn labels(&self, ask: &Ask) -> Answer {
        let ids = ask.orders(0, 100).map_err(|_| refusal_v3(400, "BadRequest"))?;
        let orders: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.orders.get(*id))
            .map(|order| {
                let details: Vec<Value> = order.labels.iter().map(|label| label.shown(ask.now)).collect();
                json!({ "id": order.id, "metaDetails": details })
            })
            .collect();
        Ok(Reply::json(200, &json!({ "orders": orders })))
    }

    /// `PUT /api/v3/orders/{id}/meta/{key}`
    pub(crate) fn write_label(&mut self, ask: &Ask, id: i64, key: Key) -> Answer {
        let value = read(key, ask)?;
        let order = self.orders.get(id).ok_or_else(|| refusal(404, "NotFound"))?;
        if !order.labels.iter().any(|label| label.key == key) {
            return Err(refusal(409, "MetaKeyNotRequired"));
        }
        if order.supplier_status != SupplierStatus::Confirm {
            return Err(refusal(409, "FailedToUpdateMeta"));
        }
        self.orders.change(id, |order| {
            for label in order.labels.iter_mut().filter(|label| label.key == key) {
                label.value = Some(value.clone());
                label.ruling = None;
                label.due =
                    if matches!(key, Key::Sgtin | Key::Uin | Key::Imei) { ask.now + VERIFYING } else { ask.now };
            }
        });
        Ok(Reply::no_content())
    }

    /// `DELETE /api/v3/orders/{id}/meta?key=`
    pub(crate) fn delete_label(&mut self, ask: &Ask, id: i64) -> Answer {
        let key = ask.query("key").and_then(Key::of).filter(|key| *key != Key::Expiration);
        let key = key.ok_or_else(|| refusal(400, "IncorrectParameter"))?;
        let written = |label: &&Label| label.key == key && label.value.is_some();
        if self.orders.get(id).and_then(|order| order.labels.iter().find(written)).is_none() {
            return Err(refusal(409, "FailedToUpdateMeta"));
        }
        self.orders.change(id, |order| {
            for label in order.labels.iter_mut().filter(|label| label.key == key) {
                *label = Label::new(key, label.required);
            }
        });
        Ok(Reply::no_content())
    }
}
