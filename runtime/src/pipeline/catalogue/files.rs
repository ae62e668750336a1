//! Files of the rules directory as they are changed for somebody. They are written under another name and renamed, and what was
//! there before can come back. This happens on threads that may block.

use super::scan::{Form, form_of, path_of};
use crate::config::with_triggered;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// A change of files, and what undoes it.
pub(super) struct Change {
    wanted: Vec<(PathBuf, Option<Vec<u8>>)>,
    before: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Change {
    /// A file gets this text.
    pub(super) fn write(path: PathBuf, text: String) -> Self {
        Change {
            wanted: vec![(path, Some(text.into_bytes()))],
            before: Vec::new(),
        }
    }

    /// Files go.
    pub(super) fn remove(paths: Vec<PathBuf>) -> Self {
        Change {
            wanted: paths.into_iter().map(|path| (path, None)).collect(),
            before: Vec::new(),
        }
    }

    /// Does it.
    pub(super) async fn carry_out(&mut self) -> io::Result<()> {
        let wanted = std::mem::take(&mut self.wanted);
        self.before = blocking(move || {
            let mut before = Vec::new();
            for (path, content) in wanted {
                before.push((path.clone(), read_if_there(&path)?));
                put(&path, content.as_deref())?;
            }
            Ok(before)
        })
        .await?;
        Ok(())
    }

    /// Puts back what was there before.
    pub(super) async fn undo(self) -> io::Result<()> {
        let before = self.before;
        blocking(move || {
            before
                .iter()
                .try_for_each(|(path, content)| put(path, content.as_deref()))
        })
        .await
    }
}

/// Says in the file of a rule, or in the one beside it, whether it is stopped.
pub(super) async fn set_stopped(dir: &Path, name: &str, stopped: bool) -> io::Result<()> {
    let (dir, name) = (dir.to_owned(), name.to_owned());
    blocking(move || {
        let form = form_of(&dir, &name)?;
        let beside = dir.join(format!("{name}.toml"));
        let text = read_if_there(&beside)?.map(text_of).transpose()?;
        // What is stopped there is started there too.
        if form == Form::Json {
            let path = path_of(&dir, &name, form);
            let rule = text_of(std::fs::read(&path)?)?;
            let changed = with_triggered(&rule, !stopped).map_err(io::Error::other)?;
            put(&path, Some(changed.as_bytes()))?;
            if stopped || text.is_none() {
                return Ok(());
            }
        }
        let changed = with_stopped(text.as_deref().unwrap_or_default(), stopped);
        match (text, changed.trim().is_empty()) {
            (Some(text), _) if text == changed => Ok(()),
            (_, true) => put(&beside, None),
            (_, false) => put(&beside, Some(changed.as_bytes())),
        }
    })
    .await
}

/// The text of a file beside a guest with `stopped = true` at its top, or without it.
fn with_stopped(text: &str, stopped: bool) -> String {
    let mut at_top = true;
    let says_it = |line: &str| {
        let rest = line.trim_start().strip_prefix("stopped");
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let others = text.split_inclusive('\n').filter(|line| {
        at_top &= !line.trim_start().starts_with('[');
        !(at_top && says_it(line))
    });
    let others: String = others.collect();
    match stopped {
        true => format!("stopped = true\n{others}"),
        false => others,
    }
}

/// Whether files can be called so: what is asked for over HTTP must not lead out of the directory.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.bytes().all(is_fine) {
        return Err(format!(
            "{name:?} cannot be the name of a file here: it may have letters of ASCII, digits, _, - and . within, at most 100"
        ));
    }
    Ok(())
}

/// Problems of the sinks that actions became, without the places in a text that nobody has seen.
pub(super) fn of_actions(problems: &str, id: &str) -> String {
    let own = format!("sink.{id}.");
    let lines = problems.lines().map(|line| {
        let message = line.split_once(": ").map_or(line, |(_, message)| message);
        message.replacen(&own, "action ", 1)
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn put(path: &Path, content: Option<&[u8]>) -> io::Result<()> {
    let Some(content) = content else {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
    };
    let name = path.file_name().unwrap_or_default().display();
    let unfinished = path.with_file_name(format!(".{name}.unfinished"));
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopped_stands_at_the_top_and_nothing_else_changes() {
        let text = "# mine\nsinks = [\"aws\"]\n\n[settings]\nstopped = 5\n";
        let stopped = with_stopped(text, true);
        assert_eq!(stopped, format!("stopped = true\n{text}"));
        assert_eq!(with_stopped(&stopped, true), stopped);
        assert_eq!(with_stopped(&stopped, false), text);
        assert_eq!(
            with_stopped("  stopped=false\nstopped_by = 1", true),
            "stopped = true\nstopped_by = 1"
        );
        assert_eq!(with_stopped("stopped = true", false), "");
    }

    #[test]
    fn names_stay_in_the_directory() {
        for name in ["rule1", "a.b-c_D", "x"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".hidden", "../up", "a/b", "a b", "\u{e4}", &"x".repeat(101)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_change_can_be_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "before").unwrap();
        let mut change = Change::write(path("a"), "after".to_owned());
        change.carry_out().await.unwrap();
        assert_eq!(std::fs::read_to_string(path("a")).unwrap(), "after");
        change.undo().await.unwrap();
        assert_eq!(std::fs::read_to_string(path("a")).unwrap(), "before");
        let mut change = Change::remove(vec![path("a"), path("b")]);
        change.carry_out().await.unwrap();
        assert!(!path("a").exists());
        change.undo().await.unwrap();
        assert_eq!(std::fs::read_to_string(path("a")).unwrap(), "before");
        assert!(!path("b").exists());
    }

    #[tokio::test]
    async fn a_rule_file_says_itself_that_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("r.json"), r#"{"sql": "SELECT * FROM s", "actions": []}"#).unwrap();
        std::fs::write(path("q.sql"), "SELECT * FROM s").unwrap();
        for name in ["r", "q"] {
            set_stopped(folder.path(), name, true).await.unwrap();
        }
        let rule: serde_json::Value = serde_json::from_slice(&std::fs::read(path("r.json")).unwrap()).unwrap();
        assert_eq!(rule["triggered"], serde_json::json!(false));
        assert!(!path("r.toml").exists());
        assert_eq!(std::fs::read_to_string(path("q.toml")).unwrap(), "stopped = true\n");
        set_stopped(folder.path(), "q", false).await.unwrap();
        assert!(!path("q.toml").exists());
        assert!(set_stopped(folder.path(), "nothing", true).await.is_ok());
    }

    #[test]
    fn problems_of_actions_are_told_without_places() {
        let problems = "r.toml:4: sink.r.mqtt.qos must be 0 or 1, got 7\nr.toml: sink.r.mqtt.topic must be set";
        assert_eq!(
            of_actions(problems, "r"),
            "action mqtt.qos must be 0 or 1, got 7; action mqtt.topic must be set"
        );
    }
}
