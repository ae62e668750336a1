//! `NOT`, `AND`, `OR` and `CASE`: what is not needed is not computed.

use super::{Scope, Slot};
use crate::kernel::value::{Case, Kinds, Value};
use rulemill_plan::Type;
use wasm_encoder::Instruction;

impl Scope<'_> {
    pub(super) fn not(&mut self, value: &Value, inner: &Value) -> Slot {
        let inner = self.condition(value, inner);
        let slot = Slot::new(self.asm, Kinds::of(Type::Bool));
        slot.set_null(self.asm);
        if !inner.kinds.has(Type::Bool) {
            return slot;
        }
        inner.is_null(self.asm);
        self.asm.push(Instruction::I32Eqz);
        self.asm.when();
        slot.set_kind(self.asm, Type::Bool);
        inner.is_true(self.asm);
        self.asm.push(Instruction::I32Eqz);
        self.asm.set(slot.flag());
        self.asm.end();
        slot
    }

    /// False as soon as one side is false, else null as soon as one is null.
    pub(super) fn both(&mut self, value: &Value, left: &Value, right: &Value) -> Slot {
        self.join(value, left, right, false)
    }

    /// True as soon as one side is true, else null as soon as one is null.
    pub(super) fn either(&mut self, value: &Value, left: &Value, right: &Value) -> Slot {
        self.join(value, left, right, true)
    }

    /// `decisive` is what one side alone decides with.
    fn join(&mut self, value: &Value, left: &Value, right: &Value, decisive: bool) -> Slot {
        let slot = Slot::new(self.asm, Kinds::of(Type::Bool));
        slot.set_kind(self.asm, Type::Bool);
        self.asm.int(decisive.into());
        self.asm.set(slot.flag());
        let done = self.asm.block();
        let left = self.condition(value, left);
        self.decides(&left, decisive);
        self.asm.leave_if(done);
        let right = self.condition(value, right);
        self.decides(&right, decisive);
        self.asm.leave_if(done);
        self.asm.int((!decisive).into());
        self.asm.set(slot.flag());
        left.is_null(self.asm);
        right.is_null(self.asm);
        self.asm.push(Instruction::I32Or);
        self.asm.when();
        slot.set_null(self.asm);
        self.asm.end();
        self.asm.end();
        slot
    }

    /// Puts on the stack whether the value is the one that decides.
    fn decides(&mut self, slot: &Slot, decisive: bool) {
        if !slot.kinds.has(Type::Bool) {
            self.asm.int(0);
            return;
        }
        slot.is(self.asm, Type::Bool);
        self.asm.get(slot.flag());
        self.asm.int(decisive.into());
        self.asm.push(Instruction::I32Eq);
        self.asm.push(Instruction::I32And);
    }

    /// The code of something that must be true, false or null.
    fn condition(&mut self, around: &Value, inner: &Value) -> Slot {
        let slot = self.value(inner);
        let message = format!("{} needs a boolean, and not a ", around.source);
        self.check_kinds(&message, &slot, Kinds::of(Type::Bool));
        slot
    }

    pub(super) fn coalesce(&mut self, value: &Value, values: &[Value]) -> Slot {
        let slot = Slot::new(self.asm, value.kinds);
        slot.set_null(self.asm);
        let done = self.asm.block();
        for value in values {
            let value = self.value(value);
            slot.assign(self.asm, &value);
            slot.is_null(self.asm);
            self.asm.push(Instruction::I32Eqz);
            self.asm.leave_if(done);
        }
        self.asm.end();
        slot
    }

    pub(super) fn case(&mut self, value: &Value, case: &Case) -> Slot {
        let slot = Slot::new(self.asm, value.kinds);
        slot.set_null(self.asm);
        let operand = case.operand.as_ref().map(|operand| self.value(operand));
        let done = self.asm.block();
        for (when, then) in &case.branches {
            let when = match &operand {
                Some(operand) => self.equals(value, operand, when),
                None => self.condition(value, when),
            };
            if !when.kinds.has(Type::Bool) {
                continue;
            }
            when.is_true(self.asm);
            self.asm.when();
            let then = self.value(then);
            slot.assign(self.asm, &then);
            self.asm.leave(done);
            self.asm.end();
        }
        if let Some(otherwise) = &case.otherwise {
            let otherwise = self.value(otherwise);
            slot.assign(self.asm, &otherwise);
        }
        self.asm.end();
        slot
    }
}
