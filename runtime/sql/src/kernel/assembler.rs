//! Code of one wasm function, written instruction by instruction.

use wasm_encoder::{BlockType, Function, Instruction, MemArg, ValType};

/// A function being written.
#[derive(Default)]
pub(super) struct Assembler {
    code: Vec<Instruction<'static>>,
    parameters: u32,
    locals: Vec<ValType>,
    /// How many blocks are open.
    depth: u32,
}

/// A block that can be left: it is known by how many are open around it.
#[derive(Clone, Copy)]
pub(super) struct Label(u32);

/// A local variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local(u32);

impl Assembler {
    /// A function with so many parameters.
    pub(super) fn new(parameters: u32) -> Self {
        Assembler {
            parameters,
            ..Assembler::default()
        }
    }

    /// A parameter, from 0.
    pub(super) fn parameter(&self, position: u32) -> Local {
        debug_assert!(position < self.parameters);
        Local(position)
    }

    /// A new variable, zero at first.
    pub(super) fn local(&mut self, kind: ValType) -> Local {
        self.locals.push(kind);
        Local(self.parameters + self.locals.len() as u32 - 1)
    }

    pub(super) fn push(&mut self, instruction: Instruction<'static>) {
        self.code.push(instruction);
    }

    pub(super) fn get(&mut self, local: Local) {
        self.push(Instruction::LocalGet(local.0));
    }

    pub(super) fn set(&mut self, local: Local) {
        self.push(Instruction::LocalSet(local.0));
    }

    pub(super) fn tee(&mut self, local: Local) {
        self.push(Instruction::LocalTee(local.0));
    }

    pub(super) fn int(&mut self, value: i32) {
        self.push(Instruction::I32Const(value));
    }

    pub(super) fn long(&mut self, value: i64) {
        self.push(Instruction::I64Const(value));
    }

    pub(super) fn call(&mut self, function: u32) {
        self.push(Instruction::Call(function));
    }

    /// Loads an i32 from an address on the stack.
    pub(super) fn load(&mut self, offset: u32) {
        self.push(Instruction::I32Load(memory(offset, 2)));
    }

    /// Stores an i32; address and value are on the stack.
    pub(super) fn store(&mut self, offset: u32) {
        self.push(Instruction::I32Store(memory(offset, 2)));
    }

    /// Stores a constant at a constant address.
    pub(super) fn store_constant(&mut self, address: u32, value: i32) {
        self.int(address as i32);
        self.int(value);
        self.store(0);
    }

    /// A block that [`Assembler::leave`] goes to the end of.
    pub(super) fn block(&mut self) -> Label {
        self.open(Instruction::Block(BlockType::Empty))
    }

    /// A block that [`Assembler::leave`] goes to the beginning of.
    pub(super) fn repeat(&mut self) -> Label {
        self.open(Instruction::Loop(BlockType::Empty))
    }

    /// A block for when the stack has something else than zero.
    pub(super) fn when(&mut self) -> Label {
        self.open(Instruction::If(BlockType::Empty))
    }

    pub(super) fn otherwise(&mut self) {
        self.push(Instruction::Else);
    }

    pub(super) fn end(&mut self) {
        self.depth -= 1;
        self.push(Instruction::End);
    }

    /// Goes to the end of a block, or to the beginning of a loop.
    pub(super) fn leave(&mut self, label: Label) {
        let levels = self.depth - label.0;
        self.push(Instruction::Br(levels));
    }

    /// The same, when the stack has something else than zero.
    pub(super) fn leave_if(&mut self, label: Label) {
        let levels = self.depth - label.0;
        self.push(Instruction::BrIf(levels));
    }

    pub(super) fn finish(mut self) -> Function {
        debug_assert_eq!(self.depth, 0, "every block is closed");
        self.code.push(Instruction::End);
        let mut function = Function::new_with_locals_types(self.locals);
        for instruction in &self.code {
            function.instruction(instruction);
        }
        function
    }

    fn open(&mut self, instruction: Instruction<'static>) -> Label {
        self.push(instruction);
        self.depth += 1;
        Label(self.depth)
    }
}

/// An address with an offset.
pub(super) fn memory(offset: u32, align: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align,
        memory_index: 0,
    }
}
