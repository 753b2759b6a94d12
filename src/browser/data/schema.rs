//! Writes what serde makes of the types to a file of TypeScript, which the type checker compares with the package's own
//! declarations (`tests/package/types/agree.ts`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::messages::FailureClass;
use super::options::Options;
use super::requests as r;
use super::texts::{Closed, Text};
use super::values::{Big, Bytes, Entries, Whole};
use super::{Decision, Explanation, Failure, HealthInfo, PeerInfo, ProtocolInfo, Sent, Stats};
use crate::manager::Outcome;

/// The file that is compared.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package/types/data.ts");

/// What has its word in TypeScript and none in a schema.
const WORD: &str = "x-typescript";

fn word(word: &str) -> Schema {
    let mut schema = json_schema!({});
    schema.insert(WORD.to_owned(), word.into());
    schema
}

/// Types whose word is the same everywhere.
macro_rules! words {
    ($($type:ty = $word:literal)+) => { $(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                word($word)
            }
        }
    )+ };
}

words! {
    Whole = "number"
    Big = "bigint"
    Bytes = "Uint8Array"
    r::Bound = "number | string"
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": values })
    }
}

impl<T: Closed> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let texts: Vec<_> = T::ALL.iter().map(|value| value.text()).collect();
        json_schema!({ "enum": texts })
    }
}

impl JsonSchema for FailureClass {
    fn schema_name() -> Cow<'static, str> {
        "FailureClass".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let failures = Outcome::ALL.iter().filter(|o| **o != Outcome::Success);
        let texts: Vec<_> = failures.map(|outcome| outcome.as_str()).collect();
        json_schema!({ "enum": texts })
    }
}

/// A schema in TypeScript.
fn typescript(schema: &Value) -> String {
    if let Some(word) = schema.get(WORD) {
        return word.as_str().expect("a text").to_owned();
    }
    let mut parts = Vec::new();
    if let Some(reference) = schema.get("$ref") {
        let path = reference.as_str().expect("a path");
        parts.push(path.rsplit('/').next().expect("a name").to_owned());
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema.get(choice) {
            let union = union(choices, typescript);
            let is_one = choices.as_array().is_some_and(|choices| choices.len() == 1);
            parts.push(if is_one { union } else { format!("({union})") });
        }
    }
    if let Some(texts) = schema.get("enum") {
        parts.push(union(texts, Value::to_string));
    }
    if let Some(text) = schema.get("const") {
        parts.push(text.to_string());
    }
    match schema.get("type") {
        // The text of a closed list was said more exactly above.
        Some(_) if schema.get("const").is_some() || schema.get("enum").is_some() => {}
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().map(|kind| of_kind(kind, schema));
            parts.push(match &kinds.collect::<Vec<_>>()[..] {
                [kind] => kind.clone(),
                kinds => format!("({})", kinds.join(" | ")),
            });
        }
        Some(kind) => parts.push(of_kind(kind, schema)),
        None => {}
    }
    assert!(!parts.is_empty(), "no TypeScript for {schema}");
    parts.join(" & ")
}

fn union(choices: &Value, each: impl Fn(&Value) -> String) -> String {
    let choices = choices.as_array().expect("choices");
    choices.iter().map(each).collect::<Vec<_>>().join(" | ")
}

fn of_kind(kind: &Value, schema: &Value) -> String {
    match kind.as_str().expect("a kind") {
        "string" => "string".to_owned(),
        "boolean" => "boolean".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "null" => "null".to_owned(),
        "array" => {
            let items = typescript(&schema["items"]);
            if items.contains(' ') {
                format!("({items})[]")
            } else {
                items + "[]"
            }
        }
        "object" => object(schema),
        other => panic!("no TypeScript for {other}"),
    }
}

fn object(schema: &Value) -> String {
    if let Some(values) = schema.get("additionalProperties") {
        return format!("Record<string, {}>", typescript(values));
    }
    format!("{{ {} }}", fields(schema).join("; "))
}

fn fields(schema: &Value) -> Vec<String> {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let field = |(name, field): (&String, &Value)| {
        let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
        let mark = if needed { "" } else { "?" };
        format!("{name}{mark}: {}", typescript(field))
    };
    properties.into_iter().flatten().map(field).collect()
}

/// What may be absent when it leaves is never null: serde skips it.
fn without_null(schema: &mut Value, is_optional: bool) {
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(|item| without_null(item, false));
    }
    let Value::Object(fields) = schema else {
        return;
    };
    if is_optional {
        if let Some(kinds) = fields.get_mut("type").and_then(Value::as_array_mut) {
            kinds.retain(|kind| kind != "null");
        }
        if let Some(choices) = fields.get_mut("anyOf").and_then(Value::as_array_mut) {
            choices.retain(|choice| choice["type"] != "null");
        }
    }
    let required = fields.get("required").cloned().unwrap_or_default();
    for (name, field) in fields.iter_mut() {
        let Some(properties) = field.as_object_mut().filter(|_| name == "properties") else {
            without_null(field, false);
            continue;
        };
        for (name, field) in properties {
            let names = required.as_array().into_iter().flatten();
            let is_optional = names.into_iter().all(|needed| needed != name);
            without_null(field, is_optional);
        }
    }
}

/// Adds types and what they consist of.
fn add(declared: &mut BTreeMap<String, String>, mut generator: SchemaGenerator) {
    let leaves = generator.contract().is_serialize();
    for (name, mut schema) in generator.take_definitions(true) {
        if leaves {
            without_null(&mut schema, false);
        }
        let is_struct = schema.get("properties").is_some() && schema.get("oneOf").is_none();
        let text = if is_struct {
            let fields = fields(&schema).join(";\n  ");
            format!("export interface {name} {{\n  {fields};\n}}\n")
        } else {
            format!("export type {name} = {};\n", typescript(&schema))
        };
        if let Some(before) = declared.insert(name.clone(), text.clone()) {
            assert_eq!(before, text, "two types are called {name}");
        }
    }
}

fn written() -> String {
    let mut declared = BTreeMap::new();
    macro_rules! all {
        ($settings:expr; $($type:ty)+) => {
            let mut generator = $settings.into_generator();
            $( generator.subschema_for::<$type>(); )+
            add(&mut declared, generator);
        };
    }
    all! {
        SchemaSettings::draft2020_12().for_serialize();
        Decision Explanation Failure HealthInfo PeerInfo ProtocolInfo Sent Stats
    }
    all! {
        SchemaSettings::draft2020_12().for_deserialize();
        Options r::Whom r::Dial r::Ready r::Send r::Subscribe r::Unsubscribe r::Query r::Plan r::Has r::SetPriority
        r::Route r::Protect r::Tag r::SetRequirement r::SetMaxByTransport r::SetLifetime r::SetLimits r::Sync r::Enroll
        r::Enrolled r::Lock r::ExtendLock r::Unlock r::BurstOpen r::BurstClose r::Report r::Scores r::Cancel
    }
    let mut text = "// Written by `LIGHTKEEPER_BLESS=1 cargo test --lib browser::data` from src/browser/data.\n".to_owned();
    for declaration in declared.values() {
        write!(text, "\n{declaration}").expect("texts grow");
    }
    text += "\n/** All of them, so that none can be left out. */\nexport interface All {\n";
    for name in declared.keys() {
        writeln!(text, "  {name}: {name};").expect("texts grow");
    }
    text + "}\n"
}

#[test]
fn the_declarations_are_compared_with_what_serde_makes_of_the_types() {
    let written = written();
    if std::env::var_os("LIGHTKEEPER_BLESS").is_some() {
        std::fs::write(FILE, &written).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == written,
        "tests/package/types/data.ts is behind src/browser/data: write it anew with LIGHTKEEPER_BLESS=1"
    );
}
