//! The checked configuration. Everything in it has been validated: code that uses it does not check again.

use super::reload::ReloadConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the file, which relative paths are relative to.
    pub folder: PathBuf,
    /// The rules directory and defaults for rules.
    pub rules: RulesConfig,
    /// Where rulemill keeps its own files.
    pub data_dir: PathBuf,
    /// The most bytes of compiled code kept there; 0: none.
    pub cache_bytes_max: u64,
    /// The journal and its checkpoints.
    pub journal: JournalConfig,
    /// The brokers to read from, by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The built-in listener, if any.
    pub listener: Option<ListenerConfig>,
    /// Where emissions go, by name.
    pub sinks: BTreeMap<String, SinkConfig>,
    /// What happens to messages and rows that cannot be processed.
    pub dead_letter: DeadLetterConfig,
    /// The HTTP endpoint, if any.
    pub http: Option<HttpConfig>,
    /// What happens when guests are replaced or removed.
    pub reload: ReloadConfig,
    /// Bounds of guests and windows.
    pub limits: LimitsConfig,
    /// How long a stop may take to drain the sinks.
    pub stop_timeout: Duration,
    /// The digests of the TLS files, so that a renewed certificate counts as a change.
    pub(super) digests: BTreeMap<PathBuf, Digest>,
    /// What was in force, as TOML without secrets.
    pub(super) effective: String,
}

/// The SHA-256 of a file.
pub(super) type Digest = [u8; 32];

/// What of `[data]` concerns the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// The most bytes of the journal.
    pub bytes_max: u64,
    /// How often a checkpoint is taken.
    pub checkpoint_interval: Duration,
    /// What becomes of open windows at a stop.
    pub on_stop: OnStop,
}

/// What has happened to a message before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk: it survives a loss of power.
    PowerLoss,
    /// It is written: it survives the end of the process, and a loss of power once a second has passed.
    #[default]
    ProcessCrash,
    /// It is in memory.
    None,
}

/// What becomes of open windows when rulemill stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStop {
    /// They go on at the next start.
    #[default]
    Keep,
    /// They are emitted as they are.
    Emit,
}

/// `[rules]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesConfig {
    /// The directory of `.wasm` files.
    pub dir: PathBuf,
    /// The sinks of rules that name none.
    pub default_sinks: Vec<String>,
    /// The source of rules that name none; `None`: the only one there is, or all of them.
    pub default_source: Option<String>,
    /// How often the directory is looked at when no file event comes.
    pub poll_interval: Duration,
}

/// `[source.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// The broker.
    pub server: ServerAddress,
    /// The QoS of subscriptions: 0 or 1.
    pub qos: u8,
    /// The MQTT client id; not empty. See [`SourceConfig::lane_client_id`] for those of further connections.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// TLS, when the server's scheme asks for it.
    pub tls: Option<TlsConfig>,
    /// Whether the broker forgets the session on disconnect. Default false: QoS 1 messages wait at the broker.
    pub clean_session: bool,
    /// The keep-alive; 30 s to 1200 s.
    pub keep_alive: Duration,
    /// The largest packet taken, in bytes.
    pub packet_bytes_max: usize,
    /// When set, each filter is subscribed to as `$share/GROUP/FILTER`.
    pub share_group: Option<String>,
    /// What has happened to a message before it is acknowledged.
    pub durability: Durability,
}

impl Config {
    /// Whether anything is to be kept in a journal.
    pub fn is_journalled(&self) -> bool {
        let sources = self.sources.values().map(|source| source.durability);
        let listener = self.listener.as_ref().map(|listener| listener.durability);
        sources.chain(listener).any(|durability| durability != Durability::None)
    }
}

impl SourceConfig {
    /// The client id of the source's connections: for the first one as configured, for further ones with `-2`, `-3` and
    /// so on after it. `lane` counts from 0.
    pub fn lane_client_id(&self, lane: usize) -> String {
        match lane {
            0 => self.client_id.clone(),
            _ => format!("{}-{}", self.client_id, lane + 1),
        }
    }
}

/// Host and port of a server, and whether to speak TLS to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// A DNS name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// `ssl://` and `mqtts://`.
    pub tls: bool,
}

/// User name and password of an MQTT connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password; never printed.
    pub password: String,
}

/// TLS of a client connection. The files have been read and checked; `client` is ready for use.
#[derive(Clone)]
pub struct TlsConfig {
    /// The ready configuration, with ALPN set when the port asks for it.
    pub client: Arc<rustls::ClientConfig>,
    /// The files it came from, for messages.
    pub files: TlsFiles,
}

/// The PEM files of a TLS client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority to trust; `None`: the system's store.
    pub ca: Option<PathBuf>,
    /// The client's certificate, followed by its chain.
    pub cert: Option<PathBuf>,
    /// The certificate's private key: PKCS#1, SEC1 or PKCS#8.
    pub key: Option<PathBuf>,
}

/// `[listener]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// The address devices publish to.
    pub mqtt: SocketAddr,
    /// The most clients at once; a further one is refused with "server unavailable".
    pub clients_max: usize,
    /// The largest packet taken, in bytes; a larger one closes its connection.
    pub packet_bytes_max: usize,
    /// QoS 1 messages of one client that may wait for their acknowledgement; then its socket is not read.
    pub inflight_max: usize,
    /// What has happened to a message before it is acknowledged.
    pub durability: Durability,
}

/// `[sink.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// What kind of sink, with its own options.
    pub kind: SinkKind,
    /// One array an emission, or one object a row.
    pub format: SinkFormat,
    /// The most bytes that wait for this sink.
    pub queue_bytes_max: usize,
    /// What happens to an emission that does not fit.
    pub on_full: OnFull,
    /// Where they wait.
    pub queue: SinkQueue,
    /// The member that is added to each row, with an id that is the same when the row is sent again.
    pub id_field: Option<String>,
}

/// The kinds of sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// One line an emission on standard output.
    Log,
    /// An MQTT broker, such as AWS IoT Core.
    Mqtt(MqttSinkConfig),
    /// JSON lines in a file.
    File(FileSinkConfig),
    /// HTTP POST.
    Http(HttpSinkConfig),
}

/// How an emission is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkFormat {
    /// One JSON array an emission.
    #[default]
    Array,
    /// One JSON object a row.
    Single,
}

/// Where emissions wait for their sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkQueue {
    /// On disk: they outlive the process, and take little memory.
    #[default]
    Disk,
    /// In memory.
    Memory,
}

/// What happens at the bound of a sink's queue. Whatever is dropped is counted and named in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// The mill thread waits, so that sources stop acknowledging.
    Block,
    /// The oldest waiting emission is dropped.
    #[default]
    DropOldest,
    /// The new emission is dropped.
    DropNewest,
}

/// A sink of type `mqtt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSinkConfig {
    /// The broker.
    pub server: ServerAddress,
    /// The topic; `{name}` stands for the value of an emitted column, which sends one message a row group.
    pub topic: String,
    /// 0 or 1.
    pub qos: u8,
    /// Whether the broker keeps the last message.
    pub retain: bool,
    /// The MQTT client id; not empty.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// TLS, when the server's scheme asks for it.
    pub tls: Option<TlsConfig>,
    /// The keep-alive; 30 s to 1200 s.
    pub keep_alive: Duration,
    /// The most publishes in flight; 1 to 90 for AWS IoT Core.
    pub inflight_max: u16,
    /// The largest payload, in bytes; larger emissions are split at row boundaries.
    pub payload_bytes_max: usize,
    /// The most publishes a second; `None`: no bound.
    pub publishes_per_second_max: Option<u32>,
    /// The most bytes a second; `None`: no bound.
    pub bytes_per_second_max: Option<u32>,
}

/// A sink of type `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// The file that is appended to.
    pub path: PathBuf,
    /// The size at which it is rotated, in bytes.
    pub rotate_bytes: u64,
    /// How many rotated files are kept.
    pub keep: usize,
}

/// A sink of type `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSinkConfig {
    /// Where to POST.
    pub url: String,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a failed request is tried again before its emission is given up; `None`: for ever.
    pub retries_max: Option<u32>,
    /// TLS, for `https://`.
    pub tls: Option<TlsConfig>,
}

/// `[dead_letter]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// The file that is appended to.
    pub file: FileSinkConfig,
    /// The most payload bytes kept of a message.
    pub payload_bytes_max: usize,
}

/// `[http]`
#[derive(Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address of the endpoint; loopback unless there is a token.
    pub listen: SocketAddr,
    /// What clients must send as `Authorization: Bearer TOKEN`; never printed.
    pub token: Option<String>,
}

/// `[limits]`, also settable for one rule in the file beside it.
/// The journal holds it too, so what an older rulemill did not know has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsConfig {
    /// The longest a guest may run in one call.
    pub call_timeout: Duration,
    /// The most memory of one guest instance, in bytes.
    pub memory_bytes_max: usize,
    /// The most elements of all tables of one guest instance.
    pub table_elements_max: usize,
    /// The most stack of one call, in bytes. The same for all guests.
    pub stack_bytes_max: usize,
    /// The most that one call gives back, in bytes.
    pub output_bytes_max: usize,
    /// The most row errors of one call that keep their texts.
    pub row_errors_max: usize,
    /// The most notes a second that are logged.
    pub notes_per_second_max: u32,
    /// The most core instances of one guest instance.
    pub core_instances_max: usize,
    /// The batches in a row that a call may fail in before it is suspended.
    pub suspend_after_batches: u32,
    /// The longest time for which a call is suspended before it is tried again.
    pub suspend_max: Duration,
    /// The largest `.wasm` file, in bytes.
    pub file_bytes_max: u64,
    /// The most groups in one window of a rule. Rows of further groups go to dead letter.
    pub groups_max: usize,
    /// The most open windows of one rule. Rows of further windows go to dead letter.
    pub windows_max: usize,
}

/// By the names of the files; whether their contents changed is for [`Config::changes_since`].
impl PartialEq for TlsConfig {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for TlsConfig {}

/// What is in force when nothing is set.
impl Default for Config {
    fn default() -> Self {
        super::nothing_configured()
    }
}

/// Those of `default.toml`.
impl Default for LimitsConfig {
    fn default() -> Self {
        super::nothing_configured().limits
    }
}

impl std::fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpConfig")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
