//! A document as `google.protobuf.Struct` bytes: what Envoy hands over where the configuration is a Struct.
//!
//! A Struct is a repeated field 1 of map entries (key in field 1, value in field 2); a Value has its null in field 1,
//! number in 2, string in 3, bool in 4, Struct in 5 and list in 6; a list has its values in field 1.

use serde_json::{Map, Value};

/// Encodes an object. Numbers become doubles, as they do in Envoy. `reversed` gives the other order of fields: a map
/// has none.
pub(crate) fn encode_struct(object: &Map<String, Value>, reversed: bool) -> Vec<u8> {
    let mut entries: Vec<_> = object.iter().collect();
    if reversed {
        entries.reverse();
    }
    let entry = |(name, value): (&String, &Value)| {
        let value = delimited(2, &encode_value(value, reversed));
        delimited(1, &[delimited(1, name.as_bytes()), value].concat())
    };
    entries.into_iter().flat_map(entry).collect()
}

fn encode_value(value: &Value, reversed: bool) -> Vec<u8> {
    match value {
        Value::Null => vec![1 << 3, 0],
        Value::Number(number) => {
            let number = number.as_f64().expect("a double");
            [&[2 << 3 | 1][..], &number.to_le_bytes()].concat()
        }
        Value::String(text) => delimited(3, text.as_bytes()),
        Value::Bool(flag) => vec![4 << 3, u8::from(*flag)],
        Value::Object(object) => delimited(5, &encode_struct(object, reversed)),
        Value::Array(items) => {
            let items: Vec<u8> = items.iter().flat_map(|item| delimited(1, &encode_value(item, reversed))).collect();
            delimited(6, &items)
        }
    }
}

fn delimited(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut left = content.len();
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).expect("less than 128"));
    out.extend_from_slice(content);
    out
}
