//! Maps of headers as the host hands them over in one piece.

/// The values of one name, in their order.
///
/// A serialised map is a count, then the sizes of name and value of each pair, then the pairs themselves, each part closed
/// by a NUL; numbers are 32 bits, little-endian.
#[inline]
pub(crate) fn values<'a>(pairs: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let (count, behind) = pairs.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let sizes = size(*count).checked_mul(8).and_then(|bytes| behind.split_at_checked(bytes));
    let (sizes, parts) = sizes.unwrap_or_default();
    let mut at = 0_usize;
    sizes.as_chunks::<8>().0.iter().filter_map(move |[a, b, c, d, e, f, g, h]| {
        let (name, value) = (size([*a, *b, *c, *d]), size([*e, *f, *g, *h]));
        let (start, end) = (at, at.saturating_add(name));
        at = end.saturating_add(value).saturating_add(2);
        // Most names differ in length already.
        let is_it = name == wanted.len() && parts.get(start..end) == Some(wanted);
        if is_it { parts.get(end.saturating_add(1)..at.saturating_sub(1)) } else { None }
    })
}

fn size(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}
