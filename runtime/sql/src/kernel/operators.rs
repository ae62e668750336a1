//! The code of each expression of a kernel.

mod arithmetic;
mod choice;
mod comparison;

use super::assembler::{Assembler, Label, Local};
use super::code::Input;
use super::helpers::{ERROR_ADDRESS, ERROR_LENGTH, Helpers};
use super::memory::Texts;
use super::slot::Slot;
use super::value::{Kinds, Node, Value};
use crate::column::Column;
use rulemill_plan::{Literal, Type};
use wasm_encoder::Instruction;

/// What the code of an expression can use.
pub(super) struct Scope<'s> {
    pub(super) asm: &'s mut Assembler,
    pub(super) inputs: &'s [Input],
    /// The row that is computed.
    pub(super) row: Local,
    /// Where code goes when the row cannot be computed.
    pub(super) failed: Label,
    pub(super) helpers: Helpers,
    pub(super) texts: &'s mut Texts,
}

impl<'s> Scope<'s> {
    /// Code that computes an expression, and where its value is then.
    pub(super) fn value(&mut self, value: &Value) -> Slot {
        match &value.node {
            Node::Constant(literal) => self.constant(literal),
            Node::Column(column, kind) => self.column(*column, *kind),
            Node::Dynamic { parts, present } => self.dynamic(parts, *present),
            Node::Negate(inner) => self.negate(value, inner),
            Node::Not(inner) => self.not(value, inner),
            Node::And(left, right) => self.both(value, left, right),
            Node::Or(left, right) => self.either(value, left, right),
            Node::Arithmetic(operator, left, right) => self.arithmetic(value, *operator, left, right),
            Node::Compare(operator, left, right) => self.compare(value, *operator, left, right),
            Node::IsNull(inner) => self.test_null(inner),
            Node::Between(sense, inner, low, high) => self.between(value, *sense, [inner, low, high]),
            Node::In(sense, inner, options) => self.is_in(*sense, inner, options),
            Node::Like(sense, inner, pattern) => self.like(value, *sense, inner, pattern),
            Node::Case(case) => self.case(value, case),
            Node::Coalesce(values) => self.coalesce(value, values),
            Node::ToFloat(inner) => self.float_of(value, inner),
            Node::ToMillis(inner) => self.millis_of(inner),
            Node::Require(kinds, inner) => self.require(value, *kinds, inner),
        }
    }

    fn constant(&mut self, literal: &Literal) -> Slot {
        let kind = literal.type_of();
        let slot = Slot::new(self.asm, kind.map_or(Kinds::NONE, Kinds::of));
        match kind {
            Some(kind) => slot.set_kind(self.asm, kind),
            None => slot.set_null(self.asm),
        }
        match literal {
            Literal::Null => {}
            Literal::Bool(value) => {
                self.asm.int((*value).into());
                self.asm.set(slot.flag());
            }
            Literal::Int(value) => {
                self.asm.long(*value);
                self.asm.set(slot.long());
            }
            Literal::Float(value) => {
                self.asm.push(Instruction::F64Const((*value).into()));
                self.asm.set(slot.float());
            }
            Literal::Text(value) => {
                let place = self.texts.place(value);
                let (address, length) = slot.text();
                self.asm.int(place.address);
                self.asm.set(address);
                self.asm.int(place.length);
                self.asm.set(length);
            }
        }
        slot
    }

    fn column(&mut self, column: Column, kind: Type) -> Slot {
        let slot = Slot::new(self.asm, Kinds::of(kind));
        let input = self.input(column, kind);
        slot.set_null(self.asm);
        input.is_valid(self.asm, self.row);
        self.asm.when();
        input.load(self.asm, self.row, &slot);
        self.asm.end();
        slot
    }

    fn dynamic(&mut self, parts: &[(Type, Column)], present: Option<Column>) -> Slot {
        let json = present.map(|column| (Type::Json, column));
        let kinds = parts
            .iter()
            .chain(&json)
            .fold(Kinds::NONE, |kinds, (kind, _)| kinds.with(*kind));
        let slot = Slot::new(self.asm, kinds);
        slot.set_null(self.asm);
        let found = self.asm.block();
        for (kind, column) in parts.iter().chain(&json) {
            let input = self.input(*column, *kind);
            input.is_valid(self.asm, self.row);
            self.asm.when();
            input.load(self.asm, self.row, &slot);
            self.asm.leave(found);
            self.asm.end();
        }
        self.asm.end();
        slot
    }

    fn input(&self, column: Column, kind: Type) -> &'s Input {
        let inputs: &'s [Input] = self.inputs;
        inputs
            .iter()
            .find(|input| input.is(column, kind))
            .expect("the inputs of a kernel are the columns that it names")
    }

    /// Code for a row that cannot be computed.
    fn fail(&mut self, message: &str) {
        let place = self.texts.place(message);
        self.asm.int(place.address);
        self.asm.push(Instruction::GlobalSet(ERROR_ADDRESS));
        self.asm.int(place.length);
        self.asm.push(Instruction::GlobalSet(ERROR_LENGTH));
        self.asm.leave(self.failed);
    }

    /// The same, when the reason is of what kind one or two values are; the message ends with that.
    fn fail_kinds(&mut self, message: &str, values: &[&Slot]) {
        let place = self.texts.place(message);
        self.asm.int(place.address);
        self.asm.int(place.length);
        for position in 0..2 {
            match values.get(position) {
                Some(slot) => self.asm.get(slot.tag),
                None => self.asm.int(-1),
            }
        }
        self.asm.call(self.helpers.fail());
        self.asm.leave(self.failed);
    }

    /// Code that fails unless a value is null or of one of these kinds; none when it always is.
    fn check_kinds(&mut self, message: &str, slot: &Slot, wanted: Kinds) {
        if slot.kinds.within(wanted) {
            return;
        }
        let fine = self.asm.block();
        slot.is_null(self.asm);
        self.asm.leave_if(fine);
        for kind in slot.kinds.intersection(wanted).iter() {
            slot.is(self.asm, kind);
            self.asm.leave_if(fine);
        }
        self.fail_kinds(message, &[slot]);
        self.asm.end();
    }

    fn require(&mut self, value: &Value, kinds: Kinds, inner: &Value) -> Slot {
        let slot = self.value(inner);
        let message = format!("{} must be {}, and is ", value.source, kinds.words());
        self.check_kinds(&message, &slot, kinds);
        slot
    }

    fn test_null(&mut self, inner: &Value) -> Slot {
        let inner = self.value(inner);
        let slot = Slot::new(self.asm, Kinds::of(Type::Bool));
        slot.set_kind(self.asm, Type::Bool);
        inner.is_null(self.asm);
        self.asm.set(slot.flag());
        slot
    }

    fn float_of(&mut self, value: &Value, inner: &Value) -> Slot {
        let inner = self.value(inner);
        self.check_kinds(
            &format!("{} must be a number, and is ", value.source),
            &inner,
            Kinds::NUMBERS,
        );
        let slot = Slot::new(self.asm, Kinds::of(Type::Float));
        slot.set_null(self.asm);
        inner.is_null(self.asm);
        self.asm.push(Instruction::I32Eqz);
        self.asm.when();
        slot.set_kind(self.asm, Type::Float);
        inner.as_float(self.asm);
        self.asm.set(slot.float());
        self.asm.end();
        slot
    }

    /// Rounded down, as the time is emitted.
    fn millis_of(&mut self, inner: &Value) -> Slot {
        let inner = self.value(inner);
        let slot = Slot::new(self.asm, Kinds::of(Type::Int));
        slot.set_null(self.asm);
        inner.is_null(self.asm);
        self.asm.push(Instruction::I32Eqz);
        self.asm.when();
        slot.set_kind(self.asm, Type::Int);
        self.asm.get(inner.long());
        self.asm.long(1000);
        self.asm.push(Instruction::I64DivS);
        self.asm.get(inner.long());
        self.asm.long(1000);
        self.asm.push(Instruction::I64RemS);
        self.asm.long(63);
        self.asm.push(Instruction::I64ShrS);
        self.asm.push(Instruction::I64Add);
        self.asm.set(slot.long());
        self.asm.end();
        slot
    }
}

/// A truth value that is never null.
fn truth(asm: &mut Assembler) -> Slot {
    let slot = Slot::new(asm, Kinds::of(Type::Bool));
    slot.set_kind(asm, Type::Bool);
    slot
}
