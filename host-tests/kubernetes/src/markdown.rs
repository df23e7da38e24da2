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
    /// What it stands under: the last heading, or the last bold words that began a paragraph after that, and the last paragraph.
    pub(crate) topic: String,
}

/// The fenced blocks of a Markdown text, and the code within its lines.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut topic, mut paragraph) = (String::new(), String::new());
    let (mut in_topic, mut in_block) = (false, false);
    for (event, range) in Parser::new(text).into_offset_iter() {
        let line = 1 + text[..range.start].matches('\n').count();
        let of = |language: &str, line, text: &str| Block {
            language: language.to_owned(),
            line,
            text: text.to_owned(),
            topic: format!("{topic}\n{paragraph}"),
        };
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                in_block = true;
                blocks.push(of(&language, line + 1, ""));
            }
            Event::End(TagEnd::CodeBlock) => in_block = false,
            Event::Text(text) if in_block => {
                if let Some(block) = blocks.last_mut() {
                    block.text += &text;
                }
            }
            Event::Code(code) => {
                blocks.push(of("", line, &code));
                paragraph += &code;
            }
            Event::Start(Tag::Heading { .. }) => {
                topic.clear();
                paragraph.clear();
                in_topic = true;
            }
            Event::Start(Tag::Strong) if paragraph.is_empty() => {
                topic.clear();
                in_topic = true;
            }
            Event::End(TagEnd::Heading(_) | TagEnd::Strong) => in_topic = false,
            Event::Text(text) if in_topic => topic += &text,
            Event::Text(text) => paragraph += &text,
            Event::SoftBreak => paragraph.push(' '),
            Event::Start(Tag::Paragraph) => paragraph.clear(),
            _ => {}
        }
    }
    blocks
}
