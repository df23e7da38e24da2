//! Names of functions, crates and files, as they are the same on every machine.

/// Crates whose names are not those of their folders, or of the symbols in them.
const FILTER: &str = "serin_filter";
const CORE: &str = "serin_core";
/// The language's own library, which has the methods of types without a crate.
const LANGUAGE: &str = "core";

/// The name of a function as it stands in the source, without the hashes and numbers that tell instances apart.
pub(super) fn demangled(symbol: &str) -> String {
    let name = match symbol.rsplit_once('.') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => symbol,
    };
    format!("{:#}", rustc_demangle::demangle(name))
}

/// The crate that a function is of, by its demangled name.
pub(super) fn crate_of(function: &str) -> &str {
    if function.starts_with("serin_on_") || function.starts_with("serin::") {
        return FILTER;
    }
    if function.starts_with("proxy_on_") {
        return "proxy_wasm";
    }
    if !function.contains("::") {
        return "libc";
    }
    // `<&T as core::fmt::Debug>::fmt` is nobody's type, but somebody's trait.
    let of_path =
        |path: &'_ str| path.find("::").map(|end| path[..end].rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1)..end);
    let implementor = function.strip_prefix('<').and_then(|rest| rest.split_once(" as "));
    match implementor {
        Some((implementor, rest)) => match of_path(implementor) {
            Some(range) => &implementor[range],
            None => of_path(rest).map_or(LANGUAGE, |range| &rest[range]),
        },
        None => of_path(function).map_or(LANGUAGE, |range| match &function[range] {
            "" => LANGUAGE,
            name => name,
        }),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A path to a source file from the crate's name on: `serde_json/src/de.rs`.
pub(super) fn file(path: &str) -> String {
    let path = path.trim_end_matches('\0').replace('\\', "/");
    let parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().rposition(|part| *part == "library") {
        return parts[at + 1..].join("/");
    }
    let sources = parts.iter().rposition(|part| *part == "src").unwrap_or(0);
    let Some(folder) = sources.checked_sub(1).and_then(|at| parts.get(at)) else { return path };
    let name = match folder.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => folder,
    };
    let name = match name {
        "core" => CORE.to_owned(),
        "filter" => FILTER.to_owned(),
        other => other.replace('-', "_"),
    };
    format!("{name}/{}", parts[sources..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_their_crates() {
        for (symbol, name, of) in [
            ("_ZN10serin_core6decide6decide17h0123456789abcdefE", "serin_core::decide::decide", "serin_core"),
            ("_ZN5serin2vm3key17h0123456789abcdefE", "serin::vm::key", "serin_filter"),
            ("_ZN5alloc5boxed14box_new_uninit17h0123456789abcdefE.117", "alloc::boxed::box_new_uninit", "alloc"),
            (
                "_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
                "<&T as core::fmt::Debug>::fmt",
                "core",
            ),
            (
                "_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
                "<alloc::string::String as core::fmt::Debug>::fmt",
                "alloc",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo", "mycrate"),
            ("serin_on_tick", "serin_on_tick", "serin_filter"),
            ("proxy_on_memory_allocate", "proxy_on_memory_allocate", "proxy_wasm"),
            ("dlmalloc", "dlmalloc", "libc"),
        ] {
            assert_eq!(demangled(symbol), name);
            assert_eq!(crate_of(name), of, "{name}");
        }
    }

    #[test]
    fn files_are_named_from_their_crate_on() {
        for (path, expected) in [
            ("core/src/guard/ledger.rs", "serin_core/src/guard/ledger.rs"),
            ("filter/src/vm.rs\0", "serin_filter/src/vm.rs"),
            ("regex-lite-0.1.9/src/nfa.rs", "regex_lite/src/nfa.rs"),
            ("/rustc/0123456789abcdef/library/core/src/net/parser.rs", "core/src/net/parser.rs"),
            ("/rust/deps/hashbrown-0.16.1/src/raw.rs", "hashbrown/src/raw.rs"),
            ("/somewhere/src/serde_json-1.0.150/src/read.rs", "serde_json/src/read.rs"),
            ("build.rs", "build.rs"),
        ] {
            assert_eq!(file(path), expected);
        }
    }
}
