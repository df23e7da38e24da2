//! Expectations as files write them, and as facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::scenario::expected::{Expected, Pattern};
use crate::scenario::step::Expectation;

/// What has to come of a request or a push.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectFile {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    status: Option<Expected>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    cluster: Option<Expected>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    body: Option<Expected>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    request_body: Option<Expected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    request: BTreeMap<String, Expected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    request_trailers: BTreeMap<String, Expected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    response: BTreeMap<String, Expected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    trailers: BTreeMap<String, Expected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cookies: BTreeMap<String, CookieFile>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter_state: BTreeMap<String, Expected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<String>>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expected>, D::Error> {
    Expected::deserialize(deserializer).map(Some)
}

/// A cookie that the response sets: its value, `null` for none, or a mapping.
#[derive(Serialize)]
#[serde(untagged)]
enum CookieFile {
    Value(Expected),
    Whole(WholeCookie),
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct WholeCookie {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    value: Option<Expected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, Attribute>,
}

impl<'de> Deserialize<'de> for CookieFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let of_mapping = value.is_object();
        let read = || {
            if of_mapping {
                serde_json::from_value(value).map(Self::Whole)
            } else {
                serde_json::from_value(value).map(Self::Value)
            }
        };
        read().map_err(serde::de::Error::custom)
    }
}

/// An attribute of a cookie: `true` where it is there without a value, `false` or `null` where it is not there.
#[derive(Serialize)]
#[serde(transparent)]
struct Attribute(Expected);

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Bool(true) => Ok(Self(Expected::is(""))),
            serde_json::Value::Bool(false) => Ok(Self(Expected::Absent)),
            value => serde_json::from_value(value).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl ExpectFile {
    pub(super) fn of_request(self) -> Result<Expectation, String> {
        if self.accepted.is_some() || self.errors.is_some() {
            return Err("`accepted` and `errors` are expected of a push".to_owned());
        }
        let single = [
            ("status", self.status),
            ("cluster", self.cluster),
            ("body", self.body),
            ("request_body", self.request_body),
        ];
        let mut facts: BTreeMap<String, Expected> =
            single.into_iter().filter_map(|(name, expected)| Some((name.to_owned(), expected?))).collect();
        let groups = [
            ("request", self.request),
            ("request_trailers", self.request_trailers),
            ("response", self.response),
            ("trailers", self.trailers),
            ("filter_state", self.filter_state),
        ];
        for (group, expected) in groups {
            facts.extend(
                expected.into_iter().map(|(name, expected)| (format!("{group}.{}", lower(group, &name)), expected)),
            );
        }
        for (name, cookie) in self.cookies {
            cookie.add_to(&name, &mut facts)?;
        }
        Ok(Expectation(facts))
    }

    pub(super) fn of_push(self) -> Result<Expectation, String> {
        let (accepted, errors) = (self.accepted, self.errors.clone());
        let others = Self { accepted: None, errors: None, ..self }.of_request()?;
        if !others.0.is_empty() {
            return Err("of a push, `accepted` and `errors` are expected".to_owned());
        }
        let mut expectation = Expectation::taken();
        expectation.0.insert("accepted".to_owned(), Expected::is(accepted.unwrap_or(true)));
        expectation.0.insert("errors".to_owned(), Expected::Contains(errors.unwrap_or_default()));
        Ok(expectation)
    }
}

/// The names of headers are in lower case, those of filter state are not.
fn lower(group: &str, name: &str) -> String {
    if group == "filter_state" { name.to_owned() } else { name.to_ascii_lowercase() }
}

impl CookieFile {
    fn add_to(self, name: &str, facts: &mut BTreeMap<String, Expected>) -> Result<(), String> {
        let cookie = match self {
            Self::Value(value) => WholeCookie { value: Some(value), ..WholeCookie::default() },
            Self::Whole(cookie) => cookie,
        };
        let value = match (cookie.value, cookie.matches) {
            (Some(_), Some(_)) => return Err(format!("cookie {name}: `value` or `matches`, not both")),
            (value, None) => value,
            (None, Some(regex)) => {
                let regex = regex_lite::Regex::new(&regex).map_err(|error| format!("cookie {name}: {error}"))?;
                Some(Expected::Values(vec![Pattern::Matches(regex)]))
            }
        };
        facts.extend(value.map(|value| (format!("cookies.{name}"), value)));
        let attributes = cookie.attributes.into_iter();
        facts.extend(
            attributes.map(|(key, Attribute(value))| (format!("cookies.{name};{}", key.to_ascii_lowercase()), value)),
        );
        Ok(())
    }
}

impl From<Expectation> for ExpectFile {
    fn from(expectation: Expectation) -> Self {
        let mut file = Self::default();
        for (name, expected) in expectation.0 {
            file.add(&name, expected);
        }
        file
    }
}

impl ExpectFile {
    fn add(&mut self, fact: &str, expected: Expected) {
        let Some((group, name)) = fact.split_once('.') else { return self.add_single(fact, expected) };
        let place = match group {
            "request" => &mut self.request,
            "request_trailers" => &mut self.request_trailers,
            "response" => &mut self.response,
            "trailers" => &mut self.trailers,
            "filter_state" => &mut self.filter_state,
            _ => return self.add_cookie(name, expected),
        };
        place.insert(name.to_owned(), expected);
    }

    fn add_single(&mut self, fact: &str, expected: Expected) {
        match (fact, expected) {
            ("errors", Expected::Contains(texts)) => self.errors = Some(texts),
            ("accepted", expected) => self.accepted = Some(expected == Expected::is(true)),
            ("status", expected) => self.status = Some(expected),
            ("cluster", expected) => self.cluster = Some(expected),
            ("body", expected) => self.body = Some(expected),
            (_, expected) => self.request_body = Some(expected),
        }
    }

    fn add_cookie(&mut self, name: &str, expected: Expected) {
        let (cookie, attribute) = name.split_once(';').map_or((name, None), |(cookie, key)| (cookie, Some(key)));
        let whole = || CookieFile::Whole(WholeCookie::default());
        let CookieFile::Whole(place) = self.cookies.entry(cookie.to_owned()).or_insert_with(whole) else { return };
        match attribute {
            Some(key) => drop(place.attributes.insert(key.to_owned(), Attribute(expected))),
            None => place.value = Some(expected),
        }
    }
}
