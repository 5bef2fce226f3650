//! Answers and the error envelopes, which differ from one part of the API to the next.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::{Value, json};

use crate::chance::mix;

/// An answer on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

/// What a handler gives back: an answer, or a refusal which is an answer too.
pub(crate) type Answer = Result<Reply, Reply>;

impl Reply {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("answers are plain data");
        Self { status, content_type: "application/json", body, headers: Vec::new() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.as_bytes().to_vec(), headers: Vec::new() }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self { content_type: "text/html; charset=utf-8", ..Self::text(status, body) }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, content_type: "", body: Vec::new(), headers: Vec::new() }
    }

    fn problem(mut self) -> Self {
        self.content_type = "application/problem+json";
        self
    }
}

/// Wildberries puts a fresh id into every error; a counter, mixed, is as good and repeatable.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{:016x}", mix(count), mix(!count))
}

/// The envelope of the gateway before every host.
pub(crate) fn gateway(status: u16, detail: &str) -> Reply {
    let (title, text) = match status {
        401 => ("unauthorized", "Unauthorized"),
        403 => ("access denied", "Forbidden"),
        404 => ("path not found", "Not Found"),
        429 => ("too many requests", "Too Many Requests"),
        502 => ("bad gateway", "Bad Gateway"),
        503 => ("service unavailable", "Service Unavailable"),
        504 => ("gateway timeout", "Gateway Timeout"),
        _ => ("internal error", "Internal Server Error"),
    };
    let id = request_id();
    Reply::json(
        status,
        &json!({
            "title": title,
            "detail": detail,
            "code": format!("{}-{}", &id[..8], &id[8..20]),
            "requestId": id,
            "origin": "s2s-api-auth-catalog",
            "status": status,
            "statusText": text,
            "timestamp": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }),
    )
    .problem()
}

/// The common envelope of the marketplace host.
pub(crate) fn refusal(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": message(code), "data": null }))
}

/// The same envelope where its `data` is never null.
pub(crate) fn refusal_v3(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": message(code), "data": {} }))
}

/// The envelope of the newer marketplace methods.
pub(crate) fn problem(status: u16, code: &str, location: &str, value: &str) -> Reply {
    Reply::json(
        status,
        &json!({
            "title": code,
            "detail": message(code),
            "code": code,
            "errors": [{ "location": location, "message": message(code), "value": value }],
            "origin": "marketplace",
            "requestId": request_id(),
            "status": status,
        }),
    )
    .problem()
}

/// The envelope of the content host.
pub(crate) fn content_error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({ "data": null, "error": true, "errorText": text, "additionalErrors": {} }))
}

/// The envelope of the prices host.
pub(crate) fn prices_error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({ "data": null, "error": true, "errorText": text }))
}

/// The envelope of tariffs and their kin.
pub(crate) fn plain_problem(status: u16, title: &str, detail: &str) -> Reply {
    let body = json!({
        "title": title, "detail": detail, "requestId": request_id(), "origin": "tariffs", "status": status,
    });
    Reply::json(status, &body).problem()
}

/// The marketplace answers some batches with a list of refusals.
pub(crate) fn refusals(status: u16, code: &str, rows: &[Value]) -> Reply {
    Reply::json(status, &json!([{ "code": code, "message": message(code), "data": rows }]))
}

pub(crate) fn message(code: &str) -> &'static str {
    match code {
        "IncorrectRequestBody" => "Тело запроса не разобрано",
        "IncorrectRequest" => "Значения в запросе вне допустимых границ",
        "IncorrectParameter" => "Параметр запроса указан неверно",
        "BadRequest" => "Запрос составлен неверно",
        "AccessDenied" => "Нет доступа",
        "NotFound" => "Ничего не найдено",
        "StatusMismatch" => "Статус задания не подходит для этого действия",
        "StatusChangeNotAllowed" => "Сменить статус уже нельзя",
        "FailedToAddSupplyOrder" => "Часть заданий нельзя добавить в поставку",
        "SupplyHasOrders" => "В поставке есть задания",
        "SupplyHasZeroOrders" => "В поставке нет заданий",
        "SupplyNotClosed" => "Поставка ещё не передана в доставку",
        "MetaValidationFail" => "Идентификаторы маркировки не прошли проверку",
        "FailedToUpdateMeta" => "Идентификатор маркировки не сохранён",
        "MetaKeyNotRequired" => "Этот идентификатор у задания не предусмотрен",
        "LowExpirationDate" => "До конца срока годности меньше 30 дней",
        "CustomsDeclarationIsRequired" => "Нужен номер таможенной декларации",
        "ShippingParametersRequired" => "Не указаны параметры отгрузки поставки",
        "StoreIsProcessing" => "Данные склада обновляются",
        "SKUUploadDisabled" => "Остатки по баркодам больше не принимаются, нужен chrtId",
        "SupplyAlreadyScanned" => "Поставку уже начали принимать",
        "InvalidShippingDt" => "В этот день отгрузка невозможна",
        "WarehouseNameInvalid" => "Название склада должно быть от 1 до 200 символов",
        "OfficeAlreadyUsed" => "К этому офису уже привязан другой склад",
        "OfficeChangeLimit" => "Менять офис склада можно раз в сутки",
        "FulfillmentRequired" => "Пункт принимает только товары с фулфилмента",
        _ => "Действие невозможно",
    }
}
