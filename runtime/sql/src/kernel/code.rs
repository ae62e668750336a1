//! The code of a kernel: the loop over rows, its inputs and its outputs.

use super::Kernel;
use super::assembler::{Assembler, Local, memory};
use super::helpers::{ERROR_ADDRESS, ERROR_LENGTH, Helpers};
use super::memory::{RUN_AT, Texts};
use super::operators::Scope;
use super::slot::Slot;
use crate::column::Column;
use rulemill_plan::Type;
use wasm_encoder::{Function, Instruction, ValType};

/// A column that is handed over, as the contract lays it out: 28 bytes.
pub(super) struct Input {
    column: Column,
    kind: Type,
    valid: Local,
    valid_words: Local,
    data: Local,
    ends: Local,
}

/// A column that is made: its validity, and its cells, or for texts address and length of each.
struct Result {
    kind: Type,
    valid: Local,
    data: Local,
}

/// `(rows, columns) -> address of the result`.
pub(super) fn kernel(kernel: &Kernel, helpers: Helpers, texts: &mut Texts) -> Function {
    let mut asm = Assembler::new(2);
    let (rows, columns) = (asm.parameter(0), asm.parameter(1));
    let inputs: Vec<Input> = kernel
        .inputs
        .iter()
        .enumerate()
        .map(|(position, (column, kind))| open_input(&mut asm, columns, position, *column, *kind))
        .collect();
    let results: Vec<Result> = kernel
        .outputs
        .iter()
        .flat_map(|output| &output.kinds)
        .map(|kind| open_result(&mut asm, helpers, rows, *kind))
        .collect();
    let [errors, error_count, row] = [(); 3].map(|()| asm.local(ValType::I32));
    asm.get(rows);
    asm.int(ERROR_BYTES);
    asm.push(Instruction::I32Mul);
    asm.call(helpers.allocate());
    asm.set(errors);

    let all_done = asm.block();
    let next_row = asm.repeat();
    asm.get(row);
    asm.get(rows);
    asm.push(Instruction::I32GeU);
    asm.leave_if(all_done);
    let row_done = asm.block();
    let failed = asm.block();
    let mut scope = Scope {
        asm: &mut asm,
        inputs: &inputs,
        row,
        failed,
        helpers,
        texts,
    };
    let slots: Vec<Slot> = kernel.outputs.iter().map(|output| scope.value(&output.value)).collect();
    let wanted = kernel
        .outputs
        .iter()
        .zip(&slots)
        .flat_map(|(output, slot)| output.kinds.iter().map(move |_| slot));
    for (result, slot) in results.iter().zip(wanted) {
        store(&mut asm, result, slot, row);
    }
    asm.leave(row_done);
    asm.end();
    keep_error(&mut asm, errors, error_count, row);
    asm.end();
    asm.get(row);
    asm.int(1);
    asm.push(Instruction::I32Add);
    asm.set(row);
    asm.leave(next_row);
    asm.end();
    asm.end();

    finish(&mut asm, &results, helpers, rows, (errors, error_count));
    asm.finish()
}

fn open_input(asm: &mut Assembler, columns: Local, position: usize, column: Column, kind: Type) -> Input {
    let at = position as u32 * COLUMN_BYTES;
    let mut load = |offset: u32| {
        let local = asm.local(ValType::I32);
        asm.get(columns);
        asm.load(at + offset);
        asm.set(local);
        local
    };
    let (valid, valid_words, data) = (load(0), load(4), load(12));
    let ends = match kind {
        Type::Text | Type::Bytes | Type::Json => load(20),
        Type::Bool | Type::Int | Type::Float | Type::Time => data,
    };
    Input {
        column,
        kind,
        valid,
        valid_words,
        data,
        ends,
    }
}

impl Input {
    pub(super) fn is(&self, column: Column, kind: Type) -> bool {
        self.column == column && self.kind == kind
    }

    /// Puts on the stack whether the row has a value. No words at all mean that every row has.
    pub(super) fn is_valid(&self, asm: &mut Assembler, row: Local) {
        asm.get(self.valid_words);
        asm.push(Instruction::I32Eqz);
        asm.push(Instruction::If(wasm_encoder::BlockType::Result(ValType::I32)));
        asm.int(1);
        asm.otherwise();
        bit(asm, self.valid, row);
        asm.push(Instruction::End);
    }

    /// Puts the row's value into the slot; it has one.
    pub(super) fn load(&self, asm: &mut Assembler, row: Local, slot: &Slot) {
        slot.set_kind(asm, self.kind);
        match self.kind {
            Type::Bool => {
                bit(asm, self.data, row);
                asm.set(slot.flag());
            }
            Type::Int | Type::Time => {
                element(asm, self.data, row, 3);
                asm.push(Instruction::I64Load(memory(0, 3)));
                asm.set(slot.long());
            }
            Type::Float => {
                element(asm, self.data, row, 3);
                asm.push(Instruction::F64Load(memory(0, 3)));
                asm.set(slot.float());
            }
            Type::Text | Type::Bytes | Type::Json => self.load_text(asm, row, slot),
        }
    }

    fn load_text(&self, asm: &mut Assembler, row: Local, slot: &Slot) {
        let (address, length) = slot.text();
        // The end of the row before, which is where this one begins.
        asm.int(0);
        asm.set(length);
        asm.get(row);
        asm.when();
        element(asm, self.ends, row, 2);
        asm.int(4);
        asm.push(Instruction::I32Sub);
        asm.load(0);
        asm.set(length);
        asm.end();
        asm.get(self.data);
        asm.get(length);
        asm.push(Instruction::I32Add);
        asm.set(address);
        element(asm, self.ends, row, 2);
        asm.load(0);
        asm.get(length);
        asm.push(Instruction::I32Sub);
        asm.set(length);
    }
}

/// Puts on the stack the address of element `row` of a list, whose elements have `1 << shift` bytes.
fn element(asm: &mut Assembler, base: Local, row: Local, shift: i32) {
    asm.get(base);
    asm.get(row);
    asm.int(shift);
    asm.push(Instruction::I32Shl);
    asm.push(Instruction::I32Add);
}

/// Puts on the stack bit `row` of a list of words. Bytes will do: the words are little-endian.
fn bit(asm: &mut Assembler, words: Local, row: Local) {
    byte_of_bit(asm, words, row);
    asm.push(Instruction::I32Load8U(memory(0, 0)));
    asm.get(row);
    asm.int(7);
    asm.push(Instruction::I32And);
    asm.push(Instruction::I32ShrU);
    asm.int(1);
    asm.push(Instruction::I32And);
}

fn byte_of_bit(asm: &mut Assembler, words: Local, row: Local) {
    asm.get(words);
    asm.get(row);
    asm.int(3);
    asm.push(Instruction::I32ShrU);
    asm.push(Instruction::I32Add);
}

/// Sets bit `row` to what is in `flag`; it was zero.
fn set_bit(asm: &mut Assembler, words: Local, row: Local, flag: impl Fn(&mut Assembler)) {
    byte_of_bit(asm, words, row);
    byte_of_bit(asm, words, row);
    asm.push(Instruction::I32Load8U(memory(0, 0)));
    flag(asm);
    asm.get(row);
    asm.int(7);
    asm.push(Instruction::I32And);
    asm.push(Instruction::I32Shl);
    asm.push(Instruction::I32Or);
    asm.push(Instruction::I32Store8(memory(0, 0)));
}

fn open_result(asm: &mut Assembler, helpers: Helpers, rows: Local, kind: Type) -> Result {
    let [valid, data] = [(); 2].map(|()| asm.local(ValType::I32));
    allocate_bits(asm, helpers, rows);
    asm.set(valid);
    match kind {
        Type::Bool => allocate_bits(asm, helpers, rows),
        Type::Int | Type::Float | Type::Time | Type::Text | Type::Bytes | Type::Json => {
            asm.get(rows);
            asm.int(3);
            asm.push(Instruction::I32Shl);
            asm.call(helpers.allocate_zeroed());
        }
    }
    asm.set(data);
    Result { kind, valid, data }
}

/// Puts on the stack how many words the bits of all rows take.
fn words(asm: &mut Assembler, rows: Local) {
    asm.get(rows);
    asm.int(63);
    asm.push(Instruction::I32Add);
    asm.int(6);
    asm.push(Instruction::I32ShrU);
}

fn allocate_bits(asm: &mut Assembler, helpers: Helpers, rows: Local) {
    words(asm, rows);
    asm.int(3);
    asm.push(Instruction::I32Shl);
    asm.call(helpers.allocate_zeroed());
}

/// Stores the value of a row if it is of the column's type; otherwise the cell stays null.
fn store(asm: &mut Assembler, result: &Result, slot: &Slot, row: Local) {
    if !slot.kinds.has(result.kind) {
        return;
    }
    slot.is(asm, result.kind);
    asm.when();
    set_bit(asm, result.valid, row, |asm| asm.int(1));
    match result.kind {
        Type::Bool => set_bit(asm, result.data, row, |asm| asm.get(slot.flag())),
        Type::Int | Type::Time => {
            element(asm, result.data, row, 3);
            asm.get(slot.long());
            asm.push(Instruction::I64Store(memory(0, 3)));
        }
        Type::Float => {
            element(asm, result.data, row, 3);
            asm.get(slot.float());
            asm.push(Instruction::F64Store(memory(0, 3)));
        }
        Type::Text | Type::Bytes | Type::Json => {
            let (address, length) = slot.text();
            element(asm, result.data, row, 3);
            asm.get(address);
            asm.store(0);
            element(asm, result.data, row, 3);
            asm.get(length);
            asm.store(4);
        }
    }
    asm.end();
}

/// Adds the error of a row, whose text is in the globals.
fn keep_error(asm: &mut Assembler, errors: Local, count: Local, row: Local) {
    let at = asm.local(ValType::I32);
    asm.get(errors);
    asm.get(count);
    asm.int(ERROR_BYTES);
    asm.push(Instruction::I32Mul);
    asm.push(Instruction::I32Add);
    asm.tee(at);
    asm.get(row);
    asm.store(0);
    asm.get(at);
    asm.push(Instruction::GlobalGet(ERROR_ADDRESS));
    asm.store(4);
    asm.get(at);
    asm.push(Instruction::GlobalGet(ERROR_LENGTH));
    asm.store(8);
    asm.get(count);
    asm.int(1);
    asm.push(Instruction::I32Add);
    asm.set(count);
}

/// Writes the columns and the result, and leaves its address.
fn finish(asm: &mut Assembler, results: &[Result], helpers: Helpers, rows: Local, errors: (Local, Local)) {
    let columns = asm.local(ValType::I32);
    asm.int(results.len() as i32 * COLUMN_BYTES as i32);
    asm.call(helpers.allocate_zeroed());
    asm.set(columns);
    for (position, result) in results.iter().enumerate() {
        let at = position as u32 * COLUMN_BYTES;
        write_column(asm, result, helpers, rows, (columns, at));
    }
    asm.store_constant(RUN_AT, 0);
    let mut write = |offset: u32, value: &dyn Fn(&mut Assembler)| {
        asm.int((RUN_AT + offset) as i32);
        value(asm);
        asm.store(0);
    };
    write(4, &|asm| asm.get(rows));
    write(8, &|asm| asm.get(columns));
    write(12, &|asm| asm.int(results.len() as i32));
    write(16, &|asm| asm.get(errors.0));
    write(20, &|asm| asm.get(errors.1));
    asm.int(RUN_AT as i32);
}

fn write_column(asm: &mut Assembler, result: &Result, helpers: Helpers, rows: Local, place: (Local, u32)) {
    let (columns, at) = place;
    let write = |asm: &mut Assembler, offset: u32, value: &dyn Fn(&mut Assembler)| {
        asm.get(columns);
        value(asm);
        asm.store(at + offset);
    };
    write(asm, 0, &|asm| asm.get(result.valid));
    write(asm, 4, &|asm| words(asm, rows));
    let case = Type::ALL.iter().position(|kind| *kind == result.kind);
    write(asm, 8, &|asm| asm.int(case.expect("every type is in the list") as i32));
    match result.kind {
        Type::Bool => {
            write(asm, 12, &|asm| asm.get(result.data));
            write(asm, 16, &|asm| words(asm, rows));
        }
        Type::Int | Type::Float | Type::Time => {
            write(asm, 12, &|asm| asm.get(result.data));
            write(asm, 16, &|asm| asm.get(rows));
        }
        Type::Text | Type::Bytes | Type::Json => {
            let (data, length, ends) = join_texts(asm, result.data, helpers, rows);
            write(asm, 12, &|asm| asm.get(data));
            write(asm, 16, &|asm| asm.get(length));
            write(asm, 20, &|asm| asm.get(ends));
            write(asm, 24, &|asm| asm.get(rows));
        }
    }
}

/// One buffer of the texts of all rows: its address and length, and where the ends of the rows lie.
fn join_texts(asm: &mut Assembler, parts: Local, helpers: Helpers, rows: Local) -> (Local, Local, Local) {
    let [data, length, ends, row, at] = [(); 5].map(|()| asm.local(ValType::I32));
    asm.get(rows);
    asm.int(2);
    asm.push(Instruction::I32Shl);
    asm.call(helpers.allocate());
    asm.set(ends);
    each_row(asm, row, rows, |asm| {
        element(asm, parts, row, 3);
        asm.load(4);
        asm.get(length);
        asm.push(Instruction::I32Add);
        asm.set(length);
        element(asm, ends, row, 2);
        asm.get(length);
        asm.store(0);
    });
    asm.get(length);
    asm.call(helpers.allocate());
    asm.tee(data);
    asm.set(at);
    each_row(asm, row, rows, |asm| {
        asm.get(at);
        element(asm, parts, row, 3);
        asm.load(0);
        element(asm, parts, row, 3);
        asm.load(4);
        asm.push(Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 });
        element(asm, parts, row, 3);
        asm.load(4);
        asm.get(at);
        asm.push(Instruction::I32Add);
        asm.set(at);
    });
    (data, length, ends)
}

fn each_row(asm: &mut Assembler, row: Local, rows: Local, body: impl Fn(&mut Assembler)) {
    asm.int(0);
    asm.set(row);
    let done = asm.block();
    let next = asm.repeat();
    asm.get(row);
    asm.get(rows);
    asm.push(Instruction::I32GeU);
    asm.leave_if(done);
    body(asm);
    asm.get(row);
    asm.int(1);
    asm.push(Instruction::I32Add);
    asm.set(row);
    asm.leave(next);
    asm.end();
    asm.end();
}

/// A column as the contract's `column` lies in memory: pointer and length of `valid`, the case of `cells`, and at most two
/// pointers with lengths.
const COLUMN_BYTES: u32 = 28;
/// A `row-error`: row, pointer, length.
const ERROR_BYTES: i32 = 12;
