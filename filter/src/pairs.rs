//! Maps of headers as the host hands them over in one piece.

/// The values of one name in a serialised map: a count, then name and value sizes of each pair, then the pairs
/// themselves, each part closed by a NUL; numbers are 32 bits, little-endian.
pub(crate) fn values_named(pairs: &[u8], wanted: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut sizes = pairs;
    let count = take_size(&mut sizes).unwrap_or(0);
    let mut rest = count.checked_mul(8).and_then(|bytes| sizes.get(bytes..)).unwrap_or_default();
    for _ in 0..count {
        let pair = take_size(&mut sizes).zip(take_size(&mut sizes));
        let Some(pair) = pair.and_then(|(name, value)| take_part(&mut rest, name).zip(take_part(&mut rest, value)))
        else {
            break;
        };
        if pair.0 == wanted {
            values.push(pair.1.to_vec());
        }
    }
    values
}

fn take_size(bytes: &mut &[u8]) -> Option<usize> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*size)).ok()
}

fn take_part<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (part, rest) = bytes.split_at_checked(size)?;
    *bytes = rest.get(1..)?;
    Some(part)
}
