//! Emissions by HTTP POST, one request at a time, in order.
//!
//! A request that fails is tried again with full-jitter delays when that can help. While no answer comes at all that goes
//! on for ever: nothing is wrong with the request. When the server answers 5xx, 401, 403, 404 (an expired token or a
//! route that is not there yet would cost everything at once), 408 or 429 (`Retry-After` is honoured) it may never take
//! it, so the number of tries is bounded. Any other answer outside 2xx is final. What is given up goes to dead letter.

mod verdict;

use self::verdict::Verdict;
use super::context::{Delivery, Stop};
use super::outbox::Sequence;
use crate::backoff::Backoff;
use crate::clock;
use crate::config::{HttpSinkConfig, SinkFormat};
use crate::emit::{DeadLetterKind, EncodedEmission};
use crate::tls;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, Url};
use std::time::Duration;
use tracing::warn;

/// A sink of type `http`.
pub(crate) struct HttpSink {
    client: Client,
    url: Url,
    format: SinkFormat,
    delivery: Delivery,
    retries_max: Option<u32>,
    retry: (Duration, Duration),
}

/// Why the settings of an HTTP sink cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpSinkError {
    /// The URL cannot be read.
    #[error("url {0:?} is not a URL such as \"https://host/path\": {1}")]
    Url(String, String),
    /// A header cannot be sent.
    #[error("header {0:?} has a name or a value that HTTP does not allow")]
    Header(String),
    /// The client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// What became of one request.
enum Posted {
    Delivered,
    /// Given up, for this reason.
    Rejected {
        label: &'static str,
        reason: String,
    },
    Stopped,
}

impl HttpSink {
    /// A sink that posts what `delivery` holds.
    pub(crate) fn new(config: &HttpSinkConfig, format: SinkFormat, delivery: Delivery) -> Result<Self, HttpSinkError> {
        let url = Url::parse(&config.url).map_err(|error| HttpSinkError::Url(config.url.clone(), error.to_string()))?;
        let tls = config
            .tls
            .as_ref()
            .map_or_else(tls::trusting_nobody, |tls| tls.client.as_ref().clone());
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(config.timeout)
            .default_headers(headers_of(config)?)
            // The configuration says where emissions go, not the environment.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(HttpSink {
            client,
            url,
            format,
            delivery,
            retries_max: config.retries_max,
            retry: (Duration::from_secs(1), Duration::from_secs(120)),
        })
    }

    /// Posts until it is told to stop.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut cursor = Sequence::START;
        loop {
            let (sequence, emission) = tokio::select! {
                next = self.delivery.outbox.wait_next(cursor) => next,
                () = stop.requested() => break,
            };
            cursor = sequence;
            let emission = self.delivery.addressed(emission);
            if !self.post_emission(&emission, &mut stop).await {
                break;
            }
            self.delivery.outbox.done(sequence);
        }
        self.delivery.counters.connected.set(0);
        self.delivery.counters.in_flight.set(0);
    }

    /// Posts an emission, whole or row by row; false when stopped.
    async fn post_emission(&self, emission: &EncodedEmission, stop: &mut Stop) -> bool {
        let bodies: Vec<(Bytes, usize)> = match self.format {
            SinkFormat::Array => vec![(emission.json.clone(), emission.ends.len())],
            SinkFormat::Single => emission
                .rows()
                .map(|row| (emission.json.slice_ref(row.json), 1))
                .collect(),
        };
        let mut arrived = false;
        for (body, rows) in bodies {
            match self.post(&body, stop).await {
                Posted::Delivered => {
                    arrived = true;
                    self.delivery.delivered(0, rows, body.len());
                }
                Posted::Rejected { label, reason } => self.reject(emission, &body, rows, label, &reason),
                Posted::Stopped => return false,
            }
        }
        self.delivery.delivered(u64::from(arrived), 0, 0);
        true
    }

    async fn post(&self, body: &Bytes, stop: &mut Stop) -> Posted {
        let mut backoff = Backoff::new(self.retry.0, self.retry.1, Duration::ZERO);
        let mut answers = 0;
        loop {
            self.delivery.counters.in_flight.set(1);
            let answer = tokio::select! {
                answer = self.client.post(self.url.clone()).body(body.clone()).send() => answer,
                () = stop.requested() => return Posted::Stopped,
            };
            self.delivery.counters.in_flight.set(0);
            let verdict = match answer {
                Ok(response) => self.judge(response).await,
                Err(error) => verdict::of_error(error),
            };
            let (reason, text, after, answered) = match verdict {
                Verdict::Delivered => {
                    self.delivery.counters.connected.set(1);
                    return Posted::Delivered;
                }
                Verdict::Final { reason } => {
                    return Posted::Rejected {
                        label: "refused",
                        reason,
                    };
                }
                Verdict::Retry {
                    reason,
                    text,
                    after,
                    answered,
                } => (reason, text, after, answered),
            };
            self.delivery.counters.connected.set(0);
            self.delivery.counters.reconnects(reason).inc();
            if answered && self.retries_max.is_some_and(|retries_max| answers >= retries_max) {
                let reason = format!("given up after {answers} retries: {text}");
                return Posted::Rejected {
                    label: "retries_exhausted",
                    reason,
                };
            }
            answers = answers.saturating_add(u32::from(answered));
            self.delivery.counters.retries.inc();
            let delay = backoff.next_delay(clock::monotonic()).max(after.unwrap_or_default());
            let retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            warn!(sink = %self.delivery.counters.sink, reason, retry_in_ms, "the request failed: {text}");
            tokio::select! {
                () = clock::pass(delay) => {}
                () = stop.requested() => return Posted::Stopped,
            }
        }
    }

    /// The verdict on an answer. Its body is read, so that the connection can be used again, and its start is quoted.
    async fn judge(&self, mut response: Response) -> Verdict {
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status has come; what is wrong with the body does not change it.
                Ok(None) | Err(_) => break,
            }
        }
        verdict::of_response(response.status(), response.headers(), &body, clock::wall())
    }

    fn reject(&self, emission: &EncodedEmission, body: &Bytes, rows: usize, label: &'static str, reason: &str) {
        self.delivery.counters.dropped(label).inc_by(rows as u64);
        match self.format {
            SinkFormat::Array => {
                for row in emission.rows() {
                    self.delivery
                        .reject_row(emission, row.json, DeadLetterKind::Refused, reason);
                }
            }
            SinkFormat::Single => self
                .delivery
                .reject_row(emission, body, DeadLetterKind::Refused, reason),
        }
    }
}

fn headers_of(config: &HttpSinkConfig) -> Result<HeaderMap, HttpSinkError> {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    for (name, value) in &config.headers {
        let bad = || HttpSinkError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.insert(key, HeaderValue::from_str(value).map_err(|_| bad())?);
    }
    Ok(headers)
}

/// Why a request may fail, for counters that begin at 0.
pub(crate) const FAILURES: [&str; 9] = [
    "connect", "http_401", "http_403", "http_404", "http_408", "http_429", "http_5xx", "io", "timeout",
];

/// Why rows are given up here.
pub(crate) const DROPS: [&str; 2] = ["refused", "retries_exhausted"];

/// How much of an answer is read. Beyond it the connection is closed.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
