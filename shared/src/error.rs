//! Every way in which a verb may fail, and the closed registry of refusals.
//!
//! `Display` states the fact without its cause; the chain is logged once, at the boundary. The API maps an error to a
//! problem document, the worker to "again" or "dead".

use std::time::Duration;

use crate::idempotency::Answer;
use crate::versions::Version;

/// The result of every verb.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause that is only ever logged.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to another enterprise: 404.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A rule of the warehouse said no: 409 with the refusal's code.
    #[error("{detail}")]
    Refused {
        /// Which rule.
        refusal: Refusal,
        /// The facts, in words that a person at a scanner understands.
        detail: String,
        /// What would have been allowed, where the rule is about states.
        allowed: Vec<String>,
    },
    /// Rules said no to rows of a batch that is done whole or not at all: 409 with the first one's code, and every row.
    #[error("{} rows are refused", .0.len())]
    RowsRefused(Vec<RowRefused>),
    /// The request makes no sense: 422 with the field.
    #[error("{field}: {why}")]
    Invalid {
        /// The field as the client named it, dotted from the body's root.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not known who is asking: 401.
    #[error("not signed in")]
    Unauthenticated(&'static str),
    /// The role does not allow it: 403.
    #[error("permission {0} is missing")]
    Forbidden(&'static str),
    /// The person has to prove again who they are: 403.
    #[error("the person has not proved lately who they are")]
    StepUpRequired,
    /// The person has to set up a second factor before anything else: 403.
    #[error("the person has no second factor")]
    SecondFactorRequired,
    /// Too many guesses at a secret: 429.
    #[error("too many attempts")]
    TooManyAttempts {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// Somebody changed the object meanwhile, and the request expected another version: 412 with the one it has now.
    #[error("the object is at version {0} by now")]
    Changed(Version),
    /// The request was answered before under its idempotency key: that answer is given again.
    #[error("the request was answered before")]
    Answered(Box<Answer>),
    /// The request's idempotency key is just being worked on: 409, and come back.
    #[error("the idempotency key is in use")]
    KeyBusy,
    /// The request's idempotency key named another request before: 422.
    #[error("the idempotency key named another request")]
    KeyReused,
    /// Something outside did not answer or asked to wait: 503, and the job runs again later without counting.
    #[error("{what} is unavailable")]
    Unavailable {
        /// Who did not answer.
        what: &'static str,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
        /// The cause, for the log.
        #[source]
        source: Option<Cause>,
    },
    /// Data that we wrote makes no sense: 500.
    #[error("inconsistent data: {0}")]
    Inconsistent(String),
    /// The database failed: 503 where it is a passing fault, 500 otherwise.
    #[error("database error")]
    Database(#[from] sqlx::Error),
}

/// A row of a batch that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRefused {
    /// Its place in the request, from 0.
    pub row: usize,
    /// Which rule.
    pub refusal: Refusal,
    /// The facts.
    pub detail: String,
}

impl Error {
    /// A rule said no, in these words.
    pub fn refused(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self::Refused { refusal, detail: detail.into(), allowed: Vec::new() }
    }

    /// The field is wrong, for this reason.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }

    /// Something outside did not answer.
    pub fn unavailable(what: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Unavailable { what, retry_after: None, source: Some(cause.into()) }
    }

    /// Whether the same attempt may succeed later by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Database(error) => database_error_is_passing(error),
            Self::NotFound(_)
            | Self::Refused { .. }
            | Self::RowsRefused(_)
            | Self::Invalid { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::StepUpRequired
            | Self::SecondFactorRequired
            | Self::TooManyAttempts { .. }
            | Self::Changed(_)
            | Self::Answered(_)
            | Self::KeyBusy
            | Self::KeyReused
            | Self::Inconsistent(_) => false,
        }
    }
}

/// Connection trouble, a full pool, a shutdown, a deadlock, a lost race or a time limit: all of them pass.
fn database_error_is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class)) || code == "55P03"
        }),
        _ => false,
    }
}

/// Turns the violation of a named constraint into a refusal, at the query that can violate it.
pub trait RefusedOn<T> {
    /// `detail` is only built when the constraint was violated.
    fn refused_on(self, constraint: &str, refusal: Refusal, detail: impl FnOnce() -> String) -> Result<T>;
}

impl<T> RefusedOn<T> for std::result::Result<T, sqlx::Error> {
    fn refused_on(self, constraint: &str, refusal: Refusal, detail: impl FnOnce() -> String) -> Result<T> {
        self.map_err(Error::from).refused_on(constraint, refusal, detail)
    }
}

impl<T> RefusedOn<T> for Result<T> {
    fn refused_on(self, constraint: &str, refusal: Refusal, detail: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| match &error {
            Error::Database(sqlx::Error::Database(database)) if database.constraint() == Some(constraint) => {
                Error::refused(refusal, detail())
            }
            _ => error,
        })
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal, $russian:literal;)+) => {
        /// The closed registry of refusals. Codes are stable: clients match them. Alphabetical, append-only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $($(#[$doc])* #[doc = $title] $name,)+
        }

        impl Refusal {
            /// Every refusal there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One English sentence without the facts of the case.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// The same in Russian.
            pub fn title_ru(self) -> &'static str {
                match self { $(Self::$name => $russian,)+ }
            }
        }
    };
}

refusals! {
    AccountAlreadyStored = "account_already_stored", "This seller account is already stored", "Этот кабинет продавца уже добавлен";
    AccountBlocked = "account_blocked", "Wildberries does not accept this account's token", "Wildberries не принимает токен этого кабинета";
    AccountOfAnotherSeller = "account_of_another_seller", "The token belongs to another seller", "Токен принадлежит другому продавцу";
    AlreadyMember = "already_member", "The person already belongs to the enterprise", "Сотрудник уже состоит в предприятии";
    BarcodeTaken = "barcode_taken", "Another product has this barcode", "Этот штрихкод уже у другого товара";
    BarcodeUnknown = "barcode_unknown", "No product has this barcode", "Товара с таким штрихкодом нет";
    CategoryInUse = "category_in_use", "Something lies in the category", "В категории что-то есть";
    CategoryNameTaken = "category_name_taken", "There is already such a category here", "Такая категория здесь уже есть";
    CellArchived = "cell_archived", "The cell is out of use", "Ячейка выведена из работы";
    CellBarcodeTaken = "cell_barcode_taken", "A scanner would take it for another cell", "Сканер примет её за другую ячейку";
    CellBlocked = "cell_blocked", "The cell is blocked: nothing goes in or out", "Ячейка заблокирована: ни положить, ни взять";
    CellBuiltIn = "cell_built_in", "Every warehouse keeps its packing cell", "Ячейка упаковки есть у каждого склада";
    CellCodeTaken = "cell_code_taken", "The warehouse already has a cell with this code", "На складе уже есть ячейка с таким кодом";
    CellFrozen = "cell_frozen", "The cell is frozen while it is counted", "Ячейка заморожена на время инвентаризации";
    CellFull = "cell_full", "The cell does not take so much", "Столько в ячейку не поместится";
    CellInUse = "cell_in_use", "The cell is still in use", "Ячейка ещё используется";
    CellMixing = "cell_mixing", "This may not lie together in the cell", "Вместе в этой ячейке это лежать не может";
    CellNotScanned = "cell_not_scanned", "Scan a cell before an item", "Сначала отсканируйте ячейку";
    CellOfPacking = "cell_of_packing", "Only picked goods lie in cells for packing and shipping", "В ячейках упаковки и отгрузки лежит только собранный товар";
    CellUnderCount = "cell_under_count", "The cell is being counted", "Ячейка сейчас пересчитывается";
    CellUnknown = "cell_unknown", "The warehouse has no such cell", "На складе нет такой ячейки";
    ComponentNotStored = "component_not_stored", "A bundle is made of products that are stored themselves", "Комплект состоит только из товаров, которые хранятся сами";
    CountDisputed = "count_disputed", "Two people counted differently", "Двое насчитали разное";
    CountEmpty = "count_empty", "There is nothing to count", "Считать нечего";
    CountLineClosed = "count_line_closed", "The line is not to be counted in this round", "В этом круге строка не пересчитывается";
    CountNothingToRecount = "count_nothing_to_recount", "There is nothing to recount", "Пересчитывать нечего";
    CountOutside = "count_outside", "This is no part of the count", "Это не входит в инвентаризацию";
    CountRecountByAnother = "count_recount_by_another", "Somebody else has to recount it", "Пересчитать должен другой человек";
    CountRowTwice = "count_row_twice", "The same goods are named twice", "Один и тот же товар назван дважды";
    CountTransition = "count_transition", "The count cannot do this from where it is", "Из текущего состояния инвентаризация этого не может";
    CountUncounted = "count_uncounted", "Something is not counted yet", "Посчитано ещё не всё";
    CountUnexplained = "count_unexplained", "A difference has no reason yet", "У расхождения не указана причина";
    EmailTaken = "email_taken", "A person with this e-mail already exists", "Пользователь с такой почтой уже есть";
    EnterpriseAdministered = "enterprise_administered", "The enterprise has an administrator already", "В предприятии уже есть администратор";
    FourEyes = "four_eyes", "Somebody else has to approve this", "Это должен подтвердить другой человек";
    GoodsReceiptNumberTaken = "goods_receipt_number_taken", "A goods receipt with this number is already posted", "Приёмка с таким номером уже проведена";
    HoldEnded = "hold_ended", "The hold is already released", "Блокировка уже снята";
    HoldUnknown = "hold_unknown", "The warehouse has no such hold", "На складе нет такой блокировки";
    ImportHasWrongRows = "import_has_wrong_rows", "Some rows of the import are wrong", "В импорте есть строки с ошибками";
    ImportTransition = "import_transition", "The import cannot go to this step from where it is", "Из текущего состояния импорт не может перейти к этому шагу";
    InvitationOutdated = "invitation_outdated", "What the invitation grants cannot be given any more", "То, что обещает приглашение, уже нельзя выдать";
    JobNotCancellable = "job_not_cancellable", "The job can no longer be cancelled", "Задание уже нельзя отменить";
    KeptByWildberries = "kept_by_wildberries", "This comes from Wildberries and is changed there", "Это приходит из Wildberries и меняется там";
    LastAdministrator = "last_administrator", "The enterprise must keep an administrator", "В предприятии должен остаться администратор";
    LotExpiryDiffers = "lot_expiry_differs", "The lot has another last day of sale", "У этой партии другой срок годности";
    LotNeeded = "lot_needed", "Several lots of it lie there: say which", "Там лежит несколько партий: укажите какую";
    LotUnknown = "lot_unknown", "The product has no such lot", "У товара нет такой партии";
    NotEnoughStock = "not_enough_stock", "There is not enough stock", "Недостаточно остатка";
    OrderAlreadyInRequest = "order_already_in_request", "The order is already being picked", "Заказ уже в сборке";
    OrderCancelled = "order_cancelled", "The order is cancelled: stop", "Заказ отменён: остановитесь";
    OrderHasNoSticker = "order_has_no_sticker", "Wildberries has no sticker for the order yet", "У Wildberries ещё нет стикера для заказа";
    OrderInAnotherSupply = "order_in_another_supply", "The order is in another supply", "Заказ уже в другой поставке";
    OrderNotPickable = "order_not_pickable", "The order has no reserved stock to pick", "Для заказа нет зарезервированного товара";
    OrderTransition = "order_transition", "The order cannot go to this status from where it is", "Из текущего статуса заказ не может перейти в этот";
    OrderUnknown = "order_unknown", "There is no such order", "Такого заказа нет";
    OwnAccess = "own_access", "Somebody else must change your access", "Свой доступ меняет кто-то другой";
    PersonOfSeveralEnterprises = "person_of_several_enterprises", "The person belongs to other enterprises too", "Сотрудник состоит и в других предприятиях";
    PrintItemNotUncertain = "print_item_not_uncertain", "Only an uncertain label can be resolved", "Решение нужно только для этикетки с неясным исходом";
    PrintJobNotCancellable = "print_job_not_cancellable", "The print job has nothing left to cancel", "В задании печати уже нечего отменять";
    PrinterAddressForbidden = "printer_address_forbidden", "Printers may not have this address", "Такой адрес для принтера запрещён";
    PrinterNameTaken = "printer_name_taken", "A printer with this name already exists", "Принтер с таким именем уже есть";
    ProductArchived = "product_archived", "The product is archived", "Товар в архиве";
    ProductInUse = "product_in_use", "Something still uses the product", "Товар ещё используется";
    ProductNotStored = "product_not_stored", "A bundle is not stored, what it is made of is", "Комплект не хранится: хранятся товары, из которых он состоит";
    ProductUnknown = "product_unknown", "There is no such product", "Такого товара нет";
    PublicationDecided = "publication_decided", "The publication is not waiting any more", "По этой публикации уже есть решение";
    PublishingFrozen = "publishing_frozen", "Publishing is frozen", "Публикация остатков остановлена";
    ReceiptCountOutOfBounds = "receipt_count_out_of_bounds", "Nobody takes back more than was counted there", "Нельзя снять больше, чем там посчитано";
    ReceiptNotCounted = "receipt_not_counted", "Nothing was counted yet", "Ещё ничего не посчитано";
    ReceiptSheetClosed = "receipt_sheet_closed", "The receipt sheet is posted or cancelled", "Приёмочный лист уже проведён или отменён";
    ReceiptSheetNumberTaken = "receipt_sheet_number_taken", "A receipt sheet with this number already exists", "Приёмочный лист с таким номером уже есть";
    ReceiptUnexplained = "receipt_unexplained", "A difference has no reason yet", "Для расхождения не указана причина";
    RequestHasOpenLines = "request_has_open_lines", "The request still has open lines", "В заявке есть незавершённые строки";
    RequestTransition = "request_transition", "The request cannot go to this status from where it is", "Из текущего статуса заявка не может перейти в этот";
    ReservationEnded = "reservation_ended", "The reservation has already ended", "Резерв уже снят";
    ReservationOfOrder = "reservation_of_order", "An order's reservation ends with the order", "Резерв заказа снимается вместе с заказом";
    ReservationUnknown = "reservation_unknown", "The warehouse has no such reservation", "На складе нет такого резерва";
    RightsExceedOwn = "rights_exceed_own", "Nobody grants or takes what they lack", "Нельзя выдать или отнять права, которых нет у вас";
    RoleInUse = "role_in_use", "Somebody still has this role", "Эта роль ещё кому-то выдана";
    RoleNameTaken = "role_name_taken", "A role with this name already exists", "Роль с таким названием уже есть";
    SameCell = "same_cell", "It already lies in this cell", "Товар уже лежит в этой ячейке";
    SecondFactorNotBegun = "second_factor_not_begun", "No second factor is being set up", "Второй фактор ещё не настраивается";
    SecondFactorOn = "second_factor_on", "The second factor is already on", "Второй фактор уже включён";
    SignInUsed = "sign_in_used", "This sign-in was already completed", "Этот вход уже завершён";
    SkuTaken = "sku_taken", "A product with this SKU already exists", "Товар с таким артикулом уже есть";
    StickerUnknown = "sticker_unknown", "No order has this sticker", "Заказа с таким стикером нет";
    SupplyMixed = "supply_mixed", "Orders of one supply must share warehouse, cargo type, cross-border and B2B", "У заказов одной поставки должны совпадать склад, тип груза, трансграничность и B2B";
    SupplyNameTaken = "supply_name_taken", "A supply with this name already exists", "Поставка с таким именем уже есть";
    SupplyNotReady = "supply_not_ready", "The supply cannot be delivered yet", "Поставку ещё нельзя передать в доставку";
    SupplyRefused = "supply_refused", "Wildberries refused the supply", "Wildberries отклонил поставку";
    SupplyTransition = "supply_transition", "The supply cannot go to this status from where it is", "Из текущего статуса поставка не может перейти в этот";
    SyncAlreadyRunning = "sync_already_running", "Such a sync is already running", "Такая синхронизация уже идёт";
    TokenExpired = "token_expired", "The token has expired", "Срок действия токена истёк";
    TokenLacksCategory = "token_lacks_category", "The token lacks a category that is needed", "У токена нет нужной категории";
    TokenMalformed = "token_malformed", "This is not a Wildberries token", "Это не токен Wildberries";
    TokenReadOnly = "token_read_only", "The token is read-only", "Токен только для чтения";
    TokenRejected = "token_rejected", "Wildberries does not accept the token", "Wildberries не принимает токен";
    TokenWrongKind = "token_wrong_kind", "A token of this kind cannot be used here", "Токен такого вида здесь не подходит";
    TransferExceeded = "transfer_exceeded", "More than is on its way", "Больше, чем находится в пути";
    TransferNumberTaken = "transfer_number_taken", "A transfer with this number already exists", "Перемещение с таким номером уже есть";
    TransferTransition = "transfer_transition", "The transfer cannot go there from where it is", "Перемещение нельзя перевести в это состояние";
    TransferUnexplained = "transfer_unexplained", "What does not come has no reason yet", "Для недошедшего не указана причина";
    WarehouseArchived = "warehouse_archived", "The warehouse is archived", "Склад в архиве";
    WarehouseHasOpenOrders = "warehouse_has_open_orders", "Orders of it are still to be handed over", "С него ещё не переданы заказы";
    WarehouseInUse = "warehouse_in_use", "Something still uses the warehouse", "Склад ещё используется";
    WarehouseNameTaken = "warehouse_name_taken", "A warehouse with this name already exists", "Склад с таким названием уже есть";
    WarehouseNotLinked = "warehouse_not_linked", "The Wildberries warehouse is not linked to an own one", "Склад Wildberries не привязан к своему складу";
    WildberriesRefused = "wildberries_refused", "Wildberries refused the call", "Wildberries отклонил запрос";
    WildberriesWarehouseGone = "wildberries_warehouse_gone", "Wildberries does not name this warehouse any more", "Wildberries больше не называет этот склад";
    WrongCell = "wrong_cell", "Nothing of this request lies in this cell", "В этой ячейке нет товара по заявке";
    WrongItem = "wrong_item", "This is not the item to take here", "Это не тот товар";
    ZoneInUse = "zone_in_use", "The zone has cells", "В зоне есть ячейки";
    ZoneNameTaken = "zone_name_taken", "The warehouse already has a zone with this name", "На складе уже есть зона с таким названием";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_codes_are_unique_and_sorted() {
        let codes: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }
}
