//! One dead letter as a line of JSON.

use super::DeadLetterKind;
use crate::emit::json;
use crate::message::Message;
use rulemill_core::Micros;

/// A message that could not be processed.
pub(super) struct MessageLine<'a> {
    pub(super) time: Micros,
    pub(super) rule: Option<&'a str>,
    pub(super) source: &'a str,
    pub(super) message: &'a Message,
    pub(super) kind: DeadLetterKind,
    pub(super) reason: &'a str,
}

/// A row of a result that could not be delivered or computed.
pub(super) struct RowLine<'a> {
    pub(super) time: Micros,
    pub(super) rule: &'a str,
    pub(super) window: Option<(Micros, Micros)>,
    pub(super) row: &'a [u8],
    pub(super) kind: DeadLetterKind,
    pub(super) reason: &'a str,
}

impl MessageLine<'_> {
    /// The line with its newline. At most `payload_bytes_max` bytes of the payload are kept.
    pub(super) fn write(&self, payload_bytes_max: usize) -> Vec<u8> {
        let payload = &self.message.payload[..];
        let kept = &payload[..payload.len().min(payload_bytes_max)];
        let mut out = start(self.time, self.kind, self.reason, kept.len());
        if let Some(rule) = self.rule {
            text(&mut out, "rule", rule);
        }
        write_message(&mut out, self.source, self.message, kept);
        out.extend_from_slice(b"}\n");
        out
    }
}

/// A message with its whole payload as a line, to be published again: `source`, `topic`, `qos`, `arrival` (milliseconds)
/// and `payload`, or `payload_base64` when it is no text.
pub(crate) fn message_line(source: &str, message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.payload.len() + 128);
    write_message(&mut out, source, message, &message.payload);
    // In place of the comma before the first key.
    out[0] = b'{';
    out.extend_from_slice(b"}\n");
    out
}

fn write_message(out: &mut Vec<u8>, source: &str, message: &Message, kept: &[u8]) {
    let cut = kept.len() < message.payload.len();
    text(out, "source", source);
    text(out, "topic", &message.topic);
    int(out, "qos", i64::from(message.qos));
    int(out, "arrival", millis(message.arrival));
    write_payload(out, kept, cut);
    if cut {
        out.extend_from_slice(b",\"truncated\":true");
    }
}

impl RowLine<'_> {
    /// The line with its newline. A row of more than `payload_bytes_max` bytes is kept as cut text.
    pub(super) fn write(&self, payload_bytes_max: usize) -> Vec<u8> {
        let kept = &self.row[..self.row.len().min(payload_bytes_max)];
        let mut out = start(self.time, self.kind, self.reason, kept.len());
        text(&mut out, "rule", self.rule);
        if let Some((start, end)) = self.window {
            key(&mut out, "window");
            out.push(b'[');
            json::write_int(&mut out, millis(start));
            out.push(b',');
            json::write_int(&mut out, millis(end));
            out.push(b']');
        }
        if kept.len() == self.row.len() {
            key(&mut out, "group");
            out.extend_from_slice(kept);
        } else {
            text(&mut out, "group_text", &String::from_utf8_lossy(kept));
            out.extend_from_slice(b",\"truncated\":true");
        }
        out.extend_from_slice(b"}\n");
        out
    }
}

fn start(time: Micros, kind: DeadLetterKind, reason: &str, payload: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload + reason.len() + 256);
    out.extend_from_slice(b"{\"time\":");
    json::write_int(&mut out, millis(time));
    text(&mut out, "kind", kind.label());
    text(&mut out, "reason", reason);
    out
}

fn write_payload(out: &mut Vec<u8>, kept: &[u8], cut: bool) {
    match std::str::from_utf8(kept) {
        Ok(payload) => text(out, "payload", payload),
        // The cut may have gone through a character; the text before it is still a text.
        Err(error) if cut && error.error_len().is_none() => {
            let valid = String::from_utf8_lossy(&kept[..error.valid_up_to()]);
            text(out, "payload", &valid);
        }
        Err(_) => {
            key(out, "payload_base64");
            json::write_base64(out, kept);
        }
    }
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    json::write_text(out, value);
}

fn int(out: &mut Vec<u8>, name: &str, value: i64) {
    key(out, name);
    json::write_int(out, value);
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    json::write_text(out, name);
    out.push(b':');
}

fn millis(time: Micros) -> i64 {
    time.0.div_euclid(1000)
}
