//! What may be asked of the pipeline over HTTP. It answers between two looks at the rules directory.

use tokio::sync::oneshot;

/// Something that is asked of the pipeline.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub what: Ask,
    /// Where the answer goes; nobody may wait for it any more.
    pub reply: oneshot::Sender<Answered>,
}

/// What came of a request.
pub type Answered = Result<Reply, RequestRefused>;

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Do something with one guest.
    Guest(String, GuestAction),
    /// Make or change a file of the rules directory.
    Define(Definition),
    /// Run a query for somebody who looks on.
    Watch(LiveQuery),
}

/// What can be done with a guest, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestAction {
    /// Lift its quarantine, and load its file again.
    Retry,
    /// Put its shadow in place of the version that runs.
    Promote,
    /// Let a stopped rule run.
    Start,
    /// Let a rule take no more messages.
    Stop,
    /// Stop it, and start it.
    Restart,
}

/// What becomes of streams and rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Make a stream of this statement; with a name, it takes the place of the stream of that name.
    PutStream {
        /// The stream to replace.
        replaces: Option<String>,
        /// `CREATE STREAM ...`
        sql: String,
    },
    /// Remove the stream of that name.
    DropStream(String),
    /// Make a rule of this JSON; with an id, it takes the place of the rule of that id.
    PutRule {
        /// The rule to replace.
        replaces: Option<String>,
        /// The rule file.
        rule: String,
    },
    /// Remove the rule of that id.
    DropRule(String),
    /// Say whether this JSON could become a rule.
    Validate(String),
    /// Say what would become of a query.
    Explain(String),
}

/// A query whose results somebody fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveQuery {
    /// Start it.
    Start(String),
    /// Give what it has by now, or wait for a moment.
    Fetch(String),
    /// End it.
    Stop(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A sentence.
    Text(String),
    /// JSON.
    Json(String),
    /// Something new is there, with a sentence about it.
    Created(String),
    /// Something new is there, with JSON about it.
    CreatedJson(String),
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefused {
    /// There is nothing of that name.
    Unknown(String),
    /// It cannot be done as things are.
    Conflict(String),
    /// What was sent is wrong.
    Invalid(String),
    /// What was sent can be read, and would not run.
    Unprocessable(String),
}
