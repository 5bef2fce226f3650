//! The matrix (SEC-39): every operation of the document × everybody who might call it × whose the ids are that stand in its
//! path, query and body. What must be true follows from the document (`x-permission`, `x-reach`, the schemas) and from the
//! database's catalogue (what an id names, whose a row is), not from lists that somebody keeps.
//!
//! | caller | own | others' | missing | no id at all |
//! |---|---|---|---|---|
//! | not recognised | 401 | 401 | 401 | 401 |
//! | may not | 403 | 403 | 403 | 403 |
//! | may | done, or refused for what it is and not for whose | as missing | as others' | 4xx that names the field |
//!
//! Within a row of 401s and 403s, and between others' and missing, answers are the same byte for byte, because all are asked
//! under one request id. *Others'* is what belongs to a second enterprise, to a third one that is suspended, and for whoever
//! reaches one warehouse or their own requests also what lies in another warehouse. No answer tells an id of others, none is
//! outside the document, and in the end no row of the others has changed.

mod ask;
mod callers;
mod catalogue;
mod document;
mod examples;
pub mod judge;
mod rows;
mod world;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result};
use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;
use stack::Client;
use stack::client::Exchange;

use crate::{Act, TestApp};
use ask::Ask;
use callers::{Caller, Standing};
use document::{Needs, Place, Position};
pub use document::{Operation, operations};
use rows::{Due, Row};
use world::World;

/// Under which request id everything is asked.
const REQUEST: &str = "the-matrix";
/// How many questions are on their way at once.
const AT_ONCE: usize = 8;

/// What was found to be otherwise than it must be.
#[derive(Clone, Debug)]
pub struct Fault {
    /// In which operation.
    pub operation: String,
    /// Who asked.
    pub caller: String,
    /// With what, and what is wrong with the answer.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, asked by {}: {}", self.operation, self.caller, self.what)
    }
}

/// How much was asked.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Operations of the document.
    pub operations: usize,
    /// Kinds of callers.
    pub callers: usize,
    /// Questions.
    pub cases: usize,
}

/// The whole walk.
pub struct Matrix<'a> {
    world: World<'a>,
    operations: Vec<Operation>,
    cases: usize,
    faults: Vec<Fault>,
    /// Operations that somebody was let do with their own, and the places where an id stood then.
    worked: BTreeSet<(String, Option<Position>)>,
}

impl<'a> Matrix<'a> {
    /// Arranges everything and asks nothing yet.
    pub async fn over(app: &'a TestApp, operations: Vec<Operation>) -> Result<Self> {
        let world = World::arrange(app, &operations).await?;
        Ok(Self { world, operations, cases: 0, faults: Vec::new(), worked: BTreeSet::new() })
    }

    /// Asks everything; answers with how much that was, and what was wrong.
    pub async fn walk(mut self) -> Result<(Size, Vec<Fault>)> {
        let before = self.rows().await?;
        for operation in self.operations.clone() {
            self.operation(&operation).await.with_context(|| format!("the matrix of {}", operation.id))?;
        }
        let after = self.rows().await?;
        let changes = before.symmetric_difference(&after).filter(|(table, row)| !self.is_own_refusal(table, row));
        self.faults.extend(
            changes
                .map(|(table, row)| Fault {
                    operation: "one of all".to_owned(),
                    caller: "somebody".to_owned(),
                    what: format!("a row of others in {table} has changed: {row}"),
                })
                .collect::<Vec<_>>(),
        );
        let unproved = self.operations.iter().flat_map(|operation| {
            let places = operation.positions.iter().map(Some).chain([None]);
            let unproved = places.filter(|place| !self.worked.contains(&(operation.id.clone(), place.cloned())));
            unproved.map(|place| Fault {
                operation: operation.id.clone(),
                caller: "everybody".to_owned(),
                what: format!(
                    "no example works{}: write one in tests/it/src/matrix/examples.rs",
                    place.map_or_else(String::new, |place| format!(" that names {place}"))
                ),
            })
        });
        let unproved: Vec<_> = unproved.collect();
        self.faults.extend(unproved);
        let size = Size { operations: self.operations.len(), callers: self.world.callers.len(), cases: self.cases };
        Ok((size, self.faults))
    }

    /// Every row of the enterprises that nothing may be done to.
    async fn rows(&self) -> Result<BTreeSet<(String, String)>> {
        let (mut admin, mut all) = (self.world.app.admin().await?, BTreeSet::new());
        for enterprise in &self.world.others {
            all.extend(self.world.catalogue.rows(&mut admin, enterprise).await?);
        }
        Ok(all)
    }

    /// What the stranger was refused is noted where the stranger belongs.
    fn is_own_refusal(&self, table: &str, row: &str) -> bool {
        table == "audit_entries"
            && row.contains(",access.denied,")
            && row.contains(&format!("user:{}", self.world.stranger))
    }

    async fn operation(&mut self, operation: &Operation) -> Result<()> {
        let examples = self.examples(operation).await?;
        self.refusals(operation, &examples).await?;
        for index in 0..self.world.callers.len() {
            let caller = &self.world.callers[index];
            let wanted = match (&operation.needs, &caller.standing) {
                // Who is signed in has no need of what is open to everybody.
                (Needs::Public, _) => index == 0,
                (_, Standing::Unknown) => false,
                // Lists of their own must not have anything of the first enterprise.
                (_, Standing::Stranger) => operation.method == Method::GET && !operation.names_one(),
                _ => caller.is_admitted(operation),
            };
            if wanted {
                self.own(operation, index, &examples).await?;
            }
        }
        Ok(())
    }

    /// What would work: of what changes nothing one plain question, and one for each id that its query may name.
    async fn examples(&self, operation: &Operation) -> Result<Vec<Ask>> {
        if operation.method != Method::GET {
            // What is done to oneself is done to somebody who is not needed any more.
            let double = match operation.needs {
                Needs::SignedIn | Needs::Person | Needs::Member => self.world.somebody().await?,
                _ => self.world.home.clone(),
            };
            let acts = examples::of(&double, &operation.id).await?;
            anyhow::ensure!(!acts.is_empty(), "it has no example");
            self.world.hand_over().await?;
            return acts.into_iter().map(|act: Act| Ask::of(operation, act)).collect();
        }
        let (mut path, mut queries) = (Vec::new(), Vec::new());
        for position in &operation.positions {
            let id = self.world.ids(operation, position).context("an own id")?[0].clone();
            match position.place {
                Place::Path => path.push((position.name.clone(), id)),
                Place::Query => queries.push((position, id)),
                Place::Body(_) => {}
            }
        }
        let plain = Ask::plain(operation, path);
        let named: Vec<_> =
            queries.into_iter().map(|(position, id)| plain.with(position, &position.value(&id))).collect();
        Ok(std::iter::once(plain).chain(named).collect())
    }

    /// Asks what nobody is answered.
    async fn refusals(&mut self, operation: &Operation, examples: &[Ask]) -> Result<()> {
        let mut seen = BTreeSet::new();
        let rows = examples.iter().flat_map(|example| rows::of(&self.world, operation, example, &mut seen));
        let asked: Vec<_> = rows.map(|row| ask_row(operation, row)).collect();
        let asked = futures::stream::iter(asked).buffered(AT_ONCE);
        let mut faults = Vec::new();
        for answered in asked.collect::<Vec<_>>().await {
            let (row, answers) = answered?;
            self.cases += answers.len();
            faults.extend(self.judge(operation, &row, &answers));
        }
        self.faults.extend(faults);
        Ok(())
    }

    fn judge(&self, operation: &Operation, row: &Row<'_>, answers: &[Exchange]) -> Vec<Fault> {
        let mut wrong = Vec::new();
        let first = judge::refused_row(&answers[0], row.about);
        for ((word, ask), answer) in row.cells.iter().zip(answers) {
            let refused = judge::refused_row(answer, row.about);
            let found = match &row.due {
                Due::Refusal(status, code) => judge::is_not(answer, *status, code),
                Due::Nothing => judge::is_not(answer, 404, "not_found"),
                Due::Named(position) => judge::names_not(answer, position),
                Due::Same => {
                    let done = operation.method != Method::GET && answer.status < 400 && refused.is_none();
                    done.then(|| format!("it was done: {}", String::from_utf8_lossy(&answer.body)))
                }
            };
            let outside = judge::is_outside(operation, answer);
            let differs = match (&first, refused) {
                // Of a batch, what is said of the row.
                (Some(first), Some(refused)) => (*first != refused).then(|| format!("{first} / {refused}")),
                (_, _) => judge::differ(&answers[0], answer),
            };
            let differs = differs.map(|difference| format!("not the answer to {}: {difference}", row.cells[0].0));
            wrong.extend(
                [found, outside, differs, self.tells(operation, row.caller, ask, answer)]
                    .into_iter()
                    .flatten()
                    .map(|what| format!("{word}: {what}")),
            );
        }
        let fault = |what| Fault { operation: operation.id.clone(), caller: row.caller.name.clone(), what };
        wrong.into_iter().map(fault).collect()
    }

    fn tells(&self, operation: &Operation, caller: &Caller, ask: &Ask, answer: &Exchange) -> Option<String> {
        let asked = format!("{} {}", ask.address(operation), ask.body().unwrap_or(Value::Null));
        match caller.standing {
            // Which enterprises there are is what they are for.
            Standing::Operator => None,
            Standing::Stranger => judge::tells(answer, &asked, &self.world.home_uuids),
            // To who is not signed in a password may tell their own.
            Standing::Member(_) | Standing::Unknown => judge::tells(answer, &asked, &self.world.other_uuids),
        }
    }

    /// Asks what may be asked, once for each example; who is let in is not sent away.
    async fn own(&mut self, operation: &Operation, index: usize, examples: &[Ask]) -> Result<()> {
        let mut asks = examples.to_vec();
        let mut client = self.world.callers[index].client.clone();
        let personal = matches!(operation.needs, Needs::SignedIn | Needs::Person | Needs::Member);
        if operation.method != Method::GET
            && personal
            && let Some(shop) = self.world.double(index).await?
        {
            client = shop.client.clone();
            let acts = examples::of(&shop, &operation.id).await?;
            asks = acts.into_iter().map(|act| Ask::of(operation, act)).collect::<Result<_>>()?;
        }
        let (mut let_in, mut faults) = (false, Vec::new());
        for (which, ask) in asks.iter().enumerate() {
            let mut asked = ask.clone();
            let mut answer = exchange(&client, operation, ask).await?;
            if operation.method != Method::GET && answer.status == 404 {
                // Somebody has done it before.
                asked = self.examples(operation).await?.swap_remove(which);
                answer = exchange(&client, operation, &asked).await?;
            }
            self.cases += 1;
            let caller = &self.world.callers[index];
            let shut_out = judge::shuts_out(operation, &answer);
            let_in |= shut_out.is_none();
            // Of a narrow reach, one example may lie within and another one not.
            let found = [
                shut_out.filter(|_| !(caller.is_narrow() && answer.status == 404)),
                judge::is_outside(operation, &answer),
                self.tells(operation, caller, &asked, &answer),
            ];
            faults.extend(found.into_iter().flatten().map(|what| format!("own, example {which}: {what}")));
            if operation.shape(answer.status).is_some_and(|shape| !shape.is_problem) {
                let places = operation.positions.iter().filter(|position| asked.has(position)).cloned().map(Some);
                self.worked.extend(places.chain([None]).map(|place| (operation.id.clone(), place)));
            }
        }
        if !let_in && faults.is_empty() {
            faults.push("own: no example is in reach".to_owned());
        }
        let caller = &self.world.callers[index].name;
        let fault = |what| Fault { operation: operation.id.clone(), caller: caller.clone(), what };
        self.faults.extend(faults.into_iter().map(fault));
        Ok(())
    }
}

async fn ask_row<'a>(operation: &Operation, row: Row<'a>) -> Result<(Row<'a>, Vec<Exchange>)> {
    let mut answers = Vec::new();
    for (_, question) in &row.cells {
        answers.push(exchange(&row.caller.client, operation, question).await?);
    }
    Ok((row, answers))
}

async fn exchange(client: &Client, operation: &Operation, ask: &Ask) -> Result<Exchange> {
    client.exchange(operation.method.clone(), &ask.address(operation), ask.body().as_ref(), REQUEST).await
}
