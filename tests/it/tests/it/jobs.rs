//! The engine: promised once, claimed once, settled by who holds the lease, and given up in the end.

use std::sync::Arc;

use anyhow::Result;
use it::TestApp;
use secrecy::SecretString;
use serde_json::json;
use shared::ids::{AccountId, CountId, JobId, LetterId, PrinterId, ProductId, SupplyId, SyncRunId};
use shared::jobs::{Job, Outcome, Pusher, Queue, QueueNames, lease};
use stack::client::text;
use worker::idempotency::PruneAnswers;
use worker::pulse::Pulse;
use worker::timers::PruneJobs;
use worker::{Runner, relay};

async fn promised(app: &TestApp) -> Result<JobId> {
    let mut tx = app.ctx.db.platform().await?;
    let promised = tx.enqueue(&PruneJobs {}).await?;
    tx.commit().await?;
    Ok(promised.job_id)
}

async fn claim(app: &TestApp, id: JobId) -> Result<Option<shared::jobs::JobRow>> {
    let mut tx = app.ctx.db.platform().await?;
    let row = lease::claim(&mut tx, id, None).await?;
    tx.commit().await?;
    Ok(row)
}

async fn settle(app: &TestApp, row: &shared::jobs::JobRow, outcome: Outcome) -> Result<bool> {
    let mut tx = app.ctx.db.platform().await?;
    let ours = lease::settle(&mut tx, row, &outcome).await?;
    tx.commit().await?;
    Ok(ours)
}

async fn sweep(app: &TestApp) -> Result<lease::Swept> {
    let mut tx = app.ctx.db.platform().await?;
    let swept = lease::sweep(&mut tx).await?;
    tx.commit().await?;
    Ok(swept)
}

#[tokio::test]
async fn an_unfinished_promise_is_not_made_twice_and_a_finished_one_is() -> Result<()> {
    let app = TestApp::start().await?;
    let first = promised(&app).await?;
    assert_eq!(promised(&app).await?, first);
    assert_eq!(app.run_jobs().await?.len(), 1);
    assert_ne!(promised(&app).await?, first);
    app.run_jobs().await?;
    Ok(())
}

#[tokio::test]
async fn a_promise_that_is_not_committed_is_none() -> Result<()> {
    let app = TestApp::start().await?;
    let mut tx = app.ctx.db.platform().await?;
    tx.enqueue(&PruneJobs {}).await?;
    drop(tx);
    assert!(app.run_jobs().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn of_many_who_claim_a_job_one_gets_it() -> Result<()> {
    let app = TestApp::start().await?;
    let id = promised(&app).await?;
    let claims = futures::future::try_join_all((0..5).map(|_| claim(&app, id))).await?;
    assert_eq!(claims.iter().flatten().count(), 1);
    Ok(())
}

#[tokio::test]
async fn who_lost_the_lease_cannot_renew_or_settle() -> Result<()> {
    let app = TestApp::start().await?;
    let id = promised(&app).await?;
    let late = claim(&app, id).await?.expect("it was due");
    app.clock.advance(chrono::Duration::seconds(16));
    assert_eq!(sweep(&app).await?.left_behind, 1);
    let next = claim(&app, id).await?.expect("it is due again");
    let mut tx = app.ctx.db.platform().await?;
    assert!(!lease::renew(&mut tx, &late).await?);
    tx.commit().await?;
    assert!(!settle(&app, &late, Outcome::Dead { error: "too late".to_owned() }).await?);
    assert!(settle(&app, &next, Outcome::Done).await?);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE state = 'done' AND attempts = 2").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_job_left_behind_three_times_is_dead() -> Result<()> {
    let app = TestApp::start().await?;
    let id = promised(&app).await?;
    for _ in 0..lease::MAX_RECOVERIES {
        assert!(claim(&app, id).await?.is_some());
        app.clock.advance(chrono::Duration::seconds(16));
        assert_eq!(sweep(&app).await?.left_behind, 1);
    }
    assert!(claim(&app, id).await?.is_none());
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE state = 'dead' AND recoveries = 3").await?, 1);
    Ok(())
}

#[tokio::test]
async fn waiting_beyond_its_patience_is_giving_up() -> Result<()> {
    let app = TestApp::start().await?;
    let id = promised(&app).await?;
    let row = claim(&app, id).await?.expect("it was due");
    let after = std::time::Duration::from_hours(25);
    assert!(settle(&app, &row, Outcome::Again { after, error: "the world is away".to_owned() }).await?);
    let dead =
        "SELECT count(*) FROM jobs WHERE state = 'dead' AND last_error = 'given up after waiting: the world is away'";
    assert_eq!(app.count(dead).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_person_takes_back_only_what_was_not_begun() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let body = json!({ "accountId": shop.account, "kind": "catalogue" });
    let job = text(&shop.client.post("/sync-runs", body).await?, "jobId")?;
    let path = format!("/jobs/{job}/cancel");
    assert_eq!(shop.client.post(&path, json!({})).await?["state"], "cancelled");
    shop.client.refused(&path, json!({}), "job_not_cancellable").await?;
    assert!(app.run_jobs().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_id_that_redis_delivers_twice_runs_once() -> Result<()> {
    let app = TestApp::start().await?;
    let redis = SecretString::from(app.redis_url());
    let names = QueueNames::new(format!("it-{}", JobId::new()));
    let pusher = Pusher::new(&redis, names.clone())?;
    let id = promised(&app).await?;
    app.clock.advance(chrono::Duration::seconds(1));
    assert!(!relay::relay_queue(&app.ctx.db, &pusher, Queue::Default).await?);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE state = 'sent'").await?, 1);
    // Redis forgot that it had it.
    app.clock.advance(chrono::Duration::seconds(16));
    assert_eq!(sweep(&app).await?.lost, 1);
    relay::relay_queue(&app.ctx.db, &pusher, Queue::Default).await?;
    assert_eq!(pusher.room(Queue::Default).await?, shared::jobs::DEPTH - 1, "an id that is there is not doubled");
    let runner = Runner::new(app.ctx.clone(), Arc::new(worker::registry()), None, Pulse::default());
    let (one, other) = futures::try_join!(runner.run_one(id), runner.run_one(id))?;
    assert_eq!(one.iter().chain(&other).count(), 1);
    assert!(runner.run_one(id).await?.is_none(), "a late delivery finds nothing");
    Ok(())
}

/// Rows outlive deploys: kinds, queues and payloads stay as they are here.
#[test]
fn what_jobs_look_like_in_their_rows_does_not_change() {
    fn shown<J: Job>(job: &J) -> String {
        format!("{} {} {}", J::KIND, J::QUEUE.name(), serde_json::to_string(job).unwrap())
    }
    let id = "01900000-0000-7000-8000-000000000001".parse().unwrap();
    let (account_id, supply_id, run) = (AccountId(id), SupplyId(id), Some(SyncRunId(id)));
    let count_id = CountId(id);
    let jobs = [
        shown(&shared::counts::PostCount { count_id }),
        shown(&shared::counts::ServeThawed { count_id }),
        shown(&shared::drifts::ReplayQuarantine {}),
        shown(&shared::drifts::WatchDrifts {}),
        shown(&PruneJobs {}),
        shown(&PruneAnswers {}),
        shown(&shared::audit::SealEntries {}),
        shown(&shared::audit::MakePartitions {}),
        shown(&shared::sync::PullCatalogue { account_id, run }),
        shown(&shared::sync::PullWarehouses { account_id, run }),
        shown(&shared::sync::PullNewOrders { account_id, run: None }),
        shown(&shared::sync::PullOrderHistory { account_id, run }),
        shown(&shared::sync::PullStatuses { account_id, run: None }),
        shown(&shared::sync::PushStocks { account_id, run }),
        shown(&shared::sync::ReadStocks { account_id, run: None }),
        shown(&shared::supplies::PublishSupply { supply_id }),
        shown(&shared::supplies::SetShipping { supply_id }),
        shown(&shared::supplies::DeliverSupply { supply_id }),
        shown(&shared::orders::ReserveBundles { bundle_ids: vec![ProductId(id)] }),
        shown(&shared::printing::RunLane { printer_id: PrinterId(id) }),
        shown(&shared::users::letters::SendLetter { letter_id: LetterId(id) }),
        shown(&worker::users::PruneSignIns {}),
    ];
    let count = r#"{"count_id":"01900000-0000-7000-8000-000000000001"}"#;
    let both = r#"{"account_id":"01900000-0000-7000-8000-000000000001","run":"01900000-0000-7000-8000-000000000001"}"#;
    let timer = r#"{"account_id":"01900000-0000-7000-8000-000000000001"}"#;
    let supply = r#"{"supply_id":"01900000-0000-7000-8000-000000000001"}"#;
    assert_eq!(
        jobs,
        [
            format!("counts.post_count default {count}"),
            format!("counts.serve_thawed default {count}"),
            "drifts.replay_quarantine import {}".to_owned(),
            "drifts.watch default {}".to_owned(),
            "jobs.prune default {}".to_owned(),
            "idempotency.prune_answers default {}".to_owned(),
            "audit.seal_entries default {}".to_owned(),
            "audit.make_partitions default {}".to_owned(),
            format!("sync.pull_catalogue sync {both}"),
            format!("sync.pull_warehouses sync {both}"),
            format!("sync.pull_new_orders import {timer}"),
            format!("sync.pull_order_history import {both}"),
            format!("sync.pull_statuses sync {timer}"),
            format!("sync.push_stocks sync {both}"),
            format!("sync.read_stocks sync {timer}"),
            format!("supplies.publish_supply default {supply}"),
            format!("supplies.set_shipping default {supply}"),
            format!("supplies.deliver_supply default {supply}"),
            r#"orders.reserve_bundles import {"bundle_ids":["01900000-0000-7000-8000-000000000001"]}"#.to_owned(),
            r#"printing.run_lane print {"printer_id":"01900000-0000-7000-8000-000000000001"}"#.to_owned(),
            r#"users.send_letter default {"letter_id":"01900000-0000-7000-8000-000000000001"}"#.to_owned(),
            "users.prune_sign_ins default {}".to_owned(),
        ]
    );
}
