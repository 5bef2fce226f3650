//! Text that is safe to stand in a page.

use std::fmt::{self, Display, Write};

/// Anything that can be shown, with everything escaped that means something to a browser.
pub(super) struct Safe<T>(T);

/// Escapes what is shown.
pub(super) fn safe<T: Display>(text: T) -> Safe<T> {
    Safe(text)
}

impl<T: Display> Display for Safe<T> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(to), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(place) = rest.find(['&', '<', '>', '"', '\'']) {
            self.0.write_str(&rest[..place])?;
            self.0.write_str(match rest.as_bytes()[place] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[place + 1..];
        }
        self.0.write_str(rest)
    }
}

/// The first letters of a long text.
pub(super) fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((place, _)) => format!("{}…", &text[..place]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_browser_obeys_comes_through() {
        let shown = safe("<b onclick='x'>\"Ёлки & иголки\"</b>").to_string();
        assert_eq!(shown, "&lt;b onclick=&#39;x&#39;&gt;&quot;Ёлки &amp; иголки&quot;&lt;/b&gt;");
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        assert_eq!((beginning("Ёлка", 2), beginning("Ёл", 2)), ("Ёл…".into(), "Ёл".into()));
    }
}
