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

mod catalogue;
mod document;
mod examples;
pub mod judge;
mod world;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use stack::Client;
use stack::client::Exchange;

use crate::{Act, TestApp};
pub use catalogue::Catalogue;
pub use document::{Ask, Form, Needs, Operation, Place, Position, operations};
pub use world::{Caller, Standing, World};

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

/// Questions of one caller whose answers must be the same.
struct Row<'a> {
    caller: &'a Caller,
    /// What each answer must be.
    due: Due,
    /// In words, and the question.
    cells: Vec<(String, Ask)>,
}

/// What must be true of every answer of a row.
enum Due {
    /// This refusal.
    Refusal(u16, &'static str),
    /// That there is nothing of this id.
    Nothing,
    /// Anything, as long as it is the same.
    Same,
    /// That the value at this place is none.
    Named(Position),
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

    /// Asks what nobody may be answered.
    async fn refusals(&mut self, operation: &Operation, examples: &[Ask]) -> Result<()> {
        let mut rows = Vec::new();
        for example in examples {
            let places: Vec<_> = operation.positions.iter().filter(|position| example.has(position)).collect();
            let mut cells = Vec::new();
            let mut nowhere = example.clone();
            for &position in &places {
                let known = self.world.ids(operation, position);
                let named = |id: &String| (format!("others' {position}"), position.value(id));
                let others: Vec<_> = known.iter().flat_map(|ids| ids[1..].iter().map(named)).collect();
                let missing = missing(position);
                nowhere = nowhere.with(position, &missing);
                let beyond = self.world.catalogue.kind(operation, position).and_then(|kind| self.world.beyond(&kind));
                let beyond = beyond.map(|id| (format!("{position} out of reach"), position.value(id)));
                for caller in self.world.callers.iter().filter(|caller| self.asks(caller, operation)) {
                    if known.is_none() || matches!(caller.standing, Standing::Operator | Standing::Stranger) {
                        continue;
                    }
                    let beyond = beyond.iter().filter(|_| caller.is_narrow());
                    let named = std::iter::once((format!("missing {position}"), missing.clone()));
                    let named: Vec<_> = named.chain(others.iter().chain(beyond).cloned()).collect();
                    let due = if position.place == Place::Path { Due::Nothing } else { Due::Same };
                    if position.is_listed() {
                        let behind = named
                            .iter()
                            .map(|(word, id)| (format!("{word} behind an own one"), example.with_also(position, id)));
                        rows.push(Row { caller, due: Due::Same, cells: behind.collect() });
                    }
                    let cells = named.into_iter().map(|(word, id)| (word, example.with(position, &id))).collect();
                    rows.push(Row { caller, due, cells });
                }
                cells.extend(others.iter().map(|(word, id)| (word.clone(), example.with(position, id))));
                cells.push((format!("missing {position}"), example.with(position, &missing)));
                let malformed = example.with(position, &position.malformed());
                cells.push((format!("malformed {position}"), malformed.clone()));
                for caller in self.world.callers.iter().filter(|caller| self.asks(caller, operation)) {
                    let cells = vec![(format!("malformed {position}"), malformed.clone())];
                    rows.push(Row { caller, due: Due::Named(position.clone()), cells });
                }
            }
            cells.push(("own".to_owned(), example.clone()));
            if example.body().is_some() {
                cells.push(("no body".to_owned(), example.without_body()));
            }
            for caller in self.world.callers.iter().filter(|caller| !caller.is_admitted(operation)) {
                let (status, code) = match caller.standing {
                    Standing::Unknown => (401, "unauthenticated"),
                    _ => (403, "forbidden"),
                };
                rows.push(Row { caller, due: Due::Refusal(status, code), cells: cells.clone() });
            }
            // To a stranger the first enterprise is the other one.
            for caller in self.world.callers.iter().filter(|caller| caller.is_admitted(operation)) {
                if matches!(caller.standing, Standing::Stranger)
                    && !places.is_empty()
                    && operation.needs != Needs::Public
                {
                    let due = if places.iter().any(|position| position.place == Place::Path) {
                        Due::Nothing
                    } else {
                        Due::Same
                    };
                    let cells =
                        vec![("missing ids".to_owned(), nowhere.clone()), ("others' ids".to_owned(), example.clone())];
                    rows.push(Row { caller, due, cells });
                }
            }
        }
        let asked: Vec<_> =
            futures::stream::iter(rows.into_iter().map(|row| ask(operation, row))).buffered(AT_ONCE).collect().await;
        let mut faults = Vec::new();
        for answered in asked {
            let (row, answers) = answered?;
            self.cases += answers.len();
            faults.extend(self.judge(operation, &row, &answers));
        }
        self.faults.extend(faults);
        Ok(())
    }

    /// Whether a caller is among those whose ids are looked at: whoever is let in, and where all are let in, nobody in
    /// particular.
    fn asks(&self, caller: &Caller, operation: &Operation) -> bool {
        match operation.needs {
            Needs::Public => caller.name == self.world.callers[0].name,
            _ => caller.is_admitted(operation),
        }
    }

    fn judge(&self, operation: &Operation, row: &Row<'_>, answers: &[Exchange]) -> Vec<Fault> {
        let mut wrong = Vec::new();
        for ((word, ask), answer) in row.cells.iter().zip(answers) {
            let found = match &row.due {
                Due::Refusal(status, code) => judge::is_not(answer, *status, code),
                Due::Nothing => judge::is_not(answer, 404, "not_found"),
                Due::Named(position) => judge::names_not(answer, position),
                Due::Same => {
                    let done = operation.method != Method::GET && answer.status < 400;
                    done.then(|| format!("it was done: {}", String::from_utf8_lossy(&answer.body)))
                }
            };
            let outside = judge::is_outside(operation, answer);
            let differs = judge::differ(&answers[0], answer);
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
            Standing::Member(_) => judge::tells(answer, &asked, &self.world.other_uuids),
            // Where nobody is signed in, the password says whose one's own is.
            Standing::Unknown => judge::tells(answer, &asked, &self.world.other_uuids),
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
            if answer.status < 400 || operation.shapes.contains_key(&answer.status.to_string()) {
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

async fn ask<'a>(operation: &Operation, row: Row<'a>) -> Result<(Row<'a>, Vec<Exchange>)> {
    let mut answers = Vec::new();
    for (_, question) in &row.cells {
        answers.push(exchange(&row.caller.client, operation, question).await?);
    }
    Ok((row, answers))
}

async fn exchange(client: &Client, operation: &Operation, ask: &Ask) -> Result<Exchange> {
    client.exchange(operation.method.clone(), &ask.address(operation), ask.body().as_ref(), REQUEST).await
}

/// An id that nothing has.
fn missing(position: &Position) -> Value {
    match position.form {
        Form::Uuid => json!(shared::ids::JobId::new().to_string()),
        Form::Number => json!(4_000_000_000_000_i64 + i64::from(rand::random::<u32>())),
    }
}
