//! `LIKE`: `%` is any text, `_` any one character, and a backslash keeps what follows it.

use super::assembler::{Assembler, Label, Local, memory};
use wasm_encoder::{Function, Instruction, ValType};

/// `(text, length, pattern, length) -> whether it fits`.
///
/// Goes along both. Where they differ it goes back to the last `%` and lets it stand for one character more; so the time is
/// at most the product of both lengths, whatever the pattern.
pub(super) fn like() -> Function {
    let mut asm = Assembler::new(4);
    let [text, text_length, pattern, pattern_length] = [0, 1, 2, 3].map(|position| asm.parameter(position));
    let [at, place, star, mark, sign, step] = [(); 6].map(|()| asm.local(ValType::I32));
    let walk = Walk {
        text,
        text_length,
        pattern,
        pattern_length,
        at,
        place,
        star,
        mark,
        sign,
        step,
    };
    asm.int(-1);
    asm.set(star);
    let text_done = asm.block();
    let next = asm.repeat();
    asm.get(at);
    asm.get(text_length);
    asm.push(Instruction::I32GeU);
    asm.leave_if(text_done);
    let differs = asm.block();
    walk.step_along(&mut asm, next, differs);
    asm.end();
    walk.go_back(&mut asm, next);
    asm.end();
    asm.end();
    walk.rest_is_stars(&mut asm);
    asm.finish()
}

struct Walk {
    text: Local,
    text_length: Local,
    pattern: Local,
    pattern_length: Local,
    /// How much of the text fits.
    at: Local,
    /// How much of the pattern it fits.
    place: Local,
    /// Where the last `%` stands, or -1.
    star: Local,
    /// Where the text behind what that `%` stands for begins.
    mark: Local,
    /// The sign of the pattern that is looked at.
    sign: Local,
    /// How many bytes of the pattern it takes.
    step: Local,
}

impl Walk {
    fn step_along(&self, asm: &mut Assembler, next: Label, differs: Label) {
        asm.get(self.place);
        asm.get(self.pattern_length);
        asm.push(Instruction::I32GeU);
        asm.leave_if(differs);
        byte(asm, self.pattern, self.place);
        asm.set(self.sign);
        self.when_sign_is(asm, b'%');
        asm.get(self.place);
        asm.tee(self.star);
        asm.int(1);
        asm.push(Instruction::I32Add);
        asm.set(self.place);
        asm.get(self.at);
        asm.set(self.mark);
        asm.leave(next);
        asm.end();
        self.when_sign_is(asm, b'_');
        self.pass_character(asm, self.at);
        add(asm, self.place, |asm| asm.int(1));
        asm.leave(next);
        asm.end();
        self.resolve_backslash(asm);
        asm.get(self.sign);
        byte(asm, self.text, self.at);
        asm.push(Instruction::I32Ne);
        asm.leave_if(differs);
        add(asm, self.at, |asm| asm.int(1));
        add(asm, self.place, |asm| asm.get(self.step));
        asm.leave(next);
    }

    fn resolve_backslash(&self, asm: &mut Assembler) {
        asm.int(1);
        asm.set(self.step);
        asm.get(self.sign);
        asm.int(i32::from(b'\\'));
        asm.push(Instruction::I32Eq);
        asm.get(self.place);
        asm.int(1);
        asm.push(Instruction::I32Add);
        asm.get(self.pattern_length);
        asm.push(Instruction::I32LtU);
        asm.push(Instruction::I32And);
        asm.when();
        asm.int(2);
        asm.set(self.step);
        asm.get(self.pattern);
        asm.get(self.place);
        asm.push(Instruction::I32Add);
        asm.push(Instruction::I32Load8U(memory(1, 0)));
        asm.set(self.sign);
        asm.end();
    }

    /// Lets the last `%` stand for one character more; without one the text does not fit.
    fn go_back(&self, asm: &mut Assembler, next: Label) {
        asm.get(self.star);
        asm.int(0);
        asm.push(Instruction::I32LtS);
        asm.when();
        asm.int(0);
        asm.push(Instruction::Return);
        asm.end();
        self.pass_character(asm, self.mark);
        asm.get(self.mark);
        asm.set(self.at);
        asm.get(self.star);
        asm.int(1);
        asm.push(Instruction::I32Add);
        asm.set(self.place);
        asm.leave(next);
    }

    fn rest_is_stars(&self, asm: &mut Assembler) {
        let done = asm.block();
        let next = asm.repeat();
        asm.get(self.place);
        asm.get(self.pattern_length);
        asm.push(Instruction::I32GeU);
        asm.leave_if(done);
        byte(asm, self.pattern, self.place);
        asm.int(i32::from(b'%'));
        asm.push(Instruction::I32Ne);
        asm.leave_if(done);
        add(asm, self.place, |asm| asm.int(1));
        asm.leave(next);
        asm.end();
        asm.end();
        asm.get(self.place);
        asm.get(self.pattern_length);
        asm.push(Instruction::I32Eq);
    }

    fn when_sign_is(&self, asm: &mut Assembler, sign: u8) {
        asm.get(self.sign);
        asm.int(sign.into());
        asm.push(Instruction::I32Eq);
        asm.when();
    }

    /// Moves a position of the text behind the character that begins there.
    fn pass_character(&self, asm: &mut Assembler, position: Local) {
        let done = asm.block();
        let next = asm.repeat();
        add(asm, position, |asm| asm.int(1));
        asm.get(position);
        asm.get(self.text_length);
        asm.push(Instruction::I32GeU);
        asm.leave_if(done);
        byte(asm, self.text, position);
        asm.int(0xc0);
        asm.push(Instruction::I32And);
        asm.int(0x80);
        asm.push(Instruction::I32Eq);
        asm.leave_if(next);
        asm.end();
        asm.end();
    }
}

fn byte(asm: &mut Assembler, base: Local, position: Local) {
    asm.get(base);
    asm.get(position);
    asm.push(Instruction::I32Add);
    asm.push(Instruction::I32Load8U(memory(0, 0)));
}

fn add(asm: &mut Assembler, local: Local, amount: impl Fn(&mut Assembler)) {
    asm.get(local);
    amount(asm);
    asm.push(Instruction::I32Add);
    asm.set(local);
}
