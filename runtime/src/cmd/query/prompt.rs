//! Where statements come from: somebody at a terminal, with a history, or a file.

use anyhow::Context as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

/// What to say where a statement is wanted.
const PROMPT: &str = "kuiper > ";
/// The statements that the history keeps.
const HISTORY_MAX: usize = 500;

/// One line, or that there are no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What was given.
    Text(String),
    /// Nothing comes any more.
    End,
}

/// The lines of a terminal or a file.
pub(super) enum Prompt {
    /// A terminal.
    Terminal(Box<Terminal>),
    /// Anything else.
    File,
}

/// An editor of lines, and where its history is kept.
pub(super) struct Terminal {
    editor: Editor<(), FileHistory>,
    history: Option<PathBuf>,
}

impl Prompt {
    /// That of this process.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub(super) fn open() -> anyhow::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Prompt::File);
        }
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)
            .and_then(|config| config.history_ignore_dups(true))
            .context("the history cannot be set up")?
            .auto_add_history(true)
            .build();
        let mut editor = Editor::with_config(config).context("the terminal cannot be used")?;
        let history = history_file();
        if let Some(history) = &history {
            // The first time there is none.
            let _none = editor.load_history(history);
        }
        Ok(Prompt::Terminal(Box::new(Terminal { editor, history })))
    }

    /// The next line; it is waited for on a thread that may block.
    pub(super) async fn next(self) -> anyhow::Result<(Self, Line)> {
        tokio::task::spawn_blocking(move || match self {
            Prompt::File => Ok((Prompt::File, line_of_file()?)),
            Prompt::Terminal(mut terminal) => {
                let line = terminal.line()?;
                Ok((Prompt::Terminal(terminal), line))
            }
        })
        .await?
    }
}

impl Terminal {
    fn line(&mut self) -> anyhow::Result<Line> {
        let line = match self.editor.readline(PROMPT) {
            Ok(line) => Line::Text(line),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => Line::End,
            Err(error) => return Err(error).context("the terminal cannot be read"),
        };
        if let Some(history) = &self.history {
            // Without a place to keep it, the history ends with the session.
            let _kept = self.editor.save_history(history);
        }
        Ok(line)
    }
}

fn line_of_file() -> anyhow::Result<Line> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok(if read == 0 { Line::End } else { Line::Text(line) })
}

/// `rulemill/history` in the folder for such things of whoever asks, if there is one.
fn history_file() -> Option<PathBuf> {
    let folder = crate::config::state_folder()?.join("rulemill");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
