//! A mapping as `google.protobuf.Struct` bytes, which is what Envoy hands to a plugin whose configuration is a Struct.
//!
//! A Struct is a repeated field 1 of map entries (key in field 1, value in field 2); a Value has its null in field 1, number
//! in 2, string in 3, bool in 4, Struct in 5 and list in 6; a list has its values in field 1.

use serde_json::Value;

/// The bytes of a mapping; of anything else, none.
pub(super) fn encode(mapping: &Value) -> Vec<u8> {
    let entry = |(name, value): (&String, &Value)| {
        delimited(1, &[delimited(1, name.as_bytes()), delimited(2, &encode_value(value))].concat())
    };
    mapping.as_object().into_iter().flatten().flat_map(entry).collect()
}

fn encode_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![1 << 3, 0],
        Value::Number(number) => [&[(2 << 3) | 1][..], &number.as_f64().unwrap_or_default().to_le_bytes()].concat(),
        Value::String(text) => delimited(3, text.as_bytes()),
        Value::Bool(flag) => vec![4 << 3, u8::from(*flag)],
        Value::Object(_) => delimited(5, &encode(value)),
        Value::Array(items) => {
            let items: Vec<u8> = items.iter().flat_map(|item| delimited(1, &encode_value(item))).collect();
            delimited(6, &items)
        }
    }
}

/// A field with its length, seven bits in a byte.
fn delimited(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![(field << 3) | 2];
    let mut left = content.len();
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).unwrap_or_default() | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).unwrap_or_default());
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_encoded_as_protobuf_does() {
        for (value, bytes) in [
            (
                serde_json::json!({"a": [true, null]}),
                &b"\x0a\x0f\x0a\x01a\x12\x0a\x32\x08\x0a\x02\x20\x01\x0a\x02\x08\0"[..],
            ),
            (
                serde_json::json!({"b": {"c": "x"}}),
                b"\x0a\x11\x0a\x01b\x12\x0c\x2a\x0a\x0a\x08\x0a\x01c\x12\x03\x1a\x01x",
            ),
            (serde_json::json!({"b": 1}), b"\x0a\x0e\x0a\x01b\x12\x09\x11\0\0\0\0\0\0\xf0\x3f"),
            (serde_json::json!([1]), b""),
        ] {
            assert_eq!(bytes, encode(&value), "{value}");
        }
    }

    #[test]
    fn long_content_has_a_length_of_two_bytes() {
        let bytes = delimited(3, &[b'x'; 300]);
        assert_eq!((&[0x1a, 0xac, 0x02][..], 303), (&bytes[..3], bytes.len()));
    }
}
