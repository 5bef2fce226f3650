//! Every list as a file: CSV, XLSX or JSON, streamed. One mechanism for all of them: a list is read page by page, each page
//! in a transaction of its own by the verb that shows the list, so that reach and money are the same; what is read is
//! encoded and sent before the next page is read, so that memory does not grow with the list.
//!
//! The columns are the fields that the list shows, under the same names: what was exported can be imported again.

mod cells;
mod csv;
mod json;
mod lists;
mod xlsx;

use std::future::Future;
use std::marker::PhantomData;

use futures::stream::try_unfold;
use poem::http::header;
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::{Binary, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Enum};
use serde_json::Value;
use shared::access::Actor;
use shared::db::{Db, EnterpriseTx};
use shared::page::{Page, PageQuery};
use shared::{Error, Result, telemetry};

use crate::problem::ApiError;

pub use lists::{APIS, Apis};

/// What kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Commas, CRLF, UTF-8 with a byte order mark, quoted as RFC 4180 has it.
    #[default]
    Csv,
    /// One sheet, or more where there are more rows than one holds.
    Xlsx,
    /// An array of what the list shows.
    Json,
}

impl ExportFormat {
    const ALL: [Self; 3] = [Self::Csv, Self::Xlsx, Self::Json];

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
        }
    }
}

/// A list that can be exported.
pub trait Listed: Send + Sync + 'static {
    /// One line of it, as the list shows it.
    type Row: ToJSON + Type + Send + 'static;

    /// One page of it.
    fn page(&self, tx: &mut EnterpriseTx, query: &PageQuery) -> impl Future<Output = Result<Page<Self::Row>>> + Send;
}

/// A file that is made while it is sent; as JSON, an array of what the list shows.
#[derive(Debug)]
pub struct Export<R> {
    format: ExportFormat,
    name: &'static str,
    body: Body,
    rows: PhantomData<fn() -> R>,
}

/// Exports a list. Whatever refuses the list refuses the export: the first page is read before anything is answered.
pub async fn export<L: Listed>(
    db: &Db,
    actor: Actor,
    name: &'static str,
    format: ExportFormat,
    list: L,
) -> Result<Export<L::Row>, ApiError> {
    let mut reading = Reading {
        db: db.clone(),
        actor,
        list,
        page: None,
        after: None,
        encoder: Encoder::new(format, columns::<L::Row>()),
    };
    let first = reading.next().await?;
    reading.page = Some(first);
    let parts = try_unfold(Some(reading), |reading| async {
        let Some(mut reading) = reading else { return Ok(None) };
        match reading.step().await {
            Ok((part, is_last)) => Ok(Some((part, (!is_last).then_some(reading)))),
            Err(error) => {
                // The answer has begun: all that is left to say is that it has no end.
                tracing::error!("An export broke off: {}", telemetry::chain(&error));
                Err(std::io::Error::other("the export broke off"))
            }
        }
    });
    Ok(Export { format, name, body: Body::from_bytes_stream(parts), rows: PhantomData })
}

struct Reading<L: Listed> {
    db: Db,
    actor: Actor,
    list: L,
    page: Option<Page<L::Row>>,
    after: Option<String>,
    encoder: Encoder,
}

impl<L: Listed> Reading<L> {
    /// The next page, encoded, and whether it is the last.
    async fn step(&mut self) -> Result<(Vec<u8>, bool)> {
        let page = match self.page.take() {
            Some(page) => page,
            None => self.next().await?,
        };
        let broken = |error: std::io::Error| Error::Inconsistent(format!("a row cannot be encoded: {error}"));
        for row in &page.items {
            self.encoder.row(&row.to_json().unwrap_or_default()).map_err(broken)?;
        }
        self.after = page.next;
        let part = if self.after.is_some() { self.encoder.part() } else { self.encoder.end() };
        Ok((part.map_err(broken)?, self.after.is_none()))
    }

    async fn next(&self) -> Result<Page<L::Row>> {
        let query = PageQuery::new(Some(PageQuery::MAX), self.after.clone())?;
        let mut tx = self.db.begin(&self.actor).await?;
        let page = self.list.page(&mut tx, &query).await?;
        tx.commit().await?;
        Ok(page)
    }
}

/// The fields that a row shows, in their order.
fn columns<T: Type>() -> Vec<&'static str> {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let schema = registry.schemas.remove(&*T::name());
    schema.map(|schema| schema.properties.into_iter().map(|(name, _)| name).collect()).unwrap_or_default()
}

/// Rows in, bytes out.
enum Encoder {
    Csv(Box<csv::Csv>),
    Xlsx(Box<xlsx::Xlsx>),
    Json(json::Json),
}

impl Encoder {
    fn new(format: ExportFormat, columns: Vec<&'static str>) -> Self {
        match format {
            ExportFormat::Csv => Self::Csv(Box::new(csv::Csv::new(columns))),
            ExportFormat::Xlsx => Self::Xlsx(Box::new(xlsx::Xlsx::new(columns))),
            ExportFormat::Json => Self::Json(json::Json::default()),
        }
    }

    fn row(&mut self, row: &Value) -> std::io::Result<()> {
        match self {
            Self::Csv(csv) => csv.row(row),
            Self::Xlsx(xlsx) => xlsx.row(row),
            Self::Json(json) => json.row(row),
        }
    }

    /// What can be sent by now.
    fn part(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Csv(csv) => csv.part(),
            Self::Xlsx(xlsx) => Ok(xlsx.part()),
            Self::Json(json) => Ok(json.part()),
        }
    }

    /// The rest.
    fn end(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Csv(csv) => csv.part(),
            Self::Xlsx(xlsx) => xlsx.end(),
            Self::Json(json) => Ok(json.end()),
        }
    }
}

impl<R: Send> IntoResponse for Export<R> {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}.{}\"", self.name, self.format.extension());
        Response::builder()
            .content_type(self.format.media_type())
            .header(header::CONTENT_DISPOSITION, disposition)
            .body(self.body)
    }
}

/// One status, three kinds of content.
impl<R: ToJSON> ApiResponse for Export<R> {
    fn meta() -> MetaResponses {
        let content = ExportFormat::ALL.map(|format| {
            let schema = match format {
                ExportFormat::Csv | ExportFormat::Xlsx => Binary::<Vec<u8>>::schema_ref(),
                ExportFormat::Json => Vec::<R>::schema_ref(),
            };
            MetaMediaType { content_type: format.media_type(), schema }
        });
        let response = MetaResponse {
            description: "The file, made while it is sent",
            status: Some(200),
            status_range: None,
            content: content.into(),
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_fields_of_the_list() {
        let columns = columns::<crate::products::Product>();
        assert_eq!(columns[..3], ["id", "sku", "name"]);
        assert!(columns.contains(&"vendorCode") && columns.contains(&"version"));
        assert!(super::columns::<crate::orders::Order>().contains(&"priceMinor"));
    }
}
