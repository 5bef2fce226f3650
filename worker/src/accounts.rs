//! Looks after seller accounts: tokens that expire, sellers that somebody else follows, too.

use shared::access::Actor;
use shared::accounts::{self, TellOfSharedSeller, WatchTokens, Watched};
use shared::health::{EXPIRING_TOKENS, REFUSED_TOKENS};
use shared::jobs::{Job, JobRow};
use shared::{Result, enterprises, health};

use crate::ctx::Ctx;
use crate::registry::Run;

impl Run for WatchTokens {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.platform().await?;
        let enterprises = enterprises::active(&mut tx).await?;
        tx.commit().await?;
        let mut all = Watched::default();
        for enterprise_id in enterprises {
            let mut tx = ctx.db.begin(&Actor::job(enterprise_id, Self::KIND)).await?;
            let watched = accounts::watch_tokens(&mut tx).await?;
            tx.commit().await?;
            all.expiring += watched.expiring;
            all.blocked += watched.blocked;
        }
        let mut tx = ctx.db.platform().await?;
        health::measure(&mut tx, EXPIRING_TOKENS, all.expiring).await?;
        health::measure(&mut tx, REFUSED_TOKENS, all.blocked).await?;
        tx.commit().await
    }
}

impl Run for TellOfSharedSeller {
    async fn run(self, ctx: &Ctx, row: &JobRow) -> Result<()> {
        let mut tx = ctx.db.begin(&row.actor()?).await?;
        accounts::tell_of_shared_seller(&mut tx, self.seller_id).await?;
        tx.commit().await
    }
}
