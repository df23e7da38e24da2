//! Lines for people's shells.

use std::path::Path;

/// A path as one word of a shell, whatever is in it.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_path_is_one_word_of_a_shell() {
        assert_eq!(r"'/a b/it'\''s $x'", quoted(Path::new("/a b/it's $x")));
    }
}
