//! The questions that nobody is answered, in rows of one caller whose answers must be the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ask::Ask;
use super::callers::{Caller, Standing};
use super::document::{Form, Needs, Operation, Place, Position};
use super::world::World;

/// Questions of one caller whose answers must be the same.
pub struct Row<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What each answer must be.
    pub due: Due,
    /// In words, and the question.
    pub cells: Vec<(String, Ask)>,
    /// Which row of a batch its verdict is about.
    pub about: About,
}

/// A row of a batch.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// The first one.
    First,
    /// The one behind all others.
    Last,
}

/// What must be true of every answer of a row.
pub enum Due {
    /// This refusal.
    Refusal(u16, &'static str),
    /// That there is nothing of this id.
    Nothing,
    /// Anything, as long as it is the same.
    Same,
    /// That the value at this place is none.
    Named(Position),
}

/// Whose the id at one place is.
struct Whose<'a> {
    position: &'a Position,
    /// Nobody's.
    missing: (String, Value),
    /// Those of the other enterprises; none where it is nobody's here.
    others: Vec<(String, Value)>,
    /// One of the first enterprise in its other warehouse.
    beyond: Option<(String, Value)>,
    /// No id at all.
    malformed: (String, Value),
}

impl<'a> Whose<'a> {
    fn of(world: &World<'_>, operation: &Operation, position: &'a Position) -> Self {
        let others = world.ids(operation, position).map(|ids| &ids[1..]).unwrap_or_default();
        let beyond = world.beyond(operation, position);
        Self {
            position,
            missing: (format!("missing {position}"), missing(position)),
            others: others.iter().map(|id| (format!("others' {position}"), position.value(id))).collect(),
            beyond: beyond.map(|id| (format!("{position} out of reach"), position.value(id))),
            malformed: (format!("malformed {position}"), json!("not-an-id")),
        }
    }

    /// What must be answered to this caller as if it were not there, and what surely is not there first.
    fn hidden(&self, caller: &Caller) -> Vec<&(String, Value)> {
        if self.others.is_empty() {
            return Vec::new();
        }
        let others: &[_] = match caller.standing {
            Standing::Member(_) | Standing::Unknown => &self.others,
            // To whoever runs the installation no enterprise is another one; the stranger has a row of their own.
            Standing::Operator | Standing::Stranger => &[],
        };
        let beyond = self.beyond.iter().filter(|_| caller.is_narrow());
        [&self.missing].into_iter().chain(others).chain(beyond).collect()
    }
}

/// Every row for one example; whoever is not let in at all is not asked twice about the places that were seen.
pub fn of<'a>(
    world: &'a World<'_>,
    operation: &Operation,
    example: &Ask,
    seen: &mut BTreeSet<Position>,
) -> Vec<Row<'a>> {
    let named = operation.positions.iter().filter(|position| example.has(position));
    let places: Vec<_> = named.map(|position| Whose::of(world, operation, position)).collect();
    let at = |place: &Whose<'_>, (word, id): &(String, Value)| (word.clone(), example.with(place.position, id));
    let mut rows = Vec::new();

    let is_asked = |caller: &&Caller| match operation.needs {
        // Where everybody is let in, one who is nobody in particular speaks for all.
        Needs::Public => std::ptr::eq(*caller, &raw const world.callers[0]),
        _ => caller.is_admitted(operation),
    };
    for caller in world.callers.iter().filter(is_asked) {
        for place in &places {
            let position = place.position;
            let due = if position.place == Place::Path { Due::Nothing } else { Due::Same };
            let hidden = place.hidden(caller);
            let cells = hidden.iter().map(|id| at(place, id)).collect();
            rows.push(Row { caller, due, cells, about: About::First });
            if position.is_listed() {
                let behind = |(word, id): &(String, Value)| {
                    (format!("{word} behind an own one"), example.with_also(position, id))
                };
                let cells = hidden.into_iter().map(behind).collect();
                rows.push(Row { caller, due: Due::Same, cells, about: About::Last });
            }
            let cells = vec![at(place, &place.malformed)];
            rows.push(Row { caller, due: Due::Named(position.clone()), cells, about: About::First });
        }
    }

    let mut cells = vec![("own".to_owned(), example.clone())];
    for place in places.iter().filter(|place| seen.insert(place.position.clone())) {
        let ids = place.others.iter().chain([&place.missing, &place.malformed]);
        cells.extend(ids.map(|id| at(place, id)));
    }
    if example.body().is_some() {
        cells.push(("no body".to_owned(), example.without_body()));
    }
    for caller in world.callers.iter().filter(|caller| !caller.is_admitted(operation)) {
        let due = match caller.standing {
            Standing::Unknown => Due::Refusal(401, "unauthenticated"),
            Standing::Operator | Standing::Member(_) | Standing::Stranger => Due::Refusal(403, "forbidden"),
        };
        rows.push(Row { caller, due, cells: cells.clone(), about: About::First });
    }

    // To a stranger the first enterprise is the other one.
    let is_stranger = |caller: &&Caller| matches!(caller.standing, Standing::Stranger) && caller.is_admitted(operation);
    if !places.is_empty() && operation.needs != Needs::Public {
        let nowhere = places.iter().fold(example.clone(), |ask, place| ask.with(place.position, &place.missing.1));
        for caller in world.callers.iter().filter(is_stranger) {
            let due = if operation.names_one() { Due::Nothing } else { Due::Same };
            let cells = vec![("missing ids".to_owned(), nowhere.clone()), ("others' ids".to_owned(), example.clone())];
            rows.push(Row { caller, due, cells, about: About::First });
        }
    }
    rows.retain(|row| !row.cells.is_empty());
    rows
}

/// An id that nothing has.
fn missing(position: &Position) -> Value {
    match position.form {
        Form::Uuid => json!(shared::ids::JobId::new().to_string()),
        Form::Number => json!(4_000_000_000_000_i64 + i64::from(rand::random::<u32>())),
    }
}
