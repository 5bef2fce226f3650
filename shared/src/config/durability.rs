//! Whether Redis keeps what it is given. Asked once at the start: a Redis that is away then is no reason not to start,
//! one that is set up to forget is.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::{Config, ConfigProblems, Mode};

const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses, in production, a Redis that evicts keys or loses them when it restarts: request budgets and sign-in limits
/// would be forgotten, and Wildberries would be asked more than it allows.
pub async fn refuse_forgetful_redis(config: &Config) -> Result<(), ConfigProblems> {
    if config.mode == Mode::Demo {
        return Ok(());
    }
    match tokio::time::timeout(PATIENCE, told(&config.redis_url)).await {
        Ok(Ok(told)) => {
            let problems = problems_of(&told);
            if problems.is_empty() { Ok(()) } else { Err(ConfigProblems(problems)) }
        }
        Ok(Err(error)) => {
            warn!(code = error.code(), "Redis could not be asked whether it keeps what it is given");
            Ok(())
        }
        Err(_) => {
            warn!("Redis did not say in time whether it keeps what it is given");
            Ok(())
        }
    }
}

async fn told(url: &SecretString) -> redis::RedisResult<String> {
    let client = redis::Client::open(url.expose_secret())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let memory: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    let persistence: String = redis::cmd("INFO").arg("persistence").query_async(&mut connection).await?;
    Ok(memory + "\n" + &persistence)
}

/// What is wrong according to `INFO`; what it does not mention is not judged.
fn problems_of(told: &str) -> Vec<String> {
    let value = |name: &str| told.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    let mut problems = Vec::new();
    if value("maxmemory_policy").is_some_and(|policy| policy != "noeviction") {
        problems.push("REDIS_URL: this Redis evicts keys: set maxmemory-policy noeviction".to_owned());
    }
    if value("aof_enabled").is_some_and(|enabled| enabled == "0") {
        problems.push("REDIS_URL: this Redis forgets when it restarts: set appendonly yes".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_is_judged_by_what_it_says() {
        let told = |policy, aof| {
            problems_of(&format!("# Memory\r\nmaxmemory_policy:{policy}\r\n# P\r\naof_enabled:{aof}\r\n"))
        };
        assert_eq!(told("noeviction", 1), Vec::<String>::new());
        assert_eq!(told("allkeys-lru", 1).len(), 1);
        assert_eq!(told("noeviction", 0).len(), 1);
        assert_eq!(told("volatile-ttl", 0).len(), 2);
        assert!(problems_of("").is_empty());
    }
}
