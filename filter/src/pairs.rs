//! Maps of headers as the host hands them over in one piece.

/// The values of one name, in their order.
///
/// A serialised map is a count, then the sizes of name and value of each pair, then the pairs themselves, each part closed
/// by a NUL; numbers are 32 bits, little-endian.
#[inline]
pub(crate) fn values<'a>(pairs: &'a [u8], wanted: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let (count, behind) = pairs.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let sizes = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
    let (sizes, parts) = sizes.checked_mul(8).and_then(|bytes| behind.split_at_checked(bytes)).unwrap_or_default();
    let mut at = 0_usize;
    sizes.as_chunks().0.iter().filter_map(move |both| {
        let both = u64::from_le_bytes(*both);
        let [name, value] =
            [both & u64::from(u32::MAX), both >> 32].map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        // Sizes that no host tells may wrap around, and then name no part or another one.
        let (start, end) = (at, at.wrapping_add(name));
        at = end.wrapping_add(value).wrapping_add(2);
        // Most names differ in length already.
        let is_it = name == wanted.len() && parts.get(start..end) == Some(wanted);
        if is_it { parts.get(end.wrapping_add(1)..at.wrapping_sub(1)) } else { None }
    })
}
