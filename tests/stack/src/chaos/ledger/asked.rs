//! What was asked against what is there: an act that was acknowledged left exactly what it asked for and was told, one that
//! was refused left nothing, and one that nobody heard of again left all of it or nothing, or some whole lines of it where
//! each stands for itself.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::history::{Line, REFUSALS, Told};

/// The document of an act, as the tables have it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub id: String,
    pub kind: String,
    pub warehouse: String,
    /// What stands under it.
    pub left: Vec<Left>,
}

/// A row under a document: so many units of a lot from here to there. What is kept goes from its cell to `reserved` or
/// `on_hold`, what is given back to `released`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub id: String,
    pub product: String,
    pub lot_id: String,
    /// The lot's code.
    pub lot: Option<String>,
    /// The id of the cell that an answer names.
    pub cell_id: String,
    pub from: String,
    pub to: String,
    pub quantity: i64,
    pub reason: Option<String>,
}

/// A line as it was asked for.
#[derive(Clone, Debug)]
enum Asked {
    /// So many units from here to there.
    Units {
        product: String,
        /// Anywhere if absent.
        from: Option<String>,
        to: String,
        lot: Lot,
        quantity: i64,
        reason: Option<String>,
    },
    /// What is kept under this id, given back.
    Release(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lot {
    Any,
    This(Option<String>),
}

/// What an act came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Done,
    Refused,
    /// Nobody was told.
    UnknownDone,
    UnknownNot,
}

/// Fails unless what is there is what was asked for and told.
pub(super) fn judge(line: &Line, document: Option<&Document>) -> anyhow::Result<Came> {
    let asked = asked(&line.act.body, line.act.kind)?;
    let whole = line.act.body["mode"].as_str().unwrap_or("all_or_nothing") == "all_or_nothing";
    if let Some(document) = document {
        ensure!(document.kind == line.act.kind, "it is a {}, the document a {}", line.act.kind, document.kind);
        ensure!(line.act.body["warehouseId"] == document.warehouse.as_str(), "it is in another warehouse");
        ensure!(!document.left.is_empty(), "its document has no lines");
    }
    match (&line.told, document) {
        (Told::Done(answer), Some(document)) => {
            ensure!(answer["document"]["id"] == document.id.as_str(), "it was acknowledged under another id");
            acknowledged(&asked, whole, answer, &document.left)?;
            Ok(Came::Done)
        }
        (Told::Done(_), None) => anyhow::bail!("it was acknowledged and is not there"),
        (Told::Refused(answer), None) => {
            for row in answer["rows"].as_array().into_iter().flatten() {
                ensure!(row["done"] != true, "it was refused and {row} done");
            }
            Ok(Came::Refused)
        }
        (Told::Refused(_), Some(document)) => anyhow::bail!("it was refused and took effect: {:?}", document.left),
        (Told::Nothing, None) => Ok(Came::UnknownNot),
        (Told::Nothing, Some(document)) => {
            let words = || format!("asked {asked:?}, there is {:?}", document.left);
            ensure!(explained(&asked, whole, &document.left), "{}", words());
            Ok(Came::UnknownDone)
        }
    }
}

/// Row by row: what was asked for, what was told, what is there.
fn acknowledged(asked: &[Asked], whole: bool, answer: &Value, left: &[Left]) -> anyhow::Result<()> {
    let rows = answer["rows"].as_array().context("an answer has rows")?;
    ensure!(rows.len() == asked.len(), "{} rows were asked for, {} answered", asked.len(), rows.len());
    let mut told = BTreeSet::new();
    for (asked, row) in asked.iter().zip(rows) {
        let parts = row["parts"].as_array().context("a row has parts")?;
        if row["done"] != true {
            ensure!(!whole, "half of it was done: {row}");
            ensure!(parts.is_empty() && REFUSALS.iter().any(|code| row["problem"] == *code), "refused as {row}");
            continue;
        }
        let mut there = Vec::new();
        for part in parts {
            let left = left.iter().find(|left| part["id"] == left.id.as_str());
            let left = left.with_context(|| format!("{part} was told and is not there"))?;
            let same = part["productId"] == left.product.as_str()
                && part["lotId"] == left.lot_id.as_str()
                && part["cellId"] == left.cell_id.as_str()
                && part["quantity"] == left.quantity;
            ensure!(same, "{part} was told, there is {left:?}");
            ensure!(told.insert(left.id.clone()), "{part} was told twice");
            there.push(left);
        }
        ensure!(does(asked, &there), "asked {asked:?}, there is {there:?}");
    }
    ensure!(told.len() == left.len(), "{} rows were told, {} are there", told.len(), left.len());
    Ok(())
}

/// Whether these rows are what a line asks for, no more and no less.
fn does(asked: &Asked, left: &[&Left]) -> bool {
    match asked {
        Asked::Release(id) => matches!(left, [one] if one.id == *id && one.to == "released"),
        Asked::Units { quantity, .. } => {
            left.iter().all(|left| fits(asked, left)) && left.iter().map(|left| left.quantity).sum::<i64>() == *quantity
        }
    }
}

fn fits(asked: &Asked, left: &Left) -> bool {
    match asked {
        Asked::Release(id) => left.id == *id && left.to == "released",
        Asked::Units { product, from, to, lot, quantity: _, reason } => {
            left.product == *product
                && from.as_ref().is_none_or(|from| left.from == *from)
                && left.to == *to
                && (*lot == Lot::Any || *lot == Lot::This(left.lot.clone()))
                && left.reason == *reason
        }
    }
}

/// Whether some whole lines, or all of them, are what is there.
fn explained(asked: &[Asked], whole: bool, left: &[Left]) -> bool {
    let all = (1_u32 << asked.len()) - 1;
    let choices = if whole { all..=all } else { 1..=all };
    choices.into_iter().any(|choice| {
        let chosen: Vec<_> =
            asked.iter().enumerate().filter(|(row, _)| choice & (1 << row) != 0).map(|(_, asked)| asked).collect();
        let mut shares = vec![Vec::new(); chosen.len()];
        divided(&chosen, left, &mut shares)
    })
}

/// Whether the rows can be divided among the lines so that each has what it asks for.
fn divided<'a>(chosen: &[&Asked], left: &'a [Left], shares: &mut [Vec<&'a Left>]) -> bool {
    let Some((first, rest)) = left.split_first() else {
        return chosen.iter().zip(shares.iter()).all(|(asked, share)| does(asked, share));
    };
    (0..chosen.len()).any(|line| {
        if !fits(chosen[line], first) {
            return false;
        }
        shares[line].push(first);
        let found = divided(chosen, rest, shares);
        shares[line].pop();
        found
    })
}

fn asked(body: &Value, kind: &str) -> anyhow::Result<Vec<Asked>> {
    if let Some(ids) = body["ids"].as_array() {
        return ids.iter().map(|id| Ok(Asked::Release(id.as_str().context("an id")?.to_owned()))).collect();
    }
    let lines = body["lines"].as_array().context("lines")?;
    lines.iter().map(|line| units(line, kind)).collect()
}

fn units(line: &Value, kind: &str) -> anyhow::Result<Asked> {
    let word = |field: &str| line[field].as_str().map(str::to_owned);
    let cell = || word("cell").context("a cell");
    let product = word("productId").context("a product")?;
    let reason = word("reason");
    let mut quantity = line["quantity"].as_i64().unwrap_or_default();
    let mut lot = line["lot"]["code"].as_str().map_or(Lot::Any, |code| Lot::This(Some(code.to_owned())));
    let (from, to) = match kind {
        "adjust" => {
            let change = line["change"].as_i64().context("a change")?;
            quantity = change.abs();
            if change < 0 {
                (Some(cell()?), "adjustment".to_owned())
            } else {
                if lot == Lot::Any {
                    lot = Lot::This(None);
                }
                (Some("adjustment".to_owned()), cell()?)
            }
        }
        "write_off" => (Some(cell()?), "loss".to_owned()),
        "move" => (Some(word("from").context("a cell")?), word("to").context("a cell")?),
        "hold" => (Some(cell()?), "on_hold".to_owned()),
        "reserve" => (word("cell"), "reserved".to_owned()),
        other => anyhow::bail!("nobody asks for {other}"),
    };
    Ok(Asked::Units { product, from, to, lot, quantity, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chaos::ledger::history::Act;

    fn moved(mode: &str) -> Act {
        let line = |quantity: i64| json!({ "productId": "p", "from": "A", "to": "B", "quantity": quantity, "lot": { "code": "L" } });
        let body = json!({ "warehouseId": "w", "number": "n", "mode": mode, "lines": [line(3), line(2)] });
        Act { kind: "move", path: "/inventory/moves", body }
    }

    fn left(id: &str, quantity: i64) -> Left {
        let word = str::to_owned;
        Left {
            id: word(id),
            product: word("p"),
            lot_id: word("l"),
            lot: Some(word("L")),
            cell_id: word("a"),
            from: word("A"),
            to: word("B"),
            quantity,
            reason: None,
        }
    }

    fn document(left: &[Left]) -> Document {
        Document { id: "d".to_owned(), kind: "move".to_owned(), warehouse: "w".to_owned(), left: left.to_vec() }
    }

    fn part(left: &Left) -> Value {
        json!({ "id": left.id, "productId": left.product, "lotId": left.lot_id, "cellId": left.cell_id, "quantity": left.quantity })
    }

    fn told(rows: &[&[Left]]) -> Told {
        let row = |left: &&[Left]| {
            let parts: Vec<_> = left.iter().map(part).collect();
            if parts.is_empty() {
                json!({ "done": false, "parts": [], "problem": "not_enough_stock" })
            } else {
                json!({ "done": true, "parts": parts })
            }
        };
        Told::Done(json!({ "document": { "id": "d" }, "rows": rows.iter().map(row).collect::<Vec<_>>() }))
    }

    fn judged(mode: &str, told: Told, there: &[Left]) -> anyhow::Result<Came> {
        judge(&Line { act: moved(mode), told }, Some(&document(there)))
    }

    #[test]
    fn what_was_asked_told_and_left_is_the_same() {
        let both = [left("1", 1), left("2", 2), left("3", 2)];
        assert_eq!(judged("all_or_nothing", told(&[&both[..2], &both[2..]]), &both).unwrap(), Came::Done);
        assert_eq!(judged("each_row", told(&[&[], &both[2..]]), &both[2..]).unwrap(), Came::Done);
        assert_eq!(judged("all_or_nothing", Told::Nothing, &both).unwrap(), Came::UnknownDone);
        assert_eq!(judged("each_row", Told::Nothing, &both[2..]).unwrap(), Came::UnknownDone);
        let nothing = Line { act: moved("each_row"), told: Told::Nothing };
        assert_eq!(judge(&nothing, None).unwrap(), Came::UnknownNot);
    }

    #[test]
    fn half_of_what_is_done_whole_is_a_fault() {
        let both = [left("1", 3), left("2", 2)];
        judged("all_or_nothing", told(&[&both[..1], &[]]), &both[..1]).unwrap_err();
        judged("all_or_nothing", Told::Nothing, &both[..1]).unwrap_err();
        // Half of a line is one where each stands for itself, too.
        judged("each_row", Told::Nothing, &[left("1", 1)]).unwrap_err();
        judged("each_row", told(&[&both[..1], &[]]), &both).unwrap_err();
    }

    #[test]
    fn another_product_place_lot_or_number_than_was_asked_for_is_a_fault() {
        let wrong: [fn(&mut Left); 6] = [
            |left| left.product = "q".to_owned(),
            |left| left.from = "C".to_owned(),
            |left| left.to = "C".to_owned(),
            |left| left.lot = None,
            |left| left.quantity += 1,
            |left| left.reason = Some("lost".to_owned()),
        ];
        for spoil in wrong {
            let mut both = [left("1", 3), left("2", 2)];
            spoil(&mut both[1]);
            judged("all_or_nothing", told(&[&both[..1], &both[1..]]), &both).unwrap_err();
            judged("all_or_nothing", Told::Nothing, &both).unwrap_err();
        }
    }

    #[test]
    fn what_was_told_is_there_and_what_was_refused_is_not() {
        let both = [left("1", 3), left("2", 2)];
        let done = Line { act: moved("each_row"), told: told(&[&both[..1], &both[1..]]) };
        judge(&done, None).unwrap_err();
        judge(&done, Some(&document(&both[..1]))).unwrap_err();
        let refused = Line { act: moved("each_row"), told: Told::Refused(json!({ "code": "not_enough_stock" })) };
        judge(&refused, Some(&document(&both))).unwrap_err();
        assert_eq!(judge(&refused, None).unwrap(), Came::Refused);
    }
}
