//! Alarms: what somebody of an enterprise has to know and do something about. One row per occasion, however often it is
//! noticed; it stays listed when its cause is gone, so that nobody wonders later.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, AlarmId};
use crate::page::{Page, PageQuery};
use crate::{Error, Result};

/// What an alarm is about. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AlarmKind {
    /// Wildberries is about to switch off a method that is called, or has: raised 60 and 14 days before, and on the day.
    MethodEnding,
    /// Another enterprise of this installation follows the same seller.
    SellerShared,
    /// A balance is not what its entries and reservations say.
    StockDifference,
    /// The token's 180 days are over.
    TokenExpired,
    /// They will be soon: raised 30, 14, 7, 3 and 1 days before.
    TokenExpiring,
    /// Wildberries does not accept the token any more.
    TokenRefused,
    /// Wildberries' answers have something that is not known: raised once per difference.
    WildberriesDrift,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::MethodEnding,
        Self::SellerShared,
        Self::StockDifference,
        Self::TokenExpired,
        Self::TokenExpiring,
        Self::TokenRefused,
        Self::WildberriesDrift,
    ];

    /// One English sentence without the facts of the case.
    pub fn title(self) -> &'static str {
        match self {
            Self::MethodEnding => "Wildberries switches off a method that is called here",
            Self::SellerShared => "The same seller is connected elsewhere in this installation, too",
            Self::StockDifference => "A stock balance is not what its entries and reservations say",
            Self::TokenExpired => "A Wildberries token has expired",
            Self::TokenExpiring => "A Wildberries token expires soon",
            Self::TokenRefused => "Wildberries does not accept a token any more",
            Self::WildberriesDrift => "Wildberries' answers have something that is not known",
        }
    }

    /// The same in Russian.
    pub fn title_ru(self) -> &'static str {
        match self {
            Self::MethodEnding => "Wildberries отключает метод, которым пользуется система",
            Self::SellerShared => "Этот же продавец подключён в системе ещё раз",
            Self::StockDifference => "Остаток не сходится с проводками и резервами",
            Self::TokenExpired => "Срок действия токена Wildberries истёк",
            Self::TokenExpiring => "Срок действия токена Wildberries скоро истечёт",
            Self::TokenRefused => "Wildberries больше не принимает токен",
            Self::WildberriesDrift => "В ответах Wildberries появилось незнакомое",
        }
    }
}

/// An alarm, as it is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// Which one.
    pub id: AlarmId,
    /// What it is about.
    pub kind: AlarmKind,
    /// About which seller account, if it is about one.
    pub account_id: Option<AccountId>,
    /// The facts of the case.
    pub detail: String,
    /// When it was noticed.
    pub raised_at: DateTime<Utc>,
    /// When its cause was gone.
    pub ended_at: Option<DateTime<Utc>>,
    /// When somebody said that it was seen.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who: `user:<id>`.
    pub acknowledged_by: Option<String>,
}

/// Which alarms to list.
#[derive(Clone, Debug, Default)]
pub struct AlarmFilter {
    /// Only those that nobody has acknowledged and whose cause is not gone, or only the others.
    pub open: Option<bool>,
    /// Only this kind.
    pub kind: Option<AlarmKind>,
}

/// The enterprise's alarms, newest first.
pub async fn list(tx: &mut EnterpriseTx, filter: &AlarmFilter, query: &PageQuery) -> Result<Page<Alarm>> {
    tx.require(Permission::ReadAlarms)?;
    let before: Option<AlarmId> = query.key()?;
    let rows = sqlx::query_as!(
        Alarm,
        "SELECT id, kind, account_id, detail, raised_at, ended_at, acknowledged_at, acknowledged_by
         FROM alarms
         WHERE ($1::boolean IS NULL OR (acknowledged_at IS NULL AND ended_at IS NULL) = $1)
           AND ($2::text IS NULL OR kind = $2)
           AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC
         LIMIT $4",
        filter.open,
        filter.kind as Option<AlarmKind>,
        before as _,
        query.limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |alarm| alarm.id))
}

/// Somebody has seen it. Saying so again changes nothing.
pub async fn acknowledge(tx: &mut EnterpriseTx, id: AlarmId) -> Result<Alarm> {
    tx.require(Permission::AcknowledgeAlarms)?;
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    let was_new =
        sqlx::query_scalar!("SELECT acknowledged_at IS NULL AS \"new!\" FROM alarms WHERE id = $1 FOR UPDATE", id as _)
            .fetch_optional(tx.conn())
            .await?
            .ok_or(Error::NotFound("alarm"))?;
    let alarm = sqlx::query_as!(
        Alarm,
        "UPDATE alarms
         SET acknowledged_by = CASE WHEN acknowledged_at IS NULL THEN $2 ELSE acknowledged_by END,
             acknowledged_at = coalesce(acknowledged_at, $3)
         WHERE id = $1
         RETURNING id, kind, account_id, detail, raised_at, ended_at, acknowledged_at, acknowledged_by",
        id as _,
        actor,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    if was_new {
        audit::noted(tx, Action::AlarmAcknowledged, Object::of("alarm", id), &alarm).await?;
    }
    Ok(alarm)
}

/// Raises it unless it was already raised on this occasion; says whether it is new.
pub(crate) async fn raise(
    tx: &mut EnterpriseTx,
    kind: AlarmKind,
    account_id: impl Into<Option<AccountId>> + Send,
    occasion: &str,
    detail: &str,
) -> Result<bool> {
    let account_id = account_id.into();
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let raised = sqlx::query!(
        "INSERT INTO alarms (enterprise_id, id, kind, account_id, occasion, detail, raised_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
        enterprise_id as _,
        AlarmId::new() as _,
        kind as AlarmKind,
        account_id as _,
        occasion,
        detail,
        now,
    )
    .execute(tx.conn())
    .await?;
    let new = raised.rows_affected() == 1;
    if new {
        let account = account_id.map(tracing::field::display);
        tracing::warn!(enterprise.id = %enterprise_id, account.id = account, "Raised an alarm: {}", kind.title());
    }
    Ok(new)
}

/// Raises an alarm that is about no account, unless one of its kind is open that nobody has seen.
pub(crate) async fn raise_unless_open(
    tx: &mut EnterpriseTx,
    kind: AlarmKind,
    occasion: &str,
    detail: &str,
) -> Result<()> {
    let open = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM alarms WHERE kind = $1 AND ended_at IS NULL AND acknowledged_at IS NULL) AS "open!""#,
        kind as AlarmKind,
    )
    .fetch_one(tx.conn())
    .await?;
    if !open {
        raise(tx, kind, None, occasion, detail).await?;
    }
    Ok(())
}

/// The cause of every alarm of the kind is gone.
pub(crate) async fn end(tx: &mut EnterpriseTx, kind: AlarmKind) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!("UPDATE alarms SET ended_at = $2 WHERE kind = $1 AND ended_at IS NULL", kind as AlarmKind, now,)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The cause of the alarm of this occasion is gone.
pub(crate) async fn end_of(
    tx: &mut EnterpriseTx,
    kind: AlarmKind,
    account_id: AccountId,
    occasion: &str,
) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE alarms SET ended_at = $4 WHERE kind = $1 AND account_id = $2 AND occasion = $3 AND ended_at IS NULL",
        kind as AlarmKind,
        account_id as _,
        occasion,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The token of the account was replaced: the cause of its alarms is gone.
pub(crate) async fn end_of_token(tx: &mut EnterpriseTx, account_id: AccountId) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE alarms SET ended_at = $2
         WHERE account_id = $1 AND kind IN ('token_expired', 'token_expiring', 'token_refused') AND ended_at IS NULL",
        account_id as _,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
