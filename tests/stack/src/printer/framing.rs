//! Cuts the byte stream of a raw printer port into labels and host commands, wherever the network happens to split it.

/// Longest format that is kept; more is somebody sending something else.
const LONGEST: usize = 8 << 20;

/// One thing that the stream said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece {
    /// A whole format from `^XA` to `^XZ`
    Label(Vec<u8>),
    /// `~HS`
    HostStatus,
    /// `~HQES`
    ErrorStatus,
    /// `~JA`: forget everything that waits
    CancelAll,
    /// `~JX`: forget the format that is coming in
    CancelFormat,
    /// `! U1 getvar "name"`
    Variable(String),
}

/// The state between two reads. A printer keeps it over connections: a label may come in two halves.
#[derive(Debug, Default)]
pub(super) struct Framer {
    pending: Vec<u8>,
    format: Option<Vec<u8>>,
    /// Bytes of a binary graphic that are still to come, and mean nothing else whatever they look like
    binary: usize,
}

/// What the head of the pending bytes is.
enum Head {
    /// More bytes are needed to tell
    Incomplete,
    /// So many bytes belong to the format, if one is open
    Content(usize),
    /// So many bytes begin or end something
    Open(usize),
    Close(usize),
    Say(usize, Option<Piece>),
    /// So many bytes of header, followed by so many binary ones
    Binary(usize, usize),
}

impl Framer {
    /// Whether a format has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.format.is_some()
    }

    /// Forgets what has come in so far.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes bytes as they come and answers with what they complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.pending.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < self.pending.len() {
            let rest = &self.pending[from..];
            if self.binary > 0 {
                let taken = self.binary.min(rest.len());
                keep(&mut self.format, &rest[..taken]);
                self.binary -= taken;
                from += taken;
                continue;
            }
            match head(rest, self.format.is_some()) {
                Head::Incomplete => break,
                Head::Content(length) => {
                    keep(&mut self.format, &rest[..length]);
                    from += length;
                }
                Head::Open(length) => {
                    self.format = Some(rest[..length].to_vec());
                    from += length;
                }
                Head::Close(length) => {
                    keep(&mut self.format, &rest[..length]);
                    pieces.extend(self.format.take().map(Piece::Label));
                    from += length;
                }
                Head::Say(length, piece) => {
                    if piece == Some(Piece::CancelAll) || piece == Some(Piece::CancelFormat) {
                        self.format = None;
                    }
                    pieces.extend(piece);
                    from += length;
                }
                Head::Binary(length, count) => {
                    keep(&mut self.format, &rest[..length]);
                    self.binary = count;
                    from += length;
                }
            }
        }
        self.pending.drain(..from);
        if self.format.as_ref().is_some_and(|format| format.len() > LONGEST) {
            self.format = None;
        }
        pieces
    }
}

fn keep(format: &mut Option<Vec<u8>>, bytes: &[u8]) {
    if let Some(format) = format {
        format.extend_from_slice(bytes);
    }
}

fn head(rest: &[u8], open: bool) -> Head {
    match rest[0] {
        b'^' => caret(rest),
        b'~' => tilde(rest),
        b'!' if !open => exclamation(rest),
        _ => {
            let special = |byte: &u8| matches!(byte, b'^' | b'~') || (*byte == b'!' && !open);
            Head::Content(rest.iter().position(special).unwrap_or(rest.len()))
        }
    }
}

fn caret(rest: &[u8]) -> Head {
    let Some(name) = rest.get(1..3) else { return Head::Incomplete };
    match name {
        b"XA" => Head::Open(3),
        b"XZ" => Head::Close(3),
        b"GF" => match rest.get(3) {
            None => Head::Incomplete,
            Some(b'B') => binary_graphic(rest),
            Some(_) => Head::Content(3),
        },
        _ => Head::Content(1),
    }
}

/// `^GFB,bytes,total,per row,` and then that many raw bytes.
fn binary_graphic(rest: &[u8]) -> Head {
    let Some((end, _)) = rest.iter().enumerate().filter(|(_, byte)| **byte == b',').nth(3) else {
        return if rest.len() > 64 { Head::Content(3) } else { Head::Incomplete };
    };
    let count = rest[..end].split(|byte| *byte == b',').nth(1);
    let count = count.and_then(|digits| std::str::from_utf8(digits).ok()?.trim().parse().ok()).unwrap_or(0);
    Head::Binary(end + 1, count)
}

fn tilde(rest: &[u8]) -> Head {
    let Some(name) = rest.get(1..3) else { return Head::Incomplete };
    match name {
        b"HS" => Head::Say(3, Some(Piece::HostStatus)),
        b"JA" => Head::Say(3, Some(Piece::CancelAll)),
        b"JX" => Head::Say(3, Some(Piece::CancelFormat)),
        b"HQ" => match rest.get(3..5) {
            None => Head::Incomplete,
            Some(b"ES") => Head::Say(5, Some(Piece::ErrorStatus)),
            Some(_) => Head::Say(5, None),
        },
        _ => Head::Say(3, None),
    }
}

/// `! U1 getvar "name"`; the line end after it is of no interest.
fn exclamation(rest: &[u8]) -> Head {
    const BEGINNING: &[u8] = b"! U1 ";
    let seen = rest.len().min(BEGINNING.len());
    if rest[..seen] != BEGINNING[..seen] {
        return Head::Say(1, None);
    }
    let line_end = rest.iter().position(|byte| *byte == b'\n');
    let line = String::from_utf8_lossy(&rest[..line_end.unwrap_or(rest.len())]);
    let quotes: Vec<usize> = line.match_indices('"').map(|(at, _)| at).collect();
    match (line[seen..].trim_start().strip_prefix("getvar"), quotes.as_slice(), line_end) {
        (Some(_), [open, close, ..], _) => {
            Head::Say(close + 1, Some(Piece::Variable(line[open + 1..*close].to_owned())))
        }
        (_, _, Some(end)) => Head::Say(end + 1, None),
        (_, _, None) if rest.len() > 1024 => Head::Say(1, None),
        (_, _, None) => Head::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"\r\n^XA^PW8^FO0,0^GFA,1,1,1,FF^FS^XZ~HS^XA^FO0,0^GFB,6,6,1,^XZ~HS^FS^XZ\
        ! U1 getvar \"odometer.total_label_count\"\r\n~HQES^XA^FDhalf~JX^XA^FDa ~HSb^FS^XZ~ZZ! U1 setvar \"a\" \"b\"\r\n~JA";

    fn pieces() -> Vec<Piece> {
        vec![
            Piece::Label(b"^XA^PW8^FO0,0^GFA,1,1,1,FF^FS^XZ".to_vec()),
            Piece::HostStatus,
            Piece::Label(b"^XA^FO0,0^GFB,6,6,1,^XZ~HS^FS^XZ".to_vec()),
            Piece::Variable("odometer.total_label_count".into()),
            Piece::ErrorStatus,
            Piece::CancelFormat,
            Piece::HostStatus,
            Piece::Label(b"^XA^FDa b^FS^XZ".to_vec()),
            Piece::CancelAll,
        ]
    }

    #[test]
    fn a_stream_split_at_any_boundary_says_the_same() {
        for split in 0..=STREAM.len() {
            let mut framer = Framer::default();
            let mut said = framer.feed(&STREAM[..split]);
            said.extend(framer.feed(&STREAM[split..]));
            assert_eq!(said, pieces(), "split at {split}");
            assert!(!framer.is_partial());
        }
    }

    #[test]
    fn a_stream_byte_by_byte_says_the_same() {
        let mut framer = Framer::default();
        let said: Vec<Piece> = STREAM.iter().flat_map(|byte| framer.feed(&[*byte])).collect();
        assert_eq!(said, pieces());
    }

    #[test]
    fn half_a_label_waits_for_the_rest_and_a_new_beginning_replaces_it() {
        let mut framer = Framer::default();
        assert!(framer.feed(b"^XA^FDlost").is_empty());
        assert!(framer.is_partial());
        assert_eq!(framer.feed(b"^XA^FDkept^XZ"), [Piece::Label(b"^XA^FDkept^XZ".to_vec())]);
    }
}
