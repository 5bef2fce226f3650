//! What never leaves the process in words: headers that carry secrets, tokens, passwords in addresses, query strings, and
//! long random texts of any origin. It cuts out too much rather than too little.

use std::sync::LazyLock;

use regex::{Captures, Regex};

const GONE: &str = "[redacted]";

struct Rules {
    headers: Regex,
    schemes: Regex,
    tokens: Regex,
    people: Regex,
    queries: Regex,
    echoes: Regex,
    random: Regex,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let rule = |pattern: &str| Regex::new(pattern).expect("the pattern is well formed");
    Rules {
        // A value in quotes ends with them; any other one with the line: cookies have blanks and semicolons.
        headers: rule(
            r#"(?i)((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)["'\\]*\s*(?:=>|[:=,])\s*(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\r\n]*)"#,
        ),
        schemes: rule(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
        tokens: rule(
            r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_=-]*){0,2}|[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{10,}",
        ),
        people: rule(r#"([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>]*@"#),
        queries: rule(r#"(/[^\s?"'<>]*)\?[^\s"'<>]+"#),
        // As serde quotes what it could not use.
        echoes: rule(
            r#"((?:invalid (?:type|value): |unknown (?:variant|field) )[a-z ]*)(?:"(?:[^"\\]|\\.)*"?|`[^`]*`?)"#,
        ),
        random: rule(r"[A-Za-z0-9_+/=-]{40,}"),
    }
});

/// The text without anything that looks like a secret.
pub fn redacted(text: &str) -> String {
    let rules = &*RULES;
    let text = rules.headers.replace_all(text, "$1: [redacted]");
    let text = rules.schemes.replace_all(&text, "$1 [redacted]");
    let text = rules.tokens.replace_all(&text, "[token]");
    let text = rules.people.replace_all(&text, "$1[redacted]@");
    let text = rules.queries.replace_all(&text, "$1?[redacted]");
    let text = rules.echoes.replace_all(&text, "$1[redacted]");
    rules
        .random
        .replace_all(
            &text,
            |found: &Captures<'_>| if is_random(&found[0]) { GONE.to_owned() } else { found[0].to_owned() },
        )
        .into_owned()
}

/// Whether the name of a field promises a secret, whatever its value looks like.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    ["authorization", "cookie", "api-key", "password", "secret", "token"].iter().any(|word| name.contains(word))
}

/// Letters of both cases and digits in one long word, or a long hexadecimal number: names of things do not look like that.
fn is_random(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    mixed || word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
