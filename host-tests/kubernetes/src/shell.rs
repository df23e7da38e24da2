//! The commands in a shell text, one by one.

/// A command without those before, after and within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// The number of lines before it.
    pub(crate) line: usize,
    /// Its text; what another command would print stands as `$()`.
    pub(crate) text: String,
}

impl Command {
    /// Its words up to a redirection; none if a quote is not closed.
    pub(crate) fn words(&self) -> Option<Vec<String>> {
        let redirects = |word: &&String| word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>']);
        let words = shlex::split(&self.text)?;
        Some(words.iter().take_while(|word| !redirects(word)).cloned().collect())
    }
}

/// The commands of a text: those that operators and lines part, and those in parentheses, `$(…)` and backticks. A prompt is none
/// of a command.
pub(crate) fn commands(text: &str) -> Vec<Command> {
    let mut reader = Reader::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match (reader.quote, c) {
            (Some('\''), _) => reader.quoted(c, '\''),
            (_, '\\') => reader.escaped(chars.next()),
            (_, '$') if next == Some('(') => {
                chars.next();
                reader.nest(')');
            }
            (_, '`') if reader.closes('`') => reader.leave(),
            (_, '`') => reader.nest('`'),
            (Some(quote), _) => reader.quoted(c, quote),
            (None, '\'' | '"') => {
                reader.quote = Some(c);
                reader.push(c);
            }
            (None, '(') => reader.nest(')'),
            (None, ')') if reader.closes(')') => reader.leave(),
            (None, '#') if reader.is_between_words() => while chars.next_if(|c| *c != '\n').is_some() {},
            (None, '&') if reader.current.text.ends_with(['>', '<']) => reader.push(c),
            (None, ';' | '&' | '|' | '\n') => reader.end(c),
            (None, _) => reader.push(c),
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    found: Vec<Command>,
    line: usize,
    current: Command,
    quote: Option<char>,
    /// The commands around this one, the quotes that are open in them, and what ends this one.
    outer: Vec<(Command, Option<char>, char)>,
}

impl Reader {
    fn push(&mut self, c: char) {
        if self.current.text.trim().is_empty() {
            self.current = Command { line: self.line, text: String::new() };
        }
        self.current.text.push(c);
        self.line += usize::from(c == '\n');
    }

    /// What a backslash stands before. A line that ends in one goes on.
    fn escaped(&mut self, c: Option<char>) {
        if c == Some('\n') {
            self.line += 1;
            return;
        }
        ['\\'].into_iter().chain(c).for_each(|c| self.push(c));
    }

    /// A character in quotes, which may be the last one.
    fn quoted(&mut self, c: char, quote: char) {
        self.push(c);
        if c == quote {
            self.quote = None;
        }
    }

    fn nest(&mut self, end: char) {
        self.push('$');
        self.current.text.push_str("()");
        let outer = std::mem::take(&mut self.current);
        self.outer.push((outer, self.quote.take(), end));
    }

    fn closes(&self, end: char) -> bool {
        self.outer.last().is_some_and(|(_, _, ends)| *ends == end)
    }

    fn leave(&mut self) {
        self.end(' ');
        if let Some((outer, quote, _)) = self.outer.pop() {
            self.current = outer;
            self.quote = quote;
        }
    }

    fn is_between_words(&self) -> bool {
        self.current.text.ends_with(char::is_whitespace) || self.current.text.is_empty()
    }

    fn finish(mut self) -> Vec<Command> {
        while !self.outer.is_empty() {
            self.leave();
        }
        self.end('\n');
        self.found.sort_by_key(|command| command.line);
        self.found
    }

    /// Ends the command at an operator or a line.
    fn end(&mut self, c: char) {
        let Command { line, text } = std::mem::take(&mut self.current);
        let text = text.trim();
        let text = text.strip_prefix("$ ").unwrap_or(text).to_owned();
        if !text.is_empty() {
            self.found.push(Command { line, text });
        }
        self.line += usize::from(c == '\n');
    }
}

#[cfg(test)]
mod tests {
    use super::commands;

    fn check(text: &str, expected: &[(usize, &[&str])]) {
        let found: Vec<_> = commands(text).iter().map(|one| (one.line, one.words().unwrap_or_default())).collect();
        let expected: Vec<(usize, Vec<String>)> =
            expected.iter().map(|(line, words)| (*line, words.iter().map(|&word| word.to_owned()).collect())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn commands_are_told_apart() {
        check("a b && c;d|e & f", &[(0, &["a", "b"]), (0, &["c"]), (0, &["d"]), (0, &["e"]), (0, &["f"])]);
        check("a 'b;c\n&& d' \\\n  e\n\n$ f", &[(0, &["a", "b;c\n&& d", "e"]), (4, &["f"])]);
        check("a=\"$(b \"c)\" | d)\" e", &[(0, &["b", "c)"]), (0, &["d"]), (0, &["a=$()", "e"])]);
        check("a `b c` \"d 'e'\"", &[(0, &["b", "c"]), (0, &["a", "$()", "d 'e'"])]);
        check("(a; b) && c", &[(0, &["a"]), (0, &["b"]), (0, &["$()"]), (0, &["c"])]);
        check("a # it's no quote; c\nb#c", &[(0, &["a"]), (1, &["b#c"])]);
        check("a 2>&1 b > c", &[(0, &["a"])]);
        check("a \\; b \\' c", &[(0, &["a", ";", "b", "'", "c"])]);
        check(r"a 'b\' c", &[(0, &["a", r"b\", "c"])]);
        check("a 'b", &[(0, &[])]);
        check("a $(b", &[(0, &["b"]), (0, &["a", "$()"])]);
    }
}
