//! Every limit holds, says which key it is, and is counted.

use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, GuestName, Limit, LimitedLibrary, MillGuests, load};
use rulemill_core::{CallError, Cells, Column, Guests as _, KernelsId, Rows};
use rulemill_plan::Type;
use rulemill_test_guests::{GIVE_BACK, LibraryGuest, RuleGuest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A rule whose kernel 0 takes an int and gives an int.
fn plan() -> Value {
    json!({
        "name": "hostile",
        "topics": ["a"],
        "needs": [{"name": "value", "type": "int", "origin": {"field": ["value"]}}],
        "before": [{"kernel": {"kernel": 0, "inputs": [0], "outputs": [{"name": "result", "type": "int"}]}}],
        "emits": [{"name": "result", "column": 1}],
    })
}

/// The mill's side of one rule.
struct Bench {
    guests: MillGuests,
    kernels: KernelsId,
}

impl Bench {
    /// Loads the rule, or says why not.
    fn load(guest: &RuleGuest, limits: &LimitsConfig) -> Result<Self, String> {
        let engine = GuestEngine::with(limits.stack_bytes_max, None).unwrap();
        let loaded = load(&engine, &guest.build(), limits).map_err(|error| error.to_string())?;
        let mut guests = MillGuests::new(engine);
        let kernels = guests
            .put_kernels(&"hostile".into(), loaded.rule.unwrap(), &BTreeMap::new(), *limits)
            .map_err(|error| error.to_string())?;
        Ok(Bench { guests, kernels })
    }

    /// Runs kernel 0 over these ints.
    fn run(&mut self, values: &[i64]) -> Result<Vec<i64>, CallError> {
        let column = Column::new(Cells::Ints(values.to_vec()));
        let input = Rows {
            rows: values.len(),
            columns: &[&column],
        };
        let (columns, _) = self.guests.run(self.kernels, 0, input, &[Type::Int])?;
        match &columns[0].cells {
            Cells::Ints(values) => Ok(values.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// How often the rule met the limit since the last time.
    fn hits(&mut self, limit: Limit) -> u64 {
        let readings = self.guests.take_readings();
        assert!(
            readings
                .iter()
                .all(|reading| reading.guest == GuestName::Rule("hostile".into()))
        );
        let hits = readings.iter().flat_map(|reading| &reading.hits);
        hits.filter(|(met, _)| *met == limit).map(|(_, hits)| hits).sum()
    }
}

/// The kernel does this when it is given a row that is 7, and gives back what it was given otherwise.
fn on_seven(attack: &str) -> RuleGuest {
    let guest = RuleGuest::new(&plan());
    guest.run(&format!(
        "(if (i32.gt_u (local.get $rows) (i32.const 0))
           (then (if (i64.eq (i64.load (i32.load offset=12 (local.get $columns))) (i64.const 7)) (then {attack}))))
         {GIVE_BACK}"
    ))
}

fn limits() -> LimitsConfig {
    LimitsConfig {
        call_timeout: Duration::from_millis(20),
        memory_bytes_max: 4 << 20,
        ..LimitsConfig::default()
    }
}

/// The attack stops the call with a sentence that names the key, is counted, and leaves the next call unharmed.
fn check(guest: &RuleGuest, limits: &LimitsConfig, limit: Limit) {
    let mut bench = Bench::load(guest, limits).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bench.run(&[1, 2]).unwrap(), [1, 2]);
    assert_eq!(bench.hits(limit), 0);
    let error = bench.run(&[7]).unwrap_err();
    let key = format!("(limits.{})", limit.name());
    assert!(
        matches!(error, CallError::Trap(_)) && error.to_string().contains(&key),
        "{error}"
    );
    assert_eq!(bench.hits(limit), 1, "{error}");
    assert_eq!(bench.run(&[3]).unwrap(), [3], "a fresh instance goes on");
}

#[test]
fn an_endless_loop_ends_at_the_call_timeout() {
    check(
        &on_seven("(loop $for_ever (br $for_ever))"),
        &limits(),
        Limit::CallTimeout,
    );
}

#[test]
fn a_memory_bomb_ends_at_the_bound_of_memory() {
    let attack = "(loop $more (drop (memory.grow (i32.const 16))) (br $more))";
    check(&on_seven(attack), &limits(), Limit::MemoryBytes);
}

#[test]
fn a_table_bomb_ends_at_the_bound_of_tables() {
    let attack = "(loop $more (drop (table.grow $bomb (ref.null func) (i32.const 1000))) (br $more))";
    let guest = on_seven(attack).items("(table $bomb 1 funcref)");
    check(&guest, &limits(), Limit::TableElements);
}

#[test]
fn a_deep_recursion_ends_at_the_bound_of_the_stack() {
    let guest = on_seven("(drop (call $deeper (i64.const 0)))").items(
        "(func $deeper (param i64) (result i64)
           (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (local.get 0)))",
    );
    check(&guest, &limits(), Limit::StackBytes);
}

#[test]
fn the_bound_of_the_stack_is_the_configured_one() {
    // Goes so deep and comes back.
    let guest = on_seven("(drop (call $deeper (i64.const 5000)))").items(
        "(func $deeper (param i64) (result i64)
           (if (result i64) (i64.eqz (local.get 0))
             (then (i64.const 0))
             (else (i64.add (call $deeper (i64.sub (local.get 0) (i64.const 1))) (local.get 0)))))",
    );
    let with = |stack_bytes_max| LimitsConfig {
        stack_bytes_max,
        ..limits()
    };
    check(&guest, &with(64 << 10), Limit::StackBytes);
    let mut bench = Bench::load(&guest, &with(1 << 20)).map_err(drop).unwrap();
    assert_eq!(bench.run(&[7]).unwrap(), [7]);
}

#[test]
fn a_flood_of_results_ends_at_the_bound_of_output() {
    // A column of 100,000 ints, wherever these may lie.
    let attack = "
        (i32.store (i32.const 32) (i32.const 0))
        (i32.store (i32.const 36) (local.get $rows))
        (i32.store (i32.const 40) (i32.const 256))
        (i32.store (i32.const 44) (i32.const 1))
        (i32.store (i32.const 48) (i32.const 0))
        (i32.store (i32.const 52) (i32.const 0))
        (i32.store (i32.const 256) (i32.const 0))
        (i32.store (i32.const 260) (i32.const 0))
        (i32.store (i32.const 264) (i32.const 1))
        (i32.store (i32.const 268) (i32.const 0))
        (i32.store (i32.const 272) (i32.const 100000))
        (return (i32.const 32))";
    let limits = LimitsConfig {
        output_bytes_max: 100_000,
        ..limits()
    };
    check(&on_seven(attack), &limits, Limit::OutputBytes);
}

#[test]
fn row_errors_beyond_the_bound_are_counted_and_keep_their_rows() {
    // Every row is an error; all share one text.
    let guest = RuleGuest::new(&plan()).items("(data (i32.const 512) \"no\")").run(
        "(local.set $at (i32.const 0x40000))
         (loop $next
           (if (i32.lt_u (local.get $i) (local.get $rows))
             (then
               (i32.store (local.get $at) (local.get $i))
               (i32.store offset=4 (local.get $at) (i32.const 512))
               (i32.store offset=8 (local.get $at) (i32.const 2))
               (local.set $at (i32.add (local.get $at) (i32.const 12)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $next))))
         (i32.store (i32.const 32) (i32.const 0))
         (i32.store (i32.const 36) (local.get $rows))
         (i32.store (i32.const 40) (local.get $columns))
         (i32.store (i32.const 44) (local.get $count))
         (i32.store (i32.const 48) (i32.const 0x40000))
         (i32.store (i32.const 52) (local.get $rows))
         (i32.const 32)",
    );
    let limits = LimitsConfig {
        row_errors_max: 3,
        ..limits()
    };
    let mut bench = Bench::load(&guest, &limits).map_err(drop).unwrap();
    let column = Column::new(Cells::Ints(vec![0; 10]));
    let input = Rows {
        rows: 10,
        columns: &[&column],
    };
    let (_, errors) = bench.guests.run(bench.kernels, 0, input, &[Type::Int]).unwrap();
    assert_eq!(errors.len(), 10);
    assert_eq!(errors.iter().filter(|error| error.message == "no").count(), 3);
    assert_eq!(bench.hits(Limit::RowErrors), 7);
}

#[test]
fn a_flood_of_notes_is_counted() {
    let attack = "
        (loop $more
          (call $note (i32.const 512) (i32.const 5))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))";
    let guest = on_seven(attack)
        .imports("(import \"rulemill:guest/diagnostics@1.0.0\" \"note\" (func $note (param i32 i32)))")
        .items("(data (i32.const 512) \"hello\")");
    let mut bench = Bench::load(&guest, &limits()).map_err(drop).unwrap();
    assert_eq!(bench.run(&[7]).unwrap(), [7]);
    let reading = bench.guests.take_readings().remove(0);
    // Should a second end within the call, ten more are kept.
    assert!((10..=20).contains(&reading.notes.len()), "{}", reading.notes.len());
    assert!(reading.notes.iter().all(|note| note == "hello"));
    assert_eq!(reading.notes.len() as u64 + reading.notes_dropped, 100);
    assert_eq!(reading.hits, [(Limit::Notes, reading.notes_dropped)]);
}

#[test]
fn too_many_core_instances_are_refused() {
    let guest = RuleGuest::new(&plan());
    let limits = LimitsConfig {
        core_instances_max: 1,
        ..limits()
    };
    let error = Bench::load(&guest, &limits).map(drop).unwrap_err();
    assert!(error.contains("(limits.core_instances_max)"), "{error}");
}

#[test]
fn the_peak_of_memory_is_that_of_the_largest_instance() {
    let mut bench = Bench::load(&on_seven("(drop (memory.grow (i32.const 10)))"), &limits())
        .map_err(drop)
        .unwrap();
    bench.run(&[1]).unwrap();
    let before = bench.guests.take_readings()[0].memory_bytes_peak;
    bench.run(&[7]).unwrap();
    let after = bench.guests.take_readings()[0].memory_bytes_peak;
    assert_eq!(after, before + 10 * 65536);
}

#[test]
fn what_a_version_did_last_is_read_after_it_has_gone() {
    let mut bench = Bench::load(&on_seven("(loop $for_ever (br $for_ever))"), &limits())
        .map_err(drop)
        .unwrap();
    bench.run(&[7]).unwrap_err();
    bench.guests.retain_kernels(&std::collections::HashSet::new());
    assert_eq!(bench.hits(Limit::CallTimeout), 1);
    assert_eq!(bench.hits(Limit::CallTimeout), 0);
}

#[test]
fn a_library_is_counted_under_its_name_and_its_function_traps() {
    let description = json!({
        "name": "calc",
        "scalars": [{"name": "same", "parameters": [{"name": "value", "type": "int"}], "returns": "int"}],
        "aggregates": [{"name": "total", "parameters": [{"name": "value", "type": "int"}], "returns": "int",
                        "state_words": 1, "fingerprint": "0000000000000001"}],
    });
    let engine = GuestEngine::new().unwrap();
    let attack = "(loop $for_ever (br $for_ever))";
    let guest = LibraryGuest::new(&description).evaluate(&format!("{attack} (i32.const 0)"));
    let loaded = load(&engine, &guest.build(), &limits()).unwrap();
    let mut guests = MillGuests::new(engine);
    guests.put_library(LimitedLibrary {
        loaded: loaded.library.unwrap(),
        limits: limits(),
    });
    let types = [rulemill_plan::BoundArgument::Type(Type::Int)];
    let bound = guests.bind_scalar(None, "same", &types).unwrap();
    let column = Column::new(Cells::Ints(vec![4, 5]));
    let rows = Rows {
        rows: 2,
        columns: &[&column],
    };
    guests.evaluate(bound.site, rows).unwrap_err();

    let bound = guests.bind_aggregate(None, "total", &types).unwrap();
    let state = guests.initial(bound.accumulator).unwrap();
    let (states, _) = guests.accumulate(bound.accumulator, &state, &[0, 0], rows).unwrap();
    let total = guests.finish(bound.accumulator, &states).unwrap();
    assert_eq!(total.cells, Cells::Ints(vec![9]));

    let mut stats: Vec<_> = guests
        .function_stats()
        .map(|(_, name, stats)| (name.to_owned(), *stats))
        .collect();
    stats.sort_by(|one, other| one.0.cmp(&other.0));
    let (same, total) = (&stats[0].1, &stats[1].1);
    assert_eq!((same.calls, same.rows, same.traps), (1, 2, 1));
    assert_eq!((total.calls, total.rows, total.traps), (3, 2, 0));
    let reading = guests.take_readings().remove(0);
    assert_eq!(reading.guest, GuestName::Library(Arc::from("calc")));
    assert_eq!(reading.hits, [(Limit::CallTimeout, 1)]);
}
