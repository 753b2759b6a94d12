//! Reads the plain objects that the facade sends, and makes some for it.
//!
//! By hand and not by derived code: the facade has checked every value's kind, so all that is left to do is to take the
//! values out, and a general deserializer brings along texts (even of floating point numbers) for errors that never come.

use std::cell::RefCell;

use js_sys::{Array, Float64Array, Reflect, Uint8Array};
use litemap::LiteMap;
use wasm_bindgen::{JsCast, JsValue};

use crate::node::NodeError;

/// An object, or nothing, which has no fields. A field that is undefined or null is absent.
pub(super) struct Object(pub(super) JsValue);

impl Object {
    /// The field as it is.
    pub(super) fn value(&self, name: &'static str) -> JsValue {
        // What has no fields at all, such as undefined, throws.
        Reflect::get(&self.0, &JsValue::from_str(name)).unwrap_or_default()
    }

    /// A field that is absent or that `convert` can take. `what` says what it should be.
    fn read<T>(
        &self,
        name: &'static str,
        what: &'static str,
        convert: impl FnOnce(&JsValue) -> Option<T>,
    ) -> Result<Option<T>, NodeError> {
        let value = self.value(name);
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        let value = convert(&value);
        value.ok_or_else(|| NodeError::option(name, what)).map(Some)
    }

    pub(super) fn object(&self, name: &'static str) -> Self {
        Self(self.value(name))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, NodeError> {
        self.read(name, "should be a string", JsValue::as_string)
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, NodeError> {
        self.read(name, "should be a number", JsValue::as_f64)
    }

    pub(super) fn integer<T: TryFrom<u32>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, NodeError> {
        self.read(name, "should be an integer in range", |value| {
            integer(value)?.try_into().ok()
        })
    }

    /// A whole number of any size that JavaScript has exactly: durations and ids.
    pub(super) fn whole(&self, name: &'static str) -> Result<Option<u64>, NodeError> {
        self.read(name, "should be a whole number", |value| {
            exact(value.as_f64()?)
        })
    }

    pub(super) fn signed(&self, name: &'static str) -> Result<Option<i16>, NodeError> {
        self.read(name, "should be an integer in range", |value| {
            let number = value.as_f64()?;
            let integer = number as i16;
            (f64::from(integer) == number).then_some(integer)
        })
    }

    /// Whole numbers, with their places; NaN stands for an absent one.
    pub(super) fn numbers(&self, name: &'static str) -> Result<Vec<(usize, u64)>, NodeError> {
        let numbers = self.read(name, "should be whole numbers in a Float64Array", |value| {
            let present = value.dyn_ref::<Float64Array>()?.to_vec().into_iter();
            let present = present.enumerate().filter(|(_, number)| !number.is_nan());
            present
                .map(|(place, number)| Some((place, exact(number)?)))
                .collect()
        })?;
        Ok(numbers.unwrap_or_default())
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, NodeError> {
        self.read(name, "should be true or false", JsValue::as_bool)
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, NodeError> {
        self.read(name, "should be an array of strings", |value| {
            value
                .dyn_ref::<Array>()?
                .iter()
                .map(|text| text.as_string())
                .collect()
        })
    }

    pub(super) fn shards(&self, name: &'static str) -> Result<Option<Vec<u16>>, NodeError> {
        self.read(name, "should be an array of shards", |value| {
            let shard = |value: JsValue| integer(&value)?.try_into().ok();
            value.dyn_ref::<Array>()?.iter().map(shard).collect()
        })
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Option<Vec<u8>>, NodeError> {
        self.read(name, "should be a Uint8Array", |value| {
            value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
        })
    }
}

/// A field that can't be left out.
pub(super) fn needed<T>(value: Option<T>, name: &'static str) -> Result<T, NodeError> {
    value.ok_or_else(|| NodeError::option(name, "is missing"))
}

fn exact(number: f64) -> Option<u64> {
    const GREATEST: f64 = (1_u64 << 53) as f64;
    // Saturates, so what is no such number comes out different.
    let whole = number as u64;
    (whole as f64 == number && number <= GREATEST).then_some(whole)
}

fn integer(value: &JsValue) -> Option<u32> {
    let number = value.as_f64()?;
    // Saturates, so what is no integer in range comes out different.
    let integer = number as u32;
    (f64::from(integer) == number).then_some(integer)
}

/// A plain object in the making: absent fields instead of null ones. Field by field, because a type with a derived
/// serializer for each object, and a general serializer below them, cost the wasm more.
pub(super) struct Plain(js_sys::Object);

thread_local! {
    /// The names of fields as JavaScript has them, by where ours are in memory: each crosses once.
    static FIELDS: RefCell<LiteMap<(usize, usize), JsValue>> = const { RefCell::new(LiteMap::new()) };
}

impl Plain {
    pub(super) fn new() -> Self {
        Self(js_sys::Object::new())
    }

    /// Sets a field.
    pub(super) fn with(self, name: &'static str, value: impl Into<JsValue>) -> Self {
        self.set(name, &value.into());
        self
    }

    /// Sets a field, if there is something to set it to.
    pub(super) fn maybe(self, name: &'static str, value: Option<impl Into<JsValue>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Sets a field to a time or a duration in milliseconds, or another count: numbers of JavaScript have them exactly.
    pub(super) fn count(self, name: &'static str, value: u64) -> Self {
        self.set(name, &JsValue::from_f64(value as f64));
        self
    }

    /// Sets a field whose name is not ours.
    pub(super) fn named(self, name: &str, value: impl Into<JsValue>) -> Self {
        // A fresh object takes every field.
        let _ = Reflect::set(&self.0, &JsValue::from_str(name), &value.into());
        self
    }

    #[inline(never)]
    fn set(&self, name: &'static str, value: &JsValue) {
        FIELDS.with_borrow_mut(|fields| {
            let place = (name.as_ptr() as usize, name.len());
            if !fields.contains_key(&place) {
                fields.insert(place, JsValue::from_str(name));
            }
            if let Some(name) = fields.get(&place) {
                // A fresh object takes every field.
                let _ = Reflect::set(&self.0, name, value);
            }
        });
    }
}

impl From<Plain> for JsValue {
    fn from(plain: Plain) -> Self {
        plain.0.into()
    }
}

/// An array of what can cross.
pub(super) fn list<T: Into<JsValue>>(items: impl IntoIterator<Item = T>) -> Array {
    items.into_iter().map(Into::into).collect()
}
