//! Reads the plain objects that the facade sends.
//!
//! By hand and not by derived code: the facade has checked every value's kind, so all that is left to do is to take the
//! values out, and a general deserializer brings along texts (even of floating point numbers) for errors that never come.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::node::NodeError;

/// An object, or nothing, which has no fields. A field that is undefined or null is absent.
pub(super) struct Object(pub(super) JsValue);

impl Object {
    /// The field as it is.
    pub(super) fn value(&self, name: &str) -> JsValue {
        // What has no fields at all, such as undefined, throws.
        Reflect::get(&self.0, &JsValue::from_str(name)).unwrap_or_default()
    }

    /// A field that is absent or that `convert` can take. `what` says what it should be.
    fn read<T>(
        &self,
        name: &str,
        what: &str,
        convert: impl FnOnce(&JsValue) -> Option<T>,
    ) -> Result<Option<T>, NodeError> {
        let value = self.value(name);
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        let value = convert(&value);
        value.ok_or_else(|| NodeError::option(name, what)).map(Some)
    }

    pub(super) fn object(&self, name: &str) -> Self {
        Self(self.value(name))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, NodeError> {
        self.read(name, "should be a string", JsValue::as_string)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, NodeError> {
        self.read(name, "should be a number", JsValue::as_f64)
    }

    pub(super) fn integer<T: TryFrom<u32>>(&self, name: &str) -> Result<Option<T>, NodeError> {
        self.read(name, "should be an integer in range", |value| {
            integer(value)?.try_into().ok()
        })
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, NodeError> {
        self.read(name, "should be true or false", JsValue::as_bool)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, NodeError> {
        self.read(name, "should be an array of strings", |value| {
            value
                .dyn_ref::<Array>()?
                .iter()
                .map(|text| text.as_string())
                .collect()
        })
    }

    pub(super) fn shards(&self, name: &str) -> Result<Option<Vec<u16>>, NodeError> {
        self.read(name, "should be an array of shards", |value| {
            let shard = |value: JsValue| integer(&value)?.try_into().ok();
            value.dyn_ref::<Array>()?.iter().map(shard).collect()
        })
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
        self.read(name, "should be a Uint8Array", |value| {
            value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
        })
    }
}

/// A field that can't be left out.
pub(super) fn needed<T>(value: Option<T>, name: &str) -> Result<T, NodeError> {
    value.ok_or_else(|| NodeError::option(name, "is missing"))
}

fn integer(value: &JsValue) -> Option<u32> {
    let number = value.as_f64()?;
    // Saturates, so what is no integer in range comes out different.
    let integer = number as u32;
    (f64::from(integer) == number).then_some(integer)
}
