//! The wire form of header maps: the count, the two lengths of each pair, then each name and value with a NUL behind it;
//! `u32` in little-endian. No pairs are no bytes. Source: `PairsUtil` of proxy-wasm-cpp-host.

use crate::headers::HeaderMap;

/// The most pairs that the host reads from a guest; more count as none.
const MAX_PAIRS: usize = 1024;
/// The most bytes of pairs that the host reads from a guest; more count as none.
const MAX_BYTES: usize = 1024 * 1024;

/// A name and a value, borrowed from the wire.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Writes the wire form.
pub(crate) fn encode(headers: &HeaderMap) -> Vec<u8> {
    if headers.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::with_capacity(4 + headers.len() * 10 + headers.byte_size());
    out.extend(word(headers.len()));
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
pub(crate) fn decode(bytes: &[u8]) -> Vec<Pair<'_>> {
    if bytes.len() > MAX_BYTES { Vec::new() } else { read(bytes).unwrap_or_default() }
}

/// The same as a map of a request.
pub(crate) fn decode_request(bytes: &[u8]) -> HeaderMap {
    decode(bytes).into_iter().fold(HeaderMap::request(), |map, (name, value)| map.with(name, value))
}

fn read(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    let (count, rest) = take_word(bytes)?;
    let mut lengths = rest.get(..count.checked_mul(8)?)?;
    let mut data = rest.get(count.checked_mul(8)?..)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut next = || {
        let (length, behind) = take_word(lengths)?;
        lengths = behind;
        let part = data.get(..length)?;
        let (end, behind) = data.get(length..)?.split_first()?;
        data = behind;
        (*end == 0).then_some(part)
    };
    let pairs = (0..count).map(|_| Some((next()?, next()?))).collect::<Option<Vec<_>>>()?;
    data.is_empty().then_some(pairs)
}

fn take_word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

/// A length as the guest's word. A guest's memory holds at most 4 GiB, so what is longer could not be handed over.
fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_wire() {
        let map = HeaderMap::request().with("A", "1").with("b", "").with("a", [0, 0xff, b'\r']);
        assert_eq!(decode(&encode(&map)), map.iter().collect::<Vec<_>>());
    }

    #[test]
    fn malformed_pairs_are_none() {
        let whole = encode(&HeaderMap::response().with("name", "value"));
        for cut in 0..whole.len() {
            assert!(decode(&whole[..cut]).is_empty(), "cut at {cut}");
        }
        assert!(decode(&[&whole[..], b"more"].concat()).is_empty(), "bytes behind the last pair");
        assert!(decode(&whole.iter().map(|byte| byte.max(&1)).copied().collect::<Vec<_>>()).is_empty(), "no NULs");
        assert!(decode(&u32::MAX.to_le_bytes()).is_empty());
    }

    #[test]
    fn pairs_over_the_limits_are_none() {
        let with = |count| (0..count).fold(HeaderMap::response(), |map, _| map.with("n", "v"));
        assert_eq!(decode(&encode(&with(1024))).len(), 1024);
        assert!(decode(&encode(&with(1025))).is_empty());
        assert!(decode(&encode(&HeaderMap::response().with("n", vec![b'v'; MAX_BYTES]))).is_empty());
    }
}
