//! The headers of every answer, whatever it is: Helmet's set and OWASP's for REST. A handler's own `Cache-Control` or
//! `Content-Security-Policy` stays.

use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::MEDIA_TYPE;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const HEADERS: [(&str, &str); 12] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
    ("origin-agent-cluster", "?1"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
];

/// What the answer depends on beside its address; caches have to know, whoever asks.
const VARY: [&str; 3] = ["Accept-Encoding", "Authorization", "Origin"];

pub(super) fn dress(headers: &mut HeaderMap, request_id: &str, secure: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What has an ETag may be kept and asked about again (decision 20); anything else may not be kept at all.
    let cache = if headers.contains_key(header::ETAG) { "private, no-cache" } else { "no-store" };
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(cache));
    vary(headers);
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json; charset=utf-8"));
    }
    if secure {
        let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.remove(header::SERVER);
}

/// In one line, because not everybody reads further ones.
fn vary(headers: &mut HeaderMap) {
    let there = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    let mut names: Vec<_> = there.flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect();
    for name in VARY {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

/// The name that a proxy or client gave, if it is harmless to print, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(harmless);
    given.map_or_else(new_request_id, str::to_owned)
}

pub(super) fn new_request_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality: f32 = quality.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case("gzip") && quality > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_name_only_if_it_is_harmless() {
        let id =
            |value: &'static str| request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(value))]));
        assert_eq!(id("trace-1.a_b"), "trace-1.a_b");
        for value in ["", "a b", "a\"b", "{}", "0123456789012345678901234567890123456789012345678901234567890123456789"]
        {
            assert_eq!(id(value).len(), 32, "{value}");
        }
    }

    #[test]
    fn gzip_is_used_where_it_is_wanted() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(accepts("gzip") && accepts("br, GZIP;q=0.5"));
        assert!(!accepts("") && !accepts("gzip;q=0") && !accepts("br"));
    }

    #[test]
    fn what_a_handler_says_stays_and_what_it_depends_on_is_added() {
        let mut headers = HeaderMap::from_iter([
            (header::VARY, HeaderValue::from_static("Accept, ORIGIN")),
            (header::ETAG, HeaderValue::from_static("\"1\"")),
            (header::SERVER, HeaderValue::from_static("poem")),
        ]);
        dress(&mut headers, "r-1", true);
        assert_eq!(headers[header::VARY], "Accept, ORIGIN, Accept-Encoding, Authorization");
        assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
        assert!(!headers.contains_key(header::SERVER) && headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
