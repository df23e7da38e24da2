//! What documents say, as far as it may come out again.

use std::collections::BTreeSet;

use serin_core::Node;

/// All texts of documents, values and names of fields, and what of it allows more than else.
#[derive(Default)]
pub(crate) struct Given {
    texts: BTreeSet<String>,
    /// The rollouts that write headers for stable.
    marking: BTreeSet<String>,
}

impl Given {
    /// What a document says, if it can be read at all.
    pub(crate) fn add(&mut self, document: &[u8]) {
        if let Ok(node) = Node::from_bytes(document) {
            self.add_node(&node);
            let rollouts = fields(&node).filter(|(name, _)| *name == "rollouts").flat_map(|(_, node)| fields(node));
            let marking = rollouts.filter(|(_, rollout)| fields(rollout).any(marks_stable));
            self.marking.extend(marking.map(|(name, _)| name.to_owned()));
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
                    self.texts.insert(name.to_string());
                    self.add_node(node);
                }
            }
        }
    }

    /// Whether this rollout may write headers for stable; one whose name does not fit is called `invalid`.
    pub(crate) fn marks_stable(&self, rollout: &str) -> bool {
        self.marking.contains(rollout) || (rollout == "invalid" && !self.marking.is_empty())
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

fn fields<'a>(node: &'a Node<'_>) -> impl Iterator<Item = (&'a str, &'a Node<'a>)> {
    let entries = if let Node::Map(entries) = node { &entries[..] } else { &[] };
    entries.iter().map(|(name, node)| (&**name, node))
}

/// Whether this field of a rollout has its headers written for stable.
fn marks_stable((name, node): (&str, &Node<'_>)) -> bool {
    match name {
        "mark_stable" => matches!(node, Node::Bool(true)),
        "split" => matches!(node, Node::String(split) if matches!(&**split, "route" | "native")),
        _ => false,
    }
}
