//! Examples of what people do when Wildberries answers what nobody knows.

use anyhow::{Context, Result};
use stack::client::text;
use wildberries::{Fault, FaultKind, Mutation};

use crate::{Act, Shop};

/// Arranges what the operation needs, and asks for it.
pub(crate) async fn example(shop: &Shop<'_>, operation: &str) -> Result<Option<Act>> {
    Ok(Some(match operation {
        "acknowledge_drift" => Act::post(format!("/wildberries/drifts/{}/acknowledge", drift(shop).await?), None),
        "replay_quarantine" => Act::post("/wildberries/quarantine/replay", None),
        _ => return Ok(None),
    }))
}

/// A field that nobody has heard of, in the seller's warehouses.
pub(crate) async fn drift(shop: &Shop<'_>) -> Result<String> {
    let field = format!("f{}", shared::ids::JobId::new());
    let kind = FaultKind::Mutated { at: format!("/0/{field}"), change: Mutation::Became(true.into()) };
    let seller = Some(shop.seller.sid());
    shop.app.simulator.fault(Fault { seller, ..Fault::once("/api/v3/warehouses", kind) });
    shop.sync("warehouses").await?;
    let drifts = shop.client.all("/wildberries/drifts").await?;
    let new = drifts.iter().find(|drift| drift["path"] == format!("[].{field}").as_str());
    text(new.context("it was noticed")?, "id")
}
