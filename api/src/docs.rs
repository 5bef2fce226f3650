//! The document, and Swagger UI over it. The page carries its scripts in itself; its own content security policy admits
//! these scripts by their hashes and no others.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::endpoint::make_sync;
use poem::http::header;
use poem::{Endpoint, Response, RouteMethod, get};
use sha2::{Digest, Sha256};

/// Where the page is.
pub const PAGE: &str = "/docs";
/// Where the document is.
pub const DOCUMENT: &str = "/openapi.json";

/// Serves the document.
pub fn document(document: String) -> RouteMethod {
    get(make_sync(move |_| Response::builder().content_type("application/json; charset=utf-8").body(document.clone())))
}

/// Serves the page; it is put together when it is first asked for.
pub fn page(html: impl Fn() -> String + Send + Sync + 'static) -> RouteMethod {
    let built: OnceLock<(String, String)> = OnceLock::new();
    get(endpoint(move || {
        let (html, policy) = built.get_or_init(|| {
            // Browsers read every line end as one character before they hash a script.
            let html = html().replace("\r\n", "\n").replace('\r', "\n");
            let policy = policy(&html);
            (html, policy)
        });
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, policy.clone())
            .body(html.clone())
    }))
}

fn endpoint(answer: impl Fn() -> Response + Send + Sync + 'static) -> impl Endpoint<Output = Response> + 'static {
    make_sync(move |_| answer())
}

fn policy(html: &str) -> String {
    let hashes: Vec<_> =
        scripts(html).map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))).collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes.join(" ")
    )
}

/// The text of every inline script. A script ends at the first end tag, whatever its text says of scripts.
fn scripts(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, opened) = rest.split_once("<script")?;
        let (_, script) = opened.split_once('>')?;
        let (script, after) = script.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_of_the_page_is_admitted_by_its_hash() {
        let html = r#"<html><script charset="UTF-8">one("<script>")</script><p></p><script>two()</script></html>"#;
        assert_eq!(scripts(html).collect::<Vec<_>>(), ["one(\"<script>\")", "two()"]);
        assert!(policy(html).contains(&STANDARD.encode(Sha256::digest("two()"))));
    }
}
