//! Where the value of an expression is while a row is computed.

use super::assembler::{Assembler, Local};
use super::value::{Kinds, tag};
use rulemill_plan::Type;
use wasm_encoder::{Instruction, ValType};

/// Local variables for a value of one of several kinds: its tag, 0 for null, and a variable for each way in which a value
/// can lie. Only that of the tag's kind means anything.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) kinds: Kinds,
    pub(super) tag: Local,
    flag: Option<Local>,
    long: Option<Local>,
    float: Option<Local>,
    text: Option<(Local, Local)>,
}

impl Slot {
    pub(super) fn new(asm: &mut Assembler, kinds: Kinds) -> Self {
        let any = |of: &[Type]| of.iter().any(|kind| kinds.has(*kind));
        let tag = asm.local(ValType::I32);
        Slot {
            kinds,
            tag,
            flag: any(&[Type::Bool]).then(|| asm.local(ValType::I32)),
            long: any(&[Type::Int, Type::Time]).then(|| asm.local(ValType::I64)),
            float: any(&[Type::Float]).then(|| asm.local(ValType::F64)),
            text: any(&[Type::Text, Type::Bytes, Type::Json])
                .then(|| (asm.local(ValType::I32), asm.local(ValType::I32))),
        }
    }

    /// A truth value.
    pub(super) fn flag(&self) -> Local {
        self.flag.expect("a slot that may be a boolean has a variable for it")
    }

    /// An int or a time.
    pub(super) fn long(&self) -> Local {
        self.long
            .expect("a slot that may be an int or a time has a variable for it")
    }

    pub(super) fn float(&self) -> Local {
        self.float.expect("a slot that may be a float has a variable for it")
    }

    /// Address and length of a text, of bytes, or of JSON.
    pub(super) fn text(&self) -> (Local, Local) {
        self.text.expect("a slot that may be a text has variables for it")
    }

    /// Says what kind the value is.
    pub(super) fn set_kind(&self, asm: &mut Assembler, kind: Type) {
        asm.int(tag(kind).into());
        asm.set(self.tag);
    }

    pub(super) fn set_null(&self, asm: &mut Assembler) {
        asm.int(0);
        asm.set(self.tag);
    }

    /// Puts on the stack whether it is null.
    pub(super) fn is_null(&self, asm: &mut Assembler) {
        asm.get(self.tag);
        asm.push(Instruction::I32Eqz);
    }

    /// Puts on the stack whether it is of this kind.
    pub(super) fn is(&self, asm: &mut Assembler, kind: Type) {
        asm.get(self.tag);
        asm.int(tag(kind).into());
        asm.push(Instruction::I32Eq);
    }

    /// Puts on the stack whether it is true; null and anything else is not.
    pub(super) fn is_true(&self, asm: &mut Assembler) {
        self.is(asm, Type::Bool);
        asm.get(self.flag());
        asm.push(Instruction::I32And);
    }

    /// Takes over the value of another one.
    pub(super) fn assign(&self, asm: &mut Assembler, other: &Slot) {
        let copies = [
            (Some(self.tag), Some(other.tag)),
            (self.flag, other.flag),
            (self.long, other.long),
            (self.float, other.float),
            (self.text.map(|text| text.0), other.text.map(|text| text.0)),
            (self.text.map(|text| text.1), other.text.map(|text| text.1)),
        ];
        for (to, from) in copies {
            if let (Some(to), Some(from)) = (to, from) {
                asm.get(from);
                asm.set(to);
            }
        }
    }

    /// Puts the number on the stack as a float; it must be an int or a float.
    pub(super) fn as_float(&self, asm: &mut Assembler) {
        match (self.long, self.float) {
            (Some(long), None) => {
                asm.get(long);
                asm.push(Instruction::F64ConvertI64S);
            }
            (None, Some(float)) => asm.get(float),
            (Some(long), Some(float)) => {
                asm.get(long);
                asm.push(Instruction::F64ConvertI64S);
                asm.get(float);
                self.is(asm, Type::Int);
                asm.push(Instruction::Select);
            }
            (None, None) => asm.push(Instruction::F64Const(0.0.into())),
        }
    }
}
