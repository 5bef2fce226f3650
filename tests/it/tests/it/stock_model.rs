//! Random acts on stock beside a model of a few lines: every answer is the one that the model gives, and in the end every
//! balance is the model's.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use it::{Shop, TestApp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

const CELLS: [&str; 3] = ["A-01", "A-02", "A-03"];
const PRODUCTS: usize = 2;
const ACTS: usize = 150;

/// On hand, and what of it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stock {
    on_hand: i64,
    reserved: i64,
    on_hold: i64,
}

impl Stock {
    fn free(self) -> i64 {
        self.on_hand - self.reserved - self.on_hold
    }
}

#[derive(Default)]
struct Model {
    stock: BTreeMap<(usize, usize), Stock>,
    holds: Vec<Kept>,
    reservations: Vec<Kept>,
}

struct Kept {
    id: Value,
    place: (usize, usize),
    quantity: i64,
}

impl Model {
    fn at(&mut self, place: (usize, usize)) -> &mut Stock {
        self.stock.entry(place).or_default()
    }

    fn take(&mut self, place: (usize, usize), quantity: i64) -> bool {
        let there = self.at(place);
        let enough = there.free() >= quantity;
        if enough {
            there.on_hand -= quantity;
        }
        enough
    }
}

struct World<'a> {
    shop: &'a Shop<'a>,
    model: Model,
    chance: StdRng,
}

impl World<'_> {
    fn item(&self, product: usize) -> Value {
        json!({ "productId": self.shop.products[product]["id"] })
    }

    async fn post(&self, path: &str, body: Value) -> Result<(bool, Value)> {
        let answer = self.shop.client.ask(Method::POST, path, Some(body)).await?;
        let done = answer.status.is_success();
        ensure!(done || answer.code() == "not_enough_stock", "{path}: {} {}", answer.status, answer.body);
        Ok((done, answer.body))
    }

    async fn act(&mut self) -> Result<()> {
        let (product, cell, other) = (
            self.chance.random_range(0..PRODUCTS),
            self.chance.random_range(0..CELLS.len()),
            self.chance.random_range(0..CELLS.len()),
        );
        let quantity = self.chance.random_range(1..6_i64);
        let place = (cell, product);
        let mut line = self.item(product);
        match self.chance.random_range(0..7) {
            0 => {
                line["cell"] = json!(CELLS[cell]);
                line["change"] = json!(quantity);
                line["reason"] = json!("found");
                self.tried("/inventory/adjustments", &line, true).await?;
                self.model.at(place).on_hand += quantity;
            }
            1 => {
                line["cell"] = json!(CELLS[cell]);
                line["change"] = json!(-quantity);
                line["reason"] = json!("missing");
                let expected = self.model.take(place, quantity);
                self.tried("/inventory/adjustments", &line, expected).await?;
            }
            2 => {
                line["cell"] = json!(CELLS[cell]);
                line["quantity"] = json!(quantity);
                line["reason"] = json!("lost");
                let expected = self.model.take(place, quantity);
                self.tried("/inventory/write-offs", &line, expected).await?;
            }
            3 if cell != other => {
                line["from"] = json!(CELLS[cell]);
                line["to"] = json!(CELLS[other]);
                line["quantity"] = json!(quantity);
                let expected = self.model.take(place, quantity);
                if expected {
                    self.model.at((other, product)).on_hand += quantity;
                }
                self.tried("/inventory/moves", &line, expected).await?;
            }
            4 => {
                line["cell"] = json!(CELLS[cell]);
                line["quantity"] = json!(quantity);
                line["reason"] = json!("damage");
                let expected = self.model.at(place).free() >= quantity;
                let posted = self.tried("/inventory/holds", &line, expected).await?;
                if expected {
                    self.model.at(place).on_hold += quantity;
                    self.model.holds.push(Kept { id: posted["rows"][0]["parts"][0]["id"].clone(), place, quantity });
                }
            }
            5 => {
                line["cell"] = json!(CELLS[cell]);
                line["quantity"] = json!(quantity);
                let expected = self.model.at(place).free() >= quantity;
                let posted = self.tried("/inventory/reservations", &line, expected).await?;
                if expected {
                    self.model.at(place).reserved += quantity;
                    self.model.reservations.push(Kept {
                        id: posted["rows"][0]["parts"][0]["id"].clone(),
                        place,
                        quantity,
                    });
                }
            }
            _ => self.release().await?,
        }
        Ok(())
    }

    async fn tried(&mut self, path: &str, line: &Value, expected: bool) -> Result<Value> {
        let body = json!({ "warehouseId": self.shop.warehouse, "lines": [line] });
        let (done, answer) = self.post(path, body.clone()).await?;
        ensure!(done == expected, "{path} {body}: the model says {expected}, the answer was {answer}");
        Ok(answer)
    }

    async fn release(&mut self) -> Result<()> {
        let of_holds = self.chance.random_bool(0.5);
        let kept = if of_holds { &mut self.model.holds } else { &mut self.model.reservations };
        if kept.is_empty() {
            return Ok(());
        }
        let index = self.chance.random_range(0..kept.len());
        let Kept { id, place, quantity } = kept.swap_remove(index);
        let there = self.model.at(place);
        *(if of_holds { &mut there.on_hold } else { &mut there.reserved }) -= quantity;
        let path = if of_holds { "/inventory/holds/release" } else { "/inventory/reservations/release" };
        let (done, answer) = self.post(path, json!({ "warehouseId": self.shop.warehouse, "ids": [id] })).await?;
        ensure!(done, "{answer}");
        Ok(())
    }

    async fn compare(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for row in self.shop.client.all("/inventory").await? {
            let cell = CELLS.iter().position(|cell| row["cell"] == *cell).context("a cell of the model")?;
            let product = (0..PRODUCTS)
                .find(|product| row["productId"] == self.shop.products[*product]["id"])
                .context("a product of the model")?;
            let number = |field: &str| row[field].as_i64().with_context(|| format!("{field} in {row}"));
            let stock = Stock { on_hand: number("onHand")?, reserved: number("reserved")?, on_hold: number("onHold")? };
            seen.insert((cell, product), stock);
        }
        let mut model = self.model.stock.clone();
        model.retain(|_, stock| stock.on_hand > 0);
        ensure!(seen == model, "the balances are {seen:?}, the model says {model:?}");
        let proof = self.shop.client.get("/inventory/consistency").await?;
        ensure!(proof["differences"] == json!([]), "{proof}");
        Ok(())
    }
}

#[tokio::test]
async fn random_acts_end_where_a_model_of_them_ends() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let seed = rand::random::<u64>();
    println!("stock model: seed {seed}, {ACTS} acts");
    let mut world = World { shop: &shop, model: Model::default(), chance: StdRng::seed_from_u64(seed) };
    for act in 0..ACTS {
        world.act().await.with_context(|| format!("act {act} of seed {seed}"))?;
    }
    world.compare().await.with_context(|| format!("seed {seed}"))
}
