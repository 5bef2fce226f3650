//! What the printer says of itself: `~HS` and `~HQES`.

/// What the answers are made of.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the protocol")]
pub(super) struct Condition {
    pub media_out: bool,
    pub ribbon_out: bool,
    pub head_open: bool,
    pub paused: bool,
    pub label_length: usize,
    /// Formats in the receive buffer, the one that is being printed included
    pub formats: usize,
    pub is_full: bool,
    pub is_partial: bool,
    /// Copies of the current format that are still to come
    pub remaining: u32,
}

/// The three frames of `~HS`.
pub(super) fn host(it: &Condition) -> String {
    let flag = u8::from;
    // A real printer shows pause with every fault.
    let paused = it.paused || it.media_out || it.ribbon_out || it.head_open;
    let first = format!(
        "030,{},{},{:04},{:03},{},0,{},000,0,0,0",
        flag(it.media_out),
        flag(paused),
        it.label_length.min(9999),
        it.formats.min(999),
        flag(it.is_full),
        flag(it.is_partial),
    );
    let second = format!(
        "001,0,{},{},1,2,6,0,{:08},1,000",
        flag(it.head_open),
        flag(it.ribbon_out),
        it.remaining.min(99_999_999)
    );
    format!("\x02{first}\x03\r\n\x02{second}\x03\r\n\x020000,0\x03\r\n")
}

/// The answer to `~HQES`.
pub(super) fn errors(it: &Condition) -> String {
    let bits = [(it.media_out, 0x1), (it.ribbon_out, 0x2), (it.head_open, 0x4), (it.paused, 0x1_0000)];
    let group: u32 = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum();
    format!(
        "\x02\r\n  PRINTER STATUS\r\n   ERRORS:         {} 00000000 {group:08X}\r\n   \
         WARNINGS:       0 00000000 00000000\r\n\x03",
        u8::from(group != 0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_printer_answers_as_the_real_one_does() {
        let idle = Condition { label_length: 308, ..Condition::default() };
        assert_eq!(
            host(&idle),
            "\x02030,0,0,0308,000,0,0,0,000,0,0,0\x03\r\n\x02001,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x020000,0\x03\r\n"
        );
        assert!(errors(&idle).contains("ERRORS:         0 00000000 00000000"));
    }

    #[test]
    fn faults_are_told() {
        let broken = Condition { media_out: true, head_open: true, ..Condition::default() };
        assert!(host(&broken).starts_with("\x02030,1,1,"));
        assert!(host(&broken).contains("\x02001,0,1,0,"));
        assert!(errors(&broken).contains("ERRORS:         1 00000000 00000005"));
    }
}
