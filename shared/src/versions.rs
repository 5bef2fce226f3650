//! Two editors, one object: its row counts its changes, and whoever names the count that they saw is refused when it has
//! moved on.

use serde::{Deserialize, Serialize};

use crate::db::EnterpriseTx;
use crate::{Error, Result};

/// How often an object was changed, from 1; the database counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Version(pub i32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What `If-Match` (RFC 9110) expects the object to be. An entity tag of ours begins with the version; what follows behind
/// a dash tells representations apart and is not compared, so that a counter that moved by itself is no conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `*`: anything, as long as it is there.
    Any,
    /// One of these; none where only weak or foreign tags were named.
    OneOf(Vec<Version>),
}

impl Expected {
    /// Reads the header. Fails with [`Error::Invalid`] where it is no list of entity tags.
    pub fn parse(header: &str) -> Result<Self> {
        if header.trim() == "*" {
            return Ok(Self::Any);
        }
        let wrong = || Error::invalid("If-Match", "is not a list of entity tags");
        let mut versions = Vec::new();
        for tag in header.split(',').map(str::trim) {
            // A weak tag is one, but never matches.
            let strong = !tag.starts_with("W/");
            let quoted = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = quoted.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(wrong)?;
            let number = opaque.split_once('-').map_or(opaque, |(number, _)| number);
            versions.extend(number.parse().ok().map(Version).filter(|_| strong));
        }
        Ok(Self::OneOf(versions))
    }

    fn holds(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

impl EnterpriseTx {
    /// To be asked of the object that a request edits, once it is locked: fails with [`Error::Changed`] if the request
    /// expected another version. A request that expects nothing goes on.
    pub fn expect(&mut self, version: Version) -> Result<()> {
        match self.take_expected() {
            Some(expected) if !expected.holds(version) => Err(Error::Changed(version)),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_by_their_versions() {
        let holds = |header: &str| Expected::parse(header).unwrap().holds(Version(5));
        assert!(holds("*") && holds("\"5\"") && holds("\"5-x_Y-1\"") && holds("\"4\", \"5\""));
        assert!(!holds("\"4\"") && !holds("W/\"5\"") && !holds("\"abc\"") && !holds("\"\""));
        for nonsense in ["", "5", "\"5", "5\"", "\"4\" \"5", "\"4\","] {
            assert!(Expected::parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
