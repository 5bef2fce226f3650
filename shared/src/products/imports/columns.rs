//! What the columns of a file mean, and what a row says by them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::super::facts::Change;
use crate::ids::CategoryId;
use crate::warehouses::Edit;
use crate::{Error, Result};

macro_rules! columns {
    ($($name:ident = $code:tt, [$($word:literal),*];)+) => {
        /// What a column of a file means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        pub enum Column {
            $(#[doc = concat!("`", $code, "` of a product, or nothing.")]
              #[serde(rename = $code)] #[cfg_attr(feature = "openapi", oai(rename = $code))] $name,)+
        }

        impl Column {
            /// Every meaning.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As clients and the table write it.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// Other words for it, in small letters and without anything between them.
            fn words(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($word),*],)+ }
            }
        }
    };
}

// `tt` and not `literal`: an attribute macro would not see into a literal fragment.
columns! {
    Sku = "sku", ["артикул", "артикулсклада", "код", "кодтовара"];
    Name = "name", ["название", "наименование", "товар", "наименованиетовара", "названиетовара", "title"];
    Size = "size", ["размер", "techsize"];
    VendorCode = "vendorCode", ["артикулпродавца", "артикулпоставщика"];
    Brand = "brand", ["бренд", "марка", "торговаямарка"];
    Category = "category", ["категория", "группа", "группатоваров"];
    Barcodes = "barcodes", ["barcode", "штрихкод", "штрихкоды", "баркод", "баркоды", "шк", "ean", "ean13"];
    Photos = "photos", ["photo", "фото", "фотографии", "изображения", "ссылканафото"];
    LengthMm = "lengthMm", ["длина", "длинамм"];
    WidthMm = "widthMm", ["ширина", "ширинамм"];
    HeightMm = "heightMm", ["высота", "высотамм"];
    WeightG = "weightG", ["вес", "весг", "масса", "массаг"];
    MinStock = "minStock", ["минимальныйостаток", "миностаток", "неснижаемыйостаток"];
    SafetyStock = "safetyStock", ["страховойзапас", "резервныйзапас"];
    ExpiryControl = "expiryControl", ["учетсрокагодности", "контрольсрокагодности", "срокгодности"];
    MarkingRequired = "markingRequired", ["маркировка", "честныйзнак", "требуетсямаркировка"];
    Ignored = "ignored", [];
}

/// What each column of a header means, as far as its name says so. A file that knows the seller's article code alone is
/// taken to name products by it.
pub(super) fn guess(header: &[String]) -> Vec<Column> {
    let mut guessed: Vec<Column> = Vec::with_capacity(header.len());
    for name in header {
        let name: String = name.to_lowercase().replace('ё', "е").chars().filter(|c| c.is_alphanumeric()).collect();
        let means = |column: &&Column| column.code().to_lowercase() == name || column.words().contains(&name.as_str());
        let column = Column::ALL.iter().find(means).copied().filter(|column| !guessed.contains(column));
        guessed.push(column.unwrap_or(Column::Ignored));
    }
    if !guessed.contains(&Column::Sku)
        && let Some(vendor_code) = guessed.iter_mut().find(|column| **column == Column::VendorCode)
    {
        *vendor_code = Column::Sku;
    }
    guessed
}

/// Refuses meanings that do not fit the header, or by which no product could be found.
pub(super) fn checked(columns: &[Column], width: usize) -> Result<()> {
    if columns.len() != width {
        return Err(Error::invalid("columns", format!("must be {width}, one for each column of the file")));
    }
    for (index, column) in columns.iter().enumerate() {
        if *column != Column::Ignored && columns[..index].contains(column) {
            return Err(Error::invalid(format!("columns.{index}"), "is named twice"));
        }
    }
    if columns.contains(&Column::Sku) {
        return Ok(());
    }
    Err(Error::invalid("columns", "must have sku: by it products are found"))
}

/// What a row says.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub sku: String,
    /// An empty cell says nothing.
    pub change: Change,
    /// Beside those that the product has.
    pub barcodes: Vec<String>,
}

/// Reads a row, or says everything that is wrong with it.
pub(super) fn said(
    columns: &[Column],
    cells: &[String],
    categories: &HashMap<String, CategoryId>,
) -> std::result::Result<Said, String> {
    let mut said = Said::default();
    let mut wrong = Vec::new();
    for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        if let Err(why) = take(&mut said, *column, cell, categories) {
            wrong.push(format!("{}: {why}", column.code()));
        }
    }
    if said.sku.is_empty() {
        wrong.insert(0, "sku: is empty".to_owned());
    }
    if wrong.is_empty() { Ok(said) } else { Err(wrong.join("; ")) }
}

fn take(
    said: &mut Said,
    column: Column,
    cell: &str,
    categories: &HashMap<String, CategoryId>,
) -> std::result::Result<(), String> {
    let text = || Edit::Set(cell.to_owned());
    let number = || number(cell).map(Edit::Set);
    let change = &mut said.change;
    match column {
        Column::Ignored => {}
        Column::Sku => {
            cell.clone_into(&mut said.sku);
            change.sku = Some(cell.to_owned());
        }
        Column::Name => change.name = Some(cell.to_owned()),
        Column::Size => change.size = text(),
        Column::VendorCode => change.vendor_code = text(),
        Column::Brand => change.brand = text(),
        Column::Category => {
            let path = path(cell);
            let id = categories.get(&path).ok_or_else(|| format!("there is no category «{cell}»"))?;
            change.category_id = Edit::Set(*id);
        }
        Column::Barcodes => {
            let mut barcodes: Vec<_> =
                cell.split([',', ';', ' ', '\n', '\t']).filter(|part| !part.is_empty()).collect();
            barcodes.dedup();
            said.barcodes = barcodes.into_iter().map(str::to_owned).collect();
        }
        Column::Photos => {
            let urls =
                cell.split_whitespace().map(|url| url.trim_end_matches([',', ';'])).filter(|url| !url.is_empty());
            change.photos = Some(urls.map(str::to_owned).collect());
        }
        Column::LengthMm => change.length_mm = number()?,
        Column::WidthMm => change.width_mm = number()?,
        Column::HeightMm => change.height_mm = number()?,
        Column::WeightG => change.weight_g = number()?,
        Column::MinStock => change.min_stock = number()?,
        Column::SafetyStock => change.safety_stock = number()?,
        Column::ExpiryControl => change.expiry_control = Some(flag(cell)?),
        Column::MarkingRequired => change.marking_required = Some(flag(cell)?),
    }
    Ok(())
}

/// A category by the names that lead to it, whatever the case.
pub(super) fn path(text: &str) -> String {
    text.split('/').map(|name| name.trim().to_lowercase()).collect::<Vec<_>>().join("/")
}

fn number(cell: &str) -> std::result::Result<i32, String> {
    let plain: String = cell.chars().filter(|letter| !letter.is_whitespace()).collect();
    let whole = plain.split_once([',', '.']).filter(|(_, rest)| rest.chars().all(|digit| digit == '0'));
    whole.map_or(plain.as_str(), |(whole, _)| whole).parse().map_err(|_| format!("«{cell}» is no whole number"))
}

fn flag(cell: &str) -> std::result::Result<bool, String> {
    match cell.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "да" | "д" | "+" | "истина" => Ok(true),
        "false" | "0" | "no" | "n" | "нет" | "н" | "-" | "ложь" => Ok(false),
        _ => Err(format!("«{cell}» is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn headers_of_sellers_and_of_our_own_exports_are_understood() {
        let header = row(&["Артикул", "Наименование", "Штрих-код", "Вес, г", "Срок годности", "Цвет", "артикул"]);
        let expected = [
            Column::Sku,
            Column::Name,
            Column::Barcodes,
            Column::WeightG,
            Column::ExpiryControl,
            Column::Ignored,
            Column::Ignored,
        ];
        assert_eq!(guess(&header), expected);
        let ours = row(&["id", "sku", "name", "vendorCode", "minStock", "barcodes"]);
        assert_eq!(guess(&ours)[1..4], [Column::Sku, Column::Name, Column::VendorCode]);
        assert_eq!(guess(&row(&["Артикул продавца"])), [Column::Sku], "the only name that there is");
        assert!(checked(&[Column::Name], 1).is_err() && checked(&[Column::Sku, Column::Sku], 2).is_err());
        assert!(checked(&[Column::Sku, Column::Ignored, Column::Ignored], 3).is_ok());
    }

    #[test]
    fn a_row_says_what_it_fills_in_and_everything_that_is_wrong_with_it() {
        let categories = HashMap::from([("посуда/кружки".to_owned(), CategoryId::new())]);
        let columns = [Column::Sku, Column::WeightG, Column::ExpiryControl, Column::Category, Column::Barcodes];
        let read = said(&columns, &row(&["A", "1 200,0", "да", "Посуда / КРУЖКИ", "0046, 46"]), &categories).unwrap();
        assert_eq!((read.sku.as_str(), read.change.weight_g), ("A", Edit::Set(1200)));
        assert_eq!((read.change.expiry_control, read.barcodes), (Some(true), row(&["0046", "46"])));
        assert!(matches!(read.change.category_id, Edit::Set(_)) && read.change.name.is_none());
        let wrong = said(&columns, &row(&["", "много", "", "Обувь", ""]), &categories).unwrap_err();
        assert_eq!(wrong, "sku: is empty; weightG: «много» is no whole number; category: there is no category «Обувь»");
    }
}
