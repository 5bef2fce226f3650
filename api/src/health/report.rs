//! How health looks over HTTP.

use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object};

use super::probes::Probe;

/// One word for people and monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Word {
    /// All is well.
    Ok,
    /// Requests are welcome.
    Ready,
    /// Somebody should look at it today.
    Warn,
    /// Somebody should look at it now.
    Crit,
    /// It does not work.
    Down,
    /// Requests are not welcome yet.
    NotReady,
    /// Requests are not welcome any more.
    Stopping,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it is.
    pub state: Word,
    /// The numbers; only with the token.
    pub value: Option<String>,
}

/// How it is.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Report {
    /// In one word.
    pub status: Word,
    /// Why it is not well.
    pub code: Option<String>,
    /// What is missed, but can be done without.
    pub degraded: Option<Vec<String>>,
    /// What was looked at.
    pub checks: Option<Vec<Check>>,
    /// How long the answer took; only with the token.
    pub latency_ms: Option<u64>,
    /// Which migrations are applied; only with the token.
    pub schema_version: Option<i64>,
    /// Which program answers; only with the token.
    pub version: Option<String>,
    /// Since when; only with the token.
    pub uptime_seconds: Option<u64>,
}

/// Good or bad.
#[derive(Debug, ApiResponse)]
pub enum Answer {
    /// It is well enough
    #[oai(status = 200)]
    Good(Json<Report>),
    /// It is not well
    #[oai(status = 503)]
    Bad(Json<Report>),
}

impl Report {
    pub(super) fn of(status: Word) -> Self {
        Self {
            status,
            code: None,
            degraded: None,
            checks: None,
            latency_ms: None,
            schema_version: None,
            version: None,
            uptime_seconds: None,
        }
    }

    pub(super) fn of_probe(probe: &Probe) -> Self {
        match probe {
            Ok(latency) => {
                Self { latency_ms: Some(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)), ..Self::of(Word::Ok) }
            }
            Err(code) => Self { code: Some((*code).to_owned()), ..Self::of(Word::Down) },
        }
    }

    /// As bad as the worst of them.
    pub(super) fn of_checks(checks: Vec<Check>) -> Self {
        let worst = checks.iter().map(|check| check.state).max().unwrap_or(Word::Ok);
        Self { checks: Some(checks), ..Self::of(worst) }
    }

    /// Numbers are for those who have the token.
    pub(super) fn answer(self, insider: bool) -> Answer {
        let bad = matches!(self.status, Word::Crit | Word::Down | Word::NotReady | Word::Stopping);
        let shown = if insider { self } else { self.in_words() };
        if bad { Answer::Bad(Json(shown)) } else { Answer::Good(Json(shown)) }
    }

    fn in_words(self) -> Self {
        let checks = self.checks.map(|checks| checks.into_iter().map(|check| Check { value: None, ..check }).collect());
        Self { code: self.code, degraded: self.degraded, checks, ..Self::of(self.status) }
    }
}
