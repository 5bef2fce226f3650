//! Stickers that a scanner reads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stage::Stage;

pub fn file(sticker: &Value) -> Vec<u8> {
    STANDARD.decode(sticker["file"].as_str().unwrap()).unwrap()
}

/// Width, height and grey values of a PNG.
pub fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut grey = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut grey).unwrap();
    (info.width, info.height, grey)
}

pub fn scan(grey: Vec<u8>, width: u32, height: u32) -> String {
    rxing::helpers::detect_in_luma(grey, width, height, Some(rxing::BarcodeFormat::QR_CODE))
        .unwrap()
        .getText()
        .to_owned()
}

/// The bits of a `^GFA` picture as grey values.
fn picture(zpl: &str) -> (u32, u32, Vec<u8>) {
    let field = zpl.split("^GFA,").nth(1).unwrap().split("^FS").next().unwrap();
    let mut parts = field.splitn(4, ',');
    let total: usize = parts.next().unwrap().parse().unwrap();
    let per_row: usize = parts.nth(1).unwrap().parse().unwrap();
    let digits = parts.next().unwrap();
    assert_eq!(digits.len(), total * 2);
    let bytes = (0..total).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap());
    let grey = bytes.flat_map(|byte| (0..8).rev().map(move |bit| if byte >> bit & 1 == 1 { 0 } else { 255 })).collect();
    (u32::try_from(per_row * 8).unwrap(), u32::try_from(total / per_row).unwrap(), grey)
}

#[tokio::test]
async fn pictures_have_their_size_and_their_code_reads_as_the_barcode() {
    let stage = Stage::new().await;
    let order = stage.order();
    stage.supply(&[order]).await;
    for (width, height, size) in [(58, 40, (580, 400)), (40, 30, (400, 300))] {
        let path = format!("/api/v3/orders/stickers?type=png&width={width}&height={height}");
        let sticker = stage.client.post(&path, json!({ "orders": [order] })).await.body["stickers"][0].clone();
        let (width, height, grey) = pixels(&file(&sticker));
        assert_eq!((width, height), size);
        assert_eq!(scan(grey, width, height), sticker["barcode"].as_str().unwrap());
        assert_eq!(sticker["partB"].as_str().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn zpl_comes_upright_and_turned_and_reads_as_well() {
    let stage = Stage::new().await;
    let order = stage.order();
    stage.supply(&[order]).await;
    for (kind, size) in [("zplh", (464, 320)), ("zplv", (320, 464))] {
        let path = format!("/api/v3/orders/stickers?type={kind}&width=58&height=40");
        let sticker = stage.client.post(&path, json!({ "orders": [order] })).await.body["stickers"][0].clone();
        let text = String::from_utf8(file(&sticker)).unwrap();
        assert_eq!((text.matches("^XA").count(), text.matches("^XZ").count()), (1, 1));
        let (width, height, grey) = picture(&text);
        assert_eq!((width, height), size);
        assert_eq!(scan(grey, width, height), sticker["barcode"].as_str().unwrap());
    }
}

#[tokio::test]
async fn an_svg_holds_both_parts_as_text() {
    let stage = Stage::new().await;
    let order = stage.order();
    stage.supply(&[order]).await;
    let path = "/api/v3/orders/stickers?type=svg&width=58&height=40";
    let sticker = stage.client.post(path, json!({ "orders": [order] })).await.body["stickers"][0].clone();
    let svg = String::from_utf8(file(&sticker)).unwrap();
    for part in ["partA", "partB"] {
        assert!(svg.contains(&format!(">{}</text>", sticker[part].as_str().unwrap())));
    }
}

#[tokio::test]
async fn orders_that_are_not_in_assembly_have_no_sticker_and_are_left_out() {
    let stage = Stage::new().await;
    let (fresh, taken) = (stage.order(), stage.order());
    stage.supply(&[taken]).await;
    let path = "/api/v3/orders/stickers?type=svg&width=58&height=40";
    let answer = stage.client.post(path, json!({ "orders": [fresh, taken, 1] })).await;
    let ids: Vec<i64> =
        answer.body["stickers"].as_array().unwrap().iter().map(|row| row["orderId"].as_i64().unwrap()).collect();
    assert_eq!(ids, [taken]);
}

#[tokio::test]
async fn only_the_two_sizes_and_four_kinds_are_drawn_and_at_most_a_hundred() {
    let stage = Stage::new().await;
    for query in
        ["type=pdf&width=58&height=40", "type=svg&width=58&height=30", "type=svg&width=58", "width=58&height=40"]
    {
        let answer = stage.client.post(&format!("/api/v3/orders/stickers?{query}"), json!({ "orders": [1] })).await;
        assert_eq!((answer.status, answer.code()), (400, "IncorrectParameter"), "{query}");
    }
    let many: Vec<i64> = (0..101).collect();
    let answer =
        stage.client.post("/api/v3/orders/stickers?type=svg&width=58&height=40", json!({ "orders": many })).await;
    assert_eq!((answer.status, answer.code()), (400, "IncorrectRequest"));
}

#[tokio::test]
async fn the_code_of_a_delivered_supply_reads_as_its_id() {
    let stage = Stage::new().await;
    let supply = stage.supply(&[stage.order()]).await;
    stage.choose_shipping(&supply).await;
    stage.deliver(&supply).await;
    let answer = stage.client.get(&format!("/api/v3/supplies/{supply}/barcode?type=png")).await;
    let (width, height, grey) = pixels(&file(&answer.body));
    assert_eq!(((width, height), scan(grey, width, height)), ((580, 400), supply));
}
