//! Bytes, headers and bodies as files write them.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::moment;

/// Bytes: a text, or `{bytes: "61 ff"}`, or `{text: ab, times: 1000}` for what is long.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            // A moment in a text would be filled in when the file is read.
            Ok(text) if !moment::has_one(text) => serializer.serialize_str(text),
            _ => {
                let hexadecimal: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("bytes", &hexadecimal.join(" "))?;
                map.end()
            }
        }
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or `bytes` or `text` with `times`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(text.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Bytes, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Bytes, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Bytes, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bytes, A::Error> {
        let spelled = Spelled::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        spelled.bytes().map_err(A::Error::custom)
    }
}

/// Bytes that are not written as they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spelled {
    bytes: Option<String>,
    text: Option<String>,
    times: Option<usize>,
}

impl Spelled {
    pub(super) fn new(bytes: Option<String>, text: Option<String>, times: Option<usize>) -> Self {
        Self { bytes, text, times }
    }

    pub(super) fn bytes(&self) -> Result<Bytes, String> {
        let piece = match (&self.bytes, &self.text) {
            (Some(hexadecimal), None) => from_hexadecimal(hexadecimal)?,
            (None, Some(text)) => text.as_bytes().to_vec(),
            _ => return Err("expected `bytes` or `text`, one of them".to_owned()),
        };
        Ok(Bytes(piece.repeat(self.times.unwrap_or(1))))
    }
}

fn from_hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let byte = |word: &str| u8::from_str_radix(word, 16).map_err(|_| format!("{word:?} is no byte such as `ff`"));
    text.split_whitespace().map(byte).collect()
}

/// Headers or trailers, in order: a list of pairs, or a mapping where each is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Bytes)>);

impl Headers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pairs, or a mapping from names to values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(pair) = list.next_element()? {
            headers.push(pair);
        }
        Ok(Headers(headers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(pair) = map.next_entry()? {
            headers.push(pair);
        }
        Ok(Headers(headers))
    }
}

/// A body in chunks: a list, or one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(pub Vec<Bytes>);

impl Body {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it in one piece.
    pub fn whole(&self) -> Vec<u8> {
        self.0.iter().flat_map(|chunk| chunk.0.clone()).collect()
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body: one text, or a list of chunks")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Body, E> {
        Ok(Body(if text.is_empty() { Vec::new() } else { vec![text.into()] }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Body, A::Error> {
        let mut chunks = Vec::new();
        while let Some(chunk) = list.next_element()? {
            chunks.push(chunk);
        }
        Ok(Body(chunks))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body, A::Error> {
        BytesVisitor.visit_map(map).map(|bytes| Body(vec![bytes]))
    }
}

/// Durations as `500ms`, `2s`, `10m`, `8h`, `30d`; the text is kept short and whole.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no duration such as 500ms, 2s, 10m, 8h or 30d")))
    }

    pub(in super::super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}ms", value.as_millis()))
    }

    pub(in super::super) fn parse(text: &str) -> Option<Duration> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(scale).map(Duration::from_millis)
    }
}
