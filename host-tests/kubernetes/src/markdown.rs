//! The code in a Markdown text, and what the text says it is for.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// Code in a Markdown text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The language of a fenced block; empty for code within a line.
    pub(crate) language: String,
    /// The line that the code begins in.
    pub(crate) line: usize,
    /// The code.
    pub(crate) text: String,
    /// What it stands under: the last heading, or the last bold words that began a paragraph after that, and the last
    /// paragraph; with the one before, where it begins with "or".
    pub(crate) topic: String,
}

/// The fenced blocks of a Markdown text, and the code within its lines.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for (event, range) in Parser::new(text).into_offset_iter() {
        let line = 1 + text[..range.start].matches('\n').count();
        match event {
            Event::Start(tag) => reader.start(&tag, line, &text[range]),
            Event::End(tag) => reader.end(tag),
            Event::Text(text) => reader.text(&text),
            Event::Code(code) => {
                reader.block("", line, &code);
                reader.text(&code);
            }
            Event::SoftBreak => reader.text(" "),
            _ => {}
        }
    }
    reader.blocks
}

/// What has been read of a text so far.
#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    topic: String,
    paragraph: String,
    in_topic: bool,
    in_block: bool,
}

impl Reader {
    fn start(&mut self, tag: &Tag<'_>, line: usize, text: &str) {
        match tag {
            Tag::CodeBlock(CodeBlockKind::Fenced(language)) => {
                self.block(language, line + 1, "");
                self.in_block = true;
            }
            Tag::Heading { .. } => {
                self.paragraph.clear();
                self.start_topic();
            }
            Tag::Strong if self.paragraph.is_empty() => self.start_topic(),
            // Another way to do what the paragraph before is about.
            Tag::Paragraph if text.starts_with("or ") || text.starts_with("or,") => self.paragraph.push('\n'),
            Tag::Paragraph => self.paragraph.clear(),
            _ => {}
        }
    }

    fn start_topic(&mut self) {
        self.topic.clear();
        self.in_topic = true;
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock => self.in_block = false,
            TagEnd::Heading(_) | TagEnd::Strong => self.in_topic = false,
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match self.blocks.last_mut() {
            Some(block) if self.in_block => block.text += text,
            _ if self.in_topic => self.topic += text,
            _ => self.paragraph += text,
        }
    }

    fn block(&mut self, language: &str, line: usize, text: &str) {
        let topic = format!("{}\n{}", self.topic, self.paragraph);
        self.blocks.push(Block { language: language.to_owned(), line, text: text.to_owned(), topic });
    }
}
