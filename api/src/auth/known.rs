//! What this process knows of sessions, for half a second.
//!
//! Every request asks who is acting in its session. The truth is in Postgres; asking it each time would cost a third of
//! what the API can do. So an answer is kept for [`KEPT`], and dropped earlier when a commit announces a change: here
//! before the one who committed goes on, in other processes over Redis, within milliseconds. If Redis is away, a message is
//! lost or nobody announced anything, the half second is the bound. Postgres away: what is known runs out, and then the
//! answer is 503, soon: nobody is kept waiting for two servers that are both in trouble. Nothing of a session lies in Redis, so nothing there can bring one back to life.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use redis::AsyncCommands;
use secrecy::{ExposeSecret, SecretString};
use shared::db::Db;
use shared::herald::{Change, Herald};
use shared::ids::{SessionId, UserId};
use shared::users::sessions::{self, Acting};
use shared::{Error, Result, jobs};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::tokens::{Claims, Kind};

/// How long an answer of the database is taken for true.
const KEPT: Duration = Duration::from_millis(500);
/// More sessions than are ever awake at once; beyond, everything is asked anew.
const AT_MOST: usize = 20_000;
/// Changes that may wait for Redis; more are not told, and hold half a second later.
const CHANGES: usize = 1024;
const CHANNEL: &str = "wb:changes";
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(250);
/// How long the database may take to say who is acting.
const BUDGET: Duration = Duration::from_secs(2);
/// The same while Redis is away, and nobody tells of changes.
const BUDGET_ALONE: Duration = Duration::from_millis(200);

/// Cheap to clone. The last one takes its connection to Redis with it.
#[derive(Clone, Debug)]
pub struct KnownSessions {
    slots: Arc<Slots>,
    _connection: Arc<(AbortOnDropHandle<()>, AbortOnDropHandle<()>)>,
}

impl KnownSessions {
    /// Begins to listen to other processes; the herald tells them and this one. Must be called inside a Tokio runtime.
    pub fn connect(redis_url: &SecretString) -> (Self, Herald) {
        let slots = Arc::new(Slots::default());
        let (sender, receiver) = mpsc::channel(CHANGES);
        let here = Arc::clone(&slots);
        let herald = Herald::new(move |change| {
            here.forget(change);
            // Full: the other processes find out by themselves.
            let _ = sender.try_send(change);
        });
        let listening = tokio::spawn(listen(redis_url.clone(), Arc::clone(&slots)));
        let telling = tokio::spawn(tell(redis_url.clone(), receiver));
        let connection = Arc::new((AbortOnDropHandle::new(listening), AbortOnDropHandle::new(telling)));
        (Self { slots, _connection: connection }, herald)
    }

    /// Who is acting in the session of these claims.
    pub async fn recognise(&self, db: &Db, claims: &Claims) -> Result<Acting> {
        let look = self.slots.look(db, claims.sid, claims.sub).await?;
        let now = db.now_since(look.now, look.asked.elapsed());
        claims.check_time(Kind::Access, now)?;
        let alive = look.recognised.as_ref().filter(|recognised| recognised.expires_at > now);
        alive.cloned().ok_or(Error::Unauthenticated("the session is over"))
    }
}

#[derive(Debug, Default)]
struct Slots {
    known: Mutex<HashMap<SessionId, Arc<Slot>>>,
    /// Redis is away: changes of other processes are not heard.
    alone: AtomicBool,
}

/// One session. Whoever finds the answer too old holds the lock while asking, and the others wait for that one answer.
#[derive(Debug)]
struct Slot {
    user_id: UserId,
    seen: tokio::sync::Mutex<Seen>,
}

#[derive(Debug)]
enum Seen {
    Nothing,
    Known(Arc<Look>),
    Failed(Instant),
}

/// What the database said, and when.
#[derive(Debug)]
struct Look {
    recognised: Option<Acting>,
    now: DateTime<Utc>,
    asked: Instant,
}

impl Slots {
    async fn look(&self, db: &Db, id: SessionId, user_id: UserId) -> Result<Arc<Look>> {
        let came = Instant::now();
        let slot = self.slot(id, user_id);
        let mut seen = slot.seen.lock().await;
        match &*seen {
            Seen::Known(look) if look.asked.elapsed() < KEPT => return Ok(Arc::clone(look)),
            // It failed while this one stood in line: asking again one after the other would only make the line longer.
            Seen::Failed(at) if *at >= came => {
                return Err(Error::unavailable("the database", "it just did not answer"));
            }
            Seen::Known(_) | Seen::Failed(_) | Seen::Nothing => {}
        }
        let budget = if self.alone.load(Ordering::Relaxed) { BUDGET_ALONE } else { BUDGET };
        let answer = timeout(budget, ask(db, id, user_id)).await;
        match answer.unwrap_or_else(|_| Err(Error::unavailable("the database", "it did not answer in time"))) {
            Ok(look) => {
                let look = Arc::new(look);
                *seen = Seen::Known(Arc::clone(&look));
                Ok(look)
            }
            Err(error) => {
                *seen = Seen::Failed(Instant::now());
                Err(error)
            }
        }
    }

    fn slot(&self, id: SessionId, user_id: UserId) -> Arc<Slot> {
        let mut slots = self.slots();
        if slots.len() >= AT_MOST && !slots.contains_key(&id) {
            slots.clear();
        }
        let slot = slots.entry(id).or_insert_with(|| Arc::new(Slot { user_id, seen: Seen::Nothing.into() }));
        Arc::clone(slot)
    }

    /// Whoever is asking at this moment may still get the answer of before; who comes from now on does not.
    fn forget(&self, change: Change) {
        let mut slots = self.slots();
        match change {
            Change::Session(id) => drop(slots.remove(&id)),
            Change::User(id) => slots.retain(|_, slot| slot.user_id != id),
            Change::Enterprise(_) => slots.clear(),
        }
    }

    fn forget_all(&self) {
        self.slots().clear();
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Slot>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(db: &Db, id: SessionId, user_id: UserId) -> Result<Look> {
    let asked = Instant::now();
    let mut tx = db.platform().await?;
    let recognised = sessions::recognise(&mut tx, id, user_id).await?;
    Ok(Look { recognised, now: tx.now().await?, asked })
}

/// Hears what other processes changed, for ever.
async fn listen(redis_url: SecretString, slots: Arc<Slots>) {
    loop {
        let outcome = hear(&redis_url, &slots).await;
        if !slots.alone.swap(true, Ordering::Relaxed) {
            let why = outcome.err().map_or_else(|| "the connection ended".to_owned(), |error| error.to_string());
            warn!("Changes of rights are not heard from Redis, they hold within half a second: {why}");
        }
        sleep(RETRY).await;
    }
}

/// Ends with the connection.
async fn hear(redis_url: &SecretString, slots: &Slots) -> redis::RedisResult<()> {
    let client = redis::Client::open(redis_url.expose_secret())?;
    let late = |_| redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let mut subscription = timeout(PATIENCE, client.get_async_pubsub()).await.map_err(late)??;
    timeout(PATIENCE, subscription.subscribe(CHANNEL)).await.map_err(late)??;
    // Nobody knows what was said meanwhile.
    slots.forget_all();
    if slots.alone.swap(false, Ordering::Relaxed) {
        info!("Changes of rights are heard from Redis again");
    }
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        match message.get_payload::<String>().map(|text| text.parse()) {
            Ok(Ok(change)) => slots.forget(change),
            // From a later version, perhaps: better to ask once too often.
            Ok(Err(_)) | Err(_) => slots.forget_all(),
        }
    }
    Ok(())
}

/// Tells other processes what was changed here, until nobody changes anything any more.
async fn tell(redis_url: SecretString, mut changes: mpsc::Receiver<Change>) {
    let mut connection = match jobs::connect(&redis_url, PATIENCE, PATIENCE) {
        Ok(connection) => connection,
        Err(error) => return warn!("Changes of rights are not told to other processes: {error}"),
    };
    let mut away_until: Option<Instant> = None;
    while let Some(change) = changes.recv().await {
        if away_until.is_some_and(|until| Instant::now() < until) {
            continue;
        }
        away_until = match connection.publish::<_, _, ()>(CHANNEL, change.to_string()).await {
            Ok(()) => None,
            Err(error) => {
                warn!("A change of rights was not told to other processes, it holds within half a second: {error}");
                Some(Instant::now() + PATIENCE)
            }
        };
    }
}
