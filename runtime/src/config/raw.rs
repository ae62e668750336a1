//! The sections and keys of the file, as written there. The doc comments are the reference page.

use super::read::{CountOrNone, SinkType, Size, SizeOrNone};
use super::reload::{OnChange, OnRemove};
use super::section::section;
use super::types::{Durability, OnFull, OnStop, SinkFormat, SinkQueue};
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

section! {
    /// Keys outside any section. They stand at the top of the file.
    RawTop {
        /// How long a stop waits for the sinks to send what is queued.
        stop_timeout: Duration,
    }
}

section! {
    /// Where the rules are, and what those that say nothing themselves read and write.
    RawRules {
        /// The directory of `.wasm` files, rules and libraries alike.
        dir: String,
        /// The sinks of rules that name none.
        default_sinks: Vec<String>,
        /// The source of rules that name none. Left out: every source.
        default_source: String,
        /// How often the directory is read when no file event comes, as on a network mount.
        poll_interval: Duration,
    }
}

section! {
    /// Where rulemill keeps its own files.
    RawData {
        /// The directory; it is made when it is not there.
        dir: String,
        /// The most bytes of compiled code kept in `cache` of that directory, so that a start need not compile every guest
        /// again. What is used least goes first. 0 keeps none.
        cache_bytes_max: Size,
        /// The most bytes of the journal. When it is full, nothing is acknowledged until a checkpoint has made room: sources and
        /// devices wait, and nothing is dropped.
        journal_bytes_max: Size,
        /// How often the state of all windows is put on disk, after which the journal can shrink: 100 ms to 10 min.
        checkpoint_interval: Duration,
        /// What becomes of open windows when rulemill stops: they are kept on disk and go on at the next start, or they are emitted
        /// as they are. With no journal they are always emitted.
        on_stop: OnStop,
    }
}

section! {
    /// A broker to read from. `NAME` is how rules, metrics and logs call it.
    RawSource {
        /// The broker: `tcp://HOST:PORT` or `mqtt://` (port 1883 when left out), over TLS `ssl://` or `mqtts://` (port 8883).
        server: String,
        /// The quality of service of subscriptions: 0 or 1.
        qos: u64,
        /// The MQTT client id. It must stay the same over restarts, as the broker keeps unread messages under it.
        /// `{host}` stands for the machine's name and `{name}` for the section's. When the filters of rules overlap in
        /// part, further connections are made with `-2` to `-8` after it.
        client_id: String,
        /// The user name.
        username: String,
        /// The password; needs `username`.
        password: String,
        /// The PEM file with the authorities to trust. Left out: the system's store.
        ca: String,
        /// The PEM file with the client's certificate, followed by its chain; needs `key`.
        cert: String,
        /// The PEM file with the certificate's private key: PKCS#1, SEC1 or PKCS#8. Only its owner may be able to read it.
        key: String,
        /// Whether the broker forgets this client when it disconnects. With false, messages of QoS 1 wait there.
        clean_session: bool,
        /// The longest silence before the connection is tested: 30 s to 20 min.
        keep_alive: Duration,
        /// The largest packet whose message is processed. A larger one is acknowledged, counted, and goes to dead letter.
        packet_bytes_max: Size,
        /// Subscribe as `$share/GROUP/FILTER`, so that several rulemills share the messages.
        share_group: String,
        /// What has happened to a message before it is acknowledged. With `process-crash` it is written to the journal, which is synced
        /// every second: nothing is lost when rulemill ends in whatever way, and a power cut can cost at most that second. With
        /// `power-loss` it is synced too. With `none` it is in memory only.
        durability: Durability,
    }
}

section! {
    /// Devices may publish straight to rulemill. It is an endpoint that takes messages in, not a broker: nobody can
    /// subscribe to it. Without this section it is off.
    RawListener {
        /// The address devices publish to.
        mqtt: SocketAddr,
        /// The most devices at once. A further one is refused with "server unavailable".
        clients_max: u64,
        /// The largest packet taken. A larger one closes its connection, and what has come of it goes to dead letter.
        packet_bytes_max: Size,
        /// The most messages of one device that wait for their acknowledgement. Then its connection is not read.
        inflight_max: u64,
        /// As for a source.
        durability: Durability,
    }
}

section! {
    /// Where results go. Every type of sink has these keys. A sink called `log`, of type `log`, is there without a section.
    RawSink {
        /// What kind of sink it is.
        kind as "type": SinkType,
        /// One array an emission, or one object a row.
        format: SinkFormat,
        /// The most bytes that wait for the sink.
        queue_bytes_max: Size,
        /// What happens to an emission that does not fit any more. What is dropped is counted.
        on_full: OnFull,
        /// Where emissions wait: on disk, below the `dir` of `[data]`, where they outlive a crash, or in memory. Left out: on disk
        /// for `mqtt` and `http`, in memory for `log` and `file`, which are never away.
        queue: SinkQueue,
        /// A member that is added at the beginning of each row: an id, the same whenever the row is sent again, by which whoever
        /// receives it can drop what comes twice. Left out: there is none.
        id_field: String,
    }
}

section! {
    /// Publishes to an MQTT broker, such as AWS IoT Core.
    RawMqttSink {
        /// The broker, as for a source.
        server: String,
        /// The topic. `{name}` stands for the value of the emitted member `name`.
        topic: String,
        /// The quality of service of publishes: 0 or 1.
        qos: u64,
        /// Whether the broker keeps the last message for later subscribers.
        retain: bool,
        /// The MQTT client id, as for a source.
        client_id: String,
        /// The user name.
        username: String,
        /// The password; needs `username`.
        password: String,
        /// The PEM file with the authorities to trust. Left out: the system's store.
        ca: String,
        /// The PEM file with the client's certificate, followed by its chain; needs `key`.
        cert: String,
        /// The PEM file with the certificate's private key: PKCS#1, SEC1 or PKCS#8. Only its owner may be able to read it.
        key: String,
        /// The longest silence before the connection is tested: 30 s to 20 min.
        keep_alive: Duration,
        /// The most publishes that wait for their acknowledgement: 1 to 90 for AWS IoT Core.
        inflight_max: u64,
        /// The largest payload. A larger emission is split between rows.
        payload_bytes_max: Size,
        /// The most publishes a second.
        publishes_per_second_max: CountOrNone,
        /// The most bytes a second.
        bytes_per_second_max: SizeOrNone,
    }
}

section! {
    /// Appends one line of JSON an emission to a file.
    RawFileSink {
        /// The file.
        path: String,
        /// The size at which it is renamed to `PATH.1` and a new one is begun.
        rotate_bytes: Size,
        /// How many renamed files are kept.
        keep: u64,
    }
}

section! {
    /// Sends each emission in a POST request.
    RawHttpSink {
        /// Where to: `http://` or `https://`.
        url: String,
        /// Further headers of the request.
        headers: BTreeMap<String, String>,
        /// How long one request may take.
        timeout: Duration,
        /// How often a request is tried again that the server answers with 5xx, 3xx, 401, 403, 404, 407, 408, 423, 425 or 429, before its rows go to dead letter. While no answer comes, it is tried for ever.
        retries_max: CountOrNone,
        /// The PEM file with the authorities to trust. Left out: the system's store.
        ca: String,
        /// The PEM file with the client's certificate, followed by its chain; needs `key`.
        cert: String,
        /// The PEM file with the certificate's private key: PKCS#1, SEC1 or PKCS#8. Only its owner may be able to read it.
        key: String,
    }
}

section! {
    /// Where messages and rows go that could not be processed, each with its kind and reason, as JSON lines. Kinds:
    /// `decode`, `rejected`, `row`, `guest`, `suspended`, `late`, `bound`, `oversize`, `topic`, `too_large`, `refused`.
    RawDeadLetter {
        /// The file. `{data}` stands for the `dir` of `[data]`.
        file: String,
        /// The size at which it is renamed to `FILE.1` and a new one is begun.
        rotate_bytes: Size,
        /// How many renamed files are kept.
        keep: u64,
        /// The most bytes of a message's payload that are kept.
        payload_bytes_max: Size,
    }
}

section! {
    /// Health, metrics and the state of the rules over HTTP. Without this section it is off.
    RawHttp {
        /// The address. One that other machines can reach needs a `token`.
        listen: SocketAddr,
        /// What clients must send as `Authorization: Bearer TOKEN`: at least 16 characters of ASCII.
        token: String,
    }
}

section! {
    /// What happens when guests are replaced or removed. All of it may be set for one guest in the file beside it, at its top.
    RawReload {
        /// When a version with other keys, windows or aggregates begins: with the next window, while the version before it
        /// finishes those that are open, or at once, and these are closed as they are.
        on_change: OnChange,
        /// What becomes of the open windows of a rule whose file is removed: they go on to their end, or are thrown away.
        on_remove: OnRemove,
        /// How long a new version is watched. If it fails on messages that the version before it can process, that one comes back.
        /// `0s`: it is not watched.
        probation: Duration,
        /// How many batches of messages it must have seen before the watch ends.
        probation_batches: u64,
    }
}

section! {
    /// Bounds of guests and windows. All but `file_bytes_max` and `stack_bytes_max` may be set for one guest in the file beside
    /// it. How often a guest meets one is counted: `rulemill_guest_limit_hits_total`.
    RawLimits {
        /// The longest a guest may run in one call. Then the call fails and its batch is divided to find the cause.
        call_timeout: Duration,
        /// The most memory of one guest.
        memory_bytes_max: Size,
        /// The most elements of a guest's tables; these hold its function pointers.
        table_elements_max: u64,
        /// The most stack of one call: 64KiB to 1MiB. A deeper recursion is a trap. It holds for all guests, from the next
        /// start on.
        stack_bytes_max: Size,
        /// The most that one call gives back: the bytes of all its columns and texts.
        output_bytes_max: Size,
        /// The most row errors of one call that are told with their text. Further rows that fail go to dead letter without.
        row_errors_max: u64,
        /// The most notes of one guest that are logged in a second. Further ones are only counted.
        notes_per_second_max: u64,
        /// The most core instances that a guest consists of.
        core_instances_max: u64,
        /// The batches in a row that a function or a kernel may fail in, with all their rows, before it is suspended: its rows go to
        /// dead letter untried, for a second at first, then for twice as long each time that it fails again.
        suspend_after_batches: u64,
        /// The longest time for which it is suspended before it is tried again.
        suspend_max: Duration,
        /// The largest `.wasm` file that is loaded.
        file_bytes_max: Size,
        /// The most groups in one window of a rule. Rows of further groups go to dead letter. A group that takes more than
        /// 1 KiB, as with more than some forty aggregates, counts as several.
        groups_max: u64,
        /// The most open windows of one rule. Rows of further windows go to dead letter.
        windows_max: u64,
    }
}

section! {
    /// The file `NAME.toml` beside `NAME.wasm` sets what the rule leaves to its deployment. Every key may be left out.
    /// Sections `[sink.NAME]` with the keys of any sink make sinks that only this rule has; paths in them are relative to the folder of
    /// the configuration.
    RawSidecar {
        /// The topic filters, in place of the rule's own.
        topics: Vec<String>,
        /// The source, in place of `default_source`.
        source: String,
        /// The sinks, in place of the rule's own. Left out when the file has sections `[sink.NAME]`: these.
        sinks: Vec<String>,
        /// Whether the rule is stopped: it takes no messages until this is gone.
        stopped: bool,
        /// The size of the windows, in place of the rule's own.
        window: Duration,
        /// The settings that the rule declares.
        settings: BTreeMap<String, Literal>,
        /// Whether this version runs beside the one before without emitting, until it is promoted.
        shadow: bool,
        /// In place of `reload.on_change`.
        on_change: OnChange,
        /// In place of `reload.on_remove`.
        on_remove: OnRemove,
        /// In place of `reload.probation`.
        probation: Duration,
        /// In place of `reload.probation_batches`.
        probation_batches: u64,
    }
}

section! {
    /// Bounds of this rule, in place of those of the configuration.
    RawRuleLimits {
        /// The longest the rule may run in one call.
        call_timeout: Duration,
        /// The most memory of the rule.
        memory_bytes_max: Size,
        /// The most elements of its tables.
        table_elements_max: u64,
        /// The most that one call gives back.
        output_bytes_max: Size,
        /// The most row errors of one call that are told with their text.
        row_errors_max: u64,
        /// The most of its notes that are logged in a second.
        notes_per_second_max: u64,
        /// The most core instances that it consists of.
        core_instances_max: u64,
        /// The batches in a row that it may fail in before it is suspended.
        suspend_after_batches: u64,
        /// The longest time for which it is suspended.
        suspend_max: Duration,
        /// The most groups in one of its windows.
        groups_max: u64,
        /// Its most open windows.
        windows_max: u64,
    }
}
