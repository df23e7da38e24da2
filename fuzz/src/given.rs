//! What documents say, as far as it may come out again.

use std::collections::BTreeSet;

use serin_core::Node;

/// All texts of documents, values and names of fields, and what of it allows more than else.
#[derive(Default)]
pub(crate) struct Given {
    texts: BTreeSet<String>,
    /// Whether some rollout may write headers for stable.
    pub(crate) marks_stable: bool,
}

impl Given {
    /// What a document says, if it can be read at all.
    pub(crate) fn add(&mut self, document: &[u8]) {
        if let Ok(node) = Node::from_bytes(document) {
            self.add_node(&node);
        }
    }

    fn add_node(&mut self, node: &Node<'_>) {
        match node {
            Node::Null | Node::Bool(_) | Node::Number(_) => {}
            Node::String(text) => {
                self.texts.insert(text.to_string());
            }
            Node::List(items) => items.iter().for_each(|item| self.add_node(item)),
            Node::Map(entries) => {
                for (name, node) in entries {
                    self.marks_stable |= matches!(&**name, "mark_stable" | "split");
                    self.texts.insert(name.to_string());
                    self.add_node(node);
                }
            }
        }
    }

    /// All of them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether a document holds this text, or a broken rollout stands for it.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.texts.contains(text) || matches!(text, "stable" | "invalid" | "canary")
    }

    /// Whether a document holds the name of this header, in whichever case, or it is the default one.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        name == "x-canary-version" || self.texts.iter().any(|text| text.eq_ignore_ascii_case(name))
    }
}
