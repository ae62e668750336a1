//! Comparisons, `BETWEEN`, `IN` and `LIKE`. With a null each of them is false, also in its negated form, as Kuiper has it.

use super::{Scope, Slot, truth};
use crate::ast::{Operator, Sense};
use crate::kernel::helpers::{order_floats, order_longs};
use crate::kernel::value::{Kinds, Value};
use rulemill_plan::Type;
use wasm_encoder::{Instruction, ValType};

/// What becomes of two values that have no order, because of what they are.
#[derive(Clone, Copy, PartialEq)]
enum Unlike<'m> {
    /// The row cannot be computed; the message ends with what they are.
    Fail(&'m str),
    /// They differ.
    Differ,
}

impl Scope<'_> {
    pub(super) fn compare(&mut self, value: &Value, operator: Operator, left: &Value, right: &Value) -> Slot {
        let left = self.value(left);
        self.compare_with(value, operator, &left, right)
    }

    /// Whether a value that is computed already equals another one.
    pub(super) fn equals(&mut self, around: &Value, left: &Slot, right: &Value) -> Slot {
        self.compare_with(around, Operator::Equal, left, right)
    }

    fn compare_with(&mut self, value: &Value, operator: Operator, left: &Slot, right: &Value) -> Slot {
        let right = self.value(right);
        let slot = truth(self.asm);
        self.asm.int(0);
        self.asm.set(slot.flag());
        let done = self.asm.block();
        for side in [left, &right] {
            side.is_null(self.asm);
            self.asm.leave_if(done);
        }
        let message = format!("{} cannot compare ", value.source);
        self.order(left, &right, Unlike::Fail(&message));
        self.test_order(operator);
        self.asm.set(slot.flag());
        self.asm.end();
        slot
    }

    /// Puts on the stack the order of two values that are not null: -1, 0, 1, or 2 for none.
    fn order(&mut self, left: &Slot, right: &Slot, unlike: Unlike<'_>) {
        let order = self.asm.local(ValType::I32);
        let found = self.asm.block();
        for (one, other) in comparable() {
            if !left.kinds.has(one) || !right.kinds.has(other) {
                continue;
            }
            left.is(self.asm, one);
            right.is(self.asm, other);
            self.asm.push(Instruction::I32And);
            self.asm.when();
            self.order_of((left, one), (right, other));
            self.asm.set(order);
            self.asm.leave(found);
            self.asm.end();
        }
        match unlike {
            Unlike::Fail(message) => self.fail_kinds(message, &[left, right]),
            Unlike::Differ => {
                self.asm.int(2);
                self.asm.set(order);
            }
        }
        self.asm.end();
        self.asm.get(order);
    }

    fn order_of(&mut self, left: (&Slot, Type), right: (&Slot, Type)) {
        let ((left, one), (right, other)) = (left, right);
        match (one, other) {
            (Type::Int, Type::Float) => {
                self.asm.get(left.long());
                self.asm.get(right.float());
                self.asm.call(self.helpers.order_mixed());
            }
            (Type::Float, Type::Int) => {
                self.asm.get(right.long());
                self.asm.get(left.float());
                self.asm.call(self.helpers.order_mixed());
                self.reverse();
            }
            (Type::Float, _) => {
                order_floats(self.asm, |asm| asm.get(left.float()), |asm| asm.get(right.float()));
            }
            (Type::Int | Type::Time, _) => {
                order_longs(self.asm, |asm| asm.get(left.long()), |asm| asm.get(right.long()));
            }
            (Type::Bool, _) => {
                self.asm.get(left.flag());
                self.asm.get(right.flag());
                self.asm.push(Instruction::I32Sub);
            }
            (Type::Text | Type::Bytes | Type::Json, _) => {
                for (address, length) in [left.text(), right.text()] {
                    self.asm.get(address);
                    self.asm.get(length);
                }
                self.asm.call(self.helpers.order_texts());
            }
        }
    }

    /// Turns -1 and 1 around, and leaves 0 and 2.
    fn reverse(&mut self) {
        let order = self.asm.local(ValType::I32);
        self.asm.set(order);
        self.asm.get(order);
        self.asm.int(0);
        self.asm.get(order);
        self.asm.push(Instruction::I32Sub);
        self.asm.get(order);
        self.asm.int(2);
        self.asm.push(Instruction::I32Eq);
        self.asm.push(Instruction::Select);
    }

    /// Turns the order on the stack into whether the comparison holds.
    fn test_order(&mut self, operator: Operator) {
        let (value, instruction) = match operator {
            Operator::Equal => (0, Instruction::I32Eq),
            Operator::NotEqual => (0, Instruction::I32Ne),
            Operator::Less => (-1, Instruction::I32Eq),
            Operator::LessEqual => (0, Instruction::I32LeS),
            Operator::Greater => (1, Instruction::I32Eq),
            // 0 or 1: as a number without a sign, -1 is large.
            _ => (2, Instruction::I32LtU),
        };
        self.asm.int(value);
        self.asm.push(instruction);
    }

    pub(super) fn between(&mut self, value: &Value, sense: Sense, parts: [&Value; 3]) -> Slot {
        let [inner, low, high] = parts.map(|part| self.value(part));
        let slot = truth(self.asm);
        self.asm.int(0);
        self.asm.set(slot.flag());
        let done = self.asm.block();
        for part in [&inner, &low, &high] {
            part.is_null(self.asm);
            self.asm.leave_if(done);
        }
        let message = format!("{} cannot compare ", value.source);
        self.order(&inner, &low, Unlike::Fail(&message));
        self.test_order(Operator::GreaterEqual);
        self.order(&inner, &high, Unlike::Fail(&message));
        self.test_order(Operator::LessEqual);
        self.asm.push(Instruction::I32And);
        self.set_in_sense(&slot, sense);
        self.asm.end();
        slot
    }

    /// Puts what is on the stack into the slot, or the opposite.
    fn set_in_sense(&mut self, slot: &Slot, sense: Sense) {
        if sense == Sense::Negated {
            self.asm.push(Instruction::I32Eqz);
        }
        self.asm.set(slot.flag());
    }

    pub(super) fn is_in(&mut self, sense: Sense, inner: &Value, options: &[Value]) -> Slot {
        let inner = self.value(inner);
        let slot = truth(self.asm);
        self.asm.int(0);
        self.asm.set(slot.flag());
        let done = self.asm.block();
        inner.is_null(self.asm);
        self.asm.leave_if(done);
        let found = self.asm.local(ValType::I32);
        self.asm.int(0);
        self.asm.set(found);
        let searched = self.asm.block();
        for option in options {
            let option = self.value(option);
            let next = self.asm.block();
            option.is_null(self.asm);
            self.asm.leave_if(next);
            self.order(&inner, &option, Unlike::Differ);
            self.asm.push(Instruction::I32Eqz);
            self.asm.tee(found);
            self.asm.leave_if(searched);
            self.asm.end();
        }
        self.asm.end();
        self.asm.get(found);
        self.set_in_sense(&slot, sense);
        self.asm.end();
        slot
    }

    pub(super) fn like(&mut self, value: &Value, sense: Sense, inner: &Value, pattern: &Value) -> Slot {
        let (inner, pattern) = (self.value(inner), self.value(pattern));
        let slot = truth(self.asm);
        self.asm.int(0);
        self.asm.set(slot.flag());
        let done = self.asm.block();
        for part in [&inner, &pattern] {
            part.is_null(self.asm);
            self.asm.leave_if(done);
            self.check_kinds(
                &format!("{} needs a string, and not a ", value.source),
                part,
                Kinds::of(Type::Text),
            );
        }
        if inner.kinds.has(Type::Text) && pattern.kinds.has(Type::Text) {
            for (address, length) in [inner.text(), pattern.text()] {
                self.asm.get(address);
                self.asm.get(length);
            }
            self.asm.call(self.helpers.like());
            self.set_in_sense(&slot, sense);
        }
        self.asm.end();
        slot
    }
}

/// Which kinds can be compared. Arrays, structs and bytes cannot.
fn comparable() -> impl Iterator<Item = (Type, Type)> {
    [
        (Type::Int, Type::Int),
        (Type::Float, Type::Float),
        (Type::Int, Type::Float),
        (Type::Float, Type::Int),
        (Type::Text, Type::Text),
        (Type::Bool, Type::Bool),
        (Type::Time, Type::Time),
    ]
    .into_iter()
}
