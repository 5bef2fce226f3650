//! A map is looked at: an example of one lies beside the README and is what is drawn today.

use chrono::{NaiveDate, Utc};
use shared::enterprises::Language;
use shared::ids::{CellId, WarehouseId, ZoneId};
use shared::versions::Version;
use shared::warehouses::{Cell, FloorPlan, Mixing, Purpose, Warehouse, Zone};

use super::draw;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/pictures/warehouse-map.svg");

fn plan(language: Language) -> FloorPlan {
    let warehouse = Warehouse {
        id: WarehouseId::new(),
        name: "Основной склад".to_owned(),
        address: Some("Москва, Складская ул., 1".to_owned()),
        created_at: Utc::now(),
        archived_at: None,
        version: Version(1),
    };
    let at = NaiveDate::from_ymd_opt(2026, 11, 25).and_then(|day| day.and_hms_opt(9, 30, 0)).unwrap();
    FloorPlan { warehouse, zones: Vec::new(), cells: Vec::new(), language, at }
}

fn zone(plan: &mut FloorPlan, name: &str, purpose: Purpose) -> ZoneId {
    let id = ZoneId::new();
    let position = i32::try_from(plan.zones.len()).unwrap();
    let (warehouse_id, name) = (plan.warehouse.id, name.to_owned());
    plan.zones.push(Zone { id, warehouse_id, name, purpose, position, created_at: Utc::now(), version: Version(1) });
    id
}

fn cell<'a>(
    plan: &'a mut FloorPlan,
    zone_id: Option<ZoneId>,
    code: &str,
    units: i64,
    limit: Option<i32>,
) -> &'a mut Cell {
    plan.cells.push(Cell {
        id: CellId::new(),
        warehouse_id: plan.warehouse.id,
        zone_id,
        code: code.to_owned(),
        barcode: None,
        purpose: Purpose::Storage,
        pick_sequence: i32::try_from(plan.cells.len()).unwrap(),
        mixing: Mixing::Anything,
        capacity_units: limit,
        capacity_volume_ml: None,
        capacity_weight_g: None,
        blocked_at: None,
        blocked_reason: None,
        blocked_by: None,
        frozen_count_id: None,
        archived_at: None,
        version: Version(1),
        units,
        reserved: 0,
        products: i64::from(units > 0),
        volume_ml: 0,
        weight_g: 0,
        unmeasured_units: 0,
    });
    plan.cells.last_mut().unwrap()
}

fn block(cell: &mut Cell, reason: &str) {
    cell.blocked_at = Some(Utc::now());
    cell.blocked_by = Some("user:1".to_owned());
    cell.blocked_reason = Some(reason.to_owned());
}

/// The warehouse of the README: what lies where follows from the number of the cell, so that it is always the same.
fn example(language: Language) -> FloorPlan {
    let mut plan = plan(language);
    let receiving = zone(&mut plan, "Приёмка", Purpose::Receiving);
    let quarantine = zone(&mut plan, "Карантин", Purpose::Quarantine);
    let shipping = zone(&mut plan, "Отгрузка", Purpose::Shipping);
    let storage = zone(&mut plan, "Стеллажи А", Purpose::Storage);
    let picking = zone(&mut plan, "Быстрый отбор", Purpose::Picking);
    let tables = zone(&mut plan, "Упаковка", Purpose::Packing);
    for place in 1..=6 {
        cell(&mut plan, Some(receiving), &format!("ПР-{place}"), i64::from(place * 37 % 90), None);
    }
    for place in 1..=3 {
        cell(&mut plan, Some(quarantine), &format!("К-{place}"), i64::from(place % 2 * 12), Some(40));
    }
    for place in 1..=4 {
        cell(&mut plan, Some(shipping), &format!("ОТ-{place}"), i64::from(place * 11), Some(60));
    }
    for row in 1..=9_i64 {
        let places: Vec<i64> = if row % 2 == 1 { (1..=20).collect() } else { (1..=20).rev().collect() };
        for place in places {
            let units = if (row, place) == (7, 4) { 44 } else { (row * 29 + place * place * 13) % 49 - 8 };
            let new = cell(&mut plan, Some(storage), &format!("А{row}-{place:02}"), units.max(0), Some(40));
            if row == 4 && (7..=9).contains(&place) {
                block(new, "стойка погнута, ждём мастера");
            }
        }
    }
    for row in ["Б1", "Б2", "Б3", "Б4", "Б5", "Б6"] {
        for place in 1..=8 {
            let units =
                (i64::from(place) * 17 + i64::try_from(row.len()).unwrap() * 5 + i64::from(row.as_bytes()[2])) % 24;
            let limit = (row != "Б6").then_some(20);
            cell(&mut plan, Some(picking), &format!("{row}-{place}"), units.min(20), limit);
        }
    }
    cell(&mut plan, Some(tables), "PACKING", 14, None);
    for place in 1..=3 {
        cell(&mut plan, Some(tables), &format!("Стол {place}"), 0, None);
    }
    plan
}

#[test]
fn the_example_beside_the_readme_is_what_is_drawn() {
    let drawn = draw(&example(Language::Ru));
    if std::env::var_os("DRAW_EXAMPLES").is_some() {
        std::fs::write(EXAMPLE, &drawn).unwrap();
    }
    assert!(
        std::fs::read_to_string(EXAMPLE).unwrap() == drawn,
        "draw it again: DRAW_EXAMPLES=1 cargo test -p api example"
    );
}

#[test]
fn every_cell_says_what_it_holds_and_why_it_is_blocked() {
    let drawn = draw(&example(Language::Ru));
    assert!(drawn.contains("<title>А4-08: ") && drawn.contains("заблокирована: стойка погнута, ждём мастера"));
    assert_eq!(drawn.matches("stroke-width=\"2\"/>").count(), 3 + 1, "three blocked cells and the line under the head");
    assert!(
        drawn.contains(r#"xml:lang="ru" role="img""#) && drawn.contains("<desc id=\"map-description\">Σ: 245 ячеек")
    );
    let english = draw(&example(Language::En));
    assert!(english.contains("walking direction") && english.contains("as of 2026-11-25, 09:30"));
}

#[test]
fn names_do_not_become_markup() {
    let mut plan = plan(Language::Ru);
    plan.warehouse.name = "<script>alert(1)</script>&\"".to_owned();
    let zone = zone(&mut plan, "a</title>", Purpose::Storage);
    let new = cell(&mut plan, Some(zone), "<b>1", 1, None);
    block(new, "]]>&\u{0}");
    let drawn = draw(&plan);
    assert!(!drawn.contains("<script") && !drawn.contains("<b>") && drawn.contains("a&lt;/title&gt;"), "{drawn}");
}

#[test]
fn an_empty_warehouse_and_a_vast_one_are_drawn_too() {
    assert!(draw(&plan(Language::Ru)).contains("Ячеек ещё нет"));
    let mut vast = plan(Language::Ru);
    let zone = zone(&mut vast, "Стеллажи", Purpose::Storage);
    for row in 1..=300 {
        for place in 1..=20 {
            cell(&mut vast, Some(zone), &format!("{row}-{place:02}"), i64::from(place), Some(20));
        }
    }
    let drawn = draw(&vast);
    assert!(drawn.len() < 300_000, "{} bytes for 6000 cells", drawn.len());
    assert!(drawn.contains("<title>300: 20 ячеек"));
}

#[test]
fn nothing_is_drawn_outside_of_its_zone_nor_two_things_in_one_place() {
    let plan = example(Language::Ru);
    let (panels, _) = super::lay_out(&plan, super::TOP);
    let mut taken = std::collections::HashSet::new();
    let mut drawn = 0;
    for panel in &panels {
        let zone = panel.place;
        assert!(zone.x >= 0 && zone.x + zone.width <= super::WIDTH);
        for place in panel.shelves.iter().flat_map(|shelf| &shelf.cells) {
            assert!(place.x >= zone.x && place.x + place.width <= zone.x + zone.width, "{place:?} in {zone:?}");
            assert!(place.y >= zone.y && place.y + place.height <= zone.y + zone.height, "{place:?} in {zone:?}");
            assert!(taken.insert((place.x, place.y)), "{place:?}");
            drawn += 1;
        }
    }
    assert_eq!(drawn, plan.cells.len());
}
