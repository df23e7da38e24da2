//! Regular expressions that are none.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use crate::matcher::Pattern;

impl Pattern {
    /// Whether it stands for one text alone. Not if both its ends say that the whole value is meant.
    pub(crate) fn is_literal(&self) -> bool {
        self.is_made_of(is_literal)
    }

    /// Whether it stands for one of a few texts alone, in whatever case.
    pub(crate) fn is_choice(&self) -> bool {
        self.is_made_of(is_choice)
    }

    fn is_made_of(&self, test: fn(&Hir) -> bool) -> bool {
        let parsed = regex_syntax::parse(self.as_str());
        parsed.is_ok_and(|hir| !(is_anchored(&hir, Look::Start) && is_anchored(&hir, Look::End)) && test(&hir))
    }
}

fn is_anchored(hir: &Hir, end: Look) -> bool {
    let looks = hir.properties();
    if end == Look::Start { looks.look_set_prefix().contains(end) } else { looks.look_set_suffix().contains(end) }
}

fn is_literal(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => true,
        HirKind::Capture(capture) => is_literal(&capture.sub),
        HirKind::Concat(parts) => parts.iter().all(is_literal),
        HirKind::Class(_) | HirKind::Alternation(_) | HirKind::Repetition(_) => false,
    }
}

fn is_choice(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Alternation(all) | HirKind::Concat(all) => all.iter().all(is_choice),
        HirKind::Capture(capture) => is_choice(&capture.sub),
        HirKind::Class(class) => is_one_letter(class),
        _ => is_literal(hir),
    }
}

/// Whether a class is what `(?i)` makes of one letter.
fn is_one_letter(class: &Class) -> bool {
    let Class::Unicode(class) = class else { return false };
    let Some(first) = class.ranges().first().map(ClassUnicodeRange::start) else { return false };
    let mut folded = ClassUnicode::new([ClassUnicodeRange::new(first, first)]);
    folded.try_case_fold_simple().is_ok() && folded == *class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, is_literal: bool, is_choice: bool) {
        let read = Pattern::new(pattern, false).unwrap();
        assert_eq!((read.is_literal(), read.is_choice()), (is_literal, is_choice), "{pattern}");
    }

    #[test]
    fn patterns() {
        check("Firefox", true, true);
        check("(?i)firefox/1", false, true);
        check("(?i:k)s", false, true);
        check("^Firefox", true, true);
        check("(Firefox)$", true, true);
        check(r"a\.b", true, true);
        check("^Firefox$", false, false);
        check("Firefox|Chrome", false, true);
        check("(?i)(firefox|chrome)", false, true);
        check("[fF]irefox", false, true);
        check("Fire.ox", false, false);
        check("okhttp/4[0-9]", false, false);
        check(".*Firefox.*", false, false);
        check("a+", false, false);
        check("[abc]", false, false);
    }
}
