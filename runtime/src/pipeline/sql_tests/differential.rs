//! Random queries over random messages: what the compiled rule does, against the reference.

use super::reference::{Failed, Value, evaluate};
use super::running::{Outcome, Running};
use fastrand::Rng;
use proptest::prelude::*;
use rulemill_sql::ast::{Item, Select};
use rulemill_sql::script;
use serde_json::{Map, Value as Json};

/// A type that an expression is to have, so that few queries are refused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    Number,
    Int,
    Text,
    Bool,
}

/// Writes expressions.
struct Writer {
    rng: Rng,
    /// Whether fields have declared types.
    typed: bool,
}

impl Writer {
    fn pick<'p>(&mut self, options: &[&'p str]) -> &'p str {
        options[self.rng.usize(..options.len())]
    }

    fn expr(&mut self, wanted: Wanted, depth: u32) -> String {
        if depth == 0 || self.rng.u32(..5) == 0 {
            return self.leaf(wanted);
        }
        let below = depth - 1;
        match (wanted, self.rng.u32(..10)) {
            (_, 0) => format!(
                "(CASE WHEN {} THEN {} ELSE {} END)",
                self.expr(Wanted::Bool, below),
                self.expr(wanted, below),
                self.expr(wanted, below)
            ),
            (_, 1) => {
                let operand = if self.rng.bool() { Wanted::Number } else { Wanted::Text };
                format!(
                    "(CASE {} WHEN {} THEN {} END)",
                    self.expr(operand, below),
                    self.expr(operand, below),
                    self.expr(wanted, below)
                )
            }
            (_, 2) => format!("coalesce({}, {})", self.expr(wanted, below), self.expr(wanted, below)),
            (Wanted::Number, 3) => format!("(-{})", self.expr(wanted, below)),
            (Wanted::Number, _) => {
                let operator = self.pick(&["+", "-", "*", "/"]);
                format!("({} {operator} {})", self.expr(wanted, below), self.expr(wanted, below))
            }
            (Wanted::Int, _) => {
                let operator = self.pick(&["+", "-", "*", "/", "%", "&", "|", "^"]);
                format!("({} {operator} {})", self.expr(wanted, below), self.expr(wanted, below))
            }
            (Wanted::Text, _) => self.leaf(wanted),
            (Wanted::Bool, kind) => self.condition(kind, below),
        }
    }

    fn condition(&mut self, kind: u32, below: u32) -> String {
        let side = if self.rng.bool() { Wanted::Number } else { Wanted::Text };
        let not = self.pick(&["", "NOT "]);
        match kind {
            3 => format!(
                "({} {not}BETWEEN {} AND {})",
                self.expr(side, below),
                self.expr(side, 0),
                self.expr(side, 0)
            ),
            4 => format!(
                "({} {not}IN ({}, {}))",
                self.expr(side, below),
                self.expr(side, 0),
                self.expr(side, 0)
            ),
            5 => {
                let pattern = self.pick(&["'a%'", "'%ß_'", "'_'", "'%'", "''", "'%\\%%'", "s", "'a%b%c'"]);
                format!("({} {not}LIKE {pattern})", self.expr(Wanted::Text, below))
            }
            6 => format!("({} IS {not}NULL)", self.expr(side, below)),
            7 => format!("(NOT {})", self.expr(Wanted::Bool, below)),
            8 => {
                let operator = self.pick(&["AND", "OR"]);
                format!(
                    "({} {operator} {})",
                    self.expr(Wanted::Bool, below),
                    self.expr(Wanted::Bool, below)
                )
            }
            _ => {
                let operator = self.pick(&["=", "!=", "<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.expr(side, below), self.expr(side, below))
            }
        }
    }

    fn leaf(&mut self, wanted: Wanted) -> String {
        if !self.typed && self.rng.u32(..4) == 0 {
            return self.pick(&["x", "y", "o->x"]).to_owned();
        }
        let ints = [
            "i",
            "j",
            "i",
            "j",
            "0",
            "1",
            "-1",
            "7",
            "9223372036854775807",
            "-9223372036854775808",
            "null",
        ];
        let floats = [
            "f",
            "g",
            "0.5",
            "-0.0",
            "1e300",
            "9007199254740993.0",
            "9.223372036854775807e18",
        ];
        let leaf = match wanted {
            Wanted::Int => self.pick(&ints),
            Wanted::Number if self.rng.bool() => self.pick(&ints),
            Wanted::Number => self.pick(&floats),
            Wanted::Text => self.pick(&["s", "t", "s", "t", "''", "'a'", "'ß%'", "null"]),
            Wanted::Bool => self.pick(&["b", "c", "b", "c", "true", "false", "null"]),
        };
        leaf.to_owned()
    }

    fn message(&mut self) -> Map<String, Json> {
        let mut message = Map::new();
        let mut put = |name: &str, text: &str| {
            if text != "-" {
                message.insert(
                    name.to_owned(),
                    serde_json::from_str(text).expect("the values are JSON"),
                );
            }
        };
        let ints = [
            "-",
            "null",
            "0",
            "1",
            "-1",
            "3",
            "42",
            "9223372036854775807",
            "-9223372036854775808",
            "9007199254740993",
        ];
        let floats = [
            "-",
            "0.5",
            "-2.25",
            "1e300",
            "-1e300",
            "9007199254740993.5",
            "9223372036854775808.0",
            "1e-9",
        ];
        let texts = [
            "-",
            "null",
            "\"\"",
            "\"a\"",
            "\"ab\"",
            "\"aßc\"",
            "\"axxbxxc\"",
            "\"%\"",
            "\"\u{10348}\"",
        ];
        let bools = ["-", "null", "true", "false"];
        let mixed: Vec<&str> = ints
            .iter()
            .chain(&floats)
            .chain(&texts)
            .chain(&bools)
            .copied()
            .chain(["[1]", "{\"x\":1}"])
            .collect();
        for (names, values) in [
            (["i", "j"], &ints[..]),
            (["f", "g"], &floats),
            (["s", "t"], &texts),
            (["b", "c"], &bools),
            (["x", "y"], &mixed),
        ] {
            for name in names {
                put(name, self.pick(values));
            }
        }
        let nested = self.pick(&["-", "5", "{\"x\":2}", "{\"x\":\"a\"}", "{\"y\":1}", "{\"x\":2.5}"]);
        put("o", nested);
        message
    }
}

const TYPED: &str = "CREATE STREAM m (i bigint, j bigint, f float, g float, s string, t string, b boolean, c boolean) WITH (DATASOURCE=\"m\")";
const FREE: &str = "CREATE STREAM m () WITH (DATASOURCE=\"m\")";

/// The rows that a message gives.
fn expected(query: &Select, message: &Map<String, Json>) -> Result<Option<Vec<Value>>, Failed> {
    if let Some(filter) = &query.filter {
        match evaluate(filter, message)? {
            Value::Bool(true) => {}
            Value::Bool(false) | Value::Null => return Ok(None),
            _ => return Err(Failed),
        }
    }
    let items = query.items.iter().map(|item| match item {
        Item::Expr { expr, .. } => evaluate(expr, message),
        Item::Star(_) => panic!("the tests have no star"),
    });
    items.collect::<Result<_, _>>().map(Some)
}

fn check(seed: u64, typed: bool) {
    let mut writer = Writer {
        rng: Rng::with_seed(seed),
        typed,
    };
    let items: Vec<String> = [Wanted::Number, Wanted::Int, Wanted::Text, Wanted::Bool]
        .into_iter()
        .enumerate()
        .map(|(position, wanted)| format!("{} AS item{position}", writer.expr(wanted, 3)))
        .collect();
    let query = format!(
        "SELECT {} FROM m WHERE {}",
        items.join(", "),
        writer.expr(Wanted::Bool, 3)
    );
    let streams = script(if typed { TYPED } else { FREE }).unwrap().streams;
    // A query can be wrong all the same, such as one that compares a constant text with a number.
    let Ok(mut running) = Running::start(&query, streams) else {
        return;
    };
    let select = script(&query).unwrap().query.unwrap();
    for _ in 0..24 {
        let message = writer.message();
        let payload = serde_json::to_string(&message).unwrap();
        let outcome = running.message("m", &payload, 0);
        let told = || format!("seed {seed}, typed {typed}\n{query}\n{payload}\n{outcome:?}");
        match (expected(&select, &message), &outcome) {
            (Err(Failed), Outcome::Failed(_)) => {}
            (Ok(None), Outcome::Rows(rows)) => assert!(rows.is_empty(), "{}", told()),
            (Ok(Some(values)), Outcome::Rows(rows)) => {
                let row = rows
                    .first()
                    .and_then(|array| array.get(0))
                    .unwrap_or_else(|| panic!("{}", told()));
                for (position, value) in values.iter().enumerate() {
                    let out = row.get(format!("item{position}"));
                    assert!(value.is(out), "item{position} must be {value:?}: {}", told());
                }
            }
            (wanted, _) => panic!("must be {wanted:?}: {}", told()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_compiled_query_computes_what_the_reference_does(seed: u64, typed: bool) {
        check(seed, typed);
    }
}

#[test]
fn most_random_queries_are_right() {
    let streams = || script(FREE).unwrap().streams;
    let right = (0..50).filter(|&seed| {
        let mut writer = Writer {
            rng: Rng::with_seed(seed),
            typed: true,
        };
        let query = format!("SELECT {} AS x FROM m", writer.expr(Wanted::Bool, 3));
        Running::start(&query, streams()).is_ok()
    });
    assert!(right.count() > 40);
}
