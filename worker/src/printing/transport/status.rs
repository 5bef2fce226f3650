//! What a ZPL printer says about itself: host status (`~HS`) and label counter. Answers are read strictly; what
//! does not fit is "unclear" and goes no further.

use super::fault::PrinterFault;

/// The answer to a status question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A complete host status.
    Heard(HostStatus),
    /// Nothing within the time limit.
    Silent,
    /// Something that is not a host status.
    Unclear,
}

impl Status {
    /// What to tell people first; none when the printer is in order.
    pub fn fault(&self) -> Option<PrinterFault> {
        match self {
            Self::Heard(host) => host.faults.first().copied(),
            Self::Silent => Some(PrinterFault::Silent),
            Self::Unclear => Some(PrinterFault::Unclear),
        }
    }

    /// In order, with nothing received and not printed yet.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Heard(host) if host.is_idle())
    }
}

/// A printer's condition, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostStatus {
    /// What keeps it from printing; the cause comes before the pause it leads to.
    pub faults: Vec<PrinterFault>,
    /// Formats received and not printed yet.
    pub formats_in_buffer: u32,
    /// Labels of the current batch still to print.
    pub labels_remaining: u32,
    /// The beginning of a format has arrived, its end has not.
    pub partial_format: bool,
}

impl HostStatus {
    /// In order, with nothing received and not printed yet.
    pub fn is_idle(&self) -> bool {
        self.faults.is_empty() && self.formats_in_buffer == 0 && self.labels_remaining == 0 && !self.partial_format
    }

    /// Reads the three frames of `~HS`: `aaa,b,c,…` `mmm,n,o,p,…` `xxxx,y`.
    pub(super) fn parse(reply: &[u8]) -> Option<Self> {
        let frames = frames(reply)?;
        let [buffer, device, memory] = frames.as_slice() else { return None };
        if (buffer.len(), device.len(), memory.len()) != (12, 11, 2) {
            return None;
        }
        let flags = [
            (flag(device[2])?, PrinterFault::HeadOpen),
            (flag(buffer[1])?, PrinterFault::MediaOut),
            (flag(device[3])?, PrinterFault::RibbonOut),
            (flag(buffer[11])?, PrinterFault::Overheated),
            (flag(buffer[9])?, PrinterFault::MemoryCorrupt),
            (flag(buffer[6])?, PrinterFault::DiagnosticMode),
            (flag(buffer[5])?, PrinterFault::BufferFull),
            (flag(buffer[2])?, PrinterFault::Paused),
        ];
        Some(Self {
            faults: flags.into_iter().filter_map(|(set, fault)| set.then_some(fault)).collect(),
            formats_in_buffer: number(buffer[4])?,
            labels_remaining: number(device[8])?,
            partial_format: flag(buffer[7])?,
        })
    }
}

/// Whether all three frames have arrived.
pub(super) fn is_complete(reply: &[u8]) -> bool {
    reply.split(|&byte| byte == ETX).count() > 3
}

/// Whether a quoted answer has arrived.
pub(super) fn is_quoted(reply: &[u8]) -> bool {
    reply.split(|&byte| byte == b'"').count() > 2
}

/// Reads `"1234"`; a printer without the counter says `"?"`.
pub(super) fn parse_counter(reply: &[u8]) -> Option<u64> {
    let text = str::from_utf8(reply).ok()?.trim();
    let digits = text.strip_prefix('"')?.strip_suffix('"')?.trim();
    // `parse` alone would also accept a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

const STX: u8 = 2;
const ETX: u8 = 3;

/// The fields of each line; some printers leave out the framing characters or add spaces.
fn frames(reply: &[u8]) -> Option<Vec<Vec<&str>>> {
    let text = str::from_utf8(reply).ok()?;
    let lines = text.split(['\r', '\n', char::from(STX), char::from(ETX)]).filter(|line| !line.trim().is_empty());
    Some(lines.map(|line| line.split(',').map(str::trim).collect()).collect())
}

fn flag(field: &str) -> Option<bool> {
    match field {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn number(field: &str) -> Option<u32> {
    field.bytes().all(|byte| byte.is_ascii_digit()).then(|| field.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: &str =
        "\x02030,0,0,0308,000,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x020000,0\x03\r\n";

    #[test]
    fn a_real_idle_answer_is_idle() {
        let status = HostStatus::parse(IDLE.as_bytes()).unwrap();
        assert_eq!(status, HostStatus::default());
        assert!(status.is_idle() && is_complete(IDLE.as_bytes()));
    }

    #[test]
    fn each_field_is_read_from_its_place() {
        use PrinterFault::{
            BufferFull, DiagnosticMode, HeadOpen, MediaOut, MemoryCorrupt, Overheated, Paused, RibbonOut,
        };
        for (first, second, faults) in [
            ("030,1,1,0308,000,0,0,0,000,0,0,0", "001,0,0,0,1,2,6,0,00000000,1,000", vec![MediaOut, Paused]),
            ("030,0,1,0308,000,0,0,0,000,0,0,0", "001,0,1,0,1,2,6,0,00000000,1,000", vec![HeadOpen, Paused]),
            ("030,0,1,0308,000,0,0,0,000,0,0,0", "001,0,0,1,1,2,6,0,00000000,1,000", vec![RibbonOut, Paused]),
            ("030,0,0,0308,000,1,0,0,000,0,0,0", "001,0,0,0,1,2,6,0,00000000,1,000", vec![BufferFull]),
            (
                "030,0,0,0308,000,0,1,0,000,1,0,1",
                "001,0,0,0,1,2,6,0,00000000,1,000",
                vec![Overheated, MemoryCorrupt, DiagnosticMode],
            ),
        ] {
            let status = HostStatus::parse(format!("{first}\r\n{second}\r\n0000,0\r\n").as_bytes()).unwrap();
            assert_eq!(status.faults, faults, "{first} {second}");
            assert!(!status.is_idle());
        }
    }

    #[test]
    fn waiting_labels_are_counted() {
        let reply = "030, 0,0,0308,007,0,0,1,000,0,0,0\n001,0,0,0,1,2,6,0,00000012,1,000\n1234,0";
        let status = HostStatus::parse(reply.as_bytes()).unwrap();
        assert_eq!((status.formats_in_buffer, status.labels_remaining, status.partial_format), (7, 12, true));
        assert!(status.faults.is_empty() && !status.is_idle());
    }

    #[test]
    fn anything_else_is_not_a_status() {
        let twice = IDLE.repeat(2);
        for reply in ["", "ready", "\x0230,0,0\x03", &IDLE[..60], &IDLE.replace(",0308,000", ",0308,x"), &twice] {
            assert_eq!(HostStatus::parse(reply.as_bytes()), None, "{reply:?}");
        }
        assert_eq!(HostStatus::parse(b"\xff\xfe"), None);
        assert_eq!(HostStatus::parse(IDLE.replacen(",0,", ",2,", 1).as_bytes()), None);
    }

    #[test]
    fn the_counter_is_a_quoted_number() {
        for (reply, counter) in [
            ("\"1234\"", Some(1234)),
            ("\"0\"\r\n", Some(0)),
            ("\" 77 \"", Some(77)),
            ("\"?\"", None),
            ("\"\"", None),
            ("\"+5\"", None),
            ("1234", None),
            ("\"12", None),
            ("\"1\"\"2\"", None),
            ("\"99999999999999999999999\"", None),
            ("", None),
        ] {
            assert_eq!(parse_counter(reply.as_bytes()), counter, "{reply}");
        }
    }
}
