//! The functions that kernels share: memory, comparisons, patterns, messages.

use super::assembler::{Assembler, memory};
use super::like::like;
use super::memory::Texts;
use super::value::{tag, word};
use rulemill_plan::Type;
use wasm_encoder::{Function, Instruction, ValType};

/// Their numbers, given where the first of them stands.
#[derive(Clone, Copy)]
pub(super) struct Helpers {
    pub(super) first: u32,
}

/// Each with parameters and results.
pub(super) const SIGNATURES: [(&[ValType], &[ValType]); 6] = [
    (&[ValType::I32], &[ValType::I32]),
    (&[ValType::I32], &[ValType::I32]),
    (&[ValType::I64, ValType::F64], &[ValType::I32]),
    (
        &[ValType::I32, ValType::I32, ValType::I32, ValType::I32],
        &[ValType::I32],
    ),
    (
        &[ValType::I32, ValType::I32, ValType::I32, ValType::I32],
        &[ValType::I32],
    ),
    (&[ValType::I32, ValType::I32, ValType::I32, ValType::I32], &[]),
];

/// The global with the end of what is taken of the heap.
pub(super) const TOP: u32 = 0;
/// The globals with address and length of the message of the row's error.
pub(super) const ERROR_ADDRESS: u32 = 1;
pub(super) const ERROR_LENGTH: u32 = 2;

impl Helpers {
    /// `(size) -> address`: memory for the rest of the call, on a multiple of 8. Traps when there is none.
    pub(super) fn allocate(self) -> u32 {
        self.first
    }

    /// The same, zeroed.
    pub(super) fn allocate_zeroed(self) -> u32 {
        self.first + 1
    }

    /// `(int, float) -> order`, exactly.
    pub(super) fn order_mixed(self) -> u32 {
        self.first + 2
    }

    /// `(address, length, address, length) -> order`, by bytes.
    pub(super) fn order_texts(self) -> u32 {
        self.first + 3
    }

    /// `(address, length, pattern, length) -> whether it fits`.
    pub(super) fn like(self) -> u32 {
        self.first + 4
    }

    /// `(message, length, tag, tag)`: makes the row's error of a message and the kinds of one or two values; a tag below
    /// zero is no value.
    pub(super) fn fail(self) -> u32 {
        self.first + 5
    }

    /// Their code, in order.
    pub(super) fn code(self, texts: &mut Texts) -> Vec<Function> {
        vec![
            allocate(),
            self.zeroed(),
            order_mixed(),
            order_texts(),
            like(),
            self.fail_code(texts),
        ]
    }

    fn zeroed(self) -> Function {
        let mut asm = Assembler::new(1);
        let size = asm.parameter(0);
        let address = asm.local(ValType::I32);
        asm.get(size);
        asm.call(self.allocate());
        asm.tee(address);
        asm.int(0);
        asm.get(size);
        asm.push(Instruction::MemoryFill(0));
        asm.get(address);
        asm.finish()
    }

    /// The text, then the name of the first kind, and with a second one ` and ` and its name.
    fn fail_code(self, texts: &mut Texts) -> Function {
        let mut asm = Assembler::new(4);
        let [text, length, left, right] = [0, 1, 2, 3].map(|position| asm.parameter(position));
        let [at, end] = [(); 2].map(|()| asm.local(ValType::I32));
        let and = texts.place(" and ");
        // The longest name has less than 20 bytes.
        asm.get(length);
        asm.int(64);
        asm.push(Instruction::I32Add);
        asm.call(self.allocate());
        asm.tee(at);
        asm.set(end);
        let append = |asm: &mut Assembler, from: &dyn Fn(&mut Assembler), length: &dyn Fn(&mut Assembler)| {
            asm.get(end);
            from(asm);
            length(asm);
            asm.push(Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 });
            asm.get(end);
            length(asm);
            asm.push(Instruction::I32Add);
            asm.set(end);
        };
        append(&mut asm, &|asm| asm.get(text), &|asm| asm.get(length));
        let names: Vec<_> = std::iter::once((0, texts.place("null")))
            .chain(Type::ALL.map(|kind| (i32::from(tag(kind)), texts.place(word(kind)))))
            .collect();
        for value in [left, right] {
            asm.get(value);
            asm.int(0);
            asm.push(Instruction::I32GeS);
            asm.when();
            if value == right {
                append(&mut asm, &|asm| asm.int(and.address), &|asm| asm.int(and.length));
            }
            for (tag, place) in &names {
                asm.get(value);
                asm.int(*tag);
                asm.push(Instruction::I32Eq);
                asm.when();
                append(&mut asm, &|asm| asm.int(place.address), &|asm| asm.int(place.length));
                asm.end();
            }
            asm.end();
        }
        asm.get(at);
        asm.push(Instruction::GlobalSet(ERROR_ADDRESS));
        asm.get(end);
        asm.get(at);
        asm.push(Instruction::I32Sub);
        asm.push(Instruction::GlobalSet(ERROR_LENGTH));
        asm.finish()
    }
}

pub(super) fn allocate() -> Function {
    let mut asm = Assembler::new(1);
    let size = asm.parameter(0);
    let [at, end, have] = [(); 3].map(|()| asm.local(ValType::I32));
    asm.push(Instruction::GlobalGet(TOP));
    asm.int(7);
    asm.push(Instruction::I32Add);
    asm.int(-8);
    asm.push(Instruction::I32And);
    asm.tee(at);
    asm.get(size);
    asm.push(Instruction::I32Add);
    asm.tee(end);
    asm.get(at);
    asm.push(Instruction::I32LtU);
    trap_if(&mut asm);
    asm.push(Instruction::MemorySize(0));
    asm.int(16);
    asm.push(Instruction::I32Shl);
    asm.set(have);
    asm.get(end);
    asm.get(have);
    asm.push(Instruction::I32GtU);
    asm.when();
    asm.get(end);
    asm.get(have);
    asm.push(Instruction::I32Sub);
    asm.int(0xffff);
    asm.push(Instruction::I32Add);
    asm.int(16);
    asm.push(Instruction::I32ShrU);
    asm.push(Instruction::MemoryGrow(0));
    asm.int(0);
    asm.push(Instruction::I32LtS);
    trap_if(&mut asm);
    asm.end();
    asm.get(end);
    asm.push(Instruction::GlobalSet(TOP));
    asm.get(at);
    asm.finish()
}

fn trap_if(asm: &mut Assembler) {
    asm.when();
    asm.push(Instruction::Unreachable);
    asm.end();
}

/// An order is -1, 0 or 1, and 2 when one of the two is no number.
///
/// As a float the int is rounded. When that is not equal to the float, it decides; when it is, the float is an integer,
/// and compared as one. 2^63 has no integer: every int is below it.
fn order_mixed() -> Function {
    let mut asm = Assembler::new(2);
    let (int, float) = (asm.parameter(0), asm.parameter(1));
    let rounded = asm.local(ValType::F64);
    asm.get(int);
    asm.push(Instruction::F64ConvertI64S);
    asm.set(rounded);
    order_floats(&mut asm, |asm| asm.get(rounded), |asm| asm.get(float));
    let order = asm.local(ValType::I32);
    asm.tee(order);
    asm.when();
    asm.get(order);
    asm.push(Instruction::Return);
    asm.end();
    asm.get(float);
    asm.push(Instruction::F64Const(9_223_372_036_854_775_808.0.into()));
    asm.push(Instruction::F64Ge);
    asm.when();
    asm.int(-1);
    asm.push(Instruction::Return);
    asm.end();
    let exact = asm.local(ValType::I64);
    asm.get(float);
    asm.push(Instruction::I64TruncSatF64S);
    asm.set(exact);
    order_longs(&mut asm, |asm| asm.get(int), |asm| asm.get(exact));
    asm.finish()
}

/// Puts the order of two ints on the stack.
pub(super) fn order_longs(asm: &mut Assembler, left: impl Fn(&mut Assembler), right: impl Fn(&mut Assembler)) {
    left(asm);
    right(asm);
    asm.push(Instruction::I64GtS);
    left(asm);
    right(asm);
    asm.push(Instruction::I64LtS);
    asm.push(Instruction::I32Sub);
}

/// Puts the order of two floats on the stack.
pub(super) fn order_floats(asm: &mut Assembler, left: impl Fn(&mut Assembler), right: impl Fn(&mut Assembler)) {
    asm.int(2);
    left(asm);
    right(asm);
    asm.push(Instruction::F64Gt);
    left(asm);
    right(asm);
    asm.push(Instruction::F64Lt);
    asm.push(Instruction::I32Sub);
    // Neither is a NaN when each equals itself.
    for side in [&left as &dyn Fn(&mut Assembler), &right] {
        side(asm);
        side(asm);
        asm.push(Instruction::F64Ne);
    }
    asm.push(Instruction::I32Or);
    asm.push(Instruction::Select);
}

fn order_texts() -> Function {
    let mut asm = Assembler::new(4);
    let [left, left_length, right, right_length] = [0, 1, 2, 3].map(|position| asm.parameter(position));
    let [shorter, at, order] = [(); 3].map(|()| asm.local(ValType::I32));
    asm.get(left_length);
    asm.get(right_length);
    asm.get(left_length);
    asm.get(right_length);
    asm.push(Instruction::I32LtU);
    asm.push(Instruction::Select);
    asm.set(shorter);
    let done = asm.block();
    let next = asm.repeat();
    asm.get(at);
    asm.get(shorter);
    asm.push(Instruction::I32GeU);
    asm.leave_if(done);
    byte_at(&mut asm, |asm| {
        asm.get(left);
        asm.get(at);
        asm.push(Instruction::I32Add);
    });
    byte_at(&mut asm, |asm| {
        asm.get(right);
        asm.get(at);
        asm.push(Instruction::I32Add);
    });
    asm.push(Instruction::I32Sub);
    asm.tee(order);
    asm.when();
    sign(&mut asm, |asm| asm.get(order), |asm| asm.int(0));
    asm.push(Instruction::Return);
    asm.end();
    asm.get(at);
    asm.int(1);
    asm.push(Instruction::I32Add);
    asm.set(at);
    asm.leave(next);
    asm.end();
    asm.end();
    sign(&mut asm, |asm| asm.get(left_length), |asm| asm.get(right_length));
    asm.finish()
}

fn byte_at(asm: &mut Assembler, address: impl Fn(&mut Assembler)) {
    address(asm);
    asm.push(Instruction::I32Load8U(memory(0, 0)));
}

/// Puts the order of two i32 on the stack.
fn sign(asm: &mut Assembler, left: impl Fn(&mut Assembler), right: impl Fn(&mut Assembler)) {
    left(asm);
    right(asm);
    asm.push(Instruction::I32GtS);
    left(asm);
    right(asm);
    asm.push(Instruction::I32LtS);
    asm.push(Instruction::I32Sub);
}
