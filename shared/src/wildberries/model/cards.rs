//! Cards of the content host.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{entry_of, moment, not_empty, or_default};
use crate::ids::{ChrtId, NmId};
use crate::wildberries::Readable;

/// A card: a product with its sizes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Its number.
    #[serde(rename = "nmID")]
    pub nm_id: NmId,
    /// Cards shown together have the same one.
    #[serde(rename = "imtID")]
    pub imt_id: Option<i64>,
    /// The subject's number.
    #[serde(rename = "subjectID")]
    pub subject_id: Option<i64>,
    /// The subject, for example "T-shirts".
    pub subject_name: Option<String>,
    /// The seller's article code.
    pub vendor_code: Option<String>,
    /// The brand.
    pub brand: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// Whether a mark code is needed.
    pub need_kiz: Option<bool>,
    /// Pictures, the best first.
    #[serde(default, deserialize_with = "or_default")]
    pub photos: Vec<Photo>,
    /// Sizes; a card without sizes has one nameless.
    #[serde(default, deserialize_with = "or_default")]
    pub sizes: Vec<Size>,
    /// Measures of the packed product.
    pub dimensions: Option<Dimensions>,
    /// When it was made.
    #[serde(default, deserialize_with = "moment")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed; the list is sorted by this.
    #[serde(default, deserialize_with = "moment")]
    pub updated_at: Option<DateTime<Utc>>,
}

impl Card {
    /// What it lacks to be anything that could be sold.
    pub(in crate::wildberries) fn lacks(&self) -> Option<&'static str> {
        self.vendor_code.as_ref().is_none_or(String::is_empty).then_some("it has no article code")
    }

    /// Reads one again that could not be read when it came.
    pub fn read(raw: &Value) -> Result<Self, String> {
        entry_of(raw, Self::lacks)
    }
}

/// A picture in two sizes.
#[derive(Clone, Debug, Deserialize)]
pub struct Photo {
    /// Address of the big one.
    pub big: Option<String>,
    /// Address of the thumbnail.
    pub tm: Option<String>,
}

/// A size of a card: what is ordered and stocked.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// Its number.
    #[serde(rename = "chrtID")]
    pub chrt_id: ChrtId,
    /// The maker's name of the size; `0` where there are no sizes.
    #[serde(default, deserialize_with = "not_empty")]
    pub tech_size: Option<String>,
    /// The Russian name of the size.
    #[serde(default, deserialize_with = "not_empty")]
    pub wb_size: Option<String>,
    /// Barcodes.
    #[serde(default, deserialize_with = "or_default")]
    pub skus: Vec<String>,
}

/// Centimetres and kilograms, packed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dimensions {
    /// Centimetres.
    pub length: Option<f64>,
    /// Centimetres.
    pub width: Option<f64>,
    /// Centimetres.
    pub height: Option<f64>,
    /// Kilograms.
    pub weight_brutto: Option<f64>,
}

/// A card in the trash.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrashedCard {
    /// Its number.
    #[serde(rename = "nmID")]
    pub nm_id: NmId,
    /// The seller's article code.
    pub vendor_code: Option<String>,
    /// When it was thrown away.
    #[serde(default, deserialize_with = "moment")]
    pub trashed_at: Option<DateTime<Utc>>,
}

/// Where a list of cards goes on; the next run starts from the last one. The moment is theirs, verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardsCursor {
    /// `updatedAt` or, in the trash, `trashedAt`: with more digits than a timestamp of ours keeps.
    pub at: String,
    /// The last card.
    pub nm_id: NmId,
}

/// At most a hundred cards.
#[derive(Clone, Debug)]
pub struct CardsPage<T = Card> {
    /// The cards.
    pub cards: Readable<T>,
    /// Where to go on, now or in the next run; `None` before the very first card.
    pub cursor: Option<CardsCursor>,
    /// Whether there is nothing more for now.
    pub is_last: bool,
}

/// What the answers with cards look like.
pub(in crate::wildberries) mod shapes {
    use crate::wildberries::shape::Kind::{self, Anything, Flag, List, Moment, Number, Object, Text, Whole};
    use crate::wildberries::shape::{Field, always, sometimes};

    pub(in crate::wildberries) const CARDS: Kind = Object(&[&[
        always("cards", List(&Object(&[BOTH, CARD]))),
        always("cursor", Object(&[&[sometimes("updatedAt", Moment)], CURSOR])),
    ]]);
    pub(in crate::wildberries) const TRASH: Kind = Object(&[&[
        always("cards", List(&Object(&[BOTH, TRASHED]))),
        always("cursor", Object(&[&[sometimes("trashedAt", Moment)], CURSOR])),
    ]]);
    const CURSOR: &[Field] = &[sometimes("nmID", Whole), always("total", Whole)];
    const BOTH: &[Field] = &[
        always("nmID", Whole),
        always("vendorCode", Text),
        always("subjectID", Whole),
        always("subjectName", Text),
        sometimes("kizMarked", Flag),
        sometimes("photos", List(&Object(&[PHOTO]))),
        sometimes("video", Text),
        sometimes("wholesale", Object(&[&[sometimes("enabled", Flag), sometimes("quantum", Number)]])),
        always("dimensions", Object(&[DIMENSIONS])),
        sometimes("characteristics", List(&Object(&[CHARACTERISTIC]))),
        always("sizes", List(&Object(&[SIZE]))),
        always("createdAt", Moment),
    ];
    const CARD: &[Field] = &[
        always("imtID", Whole),
        sometimes("nmUUID", Text),
        always("brand", Text),
        always("title", Text),
        sometimes("description", Text),
        always("needKiz", Flag),
        sometimes("tags", List(&Object(&[TAG]))),
        always("updatedAt", Moment),
        sometimes("documents", Anything),
        sometimes("gtin", Anything),
    ];
    const TRASHED: &[Field] = &[always("trashedAt", Moment)];
    const PHOTO: &[Field] = &[
        sometimes("big", Text),
        sometimes("c246x328", Text),
        sometimes("c516x688", Text),
        sometimes("square", Text),
        sometimes("tm", Text),
    ];
    const DIMENSIONS: &[Field] = &[
        sometimes("length", Number),
        sometimes("width", Number),
        sometimes("height", Number),
        sometimes("weightBrutto", Number),
        sometimes("isValid", Flag),
    ];
    const CHARACTERISTIC: &[Field] = &[sometimes("id", Whole), sometimes("name", Text), sometimes("value", Anything)];
    const SIZE: &[Field] = &[
        always("chrtID", Whole),
        sometimes("techSize", Text),
        sometimes("wbSize", Text),
        sometimes("skus", List(&Text)),
    ];
    const TAG: &[Field] = &[sometimes("id", Whole), sometimes("name", Text), sometimes("color", Text)];
}
