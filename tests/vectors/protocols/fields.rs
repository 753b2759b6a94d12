//! Reading the fields of a vector.

use std::fmt::Debug;

use serde_json::Value;

pub(super) type Checked = Result<(), String>;

pub(super) fn same<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Checked {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, expected {expected:?}"))
    }
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is not a text"))
}

pub(super) fn opt_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    hex::decode(text(value)?).map_err(|error| error.to_string())
}

pub(super) fn opt_bytes(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        value => bytes(value).map(Some),
    }
}

pub(super) fn opt_u32(value: &Value) -> Result<Option<u32>, String> {
    match value {
        Value::Null => Ok(None),
        value => value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| format!("{value} is not 32 bits")),
    }
}

pub(super) fn list<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        value => value
            .as_array()
            .ok_or_else(|| format!("{value} is not a list"))?
            .iter()
            .map(read)
            .collect(),
    }
}

/// Refuses a vector that names a field which the check would silently leave out.
pub(super) fn only(fields: &Value, known: &[&str]) -> Checked {
    let fields = fields.as_object().ok_or("fields are not an object")?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("field {key} is not known here")),
        None => Ok(()),
    }
}
