//! Fills a new cabinet with goods and warehouses: the same seed, the same shop.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use crate::cabinet::{Cabinet, ORDERS_EACH};
use crate::card_errors::CardErrors;
use crate::catalogue::{Card, Catalogue, Dimensions, Photo, Size};
use crate::chance::Chance;
use crate::order::Orders;
use crate::passes::Passes;
use crate::prices::Prices;
use crate::seller::Shop;
use crate::warehouses::Warehouse;
use crate::words::{BRANDS, COLOURS, COUNTRIES, OFFICES, QUALITIES, SUBJECTS};

/// Opens the cabinet of the `number`-th seller.
pub(crate) fn cabinet(seed: u64, number: i64, shop: &Shop, now: DateTime<Utc>) -> Cabinet {
    let mut chance = Chance::new(seed ^ number.unsigned_abs().wrapping_mul(0x1_0000_0001));
    let sid = chance.uuid();
    let mut catalogue = Catalogue::default();
    for place in 0..i64::try_from(shop.cards).unwrap_or(0) {
        catalogue.put(card(&mut chance, number, place, now - Duration::days(40), shop));
    }
    let warehouses = (0..shop.warehouses).map(|place| warehouse(number, place)).collect();
    let name = shop.name.clone().unwrap_or_else(|| format!("ИП {} {number}", chance.pick(BRANDS)));
    Cabinet {
        sid,
        name,
        number,
        catalogue,
        warehouses,
        stocks: BTreeMap::new(),
        orders: Orders::new(4_000_000_000 + number * ORDERS_EACH),
        supplies: BTreeMap::new(),
        last_supply: 100_000_000 + number * 1_000_000,
        last_box: number * 10_000_000,
        last_warehouse: FIRST_WAREHOUSE + number * 1000 + i64::try_from(shop.warehouses).unwrap_or(0),
        prices: Prices::default(),
        passes: Passes::default(),
        card_errors: CardErrors::default(),
        stream: None,
        chance,
    }
}

const FIRST_WAREHOUSE: i64 = 1_000_000;

fn warehouse(number: i64, place: usize) -> Warehouse {
    let offices: Vec<_> = OFFICES.iter().filter(|office| office.cargo == 1 && office.district.is_some()).collect();
    let office = offices[place % offices.len()];
    let id = FIRST_WAREHOUSE + number * 1000 + i64::try_from(place).unwrap_or(0);
    Warehouse::new(id, format!("Склад {} {}", office.city, place + 1), office)
}

fn card(chance: &mut Chance, number: i64, place: i64, start: DateTime<Utc>, shop: &Shop) -> Card {
    let subject = chance.pick(SUBJECTS);
    let (brand, colour) = (*chance.pick(BRANDS), *chance.pick(COLOURS));
    let title = format!("{} {} {colour}", chance.pick(subject.nouns), chance.pick(QUALITIES));
    let nm_id = 200_000_000 + number * 1_000_000 + place * 7;
    let count = if subject.sizes.len() == 1 { 1 } else { 1 + chance.below(subject.sizes.len()) };
    let first = chance.below(subject.sizes.len() - count + 1);
    let sizes = (0..count)
        .map(|at| {
            let chrt_id = 400_000_000 + (number * 1_000_000 + place * 7) * 8 + i64::try_from(at).unwrap_or(0);
            let word = subject.sizes[first + at];
            let mut skus = vec![barcode(chance, chrt_id, place % 17 == 16)];
            if chance.one_in(9) {
                skus.push(barcode(chance, chrt_id + 300_000_000, false));
            }
            Size {
                chrt_id,
                tech_size: word.into(),
                wb_size: if word == "0" { String::new() } else { word.into() },
                skus,
            }
        })
        .collect();
    // The marked and the large ones come last, so that a shop without them is the same shop.
    let from_end = i64::try_from(shop.cards).unwrap_or(0) - place;
    let marked = from_end <= i64::try_from(shop.marked).unwrap_or(0);
    let large = !marked && from_end <= i64::try_from(shop.marked + shop.large).unwrap_or(0);
    let [length, width, height, grams] = subject.parcel.map(|size| if large { size * 5 } else { size });
    let created_at = start + Duration::minutes(place * 3);
    #[expect(clippy::cast_precision_loss, reason = "grams of a parcel")]
    let weight_brutto = grams as f64 / 1000.0;
    Card {
        nm_id,
        imt_id: 150_000_000 + number * 1_000_000 + place / 3,
        uuid: chance.uuid(),
        subject_id: subject.id,
        subject: subject.name.into(),
        vendor_code: format!("{}-{:04}-{}", transliterated(subject.name), place + 1, chance.between(10, 99)),
        brand: brand.into(),
        description: format!("{title}. Бренд {brand}. Бережная упаковка, отправка в день заказа."),
        title,
        need_kiz: marked,
        kiz_marked: marked,
        photos: if place % 50 == 49 {
            Vec::new()
        } else {
            (1..=chance.between(1, 5)).map(|n| Photo::of(nm_id, n)).collect()
        },
        dimensions: Dimensions { length, width, height, weight_brutto, is_valid: true },
        characteristics: vec![
            json!({ "id": 14_177_449, "name": "Цвет", "value": [colour] }),
            json!({ "id": 14_177_451, "name": "Страна производства", "value": [chance.pick(COUNTRIES)] }),
            json!({ "id": 88_952, "name": "Вес товара с упаковкой (г)", "value": grams }),
        ],
        sizes,
        cargo_type: if large { 3 } else { 1 },
        price: chance.between(300, 9000) * 100,
        created_at,
        updated_at: created_at + Duration::days(chance.between(1, 20)) + Duration::microseconds(place * 13 + 1),
        trashed_at: None,
    }
}

/// A barcode: EAN-13 as a rule, now and then with a leading zero, sometimes the twenty digits Wildberries gives out itself.
fn barcode(chance: &mut Chance, number: i64, long: bool) -> String {
    if long {
        return format!("2{:010}{:09}", number, chance.below(1_000_000_000));
    }
    let prefix = if chance.one_in(12) {
        "046"
    } else if chance.one_in(3) {
        "204"
    } else {
        "460"
    };
    let digits = format!("{prefix}{:09}", number % 1_000_000_000);
    let sum: u32 = digits
        .chars()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight)
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// The first Latin letters of a subject, for vendor codes.
fn transliterated(word: &str) -> String {
    let latin = |letter: char| match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'й' => "i",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "h",
        'ц' => "c",
        'ч' => "ch",
        'ш' | 'щ' => "sh",
        'ы' => "y",
        'ю' => "yu",
        'я' => "ya",
        _ => "",
    };
    let text: String = word.to_lowercase().chars().map(latin).collect();
    text.chars().take(6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Cabinet {
        cabinet(7, 1, &Shop::default(), DateTime::from_timestamp(1_800_000_000, 0).unwrap())
    }

    #[test]
    fn the_same_seed_gives_the_same_shop() {
        let cards = |shop: &Cabinet| shop.catalogue.live().cloned().collect::<Vec<_>>();
        assert_eq!(cards(&shop()), cards(&shop()));
    }

    #[test]
    fn barcodes_are_unique_and_their_check_digits_right() {
        let shop = shop();
        let codes: Vec<&String> =
            shop.catalogue.live().flat_map(|card| &card.sizes).flat_map(|size| &size.skus).collect();
        let distinct: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!(codes.len(), distinct.len());
        assert!(codes.iter().any(|code| code.starts_with('0')), "some begin with a zero");
        assert!(codes.iter().any(|code| code.len() == 20), "some have twenty digits");
        for code in codes.iter().filter(|code| code.len() == 13) {
            let sum: u32 =
                code.chars().zip([1, 3].into_iter().cycle()).map(|(digit, by)| digit.to_digit(10).unwrap() * by).sum();
            assert_eq!(sum % 10, 0, "{code}");
        }
    }
}
