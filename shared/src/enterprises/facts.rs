//! What an enterprise says of itself: its tax number, its time zone, and its settings, each of them typed.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A Russian tax number (ИНН): ten digits of a company or twelve of an entrepreneur, with their check digits as Order
/// ЕД-7-14/559 of the Federal Tax Service has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxNumber(String);

impl TaxNumber {
    /// Checks length and check digits.
    pub fn parse(text: &str) -> Result<Self> {
        const COMPANY: [u32; 9] = [2, 4, 10, 3, 5, 9, 4, 6, 8];
        const FIRST: [u32; 10] = [7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
        const SECOND: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
        let text = text.trim();
        let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(10)).collect();
        let holds = |digits: &[u32], weights: &[u32]| {
            let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
            sum % 11 % 10 == digits[weights.len()]
        };
        let good = digits.is_some_and(|digits| match digits.len() {
            10 => holds(&digits, &COMPANY),
            12 => holds(&digits, &FIRST) && holds(&digits, &SECOND),
            _ => false,
        });
        let empty = text.chars().all(|digit| digit == '0');
        if good && !empty {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("taxNumber", "is no tax number: 10 or 12 digits, the last of them check digits"))
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The zone in which an enterprise's days begin, by its IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(Tz);

impl TimeZone {
    /// Knows every zone of the IANA database.
    pub fn parse(name: &str) -> Result<Self> {
        name.trim()
            .parse()
            .map(Self)
            .map_err(|_| Error::invalid("timeZone", "is no zone of the IANA database, as Europe/Moscow is"))
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What clocks there show at this moment.
    pub fn local(self, moment: DateTime<Utc>) -> NaiveDateTime {
        moment.with_timezone(&self.0).naive_local()
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self(Tz::Europe__Moscow)
    }
}

/// In which language an enterprise's letters and documents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Language {
    /// Russian.
    Ru,
    /// English.
    En,
}

/// Who must use a second factor to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SecondFactorDuty {
    /// Whoever wants to.
    Nobody,
    /// Administrators.
    Administrators,
    /// Everybody.
    Everybody,
}

/// Out of which cells and lots orders are served, where there is a choice. What has expired serves nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReservationStrategy {
    /// What must be sold first, then along the walking path.
    FirstExpired,
    /// What came first: the older lot, then the cell that was filled earlier.
    FirstIn,
    /// Along the walking path.
    PickSequence,
    /// Out of as few cells as possible.
    FewestCells,
}

/// What an enterprise may decide for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// In which language letters and documents are written.
    pub language: Language,
    /// How wide the labels of a new printer are if nobody says, in millimetres from 20 to 120.
    pub label_width_mm: i32,
    /// How high they are, in millimetres from 20 to 200.
    pub label_height_mm: i32,
    /// Who must use a second factor; absent: as the installation is configured.
    pub require_second_factor: Option<SecondFactorDuty>,
    /// Out of which cells and lots orders are served.
    pub reservation_strategy: ReservationStrategy,
    /// A rise of published stock by more than this share of it waits for a second person, in percent from 0 to 1000; 0: none
    /// waits.
    pub publishing_brake_percent: i32,
    /// A rise by no more than so many units never waits, from 0 to 1000000.
    pub publishing_brake_units: i32,
}

impl Settings {
    /// [`Self::publishing_brake_percent`] where nobody decided.
    pub const BRAKE_PERCENT: i32 = 50;
    /// [`Self::publishing_brake_units`] where nobody decided.
    pub const BRAKE_UNITS: i32 = 100;

    /// Whether so many more units than before are too many to be published by one person alone.
    pub fn brakes(&self, before: i64, raise: i64) -> bool {
        let percent = i64::from(self.publishing_brake_percent);
        percent > 0 && raise > i64::from(self.publishing_brake_units) && raise * 100 > before * percent
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(20..=120).contains(&self.label_width_mm) {
            return Err(Error::invalid("settings.labelWidthMm", "must be between 20 and 120"));
        }
        if !(20..=200).contains(&self.label_height_mm) {
            return Err(Error::invalid("settings.labelHeightMm", "must be between 20 and 200"));
        }
        if !(0..=1000).contains(&self.publishing_brake_percent) {
            return Err(Error::invalid("settings.publishingBrakePercent", "must be between 0 and 1000"));
        }
        if !(0..=1_000_000).contains(&self.publishing_brake_units) {
            return Err(Error::invalid("settings.publishingBrakeUnits", "must be between 0 and 1000000"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tax_number_has_the_right_length_and_check_digits() {
        // Wildberries, Sberbank, Yandex, and an entrepreneur's from the Federal Tax Service's own examples.
        for good in ["7721546864", "7707083893", "7736207543", "500100732259", " 7707083893 "] {
            assert_eq!(TaxNumber::parse(good).unwrap().as_str(), good.trim(), "{good}");
        }
        for bad in
            ["", "770708389", "7707083894", "77070838930", "500100732258", "500100732269", "0000000000", "77070838x3"]
        {
            assert!(
                matches!(TaxNumber::parse(bad), Err(Error::Invalid { field, .. }) if field == "taxNumber"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_rise_is_braked_when_it_is_large_by_share_and_by_number() {
        let settings = |percent, units| Settings {
            language: Language::Ru,
            label_width_mm: 58,
            label_height_mm: 40,
            require_second_factor: None,
            reservation_strategy: ReservationStrategy::FirstExpired,
            publishing_brake_percent: percent,
            publishing_brake_units: units,
        };
        let brake = settings(50, 100);
        assert!(brake.brakes(0, 101) && brake.brakes(200, 101) && brake.brakes(1000, 501));
        assert!(!brake.brakes(0, 100) && !brake.brakes(202, 101) && !brake.brakes(1000, 500) && !brake.brakes(0, 0));
        assert!(!settings(0, 0).brakes(0, 1_000_000), "switched off");
    }

    #[test]
    fn any_single_wrong_digit_is_noticed() {
        let number = "7707083893";
        for place in 0..number.len() {
            for digit in '0'..='9' {
                let mut wrong: Vec<_> = number.chars().collect();
                if wrong[place] != digit {
                    wrong[place] = digit;
                    let wrong: String = wrong.into_iter().collect();
                    // Remainders 10 and 0 share a check digit: that one confusion the number itself allows.
                    let is_allowed = TaxNumber::parse(&wrong).is_ok();
                    assert!(!is_allowed || weighted(&wrong) % 11 == 10 || weighted(number) % 11 == 10, "{wrong}");
                }
            }
        }
    }

    fn weighted(number: &str) -> u32 {
        let weights = [2, 4, 10, 3, 5, 9, 4, 6, 8];
        number.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum()
    }

    #[test]
    fn a_time_zone_is_one_of_the_iana_database() {
        assert_eq!(TimeZone::parse("Asia/Yekaterinburg").unwrap().name(), "Asia/Yekaterinburg");
        for bad in ["", "Moscow", "UTC+3", "Europe/Atlantis"] {
            assert!(TimeZone::parse(bad).is_err(), "{bad}");
        }
    }
}
