//! Nothing is lost when anything is killed. `make crash` runs the same for longer.

use rulemill_tests::CrashRun;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_is_killed() {
    let run = CrashRun {
        seed: number(SEED).unwrap_or_else(rulemill_tests::wall_millis),
        kills: number(KILLS).map_or(KILLS_USUAL, |kills| {
            usize::try_from(kills).expect("a run is not that long")
        }),
    };
    eprintln!("seed {}", run.seed);
    let report = run.play().await;
    assert!(report.holds(), "{report:#}");
    println!("{report}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the run is, and which one is repeated, is for whoever asks for it"
)]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a whole number, got {text:?}")),
    )
}

const KILLS: &str = "CRASH_KILLS";
const SEED: &str = "CRASH_SEED";
const KILLS_USUAL: usize = 10;
