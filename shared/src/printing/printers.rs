//! Label printers.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::PrinterId;
use crate::versions::Version;
use crate::{Error, Refusal, Result, enterprises};

/// A label printer on the network.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Printer {
    /// Ours.
    pub id: PrinterId,
    /// Unique in the enterprise.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Usually 9100.
    pub port: i32,
    /// Dots per inch: 203 or 300 as a rule.
    pub dpi: i32,
    /// Millimetres.
    pub label_width_mm: i32,
    /// Millimetres.
    pub label_height_mm: i32,
    /// What is wrong with it, if its lane knows.
    pub fault_code: Option<String>,
    /// In words.
    pub fault_detail: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// A printer to be added.
#[derive(Clone, Debug)]
pub struct NewPrinter {
    /// Unique in the enterprise.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Usually 9100.
    pub port: i32,
    /// Dots per inch.
    pub dpi: i32,
    /// Millimetres; absent: as the enterprise's settings say.
    pub label_width_mm: Option<i32>,
    /// Millimetres; likewise.
    pub label_height_mm: Option<i32>,
}

/// Adds a printer. Whether its address is allowed is checked by who connects, each time.
pub async fn add(tx: &mut EnterpriseTx, new: &NewPrinter) -> Result<Printer> {
    tx.require(Permission::ManagePrinters)?;
    let settings = enterprises::settings(tx).await?;
    let width_mm = new.label_width_mm.unwrap_or(settings.label_width_mm);
    let height_mm = new.label_height_mm.unwrap_or(settings.label_height_mm);
    let name = new.name.trim();
    let bounds = [
        ("name", (1..=200).contains(&name.chars().count()), "must have 1 to 200 characters"),
        (
            "host",
            (1..=253).contains(&new.host.len()) && !new.host.contains(char::is_whitespace),
            "is not a host name or address",
        ),
        ("port", (1..=65535).contains(&new.port), "must be between 1 and 65535"),
        ("dpi", (100..=600).contains(&new.dpi), "must be between 100 and 600"),
        ("labelWidthMm", (20..=120).contains(&width_mm), "must be between 20 and 120"),
        ("labelHeightMm", (20..=200).contains(&height_mm), "must be between 20 and 200"),
    ];
    if let Some((field, _, why)) = bounds.into_iter().find(|(_, good, _)| !good) {
        return Err(Error::invalid(field, why));
    }
    let (id, enterprise_id, now) = (PrinterId::new(), tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO printers (enterprise_id, id, name, host, port, dpi, label_width_mm, label_height_mm, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        enterprise_id as _,
        id as _,
        name,
        new.host,
        new.port,
        new.dpi,
        width_mm,
        height_mm,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("printers_name_key", Refusal::PrinterNameTaken, || format!("there is already a printer «{name}»"))?;
    let printer = show(tx, id).await?;
    audit::created(tx, Action::PrinterAdded, Object::of("printer", id), &printer).await?;
    Ok(printer)
}

/// One printer.
pub async fn get_printer(tx: &mut EnterpriseTx, id: PrinterId) -> Result<Printer> {
    tx.require(Permission::ReadPrinting)?;
    show(tx, id).await
}

/// One printer, for a verb that has asked for its own permission.
pub(super) async fn show(tx: &mut EnterpriseTx, id: PrinterId) -> Result<Printer> {
    sqlx::query_as!(
        Printer,
        "SELECT id, name, host, port, dpi, label_width_mm, label_height_mm, fault_code, fault_detail, created_at, version FROM printers WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("printer"))
}

/// Every printer: an enterprise has a handful.
pub async fn list_printers(tx: &mut EnterpriseTx) -> Result<Vec<Printer>> {
    tx.require(Permission::ReadPrinting)?;
    Ok(sqlx::query_as!(
        Printer,
        "SELECT id, name, host, port, dpi, label_width_mm, label_height_mm, fault_code, fault_detail, created_at, version FROM printers ORDER BY id"
    )
    .fetch_all(tx.conn())
    .await?)
}
