//! Why a connection failed or was lost, in a word for the metric and a sentence for the log.

use crate::tls::advised;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, mqttbytes};
use std::error::Error;
use std::fmt::Write;
use std::io::ErrorKind;

/// Why a connection failed or was lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// One of few words.
    pub(crate) reason: &'static str,
    /// A sentence, with what would be right where that is known.
    pub(crate) text: String,
    /// The server closed the connection after it had accepted it.
    pub(crate) closed: bool,
}

impl Loss {
    /// Explains `error` of a client called `client_id`; `connected` is whether it happened after the CONNACK.
    pub(crate) fn explain(error: &ConnectionError, client_id: &str, connected: bool) -> Self {
        let (reason, text) = match error {
            ConnectionError::ConnectionRefused(code) => refused(*code, client_id),
            ConnectionError::MqttState(state) => lost(state, client_id, connected),
            ConnectionError::NetworkTimeout => (
                "connect_timeout",
                "the server did not answer in time: check the address, the port and the firewall".to_owned(),
            ),
            ConnectionError::FlushTimeout => ("write_timeout", "the server stopped reading".to_owned()),
            ConnectionError::Tls(_) => ("tls", advised(chain(error))),
            ConnectionError::Io(io) if is_tls(io) => ("tls", advised(chain(error))),
            ConnectionError::Io(_) => ("io", chain(error)),
            ConnectionError::NotConnAck(_) => (
                "protocol",
                "the server answered CONNECT with another packet: is it an MQTT 3.1.1 broker?".to_owned(),
            ),
            ConnectionError::RequestsDone => ("closed", "the connection was closed by this side".to_owned()),
        };
        let closed = connected && is_close(error);
        Loss { reason, text, closed }
    }

    /// The broker owes an acknowledgement for too long.
    pub(crate) fn ack_timeout(seconds: u64) -> Self {
        Loss {
            reason: "ack_timeout",
            text: format!("a publish was not acknowledged within {seconds} s"),
            closed: false,
        }
    }
}

fn refused(code: ConnectReturnCode, client_id: &str) -> (&'static str, String) {
    match code {
        ConnectReturnCode::RefusedProtocolVersion => (
            "protocol",
            "the server refused the connection: it does not speak MQTT 3.1.1 (CONNACK 1)".to_owned(),
        ),
        ConnectReturnCode::BadClientId => (
            "client_id",
            format!("the server refused the connection: client id {client_id:?} is not allowed (CONNACK 2)"),
        ),
        ConnectReturnCode::ServiceUnavailable => (
            "unavailable",
            "the server refused the connection: service unavailable (CONNACK 3)".to_owned(),
        ),
        ConnectReturnCode::BadUserNamePassword => (
            "credentials",
            "the server refused the connection: bad user name or password (CONNACK 4)".to_owned(),
        ),
        ConnectReturnCode::NotAuthorized => ("not_authorized", not_authorized(5, client_id)),
        ConnectReturnCode::Success => ("protocol", "the server refused the connection with code 0".to_owned()),
    }
}

fn not_authorized(code: u8, client_id: &str) -> String {
    format!(
        "the server refused the connection: not authorized (CONNACK {code}); on AWS IoT Core the certificate must be \
         active and its policy must allow iot:Connect for client/{client_id}"
    )
}

fn lost(state: &StateError, client_id: &str, connected: bool) -> (&'static str, String) {
    match state {
        StateError::Deserialization(mqttbytes::Error::InvalidConnectReturnCode(7)) => {
            ("not_authorized", not_authorized(7, client_id))
        }
        StateError::Deserialization(mqttbytes::Error::Io(error)) => {
            let tls = is_tls(error);
            (if tls { "tls" } else { "io" }, advised(error.to_string()))
        }
        StateError::ConnectionAborted if !connected => (
            "refused",
            format!(
                "the server closed the connection before it answered CONNECT; on AWS IoT Core the certificate must be \
                 active and its policy must allow iot:Connect for client/{client_id}"
            ),
        ),
        StateError::ConnectionAborted => (
            "closed",
            format!(
                "the server closed the connection; on AWS IoT Core that is how a topic that the policy does not allow, \
                 or a second client called {client_id:?}, shows"
            ),
        ),
        StateError::AwaitPingResp => ("ping_timeout", "the server stopped answering pings".to_owned()),
        StateError::Io(error) => ("io", error.to_string()),
        StateError::InvalidState
        | StateError::Unsolicited(_)
        | StateError::WrongPacket
        | StateError::CollisionTimeout
        | StateError::EmptySubscription
        | StateError::Deserialization(_) => ("protocol", chain(state)),
    }
}

/// Whether the other side closed or reset the connection.
fn is_close(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => true,
        ConnectionError::MqttState(StateError::Io(io) | StateError::Deserialization(mqttbytes::Error::Io(io)))
        | ConnectionError::Io(io) => matches!(
            io.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

/// rustls reports through the socket.
fn is_tls(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some()
}

/// The error and what caused it, without saying anything twice.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_change() {
        for (code, reason, part) in [
            (ConnectReturnCode::BadClientId, "client_id", "client id \"demo\""),
            (ConnectReturnCode::BadUserNamePassword, "credentials", "password"),
            (
                ConnectReturnCode::NotAuthorized,
                "not_authorized",
                "iot:Connect for client/demo",
            ),
        ] {
            let loss = Loss::explain(&ConnectionError::ConnectionRefused(code), "demo", false);
            assert_eq!(loss.reason, reason);
            assert!(loss.text.contains(part), "{}", loss.text);
        }
    }

    #[test]
    fn the_code_7_of_aws_is_an_authorization_failure() {
        let error = StateError::Deserialization(mqttbytes::Error::InvalidConnectReturnCode(7));
        let loss = Loss::explain(&ConnectionError::MqttState(error), "demo", false);
        assert_eq!(loss.reason, "not_authorized");
        assert!(loss.text.contains("CONNACK 7"), "{}", loss.text);
    }

    #[test]
    fn a_close_before_and_after_connack_are_told_apart() {
        for (connected, reason) in [(false, "refused"), (true, "closed")] {
            let error = ConnectionError::MqttState(StateError::ConnectionAborted);
            assert_eq!(Loss::explain(&error, "demo", connected).reason, reason);
        }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_a_tls_failure() {
        let inner = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = ConnectionError::Io(std::io::Error::new(ErrorKind::InvalidData, inner));
        let loss = Loss::explain(&error, "demo", false);
        assert_eq!(loss.reason, "tls");
        assert!(
            loss.text.contains("UnknownIssuer") && loss.text.contains("check `ca`"),
            "{}",
            loss.text
        );
    }
}
