//! Cards: what the seller offers, in the order of their last change, and the two lists the content host gives of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::{Ask, object};
use crate::reply::{Answer, Reply, content_error};

/// A card with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// Wildberries' article.
    #[serde(rename = "nmID")]
    pub nm_id: i64,
    /// The id joining cards that differ in colour only.
    #[serde(rename = "imtID")]
    pub imt_id: i64,
    /// The card's UUID.
    #[serde(rename = "nmUUID")]
    pub uuid: uuid::Uuid,
    /// The subject's id.
    #[serde(rename = "subjectID")]
    pub subject_id: i64,
    /// The subject's name.
    #[serde(rename = "subjectName")]
    pub subject: String,
    /// The seller's own article.
    #[serde(rename = "vendorCode")]
    pub vendor_code: String,
    /// Brand.
    pub brand: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Whether each piece carries a marking code.
    #[serde(rename = "needKiz")]
    pub need_kiz: bool,
    /// Whether the seller says that the pieces are marked.
    #[serde(rename = "kizMarked")]
    pub kiz_marked: bool,
    /// Addresses of the photos; a card without any has no such field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<Photo>,
    /// Size and weight.
    pub dimensions: Dimensions,
    /// Characteristics.
    pub characteristics: Vec<Value>,
    /// Sizes.
    pub sizes: Vec<Size>,
    /// 1 for small, 2 for very large, 3 for large goods.
    #[serde(skip)]
    pub cargo_type: u8,
    /// Price in kopecks.
    #[serde(skip)]
    pub price: i64,
    /// When the card was made.
    #[serde(rename = "createdAt", serialize_with = "micros")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(rename = "updatedAt", serialize_with = "micros")]
    pub updated_at: DateTime<Utc>,
    /// When it was put into the bin.
    #[serde(skip)]
    pub trashed_at: Option<DateTime<Utc>>,
}

/// One photo in its sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Photo {
    big: String,
    c246x328: String,
    c516x688: String,
    square: String,
    tm: String,
}

impl Photo {
    pub(crate) fn of(nm_id: i64, number: i64) -> Self {
        let at = |size: &str| {
            format!(
                "https://basket-01.wbbasket.ru/vol{}/part{}/{nm_id}/images/{size}/{number}.webp",
                nm_id / 100_000,
                nm_id / 1000
            )
        };
        Self { big: at("big"), c246x328: at("c246x328"), c516x688: at("c516x688"), square: at("square"), tm: at("tm") }
    }
}

/// Size and weight of the packed article.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dimensions {
    /// Centimetres.
    pub length: i64,
    /// Centimetres.
    pub width: i64,
    /// Centimetres.
    pub height: i64,
    /// Kilograms.
    pub weight_brutto: f64,
    /// Whether Wildberries believes them.
    pub is_valid: bool,
}

/// One size of a card: the smallest thing that is sold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// The size's id.
    #[serde(rename = "chrtID")]
    pub chrt_id: i64,
    /// The maker's size.
    #[serde(rename = "techSize")]
    pub tech_size: String,
    /// The Russian size.
    #[serde(rename = "wbSize")]
    pub wb_size: String,
    /// Barcodes.
    pub skus: Vec<String>,
}

fn micros<S: serde::Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// What the orders of one size have in common: article and barcodes.
type Printed = (Arc<str>, Arc<[String]>);

/// All cards of a seller.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    cards: BTreeMap<i64, Card>,
    by_change: BTreeSet<(DateTime<Utc>, i64)>,
    by_bin: BTreeSet<(DateTime<Utc>, i64)>,
    /// Size to card.
    sizes: BTreeMap<i64, i64>,
    /// Article and barcodes of a size as its orders share them; made at the first order.
    printed: BTreeMap<i64, Printed>,
    /// Sizes that anybody may order, by cargo type; forgotten at every change.
    plain: std::sync::Mutex<BTreeMap<u8, Arc<[i64]>>>,
}

impl Catalogue {
    pub(crate) fn put(&mut self, card: Card) {
        self.plain.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        self.remove(card.nm_id);
        for size in &card.sizes {
            self.sizes.insert(size.chrt_id, card.nm_id);
        }
        match card.trashed_at {
            None => self.by_change.insert((card.updated_at, card.nm_id)),
            Some(at) => self.by_bin.insert((at, card.nm_id)),
        };
        self.cards.insert(card.nm_id, card);
    }

    fn remove(&mut self, nm_id: i64) {
        let Some(card) = self.cards.remove(&nm_id) else { return };
        self.by_change.remove(&(card.updated_at, nm_id));
        if let Some(at) = card.trashed_at {
            self.by_bin.remove(&(at, nm_id));
        }
        for size in &card.sizes {
            self.sizes.remove(&size.chrt_id);
            self.printed.remove(&size.chrt_id);
        }
    }

    pub(crate) fn card(&self, nm_id: i64) -> Option<&Card> {
        self.cards.get(&nm_id)
    }

    /// Article and barcodes of a size.
    pub(crate) fn printed(&mut self, chrt_id: i64) -> Option<Printed> {
        if let Some(known) = self.printed.get(&chrt_id) {
            return Some(known.clone());
        }
        let (card, size) = self.of_size(chrt_id)?;
        let made: Printed = (card.vendor_code.as_str().into(), size.skus.clone().into());
        self.printed.insert(chrt_id, made.clone());
        Some(made)
    }

    /// What buyers pay from now on, in kopecks; no change of the card itself.
    pub(crate) fn set_price(&mut self, nm_id: i64, price: i64) {
        if let Some(card) = self.cards.get_mut(&nm_id) {
            card.price = price;
        }
    }

    pub(crate) fn of_size(&self, chrt_id: i64) -> Option<(&Card, &Size)> {
        let card = self.cards.get(self.sizes.get(&chrt_id)?)?;
        Some((card, card.sizes.iter().find(|size| size.chrt_id == chrt_id)?))
    }

    /// Cards that are not in the bin, by article.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Card> {
        self.cards.values().filter(|card| card.trashed_at.is_none())
    }

    /// Sizes of live cards that need no marking.
    pub(crate) fn plain_sizes(&self, cargo_type: u8) -> Arc<[i64]> {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = |card: &&Card| !card.need_kiz && card.cargo_type == cargo_type;
        let gather = || self.live().filter(fitting).flat_map(|card| &card.sizes).map(|size| size.chrt_id).collect();
        plain.entry(cargo_type).or_insert_with(gather).clone()
    }

    /// Two changes in the same microsecond would be told apart by the article only; Wildberries' clock never stands still.
    pub(crate) fn touch_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let last = self.by_change.last().map_or(now, |(at, _)| *at);
        now.max(last + chrono::Duration::microseconds(1))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings<C> {
    sort: Sort,
    cursor: C,
    filter: Filter,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sort {
    ascending: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cursor {
    limit: Option<i64>,
    #[serde(rename = "updatedAt", alias = "trashedAt")]
    at: Option<String>,
    #[serde(rename = "nmID")]
    nm_id: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Filter {
    #[serde(rename = "withPhoto")]
    with_photo: i64,
    #[serde(rename = "textSearch")]
    text: Option<String>,
    #[serde(rename = "tagIDs")]
    tags: Vec<i64>,
    #[serde(rename = "objectIDs")]
    subjects: Vec<i64>,
    brands: Vec<String>,
    #[serde(rename = "imtID")]
    imt_id: Option<i64>,
}

impl Filter {
    fn passes(&self, card: &Card) -> bool {
        let photo = match self.with_photo {
            1 => !card.photos.is_empty(),
            2 => card.photos.is_empty(),
            _ => true,
        };
        let text = self.text.as_deref().filter(|text| !text.is_empty()).is_none_or(|text| {
            card.vendor_code.contains(text)
                || card.nm_id.to_string() == text
                || card.sizes.iter().any(|size| size.skus.iter().any(|sku| sku == text))
        });
        photo
            && text
            && self.tags.is_empty()
            && (self.subjects.is_empty() || self.subjects.contains(&card.subject_id))
            && (self.brands.is_empty() || self.brands.contains(&card.brand))
            && self.imt_id.is_none_or(|imt| imt == card.imt_id)
    }
}

/// The loop both lists are read by: from the cursor, up or down, as many as wanted.
struct Reading {
    limit: usize,
    ascending: bool,
    from: Option<(DateTime<Utc>, i64)>,
    filter: Filter,
}

impl Reading {
    fn parse(ask: &Ask) -> Result<Self, Reply> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Body {
            settings: Settings<Cursor>,
        }
        let unreadable = || Reply::text(400, "Request body can not be decoded");
        let Body { settings } = object(&ask.body).ok_or_else(unreadable)?;
        let limit = settings.cursor.limit.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            return Err(content_error(400, "cursor.limit must lie between 1 and 100"));
        }
        if !(-1..=2).contains(&settings.filter.with_photo) {
            return Err(content_error(400, "filter.withPhoto must be -1, 0, 1 or 2"));
        }
        if ask.query("locale").is_some_and(|locale| !["ru", "en", "zh"].contains(&locale)) {
            return Err(content_error(400, "unknown locale"));
        }
        let ascending = settings.sort.ascending;
        let from = match settings.cursor.at.as_deref().filter(|at| !at.is_empty()) {
            None => None,
            Some(at) => {
                let at = DateTime::parse_from_rfc3339(at).map_err(|_| content_error(400, "cursor holds no time"))?;
                let edge = if ascending { 0 } else { i64::MAX };
                Some((at.to_utc(), settings.cursor.nm_id.unwrap_or(edge)))
            }
        };
        let limit = usize::try_from(limit).unwrap_or(10);
        Ok(Self { limit, ascending, from, filter: settings.filter })
    }

    fn read<'a>(&self, index: &BTreeSet<(DateTime<Utc>, i64)>, cards: &'a BTreeMap<i64, Card>) -> Vec<&'a Card> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = self.from.map_or(Unbounded, Excluded);
        let keep = |(_, nm_id): &(DateTime<Utc>, i64)| cards.get(nm_id).filter(|card| self.filter.passes(card));
        if self.ascending {
            index.range((from, Unbounded)).filter_map(keep).take(self.limit).collect()
        } else {
            index.range((Unbounded, from)).rev().filter_map(keep).take(self.limit).collect()
        }
    }
}

impl Catalogue {
    /// `POST /content/v2/get/cards/list`
    pub(crate) fn list(&self, ask: &Ask) -> Answer {
        #[derive(Serialize)]
        struct List<'a> {
            cards: &'a [&'a Card],
            cursor: Value,
        }
        let cards = Reading::parse(ask)?.read(&self.by_change, &self.cards);
        let mut cursor = json!({ "total": cards.len() });
        if let Some(last) = cards.last() {
            cursor["updatedAt"] = last.updated_at.to_rfc3339_opts(SecondsFormat::Micros, true).into();
            cursor["nmID"] = last.nm_id.into();
        }
        Ok(Reply::json(200, &List { cards: &cards, cursor }))
    }

    /// `POST /content/v2/get/cards/trash`
    pub(crate) fn bin(&self, ask: &Ask) -> Answer {
        let cards = Reading::parse(ask)?.read(&self.by_bin, &self.cards);
        let at = |card: &Card| card.trashed_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
        let mut cursor = json!({ "total": cards.len() });
        if let Some(last) = cards.last() {
            cursor["trashedAt"] = at(last).into();
            cursor["nmID"] = last.nm_id.into();
        }
        let cards: Vec<Value> = cards
            .iter()
            .map(|card| {
                let mut shown = serde_json::to_value(card).expect("a card is plain data");
                if let Some(fields) = shown.as_object_mut() {
                    // The bin shows less of a card than the list does.
                    for gone in ["imtID", "nmUUID", "brand", "title", "description", "needKiz", "updatedAt"] {
                        fields.remove(gone);
                    }
                    fields.insert("trashedAt".into(), at(card).into());
                }
                shown
            })
            .collect();
        Ok(Reply::json(200, &json!({ "cards": cards, "cursor": cursor })))
    }
}
