//! Random counts between random moves and picks, beside a model of what really lies there. Whatever moved before a place was
//! counted, after it, or after the next one: what is posted is what was missing at the moment of counting, no more and no less.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use it::{Reach, Shop, TestApp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

const CELLS: [&str; 4] = ["A-01", "A-02", "A-03", "A-04"];
const PRODUCTS: usize = 3;
const COUNTS: usize = 4;
const ACTS: usize = 18;

/// A product in a cell, by their numbers.
type Place = (usize, usize);

#[derive(Default)]
struct Model {
    /// What the ledger says.
    known: BTreeMap<Place, i64>,
    /// What really lies there.
    real: BTreeMap<Place, i64>,
    /// The difference that was seen when it was counted.
    seen: BTreeMap<Place, i64>,
}

impl Model {
    fn of(map: &BTreeMap<Place, i64>, place: Place) -> i64 {
        map.get(&place).copied().unwrap_or(0)
    }

    /// How much somebody who stands there can take, and the ledger lets them.
    fn takes(&self, place: Place) -> i64 {
        Self::of(&self.known, place).min(Self::of(&self.real, place))
    }

    fn change(&mut self, place: Place, units: i64) {
        *self.known.entry(place).or_default() += units;
        *self.real.entry(place).or_default() += units;
    }
}

struct World<'a> {
    shop: &'a Shop<'a>,
    planner: Client,
    counters: [Client; 2],
    model: Model,
    chance: StdRng,
    receipts: usize,
}

impl World<'_> {
    fn place(&mut self) -> Place {
        (self.chance.random_range(0..CELLS.len()), self.chance.random_range(0..PRODUCTS))
    }

    fn barcode(&self, product: usize) -> Value {
        self.shop.products[product]["barcodes"][0].clone()
    }

    async fn receive(&mut self) -> Result<()> {
        let (place, units) = (self.place(), self.chance.random_range(1..6));
        let line = json!({ "barcode": self.barcode(place.1), "cell": CELLS[place.0], "quantity": units });
        self.receipts += 1;
        let number = format!("П-{}", self.receipts);
        let body = json!({ "warehouseId": self.shop.warehouse, "number": number, "lines": [line] });
        self.shop.client.post("/inventory/receipts", body).await?;
        self.model.change(place, units);
        Ok(())
    }

    async fn move_some(&mut self) -> Result<()> {
        let (from, to) = (self.place(), self.chance.random_range(0..CELLS.len()));
        let most = self.model.takes(from);
        if most == 0 || to == from.0 {
            return Ok(());
        }
        let units = self.chance.random_range(1..=most);
        let line =
            json!({ "barcode": self.barcode(from.1), "from": CELLS[from.0], "to": CELLS[to], "quantity": units });
        let body = json!({ "warehouseId": self.shop.warehouse, "lines": [line] });
        self.shop.client.post("/inventory/moves", body).await?;
        self.model.change(from, -units);
        self.model.change((to, from.1), units);
        Ok(())
    }

    /// Somebody orders and somebody picks it, where both find it.
    async fn pick(&mut self) -> Result<()> {
        let product = self.chance.random_range(0..PRODUCTS);
        let known = |cell: usize| Model::of(&self.model.known, (cell, product));
        let is_there = (0..CELLS.len()).all(|cell| self.model.takes((cell, product)) == known(cell));
        if !is_there || (0..CELLS.len()).map(known).sum::<i64>() == 0 {
            return Ok(());
        }
        let number = self.shop.order(product)?;
        self.shop.sync("new_orders").await?;
        let (request, lines) = self.shop.picking(&[number]).await?;
        let cell = text(&lines[0], "cell")?;
        let barcode = self.barcode(product);
        self.shop.scan(&request, "cell", &cell).await?;
        self.shop.scan(&request, "item", barcode.as_str().context("a barcode")?).await?;
        let cell = CELLS.iter().position(|known| *known == cell).context("a cell of the model")?;
        self.model.change((cell, product), -1);
        Ok(())
    }

    /// What nobody writes down. More than was known appears only before anything is counted; less at any time.
    fn drift(&mut self, counting: bool) {
        let place = self.place();
        let real = Model::of(&self.model.real, place);
        let units = if counting || self.chance.random_bool(0.6) {
            -self.chance.random_range(0..=real.min(2))
        } else {
            self.chance.random_range(1..3)
        };
        *self.model.real.entry(place).or_default() += units;
    }

    async fn act(&mut self, counting: bool) -> Result<()> {
        match self.chance.random_range(0..6) {
            0 => self.receive().await,
            1 | 2 => self.move_some().await,
            3 => self.pick().await,
            _ => {
                self.drift(counting);
                Ok(())
            }
        }
    }

    /// Somebody looks into a place and says what they see.
    async fn count(&mut self, count: &str, place: Place) -> Result<()> {
        let real = Model::of(&self.model.real, place);
        let row = json!({ "barcode": self.barcode(place.1), "cell": CELLS[place.0], "quantity": real });
        let who = &self.counters[place.0 % 2];
        who.post(&format!("{count}/tallies"), json!({ "mode": "all_or_nothing", "lines": [row] })).await?;
        self.model.seen.insert(place, real - Model::of(&self.model.known, place));
        Ok(())
    }

    async fn whole_count(&mut self) -> Result<()> {
        let plan =
            json!({ "warehouseId": self.shop.warehouse, "name": "Пересчёт", "blind": self.chance.random_bool(0.5) });
        let id = text(&self.planner.post("/counts", plan).await?, "id")?;
        let count = format!("/counts/{id}");
        self.planner.post(&format!("{count}/start"), json!({})).await?;
        let mut open: Vec<Place> =
            (0..CELLS.len()).flat_map(|cell| (0..PRODUCTS).map(move |product| (cell, product))).collect();
        while !open.is_empty() {
            if self.chance.random_bool(0.5) {
                self.act(true).await?;
            }
            let next = self.chance.random_range(0..open.len());
            let place = open.swap_remove(next);
            self.count(&count, place).await?;
            // Whoever looks twice says what they see the second time.
            if self.chance.random_bool(0.2) {
                self.act(true).await?;
                self.count(&count, place).await?;
            }
        }
        self.act(true).await?;
        self.planner.post(&format!("{count}/review"), json!({})).await?;
        self.planner.post(&format!("{count}/explanations"), json!({ "others": { "reason": "lost" } })).await?;
        self.act(true).await?;
        self.shop.client.post(&format!("{count}/approve"), json!({})).await?;
        for (place, units) in std::mem::take(&mut self.model.seen) {
            *self.model.known.entry(place).or_default() += units;
        }
        self.compare().await
    }

    async fn compare(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for row in self.shop.client.all("/inventory").await? {
            // What is picked lies in packing, and is not counted.
            let Some(cell) = CELLS.iter().position(|cell| row["cell"] == *cell) else { continue };
            let product = (0..PRODUCTS)
                .find(|product| row["productId"] == self.shop.products[*product]["id"])
                .context("a product of the model")?;
            seen.insert((cell, product), row["onHand"].as_i64().context("units")?);
        }
        let mut model = self.model.known.clone();
        model.retain(|_, units| *units > 0);
        ensure!(seen == model, "the balances are {seen:?}, the model says {model:?}");
        let proof = self.shop.client.get("/inventory/consistency").await?;
        ensure!(proof["differences"] == json!([]), "{proof}");
        Ok(())
    }
}

#[tokio::test]
async fn random_counts_between_moves_and_picks_end_where_a_model_of_them_ends() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let seed = rand::random::<u64>();
    println!("counts model: seed {seed}, {COUNTS} counts with {ACTS} acts before each");
    let planner = app.person(&shop.client, "storekeeper", Reach::Enterprise).await?.client;
    let counters = [
        app.person(&shop.client, "picker", Reach::Enterprise).await?.client,
        app.person(&shop.client, "picker", Reach::Enterprise).await?.client,
    ];
    let chance = StdRng::seed_from_u64(seed);
    let mut world = World { shop: &shop, planner, counters, model: Model::default(), chance, receipts: 0 };
    for number in 0..COUNTS {
        for act in 0..ACTS {
            world.act(false).await.with_context(|| format!("act {act} before count {number} of seed {seed}"))?;
        }
        world.whole_count().await.with_context(|| format!("count {number} of seed {seed}"))?;
    }
    Ok(())
}
