//! What an answer, or the lack of one, means for a request: delivered, to be tried again, or final.

use crate::tls::advised;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use rulemill_core::Micros;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// What to do about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It arrived.
    Delivered,
    /// It may arrive when it is sent again, not before `after`.
    Retry {
        /// One of few words.
        reason: &'static str,
        /// A sentence.
        text: String,
        /// What the server asked for.
        after: Option<Duration>,
        /// The server is there, so it may be this request that it does not like.
        answered: bool,
    },
    /// It will never be taken.
    Final {
        /// A sentence.
        reason: String,
    },
}

/// The verdict on an answer that came at `now`.
pub(super) fn of_response(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Micros) -> Verdict {
    if status.is_success() {
        return Verdict::Delivered;
    }
    let mut text = format!("the server answered {status}");
    let quote = String::from_utf8_lossy(&body[..body.len().min(QUOTE_BYTES_MAX)]);
    if !quote.trim().is_empty() {
        let _ = write!(text, ": {}", quote.trim().escape_debug());
    }
    let reason = match status {
        StatusCode::UNAUTHORIZED => "http_401",
        StatusCode::FORBIDDEN => "http_403",
        StatusCode::NOT_FOUND => "http_404",
        StatusCode::REQUEST_TIMEOUT => "http_408",
        StatusCode::TOO_MANY_REQUESTS => "http_429",
        // Not about the request: a portal, a proxy or somebody at work stands before the server, or it cannot take this one yet.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "http_407",
        StatusCode::LOCKED => "http_423",
        StatusCode::TOO_EARLY => "http_425",
        _ if status.is_redirection() => "http_3xx",
        _ if status.is_server_error() => "http_5xx",
        _ => return Verdict::Final { reason: text },
    };
    Verdict::Retry {
        reason,
        text,
        after: retry_after(headers, now),
        answered: true,
    }
}

/// The verdict on a request that got no answer.
pub(super) fn of_error(error: reqwest::Error) -> Verdict {
    // The query of a URL often holds a token.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = inner.source();
    }
    let text = advised(text);
    if error.is_builder() {
        return Verdict::Final { reason: text };
    }
    let reason = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "io"
    };
    Verdict::Retry {
        reason,
        text,
        after: None,
        answered: false,
    }
}

/// `Retry-After` as seconds or as a date, at most [`RETRY_AFTER_MAX`]; nothing when it cannot be read.
fn retry_after(headers: &HeaderMap, now: Micros) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = OffsetDateTime::parse(value, &Rfc2822).ok()?;
            let seconds = at.unix_timestamp().saturating_sub(now.0.div_euclid(1_000_000));
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// How much of the body of an answer is quoted.
const QUOTE_BYTES_MAX: usize = 200;

/// The longest wait a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn after(value: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        // 1994-11-06T08:49:07Z
        retry_after(&headers, Micros(784_111_747_000_000))
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_bounded() {
        for (value, seconds) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:01 GMT", Some(0)),
            ("99999999999", Some(600)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(after(value), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, retried) in [
            (500, true),
            (503, true),
            (302, true),
            (407, true),
            (425, true),
            (401, true),
            (403, true),
            (404, true),
            (408, true),
            (429, true),
            (400, false),
            (410, false),
            (301, true),
            (422, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = of_response(status, &HeaderMap::new(), b"", Micros(0));
            assert_eq!(matches!(verdict, Verdict::Retry { .. }), retried, "{status}");
        }
        let verdict = of_response(StatusCode::GONE, &HeaderMap::new(), b" no\nroute ", Micros(0));
        let reason = "the server answered 410 Gone: no\\nroute".to_owned();
        assert_eq!(verdict, Verdict::Final { reason });
        assert_eq!(
            of_response(StatusCode::NO_CONTENT, &HeaderMap::new(), b"", Micros(0)),
            Verdict::Delivered
        );
    }
}
