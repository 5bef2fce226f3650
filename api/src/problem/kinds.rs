//! What kinds of problems there are besides refusals, and the one list of codes that the document publishes.

use std::borrow::Cow;

use poem::http::StatusCode;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use shared::Refusal;

macro_rules! kinds {
    ($($name:ident = $status:ident, $code:literal, $title:literal, $russian:literal;)+) => {
        /// Why a request was not answered as hoped, where no rule of the warehouse is the reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $title] $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

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

kinds! {
    BodyTooSlow = REQUEST_TIMEOUT, "body_too_slow", "The body did not come in time", "Тело запроса не пришло вовремя";
    DatabaseUnavailable = SERVICE_UNAVAILABLE, "database_unavailable", "The database does not answer", "База данных не отвечает";
    Forbidden = FORBIDDEN, "forbidden", "Your role does not allow this", "Ваша роль этого не позволяет";
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "The header lines are too large", "Слишком большие заголовки запроса";
    IdempotencyInProgress = CONFLICT, "idempotency_in_progress", "The first request with this key is still running", "Первый запрос с этим ключом ещё выполняется";
    IdempotencyMismatch = UNPROCESSABLE_ENTITY, "idempotency_mismatch", "The key was used for another request", "Этот ключ уже использован для другого запроса";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Something went wrong here", "Внутренняя ошибка";
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "A value of the request is wrong", "Неверное значение в запросе";
    Malformed = BAD_REQUEST, "malformed", "The request cannot be read", "Запрос не удалось прочитать";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not know the method", "Метод здесь не поддерживается";
    NotFound = NOT_FOUND, "not_found", "There is no such thing", "Не найдено";
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large", "Слишком большое тело запроса";
    PreconditionFailed = PRECONDITION_FAILED, "precondition_failed", "Somebody changed it meanwhile: read it again", "Объект уже изменён: прочитайте его заново";
    SecondFactorRequired = FORBIDDEN, "second_factor_required", "Set up a second factor first", "Сначала настройте второй фактор";
    StepUpRequired = FORBIDDEN, "step_up_required", "Confirm with your password first", "Сначала подтвердите паролем";
    TimedOut = SERVICE_UNAVAILABLE, "timed_out", "The request took too long", "Запрос выполнялся слишком долго";
    TooManyAttempts = TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts to sign in, wait", "Слишком много попыток входа, подождите";
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "Too many requests, wait", "Слишком много запросов, подождите";
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Sign in first", "Сначала войдите";
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "Something this needs does not answer", "Нужная служба не отвечает";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "This kind of body is not accepted", "Такой тип тела запроса не принимается";
    UriTooLong = URI_TOO_LONG, "uri_too_long", "The address is too long", "Слишком длинный адрес";
}

/// The code of a kind or of a refusal: what clients match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(&'static str);

impl Code {
    /// Every code that may be answered, sorted.
    pub fn all() -> Vec<&'static str> {
        let kinds = Kind::ALL.iter().map(|kind| kind.code());
        let mut codes: Vec<_> = kinds.chain(Refusal::ALL.iter().map(|refusal| refusal.code())).collect();
        codes.sort_unstable();
        codes
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<Kind> for Code {
    fn from(kind: Kind) -> Self {
        Self(kind.code())
    }
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.code())
    }
}

impl Type for Code {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Code".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference("Code".to_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>("Code".to_owned(), |_| MetaSchema {
            description: Some("What went wrong, for programs. Codes never change their meaning; new ones are added."),
            enum_items: Self::all().into_iter().map(Value::from).collect(),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for Code {
    fn to_json(&self) -> Option<Value> {
        Some(Value::from(self.0))
    }
}

impl ParseFromJSON for Code {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        let known = Self::all().into_iter().find(|code| value == *code);
        known.map(Self).ok_or_else(|| ParseError::expected_type(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_has_two_meanings() {
        let codes = Code::all();
        let mut unique = codes.clone();
        unique.dedup();
        assert_eq!(codes, unique);
    }
}
