//! A secret in a request: it is read, and neither shown nor printed nor answered.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, Type};
use secrecy::SecretString;
use serde_json::Value;

/// A text that stays in its type from the moment it is read. Fields of it are `write_only`: no answer can have one.
#[derive(Clone, Debug)]
pub struct Secret(pub SecretString);

impl Type for Secret {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string(password)".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "password")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Secret {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => Ok(Self(SecretString::from(text))),
            // The usual message shows what was given.
            _ => Err(ParseError::custom("is not a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON;

    use super::*;
    use crate::wildberries::{ConnectAccount, ReplaceToken};

    static_assertions::assert_not_impl_any!(Secret: std::fmt::Display, serde::Serialize, ToJSON, AsRef<str>, std::ops::Deref);
    static_assertions::assert_not_impl_any!(ConnectAccount: std::fmt::Display, serde::Serialize);

    #[test]
    fn a_request_with_a_secret_prints_none() {
        let token = || Secret(SecretString::from("eyJ-marker"));
        let printed = format!(
            "{:?} {:?}",
            ConnectAccount { name: "Кабинет".to_owned(), token: token() },
            ReplaceToken { token: token() }
        );
        assert!(printed.contains("Кабинет") && !printed.contains("marker"), "{printed}");
    }

    #[test]
    fn what_is_no_text_is_not_repeated() {
        for value in [Value::Null, serde_json::json!({ "marker": 1 }), serde_json::json!(["marker"])] {
            let error = Secret::parse_from_json(Some(value)).expect_err("is refused").into_message();
            assert!(!error.contains("marker"), "{error}");
        }
    }
}
