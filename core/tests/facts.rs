//! Facts: whatever is asked of them, the source is asked once.

use std::borrow::Cow;
use std::cell::RefCell;

use serin_core::{Facts, Source};

/// Has a header for every name that ends with an even number, and notes what it is asked for.
#[derive(Default)]
struct Noting(RefCell<Vec<String>>);

impl Source for Noting {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.0.borrow_mut().push(name.to_owned());
        name.ends_with(['0', '2', '4', '6', '8']).then(|| name.as_bytes().to_vec().into())
    }

    fn headers(&self, _: &str) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn cluster_name(&self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn every_header_is_read_once_however_many_there_are() {
    let names: Vec<String> = (0..400).map(|n| format!("x-{n}")).collect();
    for count in [1, 5, 6, 15, 16, 35, 36, 400] {
        let (source, names) = (Noting::default(), &names[..count]);
        let facts = Facts::new(&source);
        for _ in 0..2 {
            for (n, name) in names.iter().enumerate() {
                let expected = n.is_multiple_of(2).then_some(name.as_bytes());
                assert_eq!(facts.header(name), expected, "{name} of {count}");
            }
        }
        assert_eq!(*source.0.borrow(), names, "of {count}");
    }
}
