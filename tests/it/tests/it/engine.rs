//! The engine over a real Redis that freezes, restarts empty, is wiped, or holds nonsense: no promise is lost, and none
//! is kept twice.

use anyhow::Result;
use it::engine::{Count, Engine, GATES, Hold, SOON, runs};
use shared::jobs::{DEPTH, Job, Queue};
use stack::wait;
use worker::{Registry, relay, timers};

#[tokio::test]
async fn a_frozen_redis_delays_jobs_and_loses_none() -> Result<()> {
    let engine = Engine::start().await?;
    let worker = engine.worker();
    engine.done(&engine.promise(5).await?).await?;
    engine.servers.redis().pause().await?;
    let ids = engine.promise(40).await?;
    assert!(runs(&ids).iter().all(|runs| *runs == 0), "no doorbell, no work");
    // Longer than the driver's own patience, which once killed every worker for good.
    engine.until("the freeze lasts", "SELECT now() - max(created_at) > interval '2 seconds' FROM jobs").await?;
    engine.servers.redis().resume().await?;
    engine.done(&ids).await?;
    assert_eq!(runs(&ids), vec![1; 40]);
    worker.stop().await
}

#[tokio::test]
async fn a_redis_that_crashes_and_comes_back_empty_loses_no_job() -> Result<()> {
    let engine = Engine::start().await?;
    let worker = engine.worker();
    engine.done(&engine.promise(5).await?).await?;
    engine.servers.redis().kill().await?;
    let meanwhile = engine.promise(20).await?;
    engine.servers.redis().start().await?;
    let after = engine.promise(20).await?;
    engine.done(&meanwhile).await?;
    engine.done(&after).await?;
    assert_eq!(runs(&meanwhile), vec![1; 20]);
    assert_eq!(runs(&after), vec![1; 20]);
    worker.stop().await
}

#[tokio::test]
async fn ids_that_a_wiped_redis_forgot_come_back_by_their_lease() -> Result<()> {
    let engine = Engine::start().await?;
    let ids = engine.promise(30).await?;
    // Everything is marked as sent, and nobody has taken any of it yet.
    engine.until("all of it is due", "SELECT max(created_at) < now() - interval '300 ms' FROM jobs").await?;
    relay::relay_queue(&engine.db, &engine.pusher, Queue::Default).await?;
    engine.until("all of it is sent", "SELECT bool_and(state = 'sent') FROM jobs").await?;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut engine.redis().await?).await?;
    let worker = engine.worker();
    engine.done(&ids).await?;
    assert_eq!(runs(&ids), vec![1; 30]);
    worker.stop().await
}

#[tokio::test]
async fn nonsense_in_a_queue_does_not_stop_it() -> Result<()> {
    let engine = Engine::start().await?;
    let worker = engine.worker();
    engine.done(&engine.promise(1).await?).await?;
    let mut redis = engine.redis().await?;
    // An id whose payload is gone, and one whose payload is no JSON: apalis' worker dies of either.
    let _: () = redis::cmd("HSET").arg("wb-default:data").arg("torn").arg("{").query_async(&mut redis).await?;
    let _: () = redis::cmd("RPUSH").arg("wb-default:active").arg("gone").arg("torn").query_async(&mut redis).await?;
    let ids = engine.promise(10).await?;
    engine.done(&ids).await?;
    assert_eq!(runs(&ids), vec![1; 10]);
    worker.stop().await
}

#[tokio::test]
async fn a_backlog_waits_in_the_table_and_not_in_redis() -> Result<()> {
    let engine = Engine::start().await?;
    let more = DEPTH + 300;
    let ids = engine.promise(u32::try_from(more)?).await?;
    engine.until("all of it is due", "SELECT max(created_at) < now() - interval '300 ms' FROM jobs").await?;
    for _ in 0..3 {
        relay::relay_queue(&engine.db, &engine.pusher, Queue::Default).await?;
    }
    assert_eq!(engine.pusher.room(Queue::Default).await?, 0);
    let lie: usize = redis::cmd("LLEN").arg("wb-default:active").query_async(&mut engine.redis().await?).await?;
    assert_eq!(lie, DEPTH);
    let worker = engine.worker();
    engine.done(&ids).await?;
    assert_eq!(runs(&ids), vec![1; more]);
    worker.stop().await
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_what_it_has_begun_and_begins_nothing_else() -> Result<()> {
    let engine = Engine::start().await?;
    let worker = engine.worker();
    let mut tx = engine.db.platform().await?;
    let held = tx.enqueue(&Hold { gate: 0 }).await?.job_id;
    tx.commit().await?;
    GATES[0].begun.notified().await;
    worker.ask_to_stop();
    let ids = engine.promise(3).await?;
    assert!(!worker.ended());
    GATES[0].go.notify_one();
    worker.stop().await?;
    engine.done(&[held]).await?;
    assert_eq!(runs(&ids), vec![0; 3]);
    // The next one begins where this one stopped.
    let next = engine.worker();
    engine.done(&ids).await?;
    next.stop().await
}

#[tokio::test]
async fn a_worker_of_one_queue_leaves_the_others_alone() -> Result<()> {
    let engine = Engine::start().await?;
    let imports = engine.worker_of(&[Queue::Import]);
    let ids = engine.promise(3).await?;
    let mut tx = engine.db.platform().await?;
    let held = tx.enqueue(&Hold { gate: 1 }).await?.job_id;
    tx.commit().await?;
    GATES[1].begun.notified().await;
    GATES[1].go.notify_one();
    engine.done(&[held]).await?;
    assert_eq!(runs(&ids), vec![0; 3]);
    let rest = engine.worker_of(&[Queue::Default]);
    engine.done(&ids).await?;
    imports.stop().await?;
    rest.stop().await
}

#[tokio::test]
async fn several_workers_share_the_work_and_do_none_of_it_twice() -> Result<()> {
    let engine = Engine::start().await?;
    let workers = [engine.worker(), engine.worker(), engine.worker()];
    let ids = engine.promise(150).await?;
    engine.done(&ids).await?;
    assert_eq!(runs(&ids), vec![1; 150]);
    wait::until_ok("three workers are shown", SOON, async || {
        let mut admin = engine.admin().await?;
        let shown: i64 = sqlx::query_scalar("SELECT count(*) FROM workers").fetch_one(&mut admin).await?;
        anyhow::ensure!(shown == 3, "{shown} are");
        Ok(())
    })
    .await?;
    for worker in workers {
        worker.stop().await?;
    }
    engine.until("they signed off", "SELECT count(*) = 0 FROM workers").await
}

/// The job has no unique key, so that nothing but the timer's row keeps it from being promised twice.
#[tokio::test]
async fn a_timer_fires_once_however_many_replicas_look_at_it() -> Result<()> {
    let app = it::TestApp::start().await?;
    let registry = Registry::default().job::<Count>();
    let mut tx = app.ctx.db.platform().await?;
    shared::schedules::set_platform(&mut tx, &Count { number: 1 }, std::time::Duration::from_secs(10)).await?;
    tx.commit().await?;
    for _ in 0..20 {
        let look = || timers::fire_due(&app.ctx.db, &registry);
        futures::try_join!(look(), look(), look())?;
        app.clock.advance(chrono::Duration::seconds(11));
    }
    let mut admin = app.admin().await?;
    let promised: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs WHERE kind = $1").bind(Count::KIND).fetch_one(&mut admin).await?;
    assert_eq!(promised, 20);
    Ok(())
}
