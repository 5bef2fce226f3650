//! How much of a request is read, and how long it may take.

use std::time::Duration;

use futures::StreamExt;
use poem::http::{HeaderMap, header};
use poem::{Body, Request};
use shared::products::imports::MOST_BYTES;

use super::Fault;

/// Bytes of a body, unless [`BODIES`] says otherwise.
const BODY: usize = 256 * KIB;
/// Bytes of a path with its query.
const URI: usize = 8 * KIB;
/// Bytes of all header lines together.
const HEADERS: usize = 16 * KIB;
/// How deep JSON may be nested.
const DEPTH: u32 = 32;
/// How long a handler has, unless [`TIMES`] says otherwise.
const TIME: Duration = Duration::from_secs(10);
/// Exports read much; so does what recomputes everything.
const LONG: Duration = Duration::from_mins(1);
/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(5);

const KIB: usize = 1024;

/// Operations whose bodies may be larger.
const BODIES: &[(&str, usize)] =
    &[("add_cells", 1024 * KIB), ("create_product_import", MOST_BYTES), ("post_goods_receipt", 1024 * KIB)];

/// Operations that may take longer, beside exports.
const TIMES: &[(&str, Duration)] = &[("check_consistency", LONG), ("create_product_import", LONG)];

/// The names of operations that these tables know.
#[cfg(test)]
pub(crate) fn named() -> impl Iterator<Item = &'static str> {
    BODIES.iter().map(|(name, _)| *name).chain(TIMES.iter().map(|(name, _)| *name))
}

/// How large the body of this operation may be, in bytes.
pub fn body(operation: &str) -> usize {
    BODIES.iter().find(|(name, _)| *name == operation).map_or(BODY, |(_, limit)| *limit)
}

/// Whether the body of this operation may be larger than those of others.
pub(crate) fn is_large(operation: &str) -> bool {
    body(operation) > BODY
}

/// How long this operation may take, with the reading of its body.
pub fn time(operation: &str) -> Duration {
    if operation.starts_with("export_") {
        return LONG;
    }
    TIMES.iter().find(|(name, _)| *name == operation).map_or(TIME, |(_, limit)| *limit)
}

/// Refuses what is too large by its announcement, and counts the body while it is read.
pub(super) fn admit(request: &mut Request, operation: &str) -> Result<(), Fault> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI {
        return Err(Fault::UriTooLong { limit: URI });
    }
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().contains("%00")) {
        return Err(Fault::Nul);
    }
    if size(request.headers()) > HEADERS {
        return Err(Fault::HeadersTooLarge { limit: HEADERS });
    }
    if request.header(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Fault::Encoded);
    }
    let kind = request.content_type().unwrap_or_default().to_ascii_lowercase();
    if charset(&kind).is_some_and(|charset| charset != "utf-8" && charset != "utf8") {
        return Err(Fault::Charset);
    }
    let limit = body(operation);
    let announced: Option<usize> = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Fault::TooLarge { limit });
    }
    let depth = kind.contains("json").then(Depth::default);
    let counted = counted(request.take_body(), limit, depth, SILENCE);
    request.set_body(counted);
    Ok(())
}

/// As HTTP/1.1 writes them: each with its colon, its space and its line's end.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1);
    parameters.find_map(|parameter| Some(parameter.trim().strip_prefix("charset=")?.trim_matches('"')))
}

/// A chunked body announces nothing, a slow one does not end: both are found out on the way.
fn counted(body: Body, limit: usize, depth: Option<Depth>, silence: Duration) -> Body {
    let chunks = Box::pin(body.into_bytes_stream());
    let chunks = futures::stream::unfold(Some((chunks, limit, depth)), move |state| async move {
        let (mut chunks, left, mut depth) = state?;
        let refuse = |fault| Some((Err(std::io::Error::other(fault)), None));
        let Ok(chunk) = tokio::time::timeout(silence, chunks.next()).await else { return refuse(Fault::BodyTooSlow) };
        let chunk = match chunk? {
            Ok(chunk) => chunk,
            Err(error) => return Some((Err(error), None)),
        };
        let Some(left) = left.checked_sub(chunk.len()) else { return refuse(Fault::TooLarge { limit }) };
        if depth.as_mut().is_some_and(|depth| depth.read(&chunk) > DEPTH) {
            return refuse(Fault::TooDeep { limit: DEPTH });
        }
        Some((Ok(chunk), Some((chunks, left, depth))))
    });
    Body::from_bytes_stream(chunks)
}

/// Counts open brackets outside of strings, whatever else the text is: a parser has the last word about that.
#[derive(Debug, Default)]
struct Depth {
    open: u32,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    /// The deepest point of this chunk.
    fn read(&mut self, chunk: &[u8]) -> u32 {
        let mut deepest = self.open;
        for byte in chunk {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'[' | b'{') => self.open += 1,
                (false, b']' | b'}') => self.open = self.open.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(self.open);
        }
        deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deepest(chunks: &[&str]) -> u32 {
        let mut depth = Depth::default();
        chunks.iter().map(|chunk| depth.read(chunk.as_bytes())).max().unwrap_or(0)
    }

    #[test]
    fn brackets_in_strings_do_not_count_wherever_a_chunk_ends() {
        assert_eq!(deepest(&[r#"{"a":[[1]],"b":{}}"#]), 3);
        assert_eq!(deepest(&[r#"["[[[[", "\"[[[", "\\"]"#]), 1);
        assert_eq!(deepest(&[r#"["\"#, r#""[[[[", [[]]]"#]), 3);
        assert_eq!(deepest(&["]]]]", "[[[["]), 4);
    }

    #[tokio::test]
    async fn a_client_that_stops_in_the_middle_of_a_body_is_not_waited_for() {
        let start = futures::stream::iter([Ok::<_, std::io::Error>("{\"email\":")]);
        let body = Body::from_bytes_stream(start.chain(futures::stream::pending()));
        let read = counted(body, BODY, None, Duration::from_millis(5)).into_bytes().await;
        assert!(format!("{:?}", read.unwrap_err()).contains("BodyTooSlow"));
    }

    #[test]
    fn exports_and_named_operations_have_limits_of_their_own() {
        assert_eq!((time("login"), time("export_orders"), time("check_consistency")), (TIME, LONG, LONG));
        assert_eq!((body("login"), body("add_cells")), (256 * KIB, 1024 * KIB));
    }

    #[test]
    fn charsets_are_found_among_parameters() {
        assert_eq!(charset("application/json; charset=latin1"), Some("latin1"));
        assert_eq!(charset("application/json;x=y; charset=\"utf-8\""), Some("utf-8"));
        assert_eq!(charset("application/json"), None);
    }
}
