//! Lists that are kept in order: what `Vec` does at a place, without the panic where there is no such place.

/// Inserts a value before the one at a place. Where the list has no such place the value comes last, and nobody is told: places
/// are to come from a search of the same list.
#[inline]
pub fn insert<T>(list: &mut Vec<T>, at: usize, value: T) {
    list.insert(at.min(list.len()), value);
}

/// Removes the value at a place, if there is one.
///
/// `Vec::remove` panics behind a check as well: the compiler cannot tell a value that is there from the `None` that shares its bits.
#[inline]
pub fn remove<T>(list: &mut Vec<T>, at: usize) -> Option<T> {
    let mut places = 0..;
    list.extract_if(.., |_| places.next() == Some(at)).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_will_do() {
        let mut list = vec!['b'];
        insert(&mut list, 0, 'a');
        insert(&mut list, 9, 'c');
        assert_eq!(list, ['a', 'b', 'c']);
        assert_eq!(remove(&mut list, 3), None);
        assert_eq!(remove(&mut list, 1), Some('b'));
        assert_eq!(list, ['a', 'c']);
    }
}
