//! Runs a printer's lane: fetches stickers, draws labels, sends them one by one, and records what is known of each.
//!
//! An item is committed as `sending` before its first byte leaves. From then on only evidence or a person moves it:
//! the lane never sends a label again by itself.

pub mod decode;
mod fetch;
pub mod render;
pub mod transport;
pub mod zpl;

use std::time::Duration;

use sha2::{Digest, Sha256};
use shared::ids::{PrintItemId, PrinterId};
use shared::jobs::JobRow;
use shared::printing::{self, Lane, LaneItem, Printer, Proof, RunLane, Subject};
use shared::{Error, Result};
use tokio::time::Instant;

use self::decode::Reading;
use self::render::LabelSize;
use self::transport::{Connection, SendError, Target};
use crate::ctx::Ctx;
use crate::registry::Run;

/// A lane hands its worker slot back after this long, well before the job's own limit; it goes on in its next run.
const TURN: Duration = Duration::from_secs(45);

impl Run for RunLane {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let Some(_hold) = printing::hold_lane(&ctx.db, self.printer_id).await? else {
            return Err(later("the lane, which another worker runs,", Duration::from_millis(300)));
        };
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        printing::sweep_lane(&mut tx, self.printer_id).await?;
        tx.commit().await?;
        let until = Instant::now() + TURN;
        while let Some(lane) = open(ctx, row, self.printer_id).await? {
            run_job(ctx, row, &lane, until).await?;
        }
        Ok(())
    }
}

async fn open(ctx: &Ctx, row: &JobRow, printer_id: PrinterId) -> Result<Option<Lane>> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    let lane = printing::open_lane(&mut tx, printer_id).await?;
    if let Some(lane) = &lane {
        if lane.items.is_empty() {
            return Err(Error::Inconsistent(format!(
                "print job {} is open and has no label to send",
                lane.print_job_id
            )));
        }
        printing::note_rendering(&mut tx, lane.print_job_id).await?;
        tx.commit().await?;
    }
    Ok(lane)
}

/// A label ready to leave.
struct Label<'a> {
    item: &'a LaneItem,
    zpl: Vec<u8>,
}

async fn run_job(ctx: &Ctx, row: &JobRow, lane: &Lane, until: Instant) -> Result<()> {
    let pictures = match fetch::pictures(ctx, row, lane).await? {
        Ok(pictures) => pictures,
        Err(refused) => return refuse(ctx, row, lane, refused.code, &refused.detail).await,
    };
    let mut labels = Vec::with_capacity(pictures.len());
    for picture in pictures {
        match draw(&lane.printer, picture.svg, picture.barcode).await? {
            Ok(zpl) => labels.push(Label { item: picture.item, zpl }),
            Err((code, why)) => {
                return refuse(
                    ctx,
                    row,
                    lane,
                    code,
                    &format!("label {} ({}): {why}", picture.item.position, subject(picture.item)),
                )
                .await;
            }
        }
    }
    send_all(ctx, row, lane, &labels, until).await
}

/// Nothing of it was begun: it fails as a whole, with the reason. What was sent in an earlier turn stays as it is.
async fn refuse(ctx: &Ctx, row: &JobRow, lane: &Lane, code: &str, detail: &str) -> Result<()> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    printing::refuse_job(&mut tx, lane.print_job_id, code, detail).await?;
    tx.commit().await
}

type Drawn = std::result::Result<Vec<u8>, (&'static str, String)>;

/// Draws the label in the printer's dots and reads its code back: a swapped file must not reach paper.
async fn draw(printer: &Printer, svg: Vec<u8>, barcode: Option<String>) -> Result<Drawn> {
    let millimetres =
        |value: i32| u32::try_from(value).map_err(|_| Error::Inconsistent("a label has a negative size".to_owned()));
    let size = LabelSize {
        width_mm: millimetres(printer.label_width_mm)?,
        height_mm: millimetres(printer.label_height_mm)?,
        dpi: millimetres(printer.dpi)?,
    };
    let drawn = tokio::task::spawn_blocking(move || -> Drawn {
        let bitmap = render::render(&svg, size).map_err(|error| (error.code(), error.to_string()))?;
        match barcode.map(|barcode| decode::compare(&bitmap, &barcode)) {
            Some(Reading::Differs(other)) => Err(("sticker_swapped", format!("its code reads {other}"))),
            Some(Reading::Unreadable) => {
                tracing::warn!("The code of a label cannot be read back at {} dpi", size.dpi);
                Ok(zpl::label(&bitmap))
            }
            Some(Reading::Matches) | None => Ok(zpl::label(&bitmap)),
        }
    });
    drawn.await.map_err(|error| Error::Inconsistent(format!("drawing a label ended early: {error}")))
}

async fn send_all(ctx: &Ctx, row: &JobRow, lane: &Lane, labels: &[Label<'_>], until: Instant) -> Result<()> {
    let target = Target {
        host: lane.printer.host.clone(),
        port: u16::try_from(lane.printer.port).map_err(|_| Error::Inconsistent("a port is out of range".to_owned()))?,
    };
    let mut connection = match Connection::open(&target, &ctx.printers, ctx.printer_timeouts).await {
        Ok(connection) => connection,
        Err(error) => return fault(ctx, row, lane, &error.fault()).await,
    };
    for label in labels {
        if ctx.stop.is_cancelled() || Instant::now() > until {
            return Err(later("the rest of the lane", Duration::ZERO));
        }
        let status = match connection.status().await {
            Ok(status) => status,
            Err(error) => return fault(ctx, row, lane, &error.fault()).await,
        };
        if let Some(broken) = status.fault() {
            return fault(ctx, row, lane, &broken).await;
        }
        let before = match connection.odometer().await {
            Ok(before) => before,
            Err(error) => return fault(ctx, row, lane, &error.fault()).await,
        };
        if !begin(ctx, row, lane, label, before).await? {
            continue;
        }
        let sent = send(&mut connection, &target, ctx, &label.zpl, before).await;
        record(ctx, row, lane, label.item.id, &sent).await?;
        match sent {
            Sent::Proven(..) => {}
            Sent::Nothing(broken) => return fault(ctx, row, lane, &broken).await,
            Sent::Unknown(_) => return Ok(()),
        }
    }
    Ok(())
}

/// What became of a label.
enum Sent {
    Proven(Proof, Option<u64>),
    Nothing(transport::PrinterFault),
    Unknown(String),
}

/// Sends one label and finds out what became of it. A connection that broke is opened once more, only to ask the counter.
async fn send(connection: &mut Connection, target: &Target, ctx: &Ctx, zpl: &[u8], before: Option<u64>) -> Sent {
    let confirmed = match connection.send_label(zpl).await {
        Ok(()) => connection.confirm(before, 1).await,
        Err(SendError::NothingSent(broken)) => return Sent::Nothing(broken),
        Err(SendError::Broken { written }) => {
            let reason = format!("the connection broke after {written} bytes: look at the printer");
            let Ok(mut again) = Connection::open(target, &ctx.printers, ctx.printer_timeouts).await else {
                return Sent::Unknown(reason);
            };
            let asked = again.confirm(before, 1).await;
            if asked.is_err() {
                return Sent::Unknown(reason);
            }
            *connection = again;
            asked
        }
    };
    match confirmed {
        Ok(transport::Proof::Counter { after, .. }) => Sent::Proven(Proof::Counter, Some(after)),
        Ok(transport::Proof::None) => Sent::Proven(Proof::None, None),
        Err(uncertain) => Sent::Unknown(format!("{} ({})", uncertain.title_en(), uncertain.code())),
    }
}

async fn begin(ctx: &Ctx, row: &JobRow, lane: &Lane, label: &Label<'_>, before: Option<u64>) -> Result<bool> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    let sha256 = Sha256::digest(&label.zpl);
    let begun = printing::begin_item(&mut tx, lane.print_job_id, label.item.id, &sha256, before).await?;
    if begun {
        printing::note_fault(&mut tx, lane.printer.id, lane.print_job_id, None).await?;
    } else {
        printing::settle_job(&mut tx, lane.print_job_id).await?;
    }
    tx.commit().await?;
    Ok(begun)
}

async fn record(ctx: &Ctx, row: &JobRow, lane: &Lane, item: PrintItemId, sent: &Sent) -> Result<()> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    match sent {
        Sent::Proven(proof, after) => printing::finish_item(&mut tx, item, *proof, *after).await?,
        Sent::Nothing(_) => printing::undo_item(&mut tx, item).await?,
        Sent::Unknown(reason) => printing::item_uncertain(&mut tx, item, reason).await?,
    }
    printing::settle_job(&mut tx, lane.print_job_id).await?;
    tx.commit().await
}

/// Nothing of the next label left: job and printer say what is wrong, and the lane comes back by itself.
async fn fault(ctx: &Ctx, row: &JobRow, lane: &Lane, fault: &transport::PrinterFault) -> Result<()> {
    let mut tx = ctx.db.begin(&row.actor()?).await?;
    printing::note_fault(&mut tx, lane.printer.id, lane.print_job_id, Some((fault.code(), fault.title_ru()))).await?;
    tx.commit().await?;
    Err(Error::Unavailable {
        what: "the printer",
        retry_after: Some(ctx.printer_retry),
        source: Some(fault.title_en().into()),
    })
}

fn later(what: &'static str, after: Duration) -> Error {
    Error::Unavailable { what, retry_after: Some(after), source: None }
}

fn subject(item: &LaneItem) -> String {
    match &item.subject {
        Subject::Order { wb_order_id, .. } => format!("order {wb_order_id}"),
        Subject::Supply { wb_supply_id, .. } => format!("supply {wb_supply_id}"),
        Subject::Cell(label) => format!("cell {}", label.code),
    }
}
