//! What can be wrong with a printer, in words for people.

/// One thing that keeps labels from coming out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrinterFault {
    /// The print head is open.
    HeadOpen,
    /// No labels left.
    MediaOut,
    /// No ribbon left.
    RibbonOut,
    /// The head is too hot.
    Overheated,
    /// The printer has lost its memory.
    MemoryCorrupt,
    /// The printer writes out what it receives instead of printing it.
    DiagnosticMode,
    /// The printer takes no more labels.
    BufferFull,
    /// Somebody pressed pause.
    Paused,
    /// Connected, but it answers nothing: many printers do so when paper is out or the head is open.
    Silent,
    /// Its answer is not that of a ZPL printer.
    Unclear,
    /// No connection.
    Unreachable,
    /// The connection ended early.
    ConnectionLost,
    /// The address is not one we may print to.
    AddressRefused,
}

impl PrinterFault {
    /// Every fault, for catalogues.
    pub const ALL: [Self; 13] = [
        Self::HeadOpen,
        Self::MediaOut,
        Self::RibbonOut,
        Self::Overheated,
        Self::MemoryCorrupt,
        Self::DiagnosticMode,
        Self::BufferFull,
        Self::Paused,
        Self::Silent,
        Self::Unclear,
        Self::Unreachable,
        Self::ConnectionLost,
        Self::AddressRefused,
    ];

    /// The stable name, for storing and for programs.
    pub const fn code(self) -> &'static str {
        self.words().0
    }

    /// A sentence in English: what is wrong and what to do.
    pub const fn title_en(self) -> &'static str {
        self.words().1
    }

    /// The same in Russian.
    pub const fn title_ru(self) -> &'static str {
        self.words().2
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::HeadOpen => (
                "head_open",
                "The print head is open: close the printer.",
                "Открыта печатающая головка: закройте принтер.",
            ),
            Self::MediaOut => {
                ("media_out", "Labels have run out: load a roll.", "Закончились этикетки: заправьте рулон.")
            }
            Self::RibbonOut => {
                ("ribbon_out", "The ribbon has run out: replace it.", "Закончилась красящая лента: замените её.")
            }
            Self::Overheated => (
                "overheated",
                "The print head is too hot: let it cool down.",
                "Печатающая головка перегрета: дайте ей остыть.",
            ),
            Self::MemoryCorrupt => (
                "memory_corrupt",
                "The printer reports a memory failure: switch it off and on.",
                "Принтер сообщает о сбое памяти: выключите и включите его.",
            ),
            Self::DiagnosticMode => (
                "diagnostic_mode",
                "The printer is in diagnostic mode: switch it off and on.",
                "Принтер в режиме диагностики: выключите и включите его.",
            ),
            Self::BufferFull => (
                "buffer_full",
                "The printer's memory is full: wait until it has printed what it holds.",
                "Память принтера заполнена: дождитесь, пока он напечатает принятое.",
            ),
            Self::Paused => {
                ("paused", "The printer is paused: press the pause button.", "Принтер на паузе: нажмите кнопку паузы.")
            }
            Self::Silent => (
                "silent",
                "The printer does not answer: check labels, ribbon and print head.",
                "Принтер не отвечает: проверьте этикетки, ленту и печатающую головку.",
            ),
            Self::Unclear => (
                "unclear",
                "The printer's answer is not understood: check that it is set to ZPL.",
                "Ответ принтера непонятен: проверьте, что в нём включён язык ZPL.",
            ),
            Self::Unreachable => (
                "unreachable",
                "The printer cannot be reached: check that it is on and connected to the network.",
                "Нет связи с принтером: проверьте, что он включён и подключён к сети.",
            ),
            Self::ConnectionLost => (
                "connection_lost",
                "The printer closed the connection: check its network and other programs that use it.",
                "Принтер разорвал соединение: проверьте сеть и другие программы, которые им пользуются.",
            ),
            Self::AddressRefused => (
                "address_refused",
                "Printing to this address is not allowed: ask the system administrator.",
                "Печать на этот адрес не разрешена: обратитесь к системному администратору.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fault_has_its_own_words() {
        for words in [PrinterFault::code, PrinterFault::title_en, PrinterFault::title_ru] {
            let all: HashSet<_> = PrinterFault::ALL.into_iter().map(words).collect();
            assert_eq!(all.len(), PrinterFault::ALL.len());
        }
    }
}
