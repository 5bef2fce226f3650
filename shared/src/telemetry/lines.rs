//! From an event to its line.

use std::fmt::Write as _;
use std::io::Write as _;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::chain;
use super::redact::{is_secret_name, redacted};

/// No line has more bytes, its end included.
pub const LONGEST_LINE: usize = 8 * 1024;
/// What is read of a value at all.
const LONGEST_INPUT: usize = 16 * 1024;
/// What is shown of a value at most; less where the line would become too long.
const LONGEST_VALUE: usize = 4 * 1024;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An object per line.
    Json,
    /// For people.
    Text,
}

/// Writes events as lines. One of these is between every event and the world.
#[derive(Debug)]
pub struct Lines<W> {
    form: Form,
    writer: W,
}

impl<W> Lines<W> {
    /// Lines of this form to this writer; each line is one write.
    pub fn new(form: Form, writer: W) -> Self {
        Self { form, writer }
    }
}

/// Names with their values, cleaned when they came.
#[derive(Clone, Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn keep(&mut self, field: &Field, value: Value) {
        let name = field.name();
        // Where the bridge from the crate `log` says it came from.
        if name.starts_with("log.") {
            return;
        }
        let value = if is_secret_name(name) { Value::from("[redacted]") } else { value };
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    fn message(&self) -> &str {
        self.0.iter().find(|(name, _)| *name == "message").and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn others(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().filter(|(name, _)| *name != "message").map(|(name, value)| (*name, value))
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::from(clean(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.keep(field, Value::from(clean(&chain(value))));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.keep(field, Value::from(clean(&format!("{value:?}"))));
    }
}

/// Without secrets, and with control characters shown as such: nothing in a value can end a line or steer a terminal.
fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST_INPUT));
    for letter in redacted(head(text, LONGEST_INPUT)).chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if letter.is_control() || is_invisible(letter) => {
                write!(shown, "\\u{{{:x}}}", u32::from(letter)).expect("writing to a string");
            }
            _ => shown.push(letter),
        }
    }
    shown
}

/// Ends of lines that are no control characters, and what turns the direction of text.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// At most so many bytes from the beginning, in whole letters.
fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most.min(text.len()))]
}

fn cut(value: &Value, most: usize) -> Value {
    match value {
        Value::String(text) if text.len() > most => Value::from(format!("{}…", head(text, most))),
        other => other.clone(),
    }
}

/// An event with the spans it happened in, the outermost first.
struct Told<'a> {
    at: String,
    metadata: &'a Metadata<'a>,
    event: Fields,
    spans: Vec<(&'static str, Fields)>,
}

impl Told<'_> {
    /// The line, its end included, with values cut as far as it takes.
    fn line(&self, form: Form) -> String {
        let mut most = LONGEST_VALUE;
        loop {
            let mut line = match form {
                Form::Json => self.json(most),
                Form::Text => self.text(most),
            };
            line.push('\n');
            if line.len() <= LONGEST_LINE {
                return line;
            }
            if most < 16 {
                // So many fields that their names alone are too much.
                return match form {
                    Form::Json => {
                        Told { event: Fields::default(), spans: Vec::new(), at: self.at.clone(), ..*self }.line(form)
                    }
                    Form::Text => format!("{}…\n", head(&line, LONGEST_LINE - 8)),
                };
            }
            most /= 2;
        }
    }

    fn json(&self, most: usize) -> String {
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), Value::from(self.at.as_str()));
        line.insert("level".to_owned(), Value::from(self.metadata.level().as_str()));
        line.insert("message".to_owned(), cut(&Value::from(self.event.message()), most));
        line.insert("target".to_owned(), Value::from(self.metadata.target()));
        // An event's own field never hides what stands above.
        for (name, value) in self.event.others() {
            line.entry(name).or_insert_with(|| cut(value, most));
        }
        let spans: Vec<_> = self
            .spans
            .iter()
            .map(|(name, fields)| {
                let mut span = Map::new();
                span.insert("name".to_owned(), Value::from(*name));
                span.extend(fields.others().map(|(name, value)| (name.to_owned(), cut(value, most))));
                Value::from(span)
            })
            .collect();
        if !spans.is_empty() {
            line.insert("spans".to_owned(), Value::from(spans));
        }
        Value::from(line).to_string()
    }

    fn text(&self, most: usize) -> String {
        let mut line = format!("{} {:>5} ", self.at, self.metadata.level());
        for (name, fields) in &self.spans {
            line.push_str(name);
            line.push('{');
            line.push_str(&pairs(fields, most));
            line.push_str("}: ");
        }
        let message = cut(&Value::from(self.event.message()), most);
        write!(line, "{}: {}", self.metadata.target(), message.as_str().unwrap_or_default())
            .expect("writing to a string");
        let pairs = pairs(&self.event, most);
        if !pairs.is_empty() {
            line.push(' ');
            line.push_str(&pairs);
        }
        line
    }
}

fn pairs(fields: &Fields, most: usize) -> String {
    let pair = |(name, value): (&str, &Value)| match cut(value, most) {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    fields.others().map(pair).collect::<Vec<_>>().join(" ")
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root);
        let spans =
            spans.map(|span| (span.name(), span.extensions().get::<Fields>().cloned().unwrap_or_default())).collect();
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let line = Told { at, metadata: event.metadata(), event: fields, spans }.line(self.form);
        // Nobody is left to be told if this does not arrive.
        drop(self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes()));
    }
}
