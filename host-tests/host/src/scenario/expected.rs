//! What a fact must be: absent, certain values, a pattern.

use std::fmt;

use regex_lite::Regex;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::Bytes;

/// What the values of a fact must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// There is none: `null`.
    Absent,
    /// There are these, in this order: one as it is, or a list.
    Values(Vec<Pattern>),
    /// Each of these texts is in one of them; without texts there is no value.
    Contains(Vec<String>),
    /// There is one, a number that is at least this: `{at_least: 1}`.
    AtLeast(u64),
}

/// What one value must be.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// These bytes.
    Is(Bytes),
    /// A text that this expression finds something in: `{matches: "^n"}`.
    Matches(Regex),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(one), Self::Is(other)) => one == other,
            (Self::Matches(one), Self::Matches(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Pattern {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Is(bytes) => bytes.0 == value,
            Self::Matches(regex) => std::str::from_utf8(value).is_ok_and(|text| regex.is_match(text)),
        }
    }
}

impl Expected {
    /// One value, as it is.
    pub fn is(value: impl fmt::Display) -> Self {
        Self::Values(vec![Pattern::Is(Bytes(value.to_string().into_bytes()))])
    }

    /// Whether the values are as they must be.
    pub fn holds(&self, values: &[Vec<u8>]) -> bool {
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u64>().ok();
        match self {
            Self::Absent => values.is_empty(),
            Self::Values(patterns) => {
                patterns.len() == values.len()
                    && patterns.iter().zip(values).all(|(pattern, value)| pattern.holds(value))
            }
            Self::Contains(texts) if texts.is_empty() => values.is_empty(),
            Self::Contains(texts) => {
                let contained =
                    |text: &String| values.iter().any(|value| String::from_utf8_lossy(value).contains(text));
                texts.iter().all(contained)
            }
            Self::AtLeast(least) => values.first().and_then(|value| number(value)).is_some_and(|found| found >= *least),
        }
    }

    /// Whether two hosts may have different values here.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Absent | Self::Contains(_) => false,
            Self::Values(patterns) => patterns.iter().any(|pattern| matches!(pattern, Pattern::Matches(_))),
            Self::AtLeast(_) => true,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(bytes) => write!(f, "{}", String::from_utf8_lossy(&bytes.0)),
            Self::Matches(regex) => write!(f, "matches {regex}"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Contains(texts) if texts.is_empty() => f.write_str("nothing"),
            Self::Values(patterns) => f.write_str(&joined(patterns)),
            Self::Contains(texts) => write!(f, "lines that contain: {}", joined(texts)),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

fn joined(items: &[impl fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectedVisitor)
    }
}

struct ExpectedVisitor;

impl<'de> Visitor<'de> for ExpectedVisitor {
    type Value = Expected;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list of values, null for none, or `matches` or `at_least`")
    }

    fn visit_unit<E: Error>(self) -> Result<Expected, E> {
        Ok(Expected::Absent)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Expected, E> {
        Ok(Expected::is(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Expected, E> {
        Ok(Expected::is(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Expected, E> {
        Ok(Expected::is(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Expected, E> {
        Ok(Expected::is(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Expected, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = list.next_element::<OnePattern>()? {
            patterns.push(pattern.0);
        }
        Ok(Expected::Values(patterns))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expected, A::Error> {
        let file = ExpectedFile::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        if let Some(least) = file.at_least {
            return Ok(Expected::AtLeast(least));
        }
        file.pattern().map(|pattern| Expected::Values(vec![pattern])).map_err(A::Error::custom)
    }
}

/// One element of a list.
struct OnePattern(Pattern);

impl<'de> Deserialize<'de> for OnePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Expected::deserialize(deserializer)? {
            Expected::Values(mut patterns) if patterns.len() == 1 => Ok(Self(patterns.remove(0))),
            _ => Err(D::Error::custom("expected a value or `matches` in a list")),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFile {
    matches: Option<String>,
    at_least: Option<u64>,
    bytes: Option<String>,
    text: Option<String>,
    times: Option<usize>,
}

impl ExpectedFile {
    fn pattern(self) -> Result<Pattern, String> {
        match self.matches {
            Some(regex) => Regex::new(&regex).map(Pattern::Matches).map_err(|error| error.to_string()),
            None => super::text::Spelled::new(self.bytes, self.text, self.times).bytes().map(Pattern::Is),
        }
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_unit(),
            Self::Values(patterns) => match patterns.as_slice() {
                [one] => one.serialize(serializer),
                all => serializer.collect_seq(all),
            },
            Self::Contains(texts) => texts.serialize(serializer),
            Self::AtLeast(least) => entry(serializer, "at_least", least),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Is(bytes) => bytes.serialize(serializer),
            Self::Matches(regex) => entry(serializer, "matches", regex.as_str()),
        }
    }
}

fn entry<S: Serializer>(serializer: S, name: &str, value: impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, &value)?;
    map.end()
}
