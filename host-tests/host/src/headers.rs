//! Header maps as Envoy keeps them: an ordered multimap of bytes with lower-case names, and its wire form in proxy-wasm.

use std::fmt;

/// A list of headers: bytes, in order, names in lower case, a name as often as it was added.
///
/// A map of a request answers to `host` as `:authority`; pseudo headers are single, as in Envoy: adding one that is
/// there joins the values with a comma.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    is_request: bool,
}

impl HeaderMap {
    /// An empty map of a request.
    pub fn request() -> Self {
        Self { entries: Vec::new(), is_request: true }
    }

    /// An empty map of a response.
    pub fn response() -> Self {
        Self::default()
    }

    /// The same map with one more header.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.add(name, value);
        self
    }

    /// The first value of `name`.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.all(name).first().copied()
    }

    /// The first value of `name` as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of `name`, in order.
    pub fn all(&self, name: impl AsRef<[u8]>) -> Vec<&[u8]> {
        let name = self.key(name.as_ref());
        self.entries.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.as_slice()).collect()
    }

    /// Whether `name` is there, be it with an empty value.
    pub fn has(&self, name: impl AsRef<[u8]>) -> bool {
        self.get(name).is_some()
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all names and values.
    pub fn byte_size(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Appends a header behind those of the same name.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = self.key(name.as_ref());
        let value = value.as_ref();
        let single = name.starts_with(b":").then(|| self.entries.iter_mut().find(|(key, _)| *key == name));
        match single.flatten() {
            Some((_, present)) => {
                present.push(b',');
                present.extend_from_slice(value);
            }
            None => self.entries.push((name, value.to_vec())),
        }
    }

    /// Removes every header of that name, then appends one.
    pub fn replace(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(&name);
        self.add(name, value);
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = self.key(name.as_ref());
        self.entries.retain(|(key, _)| *key != name);
    }

    /// Removes all headers and takes `pairs` instead.
    pub(crate) fn replace_all(&mut self, pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        self.entries.clear();
        for (name, value) in pairs {
            self.add(name, value);
        }
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        let name = name.to_ascii_lowercase();
        if self.is_request && name == b"host" { b":authority".to_vec() } else { name }
    }
}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        f.debug_list().entries(self.iter().map(|(name, value)| format!("{}: {}", lossy(name), lossy(value)))).finish()
    }
}

/// The most pairs that the host reads from a guest; more count as none.
const MAX_PAIRS: usize = 1024;
/// The most bytes of pairs that the host reads from a guest; more count as none.
const MAX_PAIRS_BYTES: usize = 1024 * 1024;

/// The wire form: the count, the two lengths of each pair, then each name and value with a NUL behind it; `u32` in
/// little-endian. No pairs are no bytes.
pub(crate) fn encode_pairs(headers: &HeaderMap) -> Vec<u8> {
    if headers.is_empty() {
        return Vec::new();
    }
    let mut out = word(headers.len());
    for (name, value) in headers.iter() {
        out.extend(word(name.len()));
        out.extend(word(value.len()));
    }
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(part);
        out.push(0);
    }
    out
}

/// Reads the wire form; bytes that are malformed or over the limits are no pairs, as in Envoy.
pub(crate) fn decode_pairs(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    if bytes.len() > MAX_PAIRS_BYTES { Vec::new() } else { read_pairs(bytes).unwrap_or_default() }
}

fn read_pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (count, rest) = take_word(bytes)?;
    let mut lengths = rest.get(..count.checked_mul(8)?)?;
    let mut data = rest.get(count.checked_mul(8)?..)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut next = || {
        let (length, behind) = take_word(lengths)?;
        lengths = behind;
        let part = data.get(..length)?.to_vec();
        data = data.get(length + 1..)?;
        Some(part)
    };
    (0..count).map(|_| Some((next()?, next()?))).collect()
}

fn take_word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

/// A length as the guest's word. A guest's memory holds at most 4 GiB, so what is longer could not be handed over.
fn word(length: usize) -> Vec<u8> {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_wire() {
        let map = HeaderMap::request().with("A", "1").with("b", "").with("a", [0, 0xff, b'\r']);
        let pairs = decode_pairs(&encode_pairs(&map));
        assert_eq!(pairs, map.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect::<Vec<_>>());
    }

    #[test]
    fn malformed_pairs_are_none() {
        let whole = encode_pairs(&HeaderMap::response().with("name", "value"));
        for cut in 0..whole.len() {
            assert!(decode_pairs(&whole[..cut]).is_empty(), "cut at {cut}");
        }
        assert!(decode_pairs(&u32::MAX.to_le_bytes()).is_empty());
    }

    #[test]
    fn pairs_over_the_limits_are_none() {
        let with = |count| (0..count).fold(HeaderMap::response(), |map, _| map.with("n", "v"));
        assert_eq!(decode_pairs(&encode_pairs(&with(1024))).len(), 1024);
        assert!(decode_pairs(&encode_pairs(&with(1025))).is_empty());
        assert!(decode_pairs(&encode_pairs(&HeaderMap::response().with("n", vec![b'v'; MAX_PAIRS_BYTES]))).is_empty());
    }
}
