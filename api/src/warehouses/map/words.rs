//! What is written on a map, in the language of the enterprise.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use shared::enterprises::Language;
use shared::warehouses::{Cell, Purpose};

/// Every word that a map needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub Language);

impl Words {
    fn pick(self, russian: &'static str, english: &'static str) -> &'static str {
        match self.0 {
            Language::Ru => russian,
            Language::En => english,
        }
    }

    pub fn tag(self) -> &'static str {
        self.pick("ru", "en")
    }

    pub fn purpose(self, purpose: Purpose) -> &'static str {
        match purpose {
            Purpose::Receiving => self.pick("приёмка", "receiving"),
            Purpose::Storage => self.pick("хранение", "storage"),
            Purpose::Picking => self.pick("отбор", "picking"),
            Purpose::Packing => self.pick("упаковка", "packing"),
            Purpose::Shipping => self.pick("отгрузка", "shipping"),
            Purpose::Quarantine => self.pick("карантин", "quarantine"),
        }
    }

    pub fn no_zone(self) -> &'static str {
        self.pick("Вне зон", "In no zone")
    }

    pub fn cells(self) -> &'static str {
        self.pick("ячеек", "cells")
    }

    pub fn occupied(self) -> &'static str {
        self.pick("занято", "occupied")
    }

    pub fn units(self) -> &'static str {
        self.pick("единиц", "units")
    }

    pub fn filled(self) -> &'static str {
        self.pick("заполнено", "full")
    }

    pub fn blocked(self) -> &'static str {
        self.pick("заблокировано", "blocked")
    }

    pub fn nothing(self) -> &'static str {
        self.pick("Ячеек ещё нет", "There are no cells yet")
    }

    pub fn title(self, warehouse: &str) -> String {
        match self.0 {
            Language::Ru => format!("Карта склада «{warehouse}»"),
            Language::En => format!("Map of the warehouse «{warehouse}»"),
        }
    }

    pub fn as_of(self, at: NaiveDateTime) -> String {
        match self.0 {
            Language::Ru => at.format("на %d.%m.%Y, %H:%M").to_string(),
            Language::En => at.format("as of %Y-%m-%d, %H:%M").to_string(),
        }
    }

    pub fn empty(self) -> &'static str {
        self.pick("пусто", "empty")
    }

    pub fn up_to(self, percent: i64) -> String {
        match self.0 {
            Language::Ru => format!("до {percent} %"),
            Language::En => format!("up to {percent} %"),
        }
    }

    pub fn full(self) -> &'static str {
        self.pick("почти или совсем полна", "nearly or quite full")
    }

    pub fn over(self) -> &'static str {
        self.pick("переполнена", "over its limit")
    }

    pub fn unlimited(self) -> &'static str {
        self.pick("занята, вместимость не задана", "occupied, no limit set")
    }

    pub fn is_blocked(self) -> &'static str {
        self.pick("заблокирована", "blocked")
    }

    pub fn walk(self) -> &'static str {
        self.pick("направление обхода", "walking direction")
    }

    /// A cell for who points at it or has it read aloud.
    pub fn cell(self, cell: &Cell) -> String {
        let mut words = match cell.fill_percent() {
            _ if cell.units == 0 => format!("{}: {}", cell.code, self.empty()),
            Some(percent) => format!("{}: {} {}, {percent} %", cell.code, number(cell.units), self.units()),
            None => format!("{}: {} {}", cell.code, number(cell.units), self.units()),
        };
        if let Some(reason) = &cell.blocked_reason {
            // Writing to a String cannot fail.
            let _ = write!(words, "; {}: {reason}", self.is_blocked());
        }
        words
    }
}

/// Thousands apart, by a space that does not break.
pub(super) fn number(value: i64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && out != "-" {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn thousands_stand_apart() {
        let seen = [0, 999, 1_000, 1_234_567, -1_000].map(number);
        assert_eq!(seen, ["0", "999", "1\u{a0}000", "1\u{a0}234\u{a0}567", "-1\u{a0}000"]);
    }
}
