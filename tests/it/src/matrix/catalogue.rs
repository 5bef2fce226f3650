//! What the database knows of itself: whose an id is and what it names, which rows are an enterprise's.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::document::{Form, Operation, Place, Position};

/// A column that names things.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Of this table,
    pub table: String,
    /// this column.
    pub column: String,
}

struct Column {
    table: String,
    name: String,
    is_uuid: bool,
    is_number: bool,
}

struct Reference {
    from: Kind,
    to: Kind,
}

/// Tables, columns and references, as the database lists them.
pub struct Catalogue {
    columns: Vec<Column>,
    references: Vec<Reference>,
}

const OWNER: &str = "enterprise_id";

impl Catalogue {
    /// As it is now.
    pub async fn read(connection: &mut PgConnection) -> Result<Self> {
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
             FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY 1, 2",
        )
        .fetch_all(&mut *connection)
        .await?;
        let references: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, t.relname::text, b.attname::text
             FROM pg_constraint AS f JOIN pg_class AS c ON c.oid = f.conrelid JOIN pg_class AS t ON t.oid = f.confrelid
             CROSS JOIN LATERAL unnest(f.conkey, f.confkey) AS k (mine, theirs)
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.mine
             JOIN pg_attribute AS b ON b.attrelid = t.oid AND b.attnum = k.theirs
             WHERE f.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition ORDER BY 1, 2, 3, 4",
        )
        .fetch_all(&mut *connection)
        .await?;
        let columns = columns.into_iter().map(|(table, name, kind)| Column {
            table,
            name,
            is_uuid: kind == "uuid",
            is_number: kind == "bigint" || kind == "integer",
        });
        let references = references.into_iter().map(|(table, column, their_table, their_column)| Reference {
            from: Kind { table, column },
            to: Kind { table: their_table, column: their_column },
        });
        Ok(Self { columns: columns.collect(), references: references.collect() })
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.columns.iter().any(|known| known.table == table && known.name == column)
    }

    fn tables(&self) -> BTreeSet<&str> {
        self.columns.iter().map(|column| column.table.as_str()).collect()
    }

    /// What the id at this place names; absent for what is nobody's here, such as Wildberries' own places.
    pub fn kind(&self, operation: &Operation, position: &Position) -> Option<Kind> {
        let by_path = match (&position.place, position.form) {
            (Place::Path, Form::Uuid) => self.kind_of_path(&operation.path, &position.name),
            _ => None,
        };
        by_path.or_else(|| self.kind_of_name(position))
    }

    /// By what stands before it in the path: `/print-jobs/{id}` is of `print_jobs`, `…/items/{item_id}` of the table that
    /// ends so and belongs to those, `/audit/{id}` of the one that begins so.
    fn kind_of_path(&self, path: &str, name: &str) -> Option<Kind> {
        let (before, _) = path.split_once(&format!("/{{{name}}}"))?;
        let parent = before.rfind('{').and_then(|from| {
            let name = before[from + 1..].split('}').next()?;
            self.kind_of_path(path, name)
        });
        let words: Vec<_> = before.rsplit('}').next()?.split('/').filter(|word| !word.is_empty()).collect();
        let named = (0..words.len()).map(|from| words[from..].join("_").replace('-', "_"));
        let known = named.filter(|table| self.has(table, "id")).map(|table| Kind { table, column: "id".to_owned() });
        known.into_iter().next().or_else(|| {
            let word = words.last()?.replace('-', "_");
            let (ending, beginning) = (format!("_{word}"), format!("{word}_"));
            let of_parent = |table: &str, parent: &Kind| {
                self.references.iter().any(|known| known.from.table == table && known.to.table == parent.table)
            };
            let fits = |table: &&str| match &parent {
                Some(parent) => table.ends_with(&ending) && of_parent(table, parent),
                None => table.starts_with(&beginning) && self.has(table, "id") && self.has(table, OWNER),
            };
            let table = self.tables().into_iter().find(fits)?;
            Some(Kind { table: table.to_owned(), column: "id".to_owned() })
        })
    }

    /// By its name: `assigneeIds` names what a column `assignee_id` refers to.
    fn kind_of_name(&self, position: &Position) -> Option<Kind> {
        let mut column = String::new();
        for letter in position.name.trim_end_matches('s').chars() {
            if letter.is_uppercase() {
                column.push('_');
            }
            column.extend(letter.to_lowercase());
        }
        if position.form == Form::Number {
            let known = self
                .columns
                .iter()
                .find(|known| known.name == column && known.is_number && self.has(&known.table, OWNER));
            return known.map(|known| Kind { table: known.table.clone(), column });
        }
        let referring = self.references.iter().filter(|known| known.from.column == column);
        let roots: BTreeSet<_> = referring.map(|known| self.root(&known.to)).collect();
        roots.into_iter().next()
    }

    fn root(&self, kind: &Kind) -> Kind {
        // A tree refers to itself.
        match self.references.iter().find(|known| known.from == *kind && known.to != *kind) {
            Some(known) => self.root(&known.to),
            None => kind.clone(),
        }
    }

    /// Which rows of a table are an enterprise's, whose id is `$1`; absent for what belongs to the installation.
    fn scope(&self, table: &str) -> Option<String> {
        self.scope_within(table, &mut HashSet::new())
    }

    fn scope_within<'a>(&'a self, table: &'a str, seen: &mut HashSet<&'a str>) -> Option<String> {
        if self.has(table, OWNER) {
            return Some(format!("{OWNER} = $1"));
        }
        if !seen.insert(table) {
            return None;
        }
        let owners =
            self.references.iter().filter(|known| known.to.table == table && self.has(&known.from.table, OWNER));
        let mut named: Vec<_> = owners
            .map(|known| {
                let Reference { from, to } = known;
                format!("{} IN (SELECT {} FROM {} WHERE {OWNER} = $1)", to.column, from.column, from.table)
            })
            .collect();
        if named.is_empty() {
            for known in self.references.iter().filter(|known| known.from.table == table) {
                if let Some(scope) = self.scope_within(&known.to.table, seen) {
                    let Reference { from, to } = known;
                    named.push(format!("{} IN (SELECT {} FROM {} WHERE {scope})", from.column, to.column, to.table));
                }
            }
        }
        Some(named.join(" OR ")).filter(|scope| !scope.is_empty())
    }

    /// The ids of this kind that an enterprise has, oldest first.
    pub async fn ids(&self, connection: &mut PgConnection, kind: &Kind, enterprise: &str) -> Result<Vec<String>> {
        let Kind { table, column } = kind;
        let scope = self.scope(table).with_context(|| format!("nobody knows whose the rows of {table} are"))?;
        let query =
            format!("SELECT DISTINCT {column}::text FROM {table} WHERE ({scope}) AND {column} IS NOT NULL ORDER BY 1");
        let enterprise: Uuid = enterprise.parse()?;
        sqlx::query_scalar(AssertSqlSafe(query))
            .bind(enterprise)
            .fetch_all(connection)
            .await
            .with_context(|| format!("the ids of {table}"))
    }

    /// Every UUID that an enterprise's rows have anywhere.
    pub async fn uuids(&self, connection: &mut PgConnection, enterprise: &str) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for column in self.columns.iter().filter(|column| column.is_uuid) {
            if self.scope(&column.table).is_some() {
                let kind = Kind { table: column.table.clone(), column: column.name.clone() };
                all.extend(self.ids(connection, &kind, enterprise).await?);
            }
        }
        Ok(all)
    }

    /// Every row of an enterprise, as text, by table.
    pub async fn rows(&self, connection: &mut PgConnection, enterprise: &str) -> Result<BTreeSet<(String, String)>> {
        let (mut all, enterprise) = (BTreeSet::new(), enterprise.parse::<Uuid>()?);
        for table in self.tables() {
            let Some(scope) = self.scope(table) else { continue };
            let query = AssertSqlSafe(format!("SELECT t::text FROM {table} AS t WHERE {scope}"));
            let rows: Vec<String> = sqlx::query_scalar(query).bind(enterprise).fetch_all(&mut *connection).await?;
            all.extend(rows.into_iter().map(|row| (table.to_owned(), row)));
        }
        Ok(all)
    }
}
