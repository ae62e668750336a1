//! Arithmetic. Two ints stay an int, also when they are divided; with a float both are floats. What has no result (an int
//! beyond 64 bits, a division by zero) costs the row.

use super::{Scope, Slot};
use crate::ast::Operator;
use crate::kernel::assembler::Local;
use crate::kernel::value::{Kinds, Value};
use rulemill_plan::Type;
use wasm_encoder::Instruction;

impl Scope<'_> {
    pub(super) fn arithmetic(&mut self, value: &Value, operator: Operator, left: &Value, right: &Value) -> Slot {
        let (left, right) = (self.value(left), self.value(right));
        let slot = Slot::new(self.asm, value.kinds);
        slot.set_null(self.asm);
        let done = self.asm.block();
        for side in [&left, &right] {
            side.is_null(self.asm);
            self.asm.leave_if(done);
        }
        if left.kinds.has(Type::Int) && right.kinds.has(Type::Int) {
            left.is(self.asm, Type::Int);
            right.is(self.asm, Type::Int);
            self.asm.push(Instruction::I32And);
            self.asm.when();
            slot.set_kind(self.asm, Type::Int);
            self.ints(value, operator, (left.long(), right.long(), slot.long()));
            self.asm.leave(done);
            self.asm.end();
        }
        if slot.kinds.has(Type::Float) {
            self.asm.int(1);
            for side in [&left, &right] {
                self.is_number(side);
                self.asm.push(Instruction::I32And);
            }
            self.asm.when();
            slot.set_kind(self.asm, Type::Float);
            self.floats(value, operator, [&left, &right], &slot);
            self.asm.leave(done);
            self.asm.end();
        }
        let message = format!("{} cannot be computed of ", value.source);
        self.fail_kinds(&message, &[&left, &right]);
        self.asm.end();
        slot
    }

    fn is_number(&mut self, slot: &Slot) {
        self.asm.int(0);
        for kind in slot.kinds.intersection(Kinds::NUMBERS).iter() {
            slot.is(self.asm, kind);
            self.asm.push(Instruction::I32Or);
        }
    }

    fn floats(&mut self, value: &Value, operator: Operator, sides: [&Slot; 2], slot: &Slot) {
        let [left, right] = sides;
        if operator == Operator::Divide {
            right.as_float(self.asm);
            self.asm.push(Instruction::F64Const(0.0.into()));
            self.asm.push(Instruction::F64Eq);
            self.asm.when();
            self.fail(&format!("{} divides by zero", value.source));
            self.asm.end();
        }
        left.as_float(self.asm);
        right.as_float(self.asm);
        self.asm.push(match operator {
            Operator::Add => Instruction::F64Add,
            Operator::Subtract => Instruction::F64Sub,
            Operator::Multiply => Instruction::F64Mul,
            _ => Instruction::F64Div,
        });
        self.asm.set(slot.float());
    }

    fn ints(&mut self, value: &Value, operator: Operator, places: (Local, Local, Local)) {
        let (left, right, result) = places;
        let simple = match operator {
            Operator::BitAnd => Some(Instruction::I64And),
            Operator::BitOr => Some(Instruction::I64Or),
            Operator::BitXor => Some(Instruction::I64Xor),
            Operator::Add => Some(Instruction::I64Add),
            Operator::Subtract => Some(Instruction::I64Sub),
            Operator::Multiply => Some(Instruction::I64Mul),
            _ => None,
        };
        let Some(instruction) = simple else {
            return self.divide(value, operator, places);
        };
        self.asm.get(left);
        self.asm.get(right);
        self.asm.push(instruction);
        self.asm.set(result);
        match operator {
            // Beyond 64 bits: both sides have one sign, and the result has the other.
            Operator::Add => self.check_sign(value, (left, result), (right, result)),
            Operator::Subtract => self.check_sign(value, (left, right), (left, result)),
            Operator::Multiply => self.check_product(value, places),
            _ => {}
        }
    }

    /// Fails when the signs differ in both pairs.
    fn check_sign(&mut self, value: &Value, first: (Local, Local), second: (Local, Local)) {
        for (one, other) in [first, second] {
            self.asm.get(one);
            self.asm.get(other);
            self.asm.push(Instruction::I64Xor);
        }
        self.asm.push(Instruction::I64And);
        self.asm.long(0);
        self.asm.push(Instruction::I64LtS);
        self.asm.when();
        self.overflow(value);
        self.asm.end();
    }

    /// A product that can be divided by one side again is right.
    fn check_product(&mut self, value: &Value, (left, right, result): (Local, Local, Local)) {
        let fine = self.asm.block();
        self.asm.get(left);
        self.asm.push(Instruction::I64Eqz);
        self.asm.leave_if(fine);
        // The one division that wasm cannot do: the least int by -1.
        self.asm.get(left);
        self.asm.long(-1);
        self.asm.push(Instruction::I64Eq);
        self.asm.when();
        self.asm.get(right);
        self.asm.long(i64::MIN);
        self.asm.push(Instruction::I64Ne);
        self.asm.leave_if(fine);
        self.overflow(value);
        self.asm.end();
        self.asm.get(result);
        self.asm.get(left);
        self.asm.push(Instruction::I64DivS);
        self.asm.get(right);
        self.asm.push(Instruction::I64Eq);
        self.asm.leave_if(fine);
        self.overflow(value);
        self.asm.end();
    }

    fn divide(&mut self, value: &Value, operator: Operator, (left, right, result): (Local, Local, Local)) {
        self.asm.get(right);
        self.asm.push(Instruction::I64Eqz);
        self.asm.when();
        self.fail(&format!("{} divides by zero", value.source));
        self.asm.end();
        if operator == Operator::Remainder {
            self.asm.get(left);
            self.asm.get(right);
            self.asm.push(Instruction::I64RemS);
            self.asm.set(result);
            return;
        }
        self.asm.get(left);
        self.asm.long(i64::MIN);
        self.asm.push(Instruction::I64Eq);
        self.asm.get(right);
        self.asm.long(-1);
        self.asm.push(Instruction::I64Eq);
        self.asm.push(Instruction::I32And);
        self.asm.when();
        self.overflow(value);
        self.asm.end();
        self.asm.get(left);
        self.asm.get(right);
        self.asm.push(Instruction::I64DivS);
        self.asm.set(result);
    }

    fn overflow(&mut self, value: &Value) {
        self.fail(&format!("{} is beyond the 64 bits of a bigint", value.source));
    }

    pub(super) fn negate(&mut self, value: &Value, inner: &Value) -> Slot {
        let inner = self.value(inner);
        self.check_kinds(
            &format!("{} needs a number, and not a ", value.source),
            &inner,
            Kinds::NUMBERS,
        );
        let slot = Slot::new(self.asm, value.kinds);
        slot.set_null(self.asm);
        if inner.kinds.has(Type::Int) {
            inner.is(self.asm, Type::Int);
            self.asm.when();
            self.asm.get(inner.long());
            self.asm.long(i64::MIN);
            self.asm.push(Instruction::I64Eq);
            self.asm.when();
            self.overflow(value);
            self.asm.end();
            self.asm.long(0);
            self.asm.get(inner.long());
            self.asm.push(Instruction::I64Sub);
            self.asm.set(slot.long());
            slot.set_kind(self.asm, Type::Int);
            self.asm.end();
        }
        if inner.kinds.has(Type::Float) {
            inner.is(self.asm, Type::Float);
            self.asm.when();
            self.asm.get(inner.float());
            self.asm.push(Instruction::F64Neg);
            self.asm.set(slot.float());
            slot.set_kind(self.asm, Type::Float);
            self.asm.end();
        }
        slot
    }
}
