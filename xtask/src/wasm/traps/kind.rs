//! Kinds of traps, told from the names of the functions that panic.

/// What happens at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An index, or the end of a slice, beyond what is there.
    Index,
    /// The end of a text beyond what is there, or inside of a character.
    Text,
    /// `unwrap`, `expect`.
    Unwrap,
    /// A `RefCell` that is borrowed already.
    Borrowed,
    /// Arithmetic beyond the range of its type.
    Overflow,
    /// A division that is checked, and is by zero.
    Division,
    /// No memory is left, or more is asked for than there can be.
    Memory,
    /// A thread's value that is used after its end.
    ThreadLocal,
    /// The module ends itself.
    Exit,
    /// Any other panic: `assert!`, `unreachable!`, `panic!`.
    Panic,
    /// A function that the post-link step has emptied.
    Emptied,
    /// An instruction that traps always, which the compiler leaves where it has seen that nothing comes.
    Unreachable,
    /// An instruction that divides by what is no constant.
    Divide,
    /// An instruction that makes an integer of a number with a fraction, and traps where it does not fit.
    Convert,
}

/// Parts of symbols, in either form of mangling, of functions that never return; the first that fits says the kind.
const ENDS: [(&str, Kind); 32] = [
    ("panic_bounds_check", Kind::Index),
    ("slice_index_fail", Kind::Index),
    ("slice_start_index", Kind::Index),
    ("slice_end_index", Kind::Index),
    ("slice_index_order_fail", Kind::Index),
    ("len_mismatch_fail", Kind::Index),
    ("copy_from_slice_impl", Kind::Index),
    ("assert_failed", Kind::Panic),
    ("slice_error_fail", Kind::Text),
    ("unwrap_failed", Kind::Unwrap),
    ("expect_failed", Kind::Unwrap),
    ("panic_already_", Kind::Borrowed),
    ("panic_const_div_by_zero", Kind::Division),
    ("panic_const_rem_by_zero", Kind::Division),
    ("panic_const_", Kind::Overflow),
    ("handle_alloc_error", Kind::Memory),
    ("7raw_vec12handle_error", Kind::Memory),
    ("capacity_overflow", Kind::Memory),
    ("rust_oom", Kind::Memory),
    ("rg_oom", Kind::Memory),
    ("alloc_err", Kind::Memory),
    ("panic_access_error", Kind::ThreadLocal),
    ("9panicking", Kind::Panic),
    ("begin_panic", Kind::Panic),
    ("rust_begin_unwind", Kind::Panic),
    ("rust_panic", Kind::Panic),
    ("rust_start_panic", Kind::Panic),
    ("rust_abort", Kind::Panic),
    ("abort_internal", Kind::Panic),
    ("7process5abort", Kind::Panic),
    ("proc_exit", Kind::Exit),
    ("rust_foreign_exception", Kind::Panic),
];

impl Kind {
    /// The kind of panic that a function of this symbol ends in.
    pub(super) fn of(symbol: &str) -> Option<Self> {
        ENDS.iter().find(|(part, _)| symbol.contains(part)).map(|(_, kind)| *kind)
    }

    /// Whether what panics is told of its caller's place, by its last argument.
    pub(super) fn blames(self) -> bool {
        !matches!(self, Self::Memory | Self::Exit)
    }

    /// How the checked file calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Text => "text",
            Self::Unwrap => "unwrap",
            Self::Borrowed => "borrowed",
            Self::Overflow => "overflow",
            Self::Division => "division",
            Self::Memory => "memory",
            Self::ThreadLocal => "thread-local",
            Self::Exit => "exit",
            Self::Panic => "panic",
            Self::Emptied => "emptied",
            Self::Unreachable => "unreachable instruction",
            Self::Divide => "divide instruction",
            Self::Convert => "convert instruction",
        }
    }
}
