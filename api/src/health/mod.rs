//! For monitors: is it alive, may it get requests, do its database and Redis work, is there room left.
//!
//! Without the token only words are shown; a wrong token is no token, so that monitors stay green. Answers are cached and
//! asked for once at a time, so that monitors cannot flood what they watch.

mod cached;
mod probes;
mod report;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use poem::web::Data;
use poem::{FromRequest, Request, RequestBody, http::header};
use poem_openapi::OpenApi;
use secrecy::{ExposeSecret, SecretString};
use shared::db::Db;
use subtle::ConstantTimeEq;

use crate::{State, Tag};
use cached::Cached;
use probes::Probe;
pub use report::{Answer, Check, Report, Word};

/// What is known of the health of this process and of what it stands on.
#[derive(Debug)]
pub struct Health {
    db: Db,
    redis_url: SecretString,
    token: Option<SecretString>,
    started: Instant,
    stopping: AtomicBool,
    probe_written: Mutex<Option<Instant>>,
    database: Cached<Probe>,
    redis: Cached<Probe>,
    resources: Cached<Vec<Check>>,
}

impl Health {
    /// Nothing is asked before a monitor asks.
    pub fn new(db: Db, redis_url: SecretString, token: Option<SecretString>) -> Self {
        Self {
            db,
            redis_url,
            token,
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            probe_written: Mutex::default(),
            database: Cached::new(Duration::from_secs(5)),
            redis: Cached::new(Duration::from_secs(5)),
            resources: Cached::new(Duration::from_secs(15)),
        }
    }

    /// From now on no new requests are wanted.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    async fn database(&self) -> Probe {
        self.database.get(|| probes::database(&self.db, &self.probe_written)).await
    }

    async fn redis(&self) -> Probe {
        self.redis.get(|| probes::redis(&self.redis_url)).await
    }

    async fn resources(&self) -> Vec<Check> {
        self.resources.get(|| probes::resources(&self.db)).await
    }
}

/// Whether the one who asks has the token and may see numbers.
#[derive(Clone, Copy, Debug)]
pub struct Insider(bool);

impl<'a> FromRequest<'a> for Insider {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let token = request.data::<State>().and_then(|state| state.health.token.as_ref());
        let given = request.header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let same = token
            .zip(given)
            .is_some_and(|(token, given)| token.expose_secret().as_bytes().ct_eq(given.as_bytes()).into());
        Ok(Self(same))
    }
}

/// Health checks. All of them are public; `Authorization: Bearer <HEALTH_TOKEN>` adds numbers.
pub struct Api;

#[OpenApi(tag = "Tag::Health")]
impl Api {
    /// Is the process alive
    ///
    /// Asks nobody else: a missing database is no reason to restart this process.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    #[expect(clippy::unused_async, reason = "operations are asynchronous")]
    async fn live(&self, state: Data<&State>, insider: Insider) -> Answer {
        let report = Report {
            version: Some(crate::VERSION.to_owned()),
            uptime_seconds: Some(state.health.started.elapsed().as_secs()),
            ..Report::of(Word::Ok)
        };
        report.answer(insider.0)
    }

    /// May it get requests
    ///
    /// Not without the database, and not while it is stopping. Without Redis it works on, only slower.
    #[oai(path = "/health/ready", method = "get", operation_id = "health_ready")]
    async fn ready(&self, state: Data<&State>, insider: Insider) -> Answer {
        if state.health.is_stopping() {
            return Report::of(Word::Stopping).answer(insider.0);
        }
        let (schema, redis) = tokio::join!(probes::schema(&state.health.db), state.health.redis());
        let report = match schema {
            Err(code) => Report { code: Some(code.to_owned()), ..Report::of(Word::NotReady) },
            Ok(version) => Report {
                schema_version: Some(version),
                degraded: redis.is_err().then(|| vec!["redis".to_owned()]),
                ..Report::of(Word::Ready)
            },
        };
        report.answer(insider.0)
    }

    /// Does the database work
    #[oai(path = "/health/db", method = "get", operation_id = "health_db")]
    async fn db(&self, state: Data<&State>, insider: Insider) -> Answer {
        Report::of_probe(&state.health.database().await).answer(insider.0)
    }

    /// Does Redis work
    #[oai(path = "/health/redis", method = "get", operation_id = "health_redis")]
    async fn redis(&self, state: Data<&State>, insider: Insider) -> Answer {
        Report::of_probe(&state.health.redis().await).answer(insider.0)
    }

    /// Is there room left
    ///
    /// A warning stays 200; what needs somebody at once is 503.
    #[oai(path = "/health/resources", method = "get", operation_id = "health_resources")]
    async fn resources(&self, state: Data<&State>, insider: Insider) -> Answer {
        Report::of_checks(state.health.resources().await).answer(insider.0)
    }
}
