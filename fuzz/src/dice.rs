//! Choices out of the bytes of an input: the same bytes make the same choices, and behind their end each is the first one.

use arbitrary::Unstructured;

/// Choices out of bytes.
pub(crate) struct Dice<'a>(Unstructured<'a>);

impl<'a> Dice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// Whether nothing is left to choose by.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True once in so many times; never behind the end.
    pub(crate) fn once_in(&mut self, times: u8) -> bool {
        self.0.int_in_range(0..=times - 1).unwrap_or_default() == times - 1
    }

    /// A number below `most`, which is not 0.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0.int_in_range(0..=most - 1).unwrap_or_default()
    }

    /// A number up to `most`.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        self.0.int_in_range(0..=most).unwrap_or_default()
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// Some bytes, at most so many.
    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1).min(self.0.len());
        self.0.bytes(length).unwrap_or_default().to_vec()
    }
}
