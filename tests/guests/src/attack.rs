//! Pieces of code that hostile guests are made of. Those that look at rows go where `$rows` and `$columns` are what a call
//! was given; those that return go where a result is returned.

/// Does something in each call that was given rows.
pub fn on_rows(attack: &str) -> String {
    format!("(if (i32.gt_u (local.get $rows) (i32.const 0)) (then {attack}))")
}

/// Does something for each row whose value in the first column, one of ints, is `value`.
pub fn on_int(value: i64, attack: &str) -> String {
    format!(
        "(local.set $i (i32.const 0))
         (loop $next_row
           (if (i32.lt_u (local.get $i) (local.get $rows))
             (then
               (if (i64.eq
                     (i64.load (i32.add
                       (i32.load offset=12 (local.get $columns))
                       (i32.mul (local.get $i) (i32.const 8))))
                     (i64.const {value}))
                 (then {attack}))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $next_row))))"
    )
}

/// Runs for ever.
pub const ENDLESS_LOOP: &str = "(loop $for_ever (br $for_ever))";

/// Takes memory until there is none.
pub const MEMORY_BOMB: &str = "(loop $more (drop (memory.grow (i32.const 16))) (br $more))";

/// Grows the table `$bomb` until it may not.
pub const TABLE_BOMB: &str = "(loop $more (drop (table.grow $bomb (ref.null func) (i32.const 1000))) (br $more))";

/// What a kernel returns in place of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BadBatch {
    /// The rows it claims to have, as an expression.
    pub rows: &'static str,
    /// How many columns it claims to have.
    pub columns: u32,
    /// The column, where there is one.
    pub column: BadColumn,
}

/// A column as it lies in memory. The expressions may use `$rows`.
#[derive(Clone, Copy, Debug)]
pub struct BadColumn {
    /// Words of validity, which lie wherever they lie.
    pub valid_words: &'static str,
    /// The number of the variant: 0 bools, 1 ints, 2 floats, 3 times, 4 texts, 5 bytes, 6 json.
    pub kind: u32,
    /// The address of the values, or of the data of texts.
    pub data: &'static str,
    /// How many values, or bytes of data.
    pub length: &'static str,
    /// The address of the ends of texts.
    pub ends: &'static str,
    /// How many ends.
    pub ends_length: &'static str,
}

impl BadBatch {
    /// One column of zeros, as many as there are rows, of which nothing is bad yet.
    pub const ZEROS: BadBatch = BadBatch {
        rows: "(local.get $rows)",
        columns: 1,
        column: BadColumn {
            valid_words: "(i32.const 0)",
            kind: 1,
            data: "(i32.const 0x8000)",
            length: "(local.get $rows)",
            ends: "(i32.const 0x8000)",
            ends_length: "(local.get $rows)",
        },
    };

    /// The body of `run` that returns it. It leaves the bytes from 0x8000 on as they are: zeros.
    pub fn returned(&self) -> String {
        let BadBatch { rows, columns, column } = self;
        let BadColumn {
            valid_words,
            kind,
            data,
            length,
            ends,
            ends_length,
        } = column;
        format!(
            "(i32.store (i32.const 256) (i32.const 0x8000))
             (i32.store (i32.const 260) {valid_words})
             (i32.store (i32.const 264) (i32.const {kind}))
             (i32.store (i32.const 268) {data})
             (i32.store (i32.const 272) {length})
             (i32.store (i32.const 276) {ends})
             (i32.store (i32.const 280) {ends_length})
             (memory.copy (i32.const 284) (i32.const 256) (i32.const 28))
             (i32.store (i32.const 32) (i32.const 0))
             (i32.store (i32.const 36) {rows})
             (i32.store (i32.const 40) (i32.const 256))
             (i32.store (i32.const 44) (i32.const {columns}))
             (i32.store (i32.const 48) (i32.const 0))
             (i32.store (i32.const 52) (i32.const 0))
             (i32.const 32)"
        )
    }
}

/// Gives back the inputs with so many row errors, all of them of the row `row` and without a text. The expressions may use
/// `$rows`.
pub fn row_errors(count: &str, row: &str) -> String {
    format!(
        "(local.set $at (i32.const 0x40000))
         (loop $next
           (if (i32.lt_u (local.get $i) {count})
             (then
               (i32.store (local.get $at) {row})
               (i32.store offset=4 (local.get $at) (i32.const 0))
               (i32.store offset=8 (local.get $at) (i32.const 0))
               (local.set $at (i32.add (local.get $at) (i32.const 12)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $next))))
         (i32.store (i32.const 32) (i32.const 0))
         (i32.store (i32.const 36) (local.get $rows))
         (i32.store (i32.const 40) (local.get $columns))
         (i32.store (i32.const 44) (local.get $count))
         (i32.store (i32.const 48) (i32.const 0x40000))
         (i32.store (i32.const 52) {count})
         (i32.const 32)"
    )
}

/// The body of `evaluate` that gives back the first argument and an error for each row.
pub const REFUSE_ALL: &str = "
    (local.set $at (i32.const 0x40000))
    (loop $next
      (if (i32.lt_u (local.get $i) (local.get $rows))
        (then
          (i32.store (local.get $at) (local.get $i))
          (i32.store offset=4 (local.get $at) (i32.const 0))
          (i32.store offset=8 (local.get $at) (i32.const 0))
          (local.set $at (i32.add (local.get $at) (i32.const 12)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))
    (i32.store (i32.const 32) (i32.const 0))
    (memory.copy (i32.const 36) (local.get $columns) (i32.const 28))
    (i32.store (i32.const 64) (i32.const 0x40000))
    (i32.store (i32.const 68) (local.get $rows))
    (i32.const 32)";

/// The body of `describe` of a guest that says `start`, then `piece` so many times, then `end`. The texts are part of what the
/// guest is made with: `start`, `piece` and `end`, one after another.
pub fn describe_repeating(start: usize, piece: usize, times: usize, end: usize) -> String {
    let total = start + piece * times + end;
    let pages = total.div_ceil(1 << 16) + 1;
    let from = 1024;
    format!(
        "(local $to i32) (local $left i32)
         (local.set $to (i32.mul (memory.grow (i32.const {pages})) (i32.const 65536)))
         (i32.store (i32.const 0) (local.get $to))
         (i32.store (i32.const 4) (i32.const {total}))
         (memory.copy (local.get $to) (i32.const {from}) (i32.const {start}))
         (local.set $to (i32.add (local.get $to) (i32.const {start})))
         (local.set $left (i32.const {times}))
         (loop $next
           (if (local.get $left)
             (then
               (memory.copy (local.get $to) (i32.const {piece_at}) (i32.const {piece}))
               (local.set $to (i32.add (local.get $to) (i32.const {piece})))
               (local.set $left (i32.sub (local.get $left) (i32.const 1)))
               (br $next))))
         (memory.copy (local.get $to) (i32.const {end_at}) (i32.const {end}))
         (i32.const 0)",
        piece_at = from + start,
        end_at = from + start + piece,
    )
}
