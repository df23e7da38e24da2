//! Finds what can trap in the instructions of one function.

use std::collections::{BTreeMap, BTreeSet};

use walrus::ir::{
    BinaryOp, Br, BrIf, BrTable, Const, Instr, InstrSeq, InstrSeqId, Return, ReturnCall, UnaryOp, Value, Visitor,
    dfs_in_order,
};
use walrus::{FunctionId, FunctionKind, LocalFunction, LocalId, Module};

use super::kind::Kind;

/// Something in a function that can trap.
pub(super) struct Trap {
    pub(super) kind: Kind,
    /// The function that is called and panics.
    pub(super) panics: Option<FunctionId>,
    pub(super) at: At,
}

/// Where in the source a panic says that it is: the last argument of what is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// It does not say, or it cannot be seen here.
    Unknown,
    /// At the location of this address.
    Location(i32),
    /// Where the function's own caller says that it is.
    Caller,
}

/// Functions that panic in the name of their callers, such as `Vec::index`, and what happens then. A caller counts, and not they.
#[derive(Default)]
pub(super) struct Blaming(BTreeMap<FunctionId, BTreeSet<Kind>>);

impl Blaming {
    /// Those of these functions.
    pub(super) fn of(module: &Module, functions: &[FunctionId]) -> Self {
        let mut blaming = Self::default();
        loop {
            let mut found: BTreeMap<FunctionId, BTreeSet<Kind>> = BTreeMap::new();
            for id in functions {
                let traps = function(module, *id, &blaming);
                let kinds: BTreeSet<Kind> =
                    traps.iter().filter(|trap| trap.at == At::Caller).map(|trap| trap.kind).collect();
                if !kinds.is_empty() {
                    found.insert(*id, kinds);
                }
            }
            if found == blaming.0 {
                return blaming;
            }
            blaming.0 = found;
        }
    }

    /// What can happen in a function that is called: nothing, if it is none that panics, or blames its caller.
    fn kinds(&self, module: &Module, id: FunctionId) -> BTreeSet<Kind> {
        match module.funcs.get(id).name.as_deref().and_then(Kind::of) {
            Some(kind) => BTreeSet::from([kind]),
            None => self.0.get(&id).cloned().unwrap_or_default(),
        }
    }
}

/// All that can trap in it; nothing of what is imported.
pub(super) fn function(module: &Module, id: FunctionId, blaming: &Blaming) -> Vec<Trap> {
    let FunctionKind::Local(function) = &module.funcs.get(id).kind else { return Vec::new() };
    let instrs = &function.block(function.entry_block()).instrs;
    if let [(Instr::Unreachable(_), _)] = instrs.as_slice() {
        return vec![Trap { kind: Kind::Emptied, panics: None, at: At::Unknown }];
    }
    let mut scan = Scan { module, blaming, last_argument: function.args.last().copied(), traps: Vec::new() };
    dfs_in_order(&mut scan, function, function.entry_block());
    scan.traps
}

struct Scan<'module> {
    module: &'module Module,
    blaming: &'module Blaming,
    /// Where a function that blames its caller is told of it.
    last_argument: Option<LocalId>,
    traps: Vec<Trap>,
}

impl<'instr> Visitor<'instr> for Scan<'_> {
    fn start_instr_seq(&mut self, seq: &'instr InstrSeq) {
        let mut before = None;
        for (instr, _) in &seq.instrs {
            match instr {
                Instr::Call(call) => self.look_at_call(before, call.func),
                Instr::ReturnCall(call) => self.look_at_call(before, call.func),
                _ => self.look_at(before, instr),
            }
            before = Some(instr);
        }
    }
}

impl Scan<'_> {
    fn look_at_call(&mut self, before: Option<&Instr>, called: FunctionId) {
        for kind in self.blaming.kinds(self.module, called) {
            let at = match before {
                Some(Instr::Const(Const { value: Value::I32(at) })) => At::Location(*at),
                Some(Instr::LocalGet(get)) if kind.blames() && Some(get.local) == self.last_argument => At::Caller,
                _ => At::Unknown,
            };
            self.traps.push(Trap { kind, panics: Some(called), at });
        }
    }

    fn look_at(&mut self, before: Option<&Instr>, instr: &Instr) {
        let by_constant = matches!(before, Some(Instr::Const(Const { value })) if divides_all(*value));
        let kind = match instr {
            Instr::Unreachable(_) if !before.is_some_and(|before| self.is_the_end(before)) => Kind::Unreachable,
            Instr::Binop(op) if divides(op.op) && !by_constant => Kind::Divide,
            Instr::Unop(op) if converts(op.op) => Kind::Convert,
            _ => return,
        };
        self.traps.push(Trap { kind, panics: None, at: At::Unknown });
    }

    /// Whether it is a call after which nothing comes, so that the instruction behind it is never run.
    fn is_the_end(&self, instr: &Instr) -> bool {
        let Instr::Call(call) = instr else { return false };
        let function = self.module.funcs.get(call.func);
        match &function.kind {
            FunctionKind::Local(function) => never_returns(function),
            _ => function.name.as_deref().and_then(Kind::of).is_some(),
        }
    }
}

/// Whether a function ends in a trap, and nothing leaves it before.
fn never_returns(function: &LocalFunction) -> bool {
    let entry = function.entry_block();
    let mut ways = WaysOut { entry, found: false };
    dfs_in_order(&mut ways, function, entry);
    let last = function.block(entry).instrs.last();
    !ways.found && matches!(last, Some((Instr::Unreachable(_), _)))
}

/// Looks for instructions that leave a function before its end.
struct WaysOut {
    entry: InstrSeqId,
    found: bool,
}

impl<'instr> Visitor<'instr> for WaysOut {
    fn visit_return(&mut self, _: &Return) {
        self.found = true;
    }

    fn visit_return_call(&mut self, _: &ReturnCall) {
        self.found = true;
    }

    fn visit_br(&mut self, br: &Br) {
        self.found |= br.block == self.entry;
    }

    fn visit_br_if(&mut self, br: &BrIf) {
        self.found |= br.block == self.entry;
    }

    fn visit_br_table(&mut self, br: &BrTable) {
        self.found |= br.default == self.entry || br.blocks.contains(&self.entry);
    }
}

fn divides(op: BinaryOp) -> bool {
    use BinaryOp::{I32DivS, I32DivU, I32RemS, I32RemU, I64DivS, I64DivU, I64RemS, I64RemU};
    matches!(op, I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU)
}

/// Whether every number can be divided by this one.
fn divides_all(divisor: Value) -> bool {
    matches!(divisor, Value::I32(number) if ![0, -1].contains(&number))
        || matches!(divisor, Value::I64(number) if ![0, -1].contains(&number))
}

fn converts(op: UnaryOp) -> bool {
    use UnaryOp::{I32TruncSF32, I32TruncSF64, I32TruncUF32, I32TruncUF64};
    use UnaryOp::{I64TruncSF32, I64TruncSF64, I64TruncUF32, I64TruncUF64};
    matches!(op, I32TruncSF32 | I32TruncSF64 | I32TruncUF32 | I32TruncUF64)
        || matches!(op, I64TruncSF32 | I64TruncSF64 | I64TruncUF32 | I64TruncUF64)
}
