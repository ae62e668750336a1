//! The core module of a rule: what it says about itself, and its kernels.

use super::Kernel;
use super::assembler::Assembler;
use super::code;
use super::helpers::{self, Helpers, SIGNATURES, TOP};
use super::memory::{DESCRIBE_AT, PREPARE_AT, Texts};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// A module with the contract's exports of a rule.
pub(crate) fn module(description: &str, kernels: &[Kernel]) -> Module {
    let mut texts = Texts::new();
    let description = texts.place(description);
    let mut functions = Functions::default();
    let i32s = |count: usize| vec![ValType::I32; count];
    functions.import_new();
    let shared = Helpers {
        first: functions.next(),
    };
    // Without a kernel only memory is needed.
    let code_of_helpers = match kernels.is_empty() {
        true => vec![helpers::allocate()],
        false => shared.code(&mut texts),
    };
    for ((parameters, results), function) in SIGNATURES.into_iter().zip(code_of_helpers) {
        functions.add(parameters, results, &function);
    }
    let first_kernel = functions.next();
    for kernel in kernels {
        let function = code::kernel(kernel, shared, &mut texts);
        functions.add(&i32s(2), &i32s(1), &function);
    }
    let heap = texts.end();
    for (name, parameters, results, function) in [
        (
            "rulemill:guest/rule@1.0.0#describe",
            0,
            1,
            describe(description.address, description.length),
        ),
        ("rulemill:guest/rule@1.0.0#prepare", 2, 1, prepare()),
        (
            "rulemill:guest/rule@1.0.0#[method]prepared.run",
            5,
            1,
            run(first_kernel, kernels.len() as u32),
        ),
        (
            "cabi_post_rulemill:guest/rule@1.0.0#[method]prepared.run",
            1,
            0,
            free(heap),
        ),
        ("rulemill:guest/rule@1.0.0#[dtor]prepared", 1, 0, free(heap)),
        ("cabi_realloc", 4, 1, reallocate(shared)),
    ] {
        functions.export(name, &i32s(parameters), &i32s(results), &function);
    }
    functions.into_module(heap, texts)
}

/// The functions of a module, each with its type.
#[derive(Default)]
struct Functions {
    types: TypeSection,
    imports: ImportSection,
    imported: u32,
    functions: FunctionSection,
    code: CodeSection,
    exports: ExportSection,
}

impl Functions {
    /// The host's function that makes a handle of a resource.
    fn import_new(&mut self) {
        self.types.ty().function([ValType::I32], [ValType::I32]);
        self.imports.import(
            "[export]rulemill:guest/rule@1.0.0",
            "[resource-new]prepared",
            wasm_encoder::EntityType::Function(0),
        );
        self.imported = 1;
    }

    fn next(&self) -> u32 {
        self.imported + self.functions.len()
    }

    fn add(&mut self, parameters: &[ValType], results: &[ValType], function: &Function) {
        let kind = self.types.len();
        self.types
            .ty()
            .function(parameters.iter().copied(), results.iter().copied());
        self.functions.function(kind);
        self.code.function(function);
    }

    fn export(&mut self, name: &str, parameters: &[ValType], results: &[ValType], function: &Function) {
        self.exports.export(name, ExportKind::Func, self.next());
        self.add(parameters, results, function);
    }

    fn into_module(mut self, heap: u32, texts: Texts) -> Module {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: u64::from(heap / PAGE_BYTES + 1),
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        self.exports.export("memory", ExportKind::Memory, 0);
        let mut globals = GlobalSection::new();
        for initial in [heap as i32, 0, 0] {
            let kind = GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            };
            globals.global(kind, &ConstExpr::i32_const(initial));
        }
        let mut data = DataSection::new();
        let (address, bytes) = texts.into_data();
        data.active(0, &ConstExpr::i32_const(address as i32), bytes);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&memories)
            .section(&globals)
            .section(&self.exports)
            .section(&self.code)
            .section(&data);
        module
    }
}

fn describe(address: i32, length: i32) -> Function {
    let mut asm = Assembler::new(0);
    asm.store_constant(DESCRIBE_AT, address);
    asm.store_constant(DESCRIBE_AT + 4, length);
    asm.int(DESCRIBE_AT as i32);
    asm.finish()
}

/// A query has no settings, so there is nothing to prepare. The text of the settings is not needed any more.
fn prepare() -> Function {
    let mut asm = Assembler::new(2);
    let text = asm.parameter(0);
    asm.get(text);
    asm.push(Instruction::GlobalSet(TOP));
    asm.store_constant(PREPARE_AT, 0);
    asm.int(PREPARE_AT as i32 + 4);
    asm.int(1);
    asm.call(RESOURCE_NEW);
    asm.store(0);
    asm.int(PREPARE_AT as i32);
    asm.finish()
}

/// Calls the kernel of that number.
fn run(first: u32, count: u32) -> Function {
    let mut asm = Assembler::new(5);
    let [kernel, rows, columns] = [1, 2, 3].map(|position| asm.parameter(position));
    for number in 0..count {
        asm.get(kernel);
        asm.int(number as i32);
        asm.push(Instruction::I32Eq);
        asm.when();
        asm.get(rows);
        asm.get(columns);
        asm.call(first + number);
        asm.push(Instruction::Return);
        asm.end();
    }
    asm.push(Instruction::Unreachable);
    asm.finish()
}

fn free(heap: u32) -> Function {
    let mut asm = Assembler::new(1);
    asm.int(heap as i32);
    asm.push(Instruction::GlobalSet(TOP));
    asm.finish()
}

/// `(old, old size, alignment, new size)`. The host asks for new memory only; a text that it makes longer is copied.
fn reallocate(helpers: Helpers) -> Function {
    let mut asm = Assembler::new(4);
    let [old, old_size, size] = [0, 1, 3].map(|position| asm.parameter(position));
    let new = asm.local(ValType::I32);
    asm.get(size);
    asm.call(helpers.allocate());
    asm.tee(new);
    asm.get(old);
    asm.get(old_size);
    asm.get(size);
    asm.get(old_size);
    asm.get(size);
    asm.push(Instruction::I32LtU);
    asm.push(Instruction::Select);
    asm.push(Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 });
    asm.get(new);
    asm.finish()
}

/// The imported function comes first.
const RESOURCE_NEW: u32 = 0;
const PAGE_BYTES: u32 = 65_536;
