//! Takes what the facade gives.
//!
//! `serde-wasm-bindgen` could read it, too, and did: it made the wasm 14 KB larger (brotli), most of it for texts of errors
//! that never come, because the facade has checked what users give. This reader knows what is wrong and not more; and it
//! asks for the fields of a struct in their order, so that the code which serde derives for fields in any order is not
//! there at all.

use std::fmt::{self, Display};
use std::slice::Iter;

use js_sys::{Array, Float64Array, Object, Reflect, Uint8Array};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use wasm_bindgen::{JsCast, JsError, JsValue};

use crate::node::NodeError;

/// A value of JavaScript's as we have it.
///
/// # Errors
/// `invalid-options`, with the field that is wrong.
pub(crate) fn take<T: DeserializeOwned>(value: JsValue) -> Result<T, NodeError> {
    T::deserialize(Value(value)).map_err(|Wrong(field)| {
        NodeError::option(
            field.unwrap_or("params"),
            "is missing, or of the wrong kind",
        )
    })
}

/// A request in its envelope, whose parameters stay what they are until the method is known.
pub(crate) struct Request {
    pub(crate) id: u32,
    pub(crate) method: String,
    pub(crate) params: JsValue,
}

impl Request {
    /// # Errors
    /// For a message that is none.
    pub(crate) fn read(message: &JsValue) -> Result<Self, JsError> {
        let id = field(message, "id").as_f64();
        let method = field(message, "method").as_string();
        match (id, method) {
            (Some(id), Some(method)) => Ok(Self {
                id: id as u32,
                method,
                params: field(message, "params"),
            }),
            _ => Err(JsError::new("a message has an id and a method")),
        }
    }
}

/// A field; undefined where there is none.
fn field(object: &JsValue, name: &str) -> JsValue {
    // What has no fields at all, such as undefined, throws.
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or_default()
}

/// Something is not what it should be: the field nearest to it.
#[derive(Debug, Clone, Copy)]
struct Wrong(Option<&'static str>);

impl Display for Wrong {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    // None of what serde has to say is made a text of.
    fn custom<T: Display>(_: T) -> Self {
        Self(None)
    }

    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self(None)
    }

    fn invalid_value(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self(None)
    }

    fn invalid_length(_: usize, _: &dyn serde::de::Expected) -> Self {
        Self(None)
    }
}

/// One value.
struct Value(JsValue);

impl Value {
    fn is_absent(&self) -> bool {
        self.0.is_undefined() || self.0.is_null()
    }

    fn text(&self) -> Result<String, Wrong> {
        self.0.as_string().ok_or(Wrong(None))
    }

    fn number(&self) -> Result<f64, Wrong> {
        self.0.as_f64().ok_or(Wrong(None))
    }

    /// A whole number that JavaScript has exactly.
    fn whole(&self) -> Result<i64, Wrong> {
        const GREATEST: i64 = 1 << 53;
        let number = self.number()?;
        // Saturates, so what is no such number comes out different.
        let whole = number as i64;
        if whole as f64 == number && (-GREATEST..=GREATEST).contains(&whole) {
            Ok(whole)
        } else {
            Err(Wrong(None))
        }
    }
}

/// Numbers of every size are read as the largest; serde sees to it that they fit.
macro_rules! whole_numbers {
    ($($method:ident)+) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            visitor.visit_i64(self.whole()?)
        }
    )+ };
}

impl<'de> Deserializer<'de> for Value {
    type Error = Wrong;

    whole_numbers! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_i16 }

    /// A number or a text, whichever it is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.whole() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => visitor.visit_string(self.text()?),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.0.as_bool().ok_or(Wrong(None))?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let bytes = self.0.dyn_ref::<Uint8Array>().ok_or(Wrong(None))?;
        visitor.visit_byte_buf(bytes.to_vec())
    }

    /// Absent is what is undefined or null.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.is_absent() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let items = match self.0.dyn_into::<Array>() {
            Ok(array) => array,
            Err(other) => Array::from(other.dyn_ref::<Float64Array>().ok_or(Wrong(None))?),
        };
        visitor.visit_seq(Items { items, next: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let object = self.0.dyn_ref::<Object>().ok_or(Wrong(None))?;
        visitor.visit_map(Items {
            items: Object::entries(object),
            next: 0,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_seq(Fields {
            object: self.0,
            names: fields.iter(),
        })
    }

    forward_to_deserialize_any! {
        i8 i32 i64 i128 u128 f32 char str bytes unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// The fields of an object, in the order that a struct has them.
struct Fields {
    object: JsValue,
    names: Iter<'static, &'static str>,
}

impl<'de> SeqAccess<'de> for Fields {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        match seed.deserialize(Value(field(&self.object, name))) {
            Ok(value) => Ok(Some(value)),
            Err(Wrong(inner)) => Err(Wrong(Some(inner.unwrap_or(name)))),
        }
    }
}

/// The elements of an array, or the pairs of keys and values of an object.
struct Items {
    items: Array,
    next: u32,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        if self.next >= self.items.length() {
            return Ok(None);
        }
        self.next += 1;
        seed.deserialize(Value(self.items.get(self.next - 1)))
            .map(Some)
    }
}

impl<'de> MapAccess<'de> for Items {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        if self.next >= self.items.length() {
            return Ok(None);
        }
        self.next += 1;
        seed.deserialize(self.of_pair(0)?).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        seed.deserialize(self.of_pair(1)?)
    }
}

impl Items {
    /// The key or the value of the pair that was begun.
    fn of_pair(&self, at: u32) -> Result<Value, Wrong> {
        let pair = self.items.get(self.next - 1);
        let pair = pair.dyn_ref::<Array>().ok_or(Wrong(None))?;
        Ok(Value(pair.get(at)))
    }
}
