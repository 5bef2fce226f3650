//! How clients learn what is left: `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-10, one
//! item for each allowance that counted, and the three older fields about the one that is nearest to its end.

use poem::http::{HeaderMap, HeaderName, HeaderValue};

use super::Standing;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

impl Standing {
    /// Seconds until everything is there again.
    fn reset(&self) -> u64 {
        let missing = u64::from(self.allowance.count.saturating_sub(self.remaining));
        (missing * self.allowance.window.as_secs()).div_ceil(u64::from(self.allowance.count.max(1)))
    }

    fn share(&self) -> f64 {
        f64::from(self.remaining) / f64::from(self.allowance.count.max(1))
    }
}

pub(in crate::edge) fn tell(headers: &mut HeaderMap, standings: &[Standing]) {
    let Some(nearest) = standings.iter().min_by(|one, other| one.share().total_cmp(&other.share())) else { return };
    let policy = |standing: &Standing| {
        let (name, allowance) = (standing.rate.as_str(), standing.allowance);
        format!("\"{name}\";q={};w={}", allowance.count, allowance.window.as_secs())
    };
    let left =
        |standing: &Standing| format!("\"{}\";r={};t={}", standing.rate.as_str(), standing.remaining, standing.reset());
    let fields = [
        (POLICY, list(standings, policy)),
        (LEFT, list(standings, left)),
        (LIMIT, nearest.allowance.count.to_string()),
        (REMAINING, nearest.remaining.to_string()),
        (RESET, nearest.reset().to_string()),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

fn list(standings: &[Standing], item: impl Fn(&Standing) -> String) -> String {
    standings.iter().map(item).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use shared::config::Rate;

    use super::*;

    #[test]
    fn every_allowance_is_told_and_the_nearest_also_in_the_older_fields() {
        let standing = |rate: Rate, remaining| Standing { rate, allowance: rate.default_allowance(), remaining };
        let mut headers = HeaderMap::new();
        tell(&mut headers, &[standing(Rate::User, 599), standing(Rate::Enterprise, 1500)]);
        assert_eq!(headers[POLICY], "\"user\";q=600;w=60, \"enterprise\";q=3000;w=60");
        assert_eq!(headers[LEFT], "\"user\";r=599;t=1, \"enterprise\";r=1500;t=30");
        assert_eq!(
            (&headers[LIMIT], &headers[REMAINING], &headers[RESET]),
            (&HeaderValue::from_static("3000"), &HeaderValue::from_static("1500"), &HeaderValue::from_static("30"))
        );
    }
}
