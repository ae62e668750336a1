//! When the directory is looked at: which events make it so, and how long a file that is written is waited for.

mod files;

use super::*;
use futures_util::FutureExt as _;
use notify::event::RenameMode;

/// A watch without events of its own: they are noted by hand.
fn watch() -> Watch {
    Watch {
        dir: PathBuf::from("nowhere"),
        poll_interval: Duration::from_secs(600),
        pending: Arc::default(),
        gathered: Named::default(),
        watcher: None,
        events: Events::None,
    }
}

fn note(pending: &Pending, kind: EventKind, file: &str) {
    pending.note(&notify::Event::new(kind).add_path(PathBuf::from(file)));
}

const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Any);
const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

fn touched(ready: &[&str], writing: &[&str]) -> Touched {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Touched {
        ready: names(ready),
        writing: names(writing),
    }
}

#[tokio::test]
async fn names_survive_a_wait_that_is_given_up() {
    let mut watch = watch();
    note(&watch.pending, WRITTEN, "a.wasm");
    let given_up = tokio::select! {
        biased;
        _ = watch.changed() => false,
        () = std::future::ready(()) => true,
    };
    assert!(given_up);
    assert_eq!(watch.changed().await, touched(&["a"], &[]));
}

#[tokio::test]
async fn a_file_that_is_whole_does_not_make_another_taken_that_is_being_written() {
    let mut watch = watch();
    note(&watch.pending, WRITTEN, "a.wasm");
    note(&watch.pending, CLOSED, "b.wasm");
    assert_eq!(watch.changed().await, touched(&["b"], &["a"]));
    assert_eq!(watch.changed().await, touched(&["a"], &[]), "it rests");
}

#[tokio::test]
async fn a_file_that_is_closed_is_taken_at_once() {
    let mut watch = watch();
    note(&watch.pending, WRITTEN, "a.wasm");
    note(&watch.pending, CLOSED, "a.wasm");
    assert_eq!(watch.changed().now_or_never(), Some(touched(&["a"], &[])));
}

#[tokio::test]
async fn a_file_that_is_written_again_after_it_was_closed_is_waited_for() {
    let mut watch = watch();
    note(&watch.pending, CLOSED, "a.toml");
    note(&watch.pending, WRITTEN, "a.wasm");
    let before = clock::timers();
    assert_eq!(watch.changed().await, touched(&["a"], &[]));
    assert!(clock::timers() >= before + WRITE_PAUSE);
}

#[tokio::test]
async fn a_file_written_without_pause_is_taken_all_the_same() {
    let mut watch = watch();
    let pending = Arc::clone(&watch.pending);
    let before = clock::timers();
    note(&pending, WRITTEN, "a.wasm");
    let found = tokio::select! {
        found = watch.changed() => found,
        () = async {
            loop {
                note(&pending, WRITTEN, "a.wasm");
                tokio::task::yield_now().await;
            }
        } => Touched::default(),
    };
    assert_eq!(found, touched(&["a"], &[]));
    assert!(clock::timers() >= before + WRITING_MAX);
}

#[tokio::test]
async fn the_poll_passes_over_what_is_being_written() {
    let mut watch = watch();
    watch.poll_interval = WRITE_PAUSE / 2;
    note(&watch.pending, WRITTEN, "a.wasm");
    assert_eq!(watch.changed().await, touched(&[], &["a"]));
}

#[tokio::test]
async fn a_name_that_begins_with_two_dots_makes_everything_looked_at() {
    let mut watch = watch();
    note(
        &watch.pending,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)),
        "rules.d/..data",
    );
    assert_eq!(watch.changed().now_or_never(), Some(touched(&[], &[])));
    note(
        &watch.pending,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)),
        "rules.d/.hidden.wasm",
    );
    assert_eq!(watch.changed().now_or_never(), None);
}

#[tokio::test]
async fn lost_events_make_everything_looked_at() {
    let mut watch = watch();
    note(&watch.pending, WRITTEN, "a.wasm");
    watch
        .pending
        .note(&notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan));
    let before = clock::timers();
    let found = watch.changed().await;
    assert!(
        clock::timers() >= before + WRITE_PAUSE,
        "what is being written is given a moment"
    );
    assert!(found.writing.is_empty() || found.ready.is_empty(), "{found:?}");
}
