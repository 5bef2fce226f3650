//! An array of what the list shows, one line each.

use serde_json::Value;

#[derive(Default)]
pub(super) struct Json {
    begun: bool,
    buffer: Vec<u8>,
}

impl Json {
    pub(super) fn row(&mut self, row: &Value) -> std::io::Result<()> {
        self.buffer.extend(if self.begun { b",\n" } else { b"[\n" });
        self.begun = true;
        serde_json::to_writer(&mut self.buffer, row).map_err(Into::into)
    }

    pub(super) fn part(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        self.buffer.extend(if self.begun { b"\n]\n".as_slice() } else { b"[]\n".as_slice() });
        self.part()
    }
}
