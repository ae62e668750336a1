//! What may be asked of the pipeline over HTTP. It answers between two looks at the rules directory.

use tokio::sync::oneshot;

/// Something to do with one guest.
#[derive(Debug)]
pub struct GuestRequest {
    /// The name of its file without `.wasm`.
    pub guest: String,
    /// What to do.
    pub action: GuestAction,
    /// Where the answer goes; nobody may wait for it any more.
    pub reply: oneshot::Sender<Result<String, RequestRefused>>,
}

/// What can be done with a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestAction {
    /// Lift its quarantine, and load its file again.
    Retry,
    /// Put its shadow in place of the version that runs.
    Promote,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefused {
    /// There is no guest of that name.
    Unknown(String),
    /// It cannot be done as things are.
    Conflict(String),
}
