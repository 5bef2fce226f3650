//! Brings the pictures of a print job together before its first label is sent. What Wildberries does not give is named.

use std::collections::HashMap;

use shared::ids::{AccountId, OrderId, WbOrderId};
use shared::jobs::JobRow;
use shared::printing::label::dots;
use shared::printing::{self, Lane, LaneItem, Sticker, Subject};
use shared::{Error, Result};

use crate::ctx::Ctx;

/// What a label will show, and what its code must read as.
pub(super) struct Picture<'a> {
    pub item: &'a LaneItem,
    pub svg: Vec<u8>,
    pub barcode: Option<String>,
}

/// Why a print job cannot be printed.
pub(super) struct Refused {
    pub code: &'static str,
    pub detail: String,
}

/// Stickers per call: Wildberries' bound.
const BATCH: usize = 100;

pub(super) async fn pictures<'a>(
    ctx: &Ctx,
    row: &JobRow,
    lane: &'a Lane,
) -> Result<std::result::Result<Vec<Picture<'a>>, Refused>> {
    let fetched = fetch_stickers(ctx, row, lane).await?;
    let mut pictures = Vec::with_capacity(lane.items.len());
    let mut missing = Vec::new();
    for item in &lane.items {
        match &item.subject {
            Subject::Order { id, wb_order_id, sticker, .. } => {
                if let Some(sticker) = sticker.as_ref().or_else(|| fetched.get(id)) {
                    pictures.push(Picture { item, svg: sticker.svg.clone(), barcode: Some(sticker.barcode.clone()) });
                } else {
                    missing.push(wb_order_id.to_string());
                }
            }
            Subject::Supply { wb_supply_id, account_id, .. } => {
                let seller = ctx.seller(row, *account_id).await?;
                let qr = match seller.supply_qr(wb_supply_id).await {
                    Ok(qr) => qr,
                    Err(error) => return refused(ctx.judge(row, *account_id, error).await),
                };
                pictures.push(Picture { item, svg: qr.file, barcode: Some(qr.barcode) });
            }
            Subject::Cell(label) => {
                let printer = &lane.printer;
                let side = |millimetres| dots(millimetres, printer.dpi);
                let svg = label.svg(side(printer.label_width_mm), side(printer.label_height_mm))?;
                pictures.push(Picture { item, svg: svg.into_bytes(), barcode: Some(label.reading.clone()) });
            }
        }
    }
    if missing.is_empty() {
        return Ok(Ok(pictures));
    }
    Ok(Err(Refused {
        code: "order_has_no_sticker",
        detail: format!("Wildberries gave no sticker for: {}", missing.join(", ")),
    }))
}

/// What passes goes on later, what does not is why the print job fails.
fn refused<T>(error: Error) -> Result<std::result::Result<T, Refused>> {
    match error {
        Error::Refused { refusal, detail, .. } => Ok(Err(Refused { code: refusal.code(), detail })),
        other => Err(other),
    }
}

async fn fetch_stickers(ctx: &Ctx, row: &JobRow, lane: &Lane) -> Result<HashMap<OrderId, Sticker>> {
    let mut wanted: HashMap<AccountId, Vec<(WbOrderId, OrderId)>> = HashMap::new();
    for item in &lane.items {
        if let Subject::Order { id, wb_order_id, account_id, sticker: None } = &item.subject {
            wanted.entry(*account_id).or_default().push((*wb_order_id, *id));
        }
    }
    let mut fetched = HashMap::new();
    for (account_id, orders) in wanted {
        let seller = ctx.seller(row, account_id).await?;
        for batch in orders.chunks(BATCH) {
            let numbers: Vec<_> = batch.iter().map(|(number, _)| *number).collect();
            let answer = match seller.stickers(&numbers).await {
                Ok(answer) => answer,
                Err(error) => return Err(ctx.judge(row, account_id, error).await),
            };
            // By order number, never by place: answers come shuffled, doubled and short.
            let mut stickers: HashMap<_, _> = answer.into_iter().map(|sticker| (sticker.order_id, sticker)).collect();
            let page: Vec<_> = batch
                .iter()
                .filter_map(|(number, id)| {
                    let sticker = stickers.remove(number)?;
                    Some((
                        *id,
                        Sticker {
                            part_a: sticker.part_a,
                            part_b: sticker.part_b,
                            barcode: sticker.barcode,
                            svg: sticker.file,
                        },
                    ))
                })
                .collect();
            let mut tx = ctx.db.begin(&row.actor()?).await?;
            printing::store_stickers(&mut tx, &page).await?;
            tx.commit().await?;
            fetched.extend(page);
        }
    }
    Ok(fetched)
}
