//! The registry of sealed columns: whoever keeps something sealed adds one line, and rotation and checks take it along.

/// A column with sealed bytes beside the column that names their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table; its rows have a uuid `id`.
    pub table: &'static str,
    /// The sealed bytes; rows without a secret have NULL.
    pub sealed: &'static str,
    /// The id of the key that sealed them.
    pub key_id: &'static str,
    /// Whether rows belong to an enterprise and are guarded by row security.
    pub of_enterprise: bool,
}

/// Everything that is sealed.
pub const COLUMNS: &[SealedColumn] = &[
    SealedColumn::of_enterprise("wildberries_accounts", "token_sealed", "token_key_id"),
    SealedColumn::of_enterprise("quarantine", "raw_sealed", "raw_key_id"),
    SealedColumn::of_platform("second_factors", "secret_sealed", "secret_key_id"),
];

impl SealedColumn {
    /// In a table with `enterprise_id` and `id`.
    pub const fn of_enterprise(table: &'static str, sealed: &'static str, key_id: &'static str) -> Self {
        Self { table, sealed, key_id, of_enterprise: true }
    }

    /// In a platform table with `id`.
    pub const fn of_platform(table: &'static str, sealed: &'static str, key_id: &'static str) -> Self {
        Self { table, sealed, key_id, of_enterprise: false }
    }

    /// What the bytes of a row are bound to: `table/enterprise/id`, or `table/id` in a platform table.
    pub fn identity(&self, enterprise_id: Option<uuid::Uuid>, id: uuid::Uuid) -> String {
        match enterprise_id {
            Some(enterprise_id) => format!("{}/{enterprise_id}/{id}", self.table),
            None => format!("{}/{id}", self.table),
        }
    }
}
