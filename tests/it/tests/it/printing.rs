//! Sticker k is pick step k, each label leaves once, and what nobody knows is said to be unknown.

use anyhow::Result;
use it::{Shop, TestApp};
use serde_json::{Value, json};
use stack::printer::Fault as Breakdown;
use wildberries::{Fault, FaultKind};

async fn items(shop: &Shop<'_>, job: &str) -> Result<Vec<Value>> {
    Ok(shop.client.get(&format!("/print-jobs/{job}/items")).await?["items"]
        .as_array()
        .expect("labels are a list")
        .clone())
}

#[tokio::test]
async fn sticker_k_is_pick_step_k_although_the_answer_is_shuffled_and_doubled() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(6).await?;
    shop.supply(&request).await?;
    app.simulator.fault(Fault::once("/orders/stickers", FaultKind::Shuffled));
    app.simulator.fault(Fault::once("/orders/stickers", FaultKind::Duplicated));
    let job = shop.print(&request).await?;
    let items = items(&shop, &job).await?;
    for (item, line) in items.iter().zip(&lines) {
        assert_eq!(item["orderId"], line["orderId"]);
        assert_eq!(item["barcode"], shop.seller.sticker(line["wbOrderId"].as_i64().unwrap()).unwrap().barcode);
        assert_eq!((item["status"].as_str(), item["proof"].as_str()), (Some("done"), Some("counter")));
    }
    let read: Vec<_> = app.printer.labels().iter().map(read_code).collect();
    let expected: Vec<_> = items.iter().map(|item| item["barcode"].as_str().unwrap().to_owned()).collect();
    assert_eq!(read, expected);
    Ok(())
}

/// What the code on the paper says.
pub(crate) fn read_code(label: &stack::printer::Label) -> String {
    let bitmap = &label.bitmap;
    let [width, height] = [bitmap.width, bitmap.height].map(|side| u32::try_from(side).expect("a label is small"));
    let drawn = worker::printing::render::Bitmap::draw(width, height, |x, y| bitmap.ink(x as usize, y as usize));
    worker::printing::decode::read(&drawn).first().cloned().unwrap_or_default()
}

#[tokio::test]
async fn missing_stickers_are_named_and_nothing_is_printed() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(3).await?;
    shop.supply(&request).await?;
    app.simulator.fault(Fault::once("/orders/stickers", FaultKind::Missing { count: 1 }));
    let job = shop.print(&request).await?;
    let seen = shop.client.get(&format!("/print-jobs/{job}")).await?;
    assert_eq!((seen["status"].as_str(), seen["faultCode"].as_str()), (Some("failed"), Some("order_has_no_sticker")));
    assert!(app.printer.labels().is_empty());
    let again = shop.print(&request).await?;
    assert_ne!(job, again);
    assert_eq!(app.printer.labels().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_printer_without_paper_says_so_and_prints_when_it_has_some() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(2).await?;
    shop.supply(&request).await?;
    app.printer.fault(Breakdown::MediaOut);
    let job = shop.print(&request).await?;
    let seen = shop.client.get(&format!("/print-jobs/{job}")).await?;
    assert_eq!((seen["done"].as_i64(), seen["uncertain"].as_i64()), (Some(0), Some(0)), "{seen}");
    assert!(seen["faultCode"].is_string(), "{seen}");
    app.printer.clear();
    app.later(60).await?;
    assert_eq!(shop.client.get(&format!("/print-jobs/{job}")).await?["status"], "done");
    assert_eq!(app.printer.labels().len(), 2);
    Ok(())
}

/// Lets the lane come back until the job is done; what the printer's counter could not settle, a person settles who
/// looks at the paper. Answers how often that was needed.
async fn settle_by_looking(shop: &Shop<'_>, job: &str) -> Result<u64> {
    let mut doubts = 0;
    for _ in 0..10 {
        let seen = shop.client.get(&format!("/print-jobs/{job}")).await?;
        if seen["status"] == "done" {
            return Ok(doubts);
        }
        if let Some(item) = items(shop, job).await?.iter().find(|item| item["status"] == "uncertain") {
            let came_out = shop.app.printer.labels().iter().any(|label| item["barcode"] == read_code(label));
            let verdict = if came_out { "printed" } else { "not_printed" };
            let path = format!("/print-jobs/{job}/items/{}/resolve", item["id"].as_str().expect("an id"));
            shop.client.post(&path, json!({ "verdict": verdict })).await?;
            doubts += 1;
        }
        shop.app.later(10).await?;
    }
    anyhow::bail!("the job does not come to its end")
}

#[tokio::test]
async fn wherever_the_connection_breaks_each_label_leaves_once_and_in_its_order() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let mut doubts = 0;
    let breaks = [1, 200, 3_000, 12_000, 30_000].map(Breakdown::ResetAfter);
    for breakdown in breaks.into_iter().chain([Breakdown::CrashBeforeCount]) {
        let (request, lines) = shop.picked(4).await?;
        shop.supply(&request).await?;
        let before = app.printer.labels().len();
        app.printer.fault(breakdown);
        let job = shop.print(&request).await?;
        doubts += settle_by_looking(&shop, &job).await?;
        let codes: Vec<_> = app.printer.labels()[before..].iter().map(read_code).collect();
        let wanted: Vec<_> = lines
            .iter()
            .map(|line| shop.seller.sticker(line["wbOrderId"].as_i64().unwrap()).unwrap().barcode)
            .collect();
        assert_eq!(codes, wanted, "{breakdown:?}");
    }
    assert!(doubts > 0, "a break inside a label is never settled by guessing");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_while_sending_leaves_an_uncertain_label_for_a_person() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(3).await?;
    shop.supply(&request).await?;
    let job = shop.client.post("/print-jobs", json!({ "printerId": shop.printer, "requestId": request })).await?;
    let job = job["id"].as_str().unwrap().to_owned();
    // As a killed worker leaves it: committed as sending, and nobody knows whether the bytes left.
    sqlx::query("UPDATE print_items SET status = 'sending', sent_at = now() WHERE position = 1")
        .execute(&mut app.admin().await?)
        .await?;
    sqlx::query("UPDATE print_jobs SET status = 'sending'").execute(&mut app.admin().await?).await?;
    app.run_jobs().await?;
    let seen = shop.client.get(&format!("/print-jobs/{job}")).await?;
    assert_eq!((seen["status"].as_str(), seen["uncertain"].as_i64()), (Some("uncertain"), Some(1)), "{seen}");
    assert!(app.printer.labels().is_empty(), "an uncertain label stops its lane");
    let first = items(&shop, &job).await?[0].clone();
    assert!(first["reason"].as_str().unwrap().contains("look at the printer"));
    let resolve = format!("/print-jobs/{job}/items/{}/resolve", first["id"].as_str().unwrap());
    shop.client.post(&resolve, json!({ "verdict": "not_printed" })).await?;
    app.run_jobs().await?;
    assert_eq!(shop.client.get(&format!("/print-jobs/{job}")).await?["status"], "done");
    assert_eq!(app.printer.labels().len(), 3);
    shop.client.refused(&resolve, json!({ "verdict": "printed" }), "print_item_not_uncertain").await?;
    Ok(())
}

#[tokio::test]
async fn a_repeated_request_answers_with_the_same_print_job() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, _) = shop.picked(2).await?;
    shop.supply(&request).await?;
    let first = shop.print(&request).await?;
    assert_eq!(first, shop.print(&request).await?);
    assert_eq!(app.printer.labels().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_scanned_sticker_packs_its_order_and_scanning_again_changes_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let (request, lines) = shop.picked(1).await?;
    shop.supply(&request).await?;
    shop.print(&request).await?;
    let sticker = shop.seller.sticker(lines[0]["wbOrderId"].as_i64().unwrap()).unwrap().barcode;
    for _ in 0..2 {
        assert_eq!(shop.client.post("/orders/pack", json!({ "sticker": sticker })).await?["status"], "packed");
    }
    shop.client.refused("/orders/pack", json!({ "sticker": "!nobody" }), "sticker_unknown").await?;
    Ok(())
}
