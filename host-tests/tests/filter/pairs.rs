//! The filter's reader of header maps in one piece, natively: what no host gives cannot be tried through a host.

#[path = "../../../filter/src/pairs.rs"]
mod reader;

use fastrand::Rng;

/// A map as a host gives it.
fn map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let size = |part: &str| u32::try_from(part.len()).unwrap().to_le_bytes();
    let mut bytes = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    pairs.iter().for_each(|(name, value)| bytes.extend([size(name), size(value)].concat()));
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend([part.as_bytes(), &[0]].concat());
    }
    bytes
}

fn values(map: &[u8], name: &str) -> Vec<Vec<u8>> {
    reader::values(map, name.as_bytes()).map(<[u8]>::to_vec).collect()
}

#[test]
fn values_are_those_of_the_name_in_their_order() {
    let map = map(&[("a", "1"), ("ab", ""), ("", "nameless"), ("a", "2"), ("b", "a")]);
    for (name, expected) in [("a", &["1", "2"][..]), ("ab", &[""]), ("", &["nameless"]), ("b", &["a"]), ("c", &[])] {
        assert_eq!(values(&map, name), expected.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{name:?}");
    }
}

/// What is cut off or overwritten gives no value, or another part of the map: never a trap.
#[test]
fn broken_maps_are_no_obstacle() {
    let whole = map(&[("cookie", "a=b"), ("x-canary", "v2"), ("cookie", "c=d")]);
    for end in 0..whole.len() {
        values(&whole[..end], "cookie");
    }
    let mut random = Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut broken = whole.clone();
        let at = random.usize(..broken.len() - 4);
        let size = [random.u32(..), random.u32(..64), u32::MAX, u32::MAX - random.u32(..64)][random.usize(..4)];
        broken[at..at + 4].copy_from_slice(&size.to_le_bytes());
        for value in values(&broken, "cookie") {
            assert!(value.len() <= broken.len());
        }
    }
}
