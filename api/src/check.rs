//! `api check`: everything that keeps `serve` from starting, looked at without starting it.

use std::time::Duration;

use shared::config::{self, Config, Program};
use shared::db::{Db, DbOptions};
use shared::seal;

use crate::print;

/// A schema that is not there will not come while we wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says line by line what is in order; ends with what is not.
pub async fn check() -> anyhow::Result<()> {
    let config = Config::from_env(Program::Api)?;
    print("configuration: in order\n")?;
    let options =
        DbOptions { max_connections: 1, statement_timeout: Duration::from_secs(5), application_name: "wb-check" };
    let db = Db::open(&config.database_url, &options)?;
    db.wait_for_schema(PATIENCE).await?;
    print("database: reachable, its schema fits\n")?;
    db.refuse_unbound_role().await?;
    print("database: row security binds our role\n")?;
    config::refuse_forgetful_redis(&config).await?;
    print("redis: nothing is known against it\n")?;
    let key_use = seal::key_use(&db).await?;
    for (key_id, table, rows) in key_use.iter() {
        print(&format!("key {key_id}: {rows} rows of {table}\n"))?;
    }
    key_use.unknown_to(&config.keyring)?;
    print("keys: every sealed row can be opened\n")
}
