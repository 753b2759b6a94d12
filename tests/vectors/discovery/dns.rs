//! DNS over HTTPS.

use lightkeeper::discovery::{
    dns::{
        self, DnsAnswer, Question, TYPE_TXT,
        json::{self, JsonRecord},
    },
    enr::Enr,
    enrtree::Root,
};
use serde_json::Value;

use super::{bytes, same, text, texts};

pub(super) fn strings(input: &Value, expected: &Value) -> Result<(), String> {
    let data = text(&input["presentation"])?;
    same(
        "strings",
        json::character_strings(data),
        texts(&expected["strings"])?,
    )?;
    let joined = json::txt_from_data(data);
    same("joined", joined.as_str(), text(&expected["joined"])?)?;
    let enr = Enr::from_text(&joined).map_err(|error| error.to_string())?;
    same(
        "peer",
        enr.peer_id().to_string().as_str(),
        text(&expected["peer_id"])?,
    )
}

pub(super) fn query(input: &Value, expected: &Value) -> Result<(), String> {
    let name = text(&input["name"])?;
    let question = Question {
        id: 0,
        name: name.to_owned(),
        qtype: match text(&input["type"])? {
            "A" => 1,
            "TXT" => TYPE_TXT,
            other => return Err(format!("unknown type {other}")),
        },
    };
    let wire = bytes(&expected["hex"])?;
    let param = text(&expected["get_param"])?;
    same("encoded", question.encode(), Ok(wire.clone()))?;
    same("parameter", dns::get_param(&wire).as_str(), param)?;
    same(
        "parameter read",
        dns::parse_get_param(param),
        Ok(wire.clone()),
    )?;
    if question.qtype == TYPE_TXT {
        same("txt query", dns::encode_query(name), Ok(wire.clone()))?;
    }
    same("decoded", dns::decode_query(&wire), Ok(question))
}

pub(super) fn response(input: &Value, expected: &Value) -> Result<(), String> {
    let answer = dns::decode_response(&bytes(&input["hex"])?).map_err(|error| error.to_string())?;
    same(
        "rcode",
        Some(answer.rcode.into()),
        expected["rcode"].as_u64(),
    )?;
    if let Some(ttl) = expected["min_ttl"].as_u64() {
        same("ttl", u64::from(answer.ttl_s), ttl)?;
    }
    match &expected["txt"] {
        Value::Null => {
            let sorted = |mut texts: Vec<String>| {
                texts.sort();
                texts
            };
            let want = sorted(texts(&expected["txt_unordered"])?);
            same("txt", sorted(answer.txt.clone()), want)?;
        }
        want => same("txt", answer.txt.clone(), texts(want)?)?,
    }
    if let Value::String(root) = &expected["root"] {
        let found = answer.txt.iter().find(|text| Root::parse(text).is_ok());
        same("root", found, Some(root))?;
    }
    // The same answer as our own server would write it.
    let question = Question {
        id: 0,
        name: text(&input["query_name"])?.to_owned(),
        qtype: TYPE_TXT,
    };
    let wire = dns::encode_response(&question, answer.rcode, &answer.txt, answer.ttl_s)
        .map_err(|error| error.to_string())?;
    same("written and read", dns::decode_response(&wire), Ok(answer))
}

fn read_body(body: &Value) -> Result<DnsAnswer, String> {
    let number = |value: &Value| {
        value
            .as_u64()
            .ok_or_else(|| format!("{value} is no number"))
    };
    let status = u8::try_from(number(&body["Status"])?).map_err(|error| error.to_string())?;
    let records = match &body["Answer"] {
        Value::Array(records) => records.as_slice(),
        _ => &[],
    };
    let records: Vec<_> = records
        .iter()
        .map(|record| {
            Ok(JsonRecord {
                kind: number(&record["type"])? as u16,
                ttl_s: number(&record["TTL"])? as u32,
                data: text(&record["data"])?,
            })
        })
        .collect::<Result<_, String>>()?;
    Ok(json::answer(status, records))
}

pub(super) fn json_body(input: &Value, expected: &Value) -> Result<(), String> {
    let answer = read_body(&input["body"])?;
    same(
        "rcode",
        Some(answer.rcode.into()),
        expected["rcode"].as_u64(),
    )?;
    same("txt", answer.txt, texts(&expected["txt"])?)
}

pub(super) fn json_data(input: &Value, expected: &Value) -> Result<(), String> {
    let got = json::txt_from_data(text(&input["data"])?);
    same("text", got.as_str(), text(&expected["text"])?)
}
