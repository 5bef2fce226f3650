//! What is said of a product in its own row, and how people change it. A change names what it changes and leaves the rest;
//! it says of each value whether it makes sense, before anything is written.

use serde::{Deserialize, Serialize};
use url::Url;

use super::Part;
use crate::ids::CategoryId;
use crate::warehouses::Edit;
use crate::{Error, Refusal, Result};

/// The row of a product as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Unique among the own items that are not archived.
    pub sku: String,
    /// What it is.
    pub name: String,
    /// The size.
    pub size: Option<String>,
    /// The seller's article code.
    pub vendor_code: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Where it is sorted.
    pub category_id: Option<CategoryId>,
    /// Millimetres.
    pub length_mm: Option<i32>,
    /// Millimetres.
    pub width_mm: Option<i32>,
    /// Millimetres.
    pub height_mm: Option<i32>,
    /// Grams.
    pub weight_g: Option<i32>,
    /// Addresses of pictures.
    pub photos: Vec<String>,
    /// Fewer available units are too few.
    pub min_stock: Option<i32>,
    /// So many units are kept back from sale.
    pub safety_stock: Option<i32>,
    /// Whether its units go by their expiry dates.
    pub expiry_control: bool,
    /// Whether its units carry marking codes.
    pub marking_required: bool,
}

/// What to change: what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// 1 to 200 characters.
    pub sku: Option<String>,
    /// 1 to 500 characters.
    pub name: Option<String>,
    /// Up to 100 characters.
    pub size: Edit<String>,
    /// Up to 200 characters.
    pub vendor_code: Edit<String>,
    /// Up to 200 characters.
    pub brand: Edit<String>,
    /// One of the enterprise's.
    pub category_id: Edit<CategoryId>,
    /// Millimetres, 1 to 100000.
    pub length_mm: Edit<i32>,
    /// Millimetres, 1 to 100000.
    pub width_mm: Edit<i32>,
    /// Millimetres, 1 to 100000.
    pub height_mm: Edit<i32>,
    /// Grams, 1 to 10000000.
    pub weight_g: Edit<i32>,
    /// At most 30 addresses.
    pub photos: Option<Vec<String>>,
    /// 0 to 1000000.
    pub min_stock: Edit<i32>,
    /// 0 to 1000000.
    pub safety_stock: Edit<i32>,
    /// Whether its units go by their expiry dates.
    pub expiry_control: Option<bool>,
    /// Whether its units carry marking codes.
    pub marking_required: Option<bool>,
    /// All of them: what is not named is taken off.
    pub barcodes: Option<Vec<String>>,
    /// All of them; none makes a bundle a stored product again.
    pub components: Option<Vec<Part>>,
}

/// Who else has a say in a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody: it is an own item.
    People,
    /// Wildberries: it belongs to a card, whose units may have to carry marking codes.
    Card {
        /// Whether they have to.
        needs_marking: bool,
    },
}

impl Change {
    /// The facts as they will be. Fails at the first value that makes no sense, and refuses to write what the sync owns;
    /// naming it as it is is no writing.
    pub(super) fn applied(&self, before: &Facts, owner: Owner) -> Result<Facts> {
        let pick = |field, new: &Edit<String>, before: Option<&String>, most| match new {
            Edit::Set(new) => words(field, new, before, most).map(Some),
            Edit::Clear => Ok(None),
            Edit::Keep => Ok(before.cloned()),
        };
        let number = |field, new: Edit<i32>, before: Option<i32>, least, most| match new {
            Edit::Set(new) if !(least..=most).contains(&new) => {
                Err(Error::invalid(field, format!("must be between {least} and {most}")))
            }
            Edit::Set(_) | Edit::Clear | Edit::Keep => Ok(new.over(before)),
        };
        // What a card says is shown as the product's: said again, it is nothing that people say.
        let marking_required = match owner {
            Owner::Card { needs_marking: true } => self.marking_required.filter(|required| !required),
            Owner::Card { needs_marking: false } | Owner::People => self.marking_required,
        };
        let after = Facts {
            sku: words("sku", self.sku.as_ref().unwrap_or(&before.sku), Some(&before.sku), 200)?,
            name: words("name", self.name.as_ref().unwrap_or(&before.name), Some(&before.name), 500)?,
            size: pick("size", &self.size, before.size.as_ref(), 100)?,
            vendor_code: pick("vendorCode", &self.vendor_code, before.vendor_code.as_ref(), 200)?,
            brand: pick("brand", &self.brand, before.brand.as_ref(), 200)?,
            category_id: self.category_id.over(before.category_id),
            length_mm: number("lengthMm", self.length_mm, before.length_mm, 1, 100_000)?,
            width_mm: number("widthMm", self.width_mm, before.width_mm, 1, 100_000)?,
            height_mm: number("heightMm", self.height_mm, before.height_mm, 1, 100_000)?,
            weight_g: number("weightG", self.weight_g, before.weight_g, 1, 10_000_000)?,
            photos: self.photos.as_ref().map_or_else(|| Ok(before.photos.clone()), |new| photos(new))?,
            min_stock: number("minStock", self.min_stock, before.min_stock, 0, 1_000_000)?,
            safety_stock: number("safetyStock", self.safety_stock, before.safety_stock, 0, 1_000_000)?,
            expiry_control: self.expiry_control.unwrap_or(before.expiry_control),
            marking_required: marking_required.unwrap_or(before.marking_required),
        };
        if let Owner::Card { needs_marking } = owner {
            kept(before, &after)?;
            if needs_marking && self.marking_required == Some(false) {
                return Err(Error::refused(
                    Refusal::KeptByWildberries,
                    "markingRequired: Wildberries asks for marking codes",
                ));
            }
        }
        Ok(after)
    }
}

/// Refuses what differs in what the sync owns.
fn kept(before: &Facts, after: &Facts) -> Result<()> {
    let differing = [
        ("sku", before.sku != after.sku),
        ("name", before.name != after.name),
        ("size", before.size != after.size),
        ("vendorCode", before.vendor_code != after.vendor_code),
        ("brand", before.brand != after.brand),
    ];
    match differing.iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(Error::refused(
            Refusal::KeptByWildberries,
            format!("{field} comes from the card: change it at Wildberries, the next sync brings it"),
        )),
        None => Ok(()),
    }
}

/// A text, without blanks around it. As it is it may stay, whatever Wildberries has put into it.
fn words(field: &str, text: &str, before: Option<&String>, most: usize) -> Result<String> {
    let text = text.trim();
    if let Some(before) = before.filter(|before| before.trim() == text && !text.is_empty()) {
        return Ok(before.clone());
    }
    if (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(field, format!("must have 1 to {most} characters and no control characters")))
}

fn photos(urls: &[String]) -> Result<Vec<String>> {
    if urls.len() > 30 {
        return Err(Error::invalid("photos", "must be at most 30"));
    }
    for (index, url) in urls.iter().enumerate() {
        // Exports put them into one cell, divided by commas and blanks.
        let is_one = !url.contains(char::is_whitespace) && !url.ends_with([',', ';']);
        let is_address = Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
        if url.len() > 2000 || !is_one || !is_address {
            return Err(Error::invalid(format!("photos.{index}"), "must be an http or https address without blanks"));
        }
    }
    Ok(urls.to_vec())
}

/// Text as a scanner reads it. Fails where one is empty, too long, has blanks or dividers in it, or is named twice.
pub(super) fn checked_barcodes(barcodes: &[String]) -> Result<()> {
    if barcodes.len() > 100 {
        return Err(Error::invalid("barcodes", "must be at most 100"));
    }
    for (index, barcode) in barcodes.iter().enumerate() {
        let is_one = (1..=128).contains(&barcode.chars().count())
            && !barcode.contains(|letter: char| letter.is_control() || letter.is_whitespace() || ",;".contains(letter));
        if !is_one {
            let why = "must have 1 to 128 characters, no blanks, commas or semicolons";
            return Err(Error::invalid(format!("barcodes.{index}"), why));
        }
        if barcodes[..index].contains(barcode) {
            return Err(Error::invalid(format!("barcodes.{index}"), "is named twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mug() -> Facts {
        Facts { sku: "MUG-1".to_owned(), name: "Кружка".to_owned(), weight_g: Some(300), ..Facts::default() }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_clears_what_it_names_empty() {
        let change =
            Change { name: Some(" Кружка синяя ".to_owned()), weight_g: Edit::Clear, ..Change::default() };
        let after = change.applied(&mug(), Owner::People).unwrap();
        assert_eq!((after.name.as_str(), after.weight_g, after.sku.as_str()), ("Кружка синяя", None, "MUG-1"));
        assert_eq!(Change::default().applied(&mug(), Owner::People).unwrap(), mug());
    }

    #[test]
    fn what_the_sync_owns_is_not_written_and_may_be_named_as_it_is() {
        let card = Owner::Card { needs_marking: true };
        let same = Change { sku: Some("MUG-1".to_owned()), min_stock: Edit::Set(3), ..Change::default() };
        assert_eq!(same.applied(&mug(), card).unwrap().min_stock, Some(3));
        let shown = Change { marking_required: Some(true), ..Change::default() };
        assert_eq!(shown.applied(&mug(), card).unwrap(), mug(), "the card says so, and not they");
        let odd = Facts { name: " Кружка\u{1}".to_owned(), ..mug() };
        let same = Change { name: Some("Кружка\u{1}".to_owned()), ..Change::default() };
        assert_eq!(same.applied(&odd, card).unwrap(), odd);
        let changes = [
            Change { name: Some("Чашка".to_owned()), ..Change::default() },
            Change { brand: Edit::Set("Другой".to_owned()), ..Change::default() },
            Change { marking_required: Some(false), ..Change::default() },
        ];
        for other in changes {
            let refused = other.applied(&mug(), card);
            assert!(matches!(refused, Err(Error::Refused { refusal: Refusal::KeptByWildberries, .. })), "{other:?}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let field = |change: Change| match change.applied(&mug(), Owner::People) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(Change { name: Some("  ".to_owned()), ..Change::default() }), "name");
        assert_eq!(field(Change { weight_g: Edit::Set(0), ..Change::default() }), "weightG");
        let photos = Some(vec!["https://a.example/1.jpg".to_owned(), "javascript:alert(1)".to_owned()]);
        assert_eq!(field(Change { photos, ..Change::default() }), "photos.1");
        let photos = Some(vec!["https://a.example/1 2.jpg".to_owned()]);
        assert_eq!(field(Change { photos, ..Change::default() }), "photos.0");
        let bad = [
            vec!["00 1".to_owned()],
            vec!["1,2".to_owned()],
            vec![String::new()],
            vec!["1".to_owned(), "1".to_owned()],
        ];
        for bad in bad {
            assert!(checked_barcodes(&bad).is_err(), "{bad:?}");
        }
        assert!(checked_barcodes(&["0046".to_owned(), "46".to_owned()]).is_ok(), "leading zeros matter");
    }
}
