//! What a run found, in numbers; and whether it was a run at all.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use serde_json::Value;

/// One run, or several.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) operations: u64,
    pub(super) cases: u64,
    pub(super) failures: u64,
    sessions: u64,
}

impl Report {
    /// Fails if the run asked less than it should have: not every operation, or one that the caller may call without ever
    /// being let in.
    pub(super) fn read(report: &Value, admitted: &BTreeSet<String>) -> anyhow::Result<Self> {
        let number = |group: &str, name: &str| {
            report[group][name].as_u64().with_context(|| format!("the report has no {group}.{name}"))
        };
        let (operations, selected) = (number("operations", "tested")?, number("operations", "total")?);
        anyhow::ensure!(operations == selected, "{operations} operations of {selected} were asked");
        let errors: Vec<_> = report["errors"].as_array().into_iter().flatten().map(Value::to_string).collect();
        anyhow::ensure!(
            errors.is_empty() && report["auth"]["reauth_broke"] == false,
            "it broke off: {}",
            errors.join("; ")
        );
        for part in ["unresolvable_reference", "missing_deserializer", "unsupported_regex", "base_url_mismatch"] {
            let skipped = report["warnings"][part].as_array().with_context(|| format!("the report has no {part}"))?;
            anyhow::ensure!(skipped.is_empty(), "parts of the document were left out ({part}): {skipped:?}");
        }
        let shut_out = report["warnings"]["missing_auth"].as_array().context("the report has warnings")?;
        let shut_out: Vec<_> =
            shut_out.iter().filter_map(Value::as_str).filter(|label| admitted.contains(*label)).collect();
        anyhow::ensure!(shut_out.is_empty(), "nothing was learnt of what was always refused: {}", shut_out.join(", "));
        Ok(Self {
            operations,
            cases: number("test_cases", "generated")?,
            failures: number("test_cases", "unique_failures")?,
            sessions: number("auth", "reauth_count")?,
        })
    }

    pub(super) fn is_good(&self) -> bool {
        self.failures == 0
    }

    /// The same operations, asked by somebody else.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations = self.operations.max(other.operations);
        self.cases += other.cases;
        self.failures += other.failures;
        self.sessions += other.sessions;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, cases, failures, sessions } = self;
        write!(f, "{operations} operations, {cases} cases, {failures} failures; {sessions} times signed in anew")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({
            "operations": { "total": 3, "tested": 3 },
            "test_cases": { "generated": 90, "unique_failures": 2 },
            "warnings": {
                "missing_auth": ["POST /users"],
                "unresolvable_reference": [],
                "missing_deserializer": [],
                "unsupported_regex": [],
                "base_url_mismatch": [],
            },
            "errors": [],
            "auth": { "reauth_count": 4, "reauth_broke": false },
        })
    }

    #[test]
    fn a_run_is_read_in_numbers() {
        let read = Report::read(&report(), &BTreeSet::from(["GET /users".to_owned()])).unwrap();
        assert_eq!((read.operations, read.cases, read.failures, read.is_good()), (3, 90, 2, false));
    }

    #[test]
    fn a_run_that_was_shut_out_or_broke_off_is_none() {
        let nothing = BTreeSet::new();
        assert!(Report::read(&report(), &BTreeSet::from(["POST /users".to_owned()])).is_err());
        for (pointer, value) in [
            ("/operations/tested", json!(2)),
            ("/errors", json!([{ "title": "no caller" }])),
            ("/auth/reauth_broke", json!(true)),
            ("/warnings/unresolvable_reference", json!(["GET /users"])),
        ] {
            let mut other = report();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(Report::read(&other, &nothing).is_err(), "{pointer}");
        }
        assert!(Report::read(&json!({}), &nothing).is_err());
    }
}
