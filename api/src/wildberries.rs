//! Seller accounts at Wildberries over HTTP. A token goes in and never comes out again.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use shared::access::{Actor, Permission};
use shared::accounts::{self, AccountStatus, Failed, SellerFacts, TokenWarning};
use shared::db::Db;
use shared::ids::{AccountId, WarehouseId, WbOfficeId, WbWarehouseId};
use shared::sync::{self, Rhythm};
use shared::versions::Version;
use shared::wildberries::token::{self, TokenFacts};
use shared::wildberries::{CallError, Category, TokenKind};
use shared::{Error, Refusal, warehouses};

use crate::answers::{Current, Ending, Fresh, List, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::secret::Secret;
use crate::versions::versioned;
use crate::{State, Tag};

/// A part of Wildberries that a token opens.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct TokenCategory {
    /// Its bit in the token's mask.
    pub bit: u32,
    /// Its name.
    pub title: String,
    /// The same in Russian.
    pub title_ru: String,
}

/// Something that the owner of a token should know, although it is accepted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct Warning {
    /// For programs: `personal_token`, `excessive_categories`; others may come.
    pub code: String,
    /// For people.
    pub title: String,
    /// The same in Russian.
    pub title_ru: String,
}

impl From<TokenWarning> for Warning {
    fn from(warning: TokenWarning) -> Self {
        Self {
            code: warning.code().to_owned(),
            title: warning.title().to_owned(),
            title_ru: warning.title_ru().to_owned(),
        }
    }
}

/// A stored seller account, without its token.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Account {
    /// Which one.
    pub id: AccountId,
    /// As the enterprise calls it.
    pub name: String,
    /// The seller at Wildberries.
    pub seller_id: uuid::Uuid,
    /// The seller's legal name.
    pub seller_name: String,
    /// The seller's trade mark.
    pub trade_mark: Option<String>,
    /// Which kind of token it is.
    pub token_kind: TokenKind,
    /// What it opens.
    pub categories: Vec<TokenCategory>,
    /// Whether it may only read.
    pub token_read_only: bool,
    /// When it stops working.
    pub token_expires_at: DateTime<Utc>,
    /// Four digits by which tokens of this account are told apart; nothing of the token can be found out from them.
    pub token_fingerprint: Option<String>,
    /// What its owner should know about it.
    pub warnings: Vec<Warning>,
    /// When a call with it last worked, to the minute.
    pub last_ok_at: Option<DateTime<Utc>>,
    /// Why a call last failed: `unauthorized`, `forbidden`, `payment_required`, `not_found`, `refused`, `throttled`,
    /// `server_error`, `unreachable`, `unreadable`; others may come.
    pub last_error_code: Option<String>,
    /// When, to the minute.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Whether Wildberries accepts it.
    pub status: AccountStatus,
    /// Why not.
    pub status_reason: Option<String>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// How often it was changed: `If-Match` compares it.
    pub version: Version,
}

versioned!(Account);

impl From<accounts::Account> for Account {
    fn from(account: accounts::Account) -> Self {
        let warnings = TokenWarning::of(&account).into_iter().map(Warning::from).collect();
        let named = Category::ALL.iter().filter(|category| category.is_in(account.token_categories));
        let categories = named.map(|category| TokenCategory {
            bit: category.bit(),
            title: category.title().to_owned(),
            title_ru: category.title_ru().to_owned(),
        });
        Self {
            categories: categories.collect(),
            id: account.id,
            name: account.name,
            seller_id: account.seller_id,
            seller_name: account.seller_name,
            trade_mark: account.trade_mark,
            token_kind: account.token_kind,
            token_read_only: account.token_read_only,
            token_expires_at: account.token_expires_at,
            token_fingerprint: account.token_fingerprint,
            warnings,
            last_ok_at: account.last_ok_at,
            last_error_code: account.last_error_code,
            last_error_at: account.last_error_at,
            status: account.status,
            status_reason: account.status_reason,
            created_at: account.created_at,
            version: account.version,
        }
    }
}

shown! {
    /// The seller's virtual warehouse at Wildberries.
    WildberriesWarehouse from warehouses::WildberriesWarehouse {
        /// Of which seller account.
        account_id: AccountId,
        /// Its number at Wildberries.
        wb_warehouse_id: WbWarehouseId,
        /// Its name there.
        name: String,
        /// The office it is tied to.
        office_id: Option<WbOfficeId>,
        /// 1 small, 2 large, 3 oversized.
        cargo_type: Option<i32>,
        /// 1 is FBS.
        delivery_type: Option<i32>,
        /// The own warehouse that fulfils its orders.
        warehouse_id: Option<WarehouseId>,
    }
}

/// A token to store.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectAccount {
    /// As the enterprise calls the account, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// A personal token with the categories Content and Marketplace that may write.
    #[oai(write_only)]
    pub token: Secret,
}

/// A token that replaces another one of the same seller.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ReplaceToken {
    /// A personal token with the categories Content and Marketplace that may write.
    #[oai(write_only)]
    pub token: Secret,
}

/// Which own warehouse fulfils the orders.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkWarehouse {
    /// An own warehouse.
    pub warehouse_id: WarehouseId,
}

/// Seller accounts.
pub struct Api;

#[OpenApi(tag = "Tag::Wildberries")]
impl Api {
    /// List seller accounts
    #[oai(path = "/wildberries/accounts", method = "get", operation_id = "list_accounts")]
    async fn list(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<List<Account>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let accounts = accounts::list(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List::of(accounts)))
    }

    /// Store a seller's token, checked against Wildberries, and follow the account from now on
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/wildberries/accounts", method = "post", operation_id = "connect_account")]
    async fn connect(
        &self,
        Caller(actor): Caller,
        state: Data<&State>,
        body: Json<ConnectAccount>,
    ) -> Result<Fresh<Account>, ApiError> {
        let ConnectAccount { name, token } = body.0;
        let (token, facts, seller) = tried(&state, &actor, token).await?;
        let rhythm = Rhythm { orders: state.config.poll_orders, statuses: state.config.poll_statuses };
        let mut tx = state.db.begin(&actor).await?;
        let account = sync::connect(&mut tx, &state.config.keyring, rhythm, &name, &token, &facts, &seller).await?;
        tx.answer(Fresh::of(account)).await
    }

    /// Replace the token of a seller account
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/wildberries/accounts/:id/token", method = "put", operation_id = "replace_token")]
    async fn replace(
        &self,
        Caller(actor): Caller,
        state: Data<&State>,
        id: Path<AccountId>,
        body: Json<ReplaceToken>,
    ) -> Result<Current<Account>, ApiError> {
        let (token, facts, seller) = tried(&state, &actor, body.0.token).await?;
        let mut tx = state.db.begin(&actor).await?;
        let account = accounts::replace_token(&mut tx, &state.config.keyring, id.0, &token, &facts, &seller).await?;
        tx.answer(Current::of(account)).await
    }

    /// List the seller's warehouses at Wildberries and what they are linked to
    #[oai(path = "/wildberries/warehouses", method = "get", operation_id = "list_wildberries_warehouses")]
    async fn warehouses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
    ) -> Result<Json<List<WildberriesWarehouse>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let warehouses = warehouses::list_wildberries(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List::of(warehouses)))
    }

    /// Have an own warehouse fulfil the orders of a Wildberries warehouse
    #[oai(
        path = "/wildberries/accounts/:id/warehouses/:wb_warehouse_id",
        method = "put",
        operation_id = "link_warehouse"
    )]
    async fn link(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<AccountId>,
        wb_warehouse_id: Path<WbWarehouseId>,
        body: Json<LinkWarehouse>,
    ) -> Result<Json<WildberriesWarehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let linked = sync::link_warehouse(&mut tx, id.0, wb_warehouse_id.0, body.warehouse_id).await?;
        tx.answer(Json(linked.into())).await
    }

    /// Have no own warehouse fulfil the orders of a Wildberries warehouse any more
    #[oai(
        path = "/wildberries/accounts/:id/warehouses/:wb_warehouse_id",
        method = "delete",
        operation_id = "unlink_warehouse"
    )]
    async fn unlink(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<AccountId>,
        wb_warehouse_id: Path<WbWarehouseId>,
    ) -> Result<Json<WildberriesWarehouse>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let unlinked = warehouses::unlink(&mut tx, id.0, wb_warehouse_id.0).await?;
        tx.answer(Json(unlinked.into())).await
    }
}

/// What a token says of itself and what Wildberries says of it, before anything is stored. No transaction waits for the call.
async fn tried(state: &State, actor: &Actor, token: Secret) -> Result<(SecretString, TokenFacts, SellerFacts), Error> {
    // In the caller's name: what was answered before under the same key is answered now, without asking Wildberries again.
    let mut tx = state.db.begin(actor).await?;
    tx.require(Permission::ManageTokens)?;
    tx.require_confirmed().await?;
    let now = tx.now().await?;
    drop(tx);
    let token = token::trimmed(token.0);
    let facts = token::decode(&token).map_err(|problem| Error::refused(problem.refusal(), problem.to_string()))?;
    accounts::check_token(&facts, now)?;
    let seller = state.wildberries.seller(facts.seller_token(token.clone()));
    let told = seller.seller_info().await.map_err(|error| match error {
        CallError::Unauthorized { .. } => {
            Error::refused(Refusal::TokenRejected, "Wildberries does not accept the token: it may be withdrawn")
        }
        other => other.into(),
    })?;
    let name = told.name.unwrap_or_else(|| told.seller_id.to_string());
    Ok((token, facts, SellerFacts { seller_id: told.seller_id, name, trade_mark: told.trade_mark }))
}

/// What a failed call with a stored token means for its account, and for whoever asked.
pub(crate) async fn judged(
    state: &State,
    actor: &Actor,
    id: AccountId,
    token_of: DateTime<Utc>,
    error: CallError,
) -> Result<Error, Error> {
    if let Some(failed) = Failed::of(&error) {
        let mut tx = state.db.begin(actor).await?;
        accounts::record_failure(&mut tx, id, token_of, &failed).await?;
        tx.commit().await?;
    }
    Ok(error.into())
}
