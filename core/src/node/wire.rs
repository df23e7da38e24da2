//! The wire form of `google.protobuf.Struct` to [`Node`].
//!
//! Envoy hands a `Struct` configuration to the module as protobuf bytes. The message has four field kinds in all, which
//! is why a few lines stand here instead of a protobuf library in the module. Anything unexpected refuses the whole.

use std::borrow::Cow;

use super::{Node, push};

/// Messages inside each other. A level of the document is two or three of them, and no document is a dozen levels deep.
const DEEPEST: u8 = 128;

/// Reads bytes that are, completely, one `Struct`.
pub(super) fn read(bytes: &[u8]) -> Option<Node<'_>> {
    if bytes.is_empty() { None } else { read_struct(bytes, DEEPEST) }
}

/// `message Struct { map<string, Value> fields = 1; }`
fn read_struct(mut bytes: &[u8], depth: u8) -> Option<Node<'_>> {
    let mut map = Vec::new();
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, Field::Bytes(entry)) => push(&mut map, read_entry(entry, depth.checked_sub(1)?)?),
            _ => return None,
        }
    }
    Some(Node::Map(map))
}

/// A map entry: the key is field 1, the value field 2; either may be left out when it is the default.
fn read_entry(mut bytes: &[u8], depth: u8) -> Option<(Cow<'_, str>, Node<'_>)> {
    let mut key = Cow::Borrowed("");
    let mut value = Node::Null;
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, Field::Bytes(text)) => key = read_text(text)?,
            (2, Field::Bytes(inner)) => value = read_value(inner, depth.checked_sub(1)?)?,
            _ => return None,
        }
    }
    Some((key, value))
}

/// `message Value { oneof kind { NullValue = 1; double = 2; string = 3; bool = 4; Struct = 5; ListValue = 6; } }`
fn read_value(mut bytes: &[u8], depth: u8) -> Option<Node<'_>> {
    let mut value = Node::Null;
    while !bytes.is_empty() {
        value = match take_field(&mut bytes)? {
            (1, Field::Varint(_)) => Node::Null,
            (2, Field::Fixed64(bits)) => Node::Number(f64::from_le_bytes(bits)),
            (3, Field::Bytes(text)) => Node::String(read_text(text)?),
            (4, Field::Varint(flag)) => Node::Bool(flag != 0),
            (5, Field::Bytes(inner)) => read_struct(inner, depth.checked_sub(1)?)?,
            (6, Field::Bytes(inner)) => read_list(inner, depth.checked_sub(1)?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// `message ListValue { repeated Value values = 1; }`
fn read_list(mut bytes: &[u8], depth: u8) -> Option<Node<'_>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, Field::Bytes(inner)) => push(&mut list, read_value(inner, depth.checked_sub(1)?)?),
            _ => return None,
        }
    }
    Some(Node::List(list))
}

fn read_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

/// A field's payload, by wire type.
enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

/// Takes one field off the front: its number and payload.
fn take_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = take_varint(bytes)?;
    let field = match tag & 7 {
        0 => Field::Varint(take_varint(bytes)?),
        1 => {
            let (bits, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Field::Fixed64(*bits)
        }
        2 => {
            let length = usize::try_from(take_varint(bytes)?).ok()?;
            let (inner, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Field::Bytes(inner)
        }
        _ => return None,
    };
    Some((tag >> 3, field))
}

/// Takes a base-128 number of at most ten bytes off the front.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
