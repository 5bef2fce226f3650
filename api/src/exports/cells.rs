//! What one value of a list is in a table. Text that a spreadsheet would take for a formula is kept from being one.

use serde_json::Value;

/// The numbers that a spreadsheet keeps exactly.
const EXACT: std::ops::RangeInclusive<i64> = -(1 << 53)..=1 << 53;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Empty,
    /// Written as it is.
    Number(String),
    Flag(bool),
    /// Harmless in a spreadsheet.
    Text(String),
}

impl Cell {
    pub(super) fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Empty,
            Some(Value::Bool(flag)) => Self::Flag(*flag),
            Some(Value::Number(number)) if number.as_i64().is_none_or(|number| EXACT.contains(&number)) => {
                Self::Number(number.to_string())
            }
            Some(Value::Number(number)) => Self::Text(number.to_string()),
            Some(Value::String(text)) => Self::Text(harmless(text)),
            Some(Value::Array(items)) if items.is_empty() => Self::Empty,
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                Self::Text(harmless(&items.join(", ")))
            }
            Some(whole @ (Value::Array(_) | Value::Object(_))) => Self::Text(whole.to_string()),
        }
    }
}

/// SEC-52: what begins like a formula, also behind blanks and quotes, is led by an apostrophe; importing takes it off.
fn harmless(text: &str) -> String {
    let first = text.trim_start_matches([' ', '\u{a0}', '"', '\'']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_led_by_an_apostrophe_and_nothing_else_is() {
        for text in ["=1+1", "+7", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x", "  =1", "\"=1", "' =1"] {
            assert_eq!(Cell::of(Some(&json!(text))), Cell::Text(format!("'{text}")), "{text:?}");
        }
        for text in ["", "Кружка", "A-1", "0046", "'прим.", "a=b", "1+1"] {
            assert_eq!(Cell::of(Some(&json!(text))), Cell::Text(text.to_owned()), "{text:?}");
        }
        assert_eq!(Cell::of(Some(&json!(["=1", "2"]))), Cell::Text("'=1, 2".to_owned()));
    }

    #[test]
    fn numbers_stay_numbers_as_long_as_a_spreadsheet_keeps_them() {
        assert_eq!(Cell::of(Some(&json!(-5))), Cell::Number("-5".to_owned()));
        assert_eq!(Cell::of(Some(&json!(9_007_199_254_740_993_i64))), Cell::Text("9007199254740993".to_owned()));
        assert_eq!(Cell::of(Some(&json!(true))), Cell::Flag(true));
        assert_eq!([Cell::of(None), Cell::of(Some(&json!([])))], [Cell::Empty, Cell::Empty]);
    }
}
