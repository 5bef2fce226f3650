//! A field of an edit that `null` takes away: the document says so of these fields, and of no others.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use shared::warehouses::Edit;

/// Absent stays, null clears, a value is set.
#[derive(Clone, Debug)]
pub struct Clearable<T>(pub Edit<T>);

impl<T: Type> Type for Clearable<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("clearable_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        match T::schema_ref() {
            MetaSchemaRef::Inline(mut schema) => {
                schema.nullable = true;
                MetaSchemaRef::Inline(schema)
            }
            // Next to a reference nothing is read.
            MetaSchemaRef::Reference(_) => unreachable!("what can be cleared is written out"),
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        match &self.0 {
            Edit::Set(value) => value.as_raw_value(),
            Edit::Keep | Edit::Clear => None,
        }
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        match &self.0 {
            Edit::Set(value) => value.raw_element_iter(),
            Edit::Keep | Edit::Clear => Box::new(std::iter::empty()),
        }
    }

    fn is_none(&self) -> bool {
        matches!(self.0, Edit::Keep | Edit::Clear)
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Clearable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(match value {
            None => Edit::Keep,
            Some(Value::Null) => Edit::Clear,
            Some(value) => Edit::Set(T::parse_from_json(Some(value)).map_err(ParseError::propagate)?),
        }))
    }
}

impl<T: ToJSON> ToJSON for Clearable<T> {
    fn to_json(&self) -> Option<Value> {
        match &self.0 {
            Edit::Keep => None,
            Edit::Clear => Some(Value::Null),
            Edit::Set(value) => value.to_json(),
        }
    }
}
