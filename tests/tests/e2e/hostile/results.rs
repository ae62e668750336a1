//! Guests that give back what was not agreed. They run all at once, beside each other and the shipped rule.

use super::{Company, PLAN, plan, reasons};
use rulemill_tests::guests::{BadBatch, BadColumn, RuleGuest, row_errors};

/// One attack: its name, what the result should be, the body of `run`, and words of the reason.
type Attack = (&'static str, &'static str, String, &'static str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_the_wrong_number_length_or_type() {
    check(&[
        (
            "no_column",
            PLAN,
            batch(|bad| bad.columns = 0),
            "1 columns must be returned, got 0",
        ),
        (
            "two_columns",
            PLAN,
            batch(|bad| bad.columns = 2),
            "1 columns must be returned, got 2",
        ),
        ("columns_without_end", PLAN, batch(|bad| bad.columns = 0x0fff_ffff), ""),
        (
            "too_few_values",
            PLAN,
            column(|bad| bad.length = "(i32.const 0)"),
            "rows, got 0",
        ),
        (
            "too_many_values",
            PLAN,
            column(|bad| bad.length = "(i32.const 1025)"),
            "rows, got 1025",
        ),
        (
            "floats_for_ints",
            PLAN,
            column(|bad| bad.kind = 2),
            "must be of type int, got float",
        ),
        ("a_type_that_is_none", PLAN, column(|bad| bad.kind = 99), "discriminant"),
        (
            "too_few_bits",
            "bool",
            column(|bad| (bad.kind, bad.length) = (0, "(i32.const 0)")),
            "words, got 0",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_do_not_match() {
    check(&[
        (
            "no_rows",
            PLAN,
            batch(|bad| bad.rows = "(i32.const 0)"),
            "rows must be returned, got 0",
        ),
        (
            "all_rows",
            PLAN,
            batch(|bad| bad.rows = "(i32.const -1)"),
            "rows must be returned, got 4294967295",
        ),
        (
            "much_validity",
            PLAN,
            column(|bad| bad.valid_words = "(i32.const 1000)"),
            "words or none, got 1000",
        ),
        (
            "an_error_of_another_row",
            PLAN,
            row_errors("(i32.const 1)", "(local.get $rows)"),
            "a row error names row",
        ),
        (
            "more_errors_than_rows",
            PLAN,
            row_errors("(i32.const 2000)", "(i32.const 0)"),
            "as many row errors, got 2000",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_with_wrong_ends() {
    let two_ends = |first: u32, rest: u32| {
        format!(
            "(i32.store (i32.const 0x8800) (i32.const {first}))
             (local.set $i (i32.const 1))
             (loop $next
               (if (i32.lt_u (local.get $i) (local.get $rows))
                 (then
                   (i32.store (i32.add (i32.const 0x8800) (i32.mul (local.get $i) (i32.const 4))) (i32.const {rest}))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br $next))))
             (i32.store (i32.const 0x8000) (i32.const 0x0000a9c3))"
        )
    };
    // What shows in two rows only ends with rows that are alone, and give up.
    let together = |first: u32, rest: u32| {
        let ends = two_ends(first, rest);
        format!("{ends} (if (i32.lt_u (local.get $rows) (i32.const 2)) (then (unreachable)))")
    };
    // Two bytes, which are one character.
    let texts = |ends: String, length: &'static str| {
        let bad = column(|bad| (bad.kind, bad.length, bad.ends) = (4, length, "(i32.const 0x8800)"));
        format!("{ends} {bad}")
    };
    let two = "(i32.const 2)";
    check(&[
        ("ends_that_descend", "text", texts(together(2, 0), two), ""),
        ("ends_inside_a_character", "text", texts(together(1, 2), two), ""),
        (
            "ends_beyond_the_data",
            "text",
            texts(two_ends(4000, 4000), two),
            "length of the data",
        ),
        (
            "ends_before_the_data_ends",
            "text",
            texts(two_ends(0, 0), two),
            "length of the data",
        ),
        (
            "no_ends",
            "text",
            column(|bad| (bad.kind, bad.ends_length) = (4, "(i32.const 0)")),
            "",
        ),
        (
            "half_a_character",
            "text",
            texts(two_ends(1, 1), "(i32.const 1)"),
            "utf-8",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_gigabytes_claimed() {
    check(&[
        (
            "a_text",
            "text",
            column(|bad| (bad.kind, bad.length) = (4, "(i32.const -1)")),
            "",
        ),
        (
            "ends",
            "text",
            column(|bad| (bad.kind, bad.ends_length) = (4, "(i32.const 0x3fffffff)")),
            "",
        ),
        ("ints", PLAN, column(|bad| bad.length = "(i32.const 0x1fffffff)"), ""),
        (
            "validity",
            PLAN,
            column(|bad| bad.valid_words = "(i32.const 0x1fffffff)"),
            "",
        ),
        ("beyond_memory", PLAN, column(|bad| bad.data = "(i32.const -8)"), ""),
        ("not_aligned", PLAN, column(|bad| bad.data = "(i32.const 0x8001)"), ""),
        ("a_result_beyond_memory", PLAN, "(i32.const -4)".to_owned(), ""),
        (
            "a_result_that_is_none",
            PLAN,
            "(i32.store (i32.const 32) (i32.const 77)) (i32.const 32)".to_owned(),
            "",
        ),
        (
            "errors",
            PLAN,
            row_errors("(i32.const 0x0fffffff)", "(i32.const 0)"),
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_lie_over_each_other() {
    // Twice the same values, which are the list of columns itself: as many as there is memory from there on.
    let body = batch(|bad| {
        bad.columns = 2;
        bad.column.data = "(i32.const 256)";
    });
    let mut plan = plan(PLAN);
    plan["before"][0]["kernel"]["outputs"] =
        serde_json::json!([{"name": "result", "type": "int"}, {"name": "again", "type": "int"}]);
    let mut company = Company::with(&RuleGuest::new(&plan).run(&body).build()).await;
    company.send(2).await;
    let aftermath = company.leave().await;
    assert_eq!(
        (reasons(&aftermath, "hostile").0, aftermath.counted),
        (0, 60),
        "they are only numbers"
    );
}

/// A batch of zeros, made bad.
fn batch(spoil: impl FnOnce(&mut BadBatch)) -> String {
    let mut bad = BadBatch::ZEROS;
    spoil(&mut bad);
    bad.returned()
}

/// The same with a bad column in it.
fn column(spoil: impl FnOnce(&mut BadColumn)) -> String {
    batch(|bad| spoil(&mut bad.column))
}

/// Every attack costs its rule all rows, each with a reason that has these words.
async fn check(attacks: &[Attack]) {
    let mut company = Company::start("").await;
    for (name, result, body, _) in attacks {
        company.join(name, &RuleGuest::new(&plan(result)).run(body).build());
    }
    for (name, ..) in attacks {
        company.wait_for(name, "running").await;
    }
    company.send(2).await;
    let aftermath = company.leave().await;
    for (name, _, _, words) in attacks {
        let (count, reasons) = reasons(&aftermath, name);
        assert_eq!(count, 60, "{name}: {reasons:?}");
        assert!(
            reasons.iter().any(|reason| reason.contains(words)),
            "{name}: {reasons:?}"
        );
    }
    assert_eq!(aftermath.counted, 0);
}
