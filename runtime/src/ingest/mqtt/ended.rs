//! Why a connection to a broker ended.

use crate::telemetry::source::DisconnectReason;
use crate::tls::advised;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, mqttbytes};

/// The end of one connection.
#[derive(Debug)]
pub(super) enum Ended {
    /// As asked; everything taken was delivered and acknowledged, or the time for it was over.
    Stopped,
    /// The mills are gone.
    MillsGone,
    /// The session was thrown away on purpose: it is not needed, or see [`super::oversize`].
    Purged,
    /// The lane is not needed any more; what is left to do is to throw its session away.
    Closing,
    /// A packet is larger than this connection takes.
    Oversize { bytes: usize },
    /// Anything else; a new connection may help.
    Failed { reason: DisconnectReason, message: String },
}

impl From<ConnectionError> for Ended {
    fn from(error: ConnectionError) -> Self {
        if let Some(bytes) = oversize(&error) {
            return Ended::Oversize { bytes };
        }
        Ended::Failed {
            reason: reason(&error),
            message: message(&error),
        }
    }
}

fn oversize(error: &ConnectionError) -> Option<usize> {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(bytes))) => {
            Some(*bytes)
        }
        _ => None,
    }
}

fn reason(error: &ConnectionError) -> DisconnectReason {
    match error {
        ConnectionError::ConnectionRefused(_) => DisconnectReason::Refused,
        ConnectionError::Tls(_) => DisconnectReason::Tls,
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => DisconnectReason::Timeout,
        ConnectionError::Io(_) => DisconnectReason::Network,
        ConnectionError::NotConnAck(_) | ConnectionError::RequestsDone => DisconnectReason::Protocol,
        ConnectionError::MqttState(state) => match state {
            StateError::AwaitPingResp => DisconnectReason::Timeout,
            StateError::ConnectionAborted => DisconnectReason::Closed,
            StateError::Io(_) | StateError::Deserialization(mqttbytes::Error::Io(_)) => DisconnectReason::Network,
            StateError::Deserialization(mqttbytes::Error::InvalidConnectReturnCode(_)) => DisconnectReason::Refused,
            StateError::InvalidState
            | StateError::Unsolicited(_)
            | StateError::WrongPacket
            | StateError::CollisionTimeout
            | StateError::EmptySubscription
            | StateError::Deserialization(_) => DisconnectReason::Protocol,
        },
    }
}

fn message(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::Success => "the broker refused and accepted the connection at once".into(),
            ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1".into(),
            ConnectReturnCode::BadClientId => "the broker does not allow this client id".into(),
            ConnectReturnCode::ServiceUnavailable => "the broker is not available".into(),
            ConnectReturnCode::BadUserNamePassword => "the broker refused the user name or password".into(),
            ConnectReturnCode::NotAuthorized => "the broker does not authorise this client".into(),
        },
        ConnectionError::NetworkTimeout => "no answer in time while connecting".into(),
        ConnectionError::FlushTimeout => "the broker did not take what was sent in time".into(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker did not answer a keep-alive ping".into(),
        ConnectionError::MqttState(StateError::ConnectionAborted) => "the broker closed the connection".into(),
        // AWS IoT Core answers so where 5 (not authorised) is meant.
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::InvalidConnectReturnCode(code))) => {
            format!("the broker refused the connection with the code {code}")
        }
        ConnectionError::NotConnAck(_) => "the broker answered CONNECT with another packet than CONNACK".into(),
        ConnectionError::Io(_)
        | ConnectionError::Tls(_)
        | ConnectionError::RequestsDone
        | ConnectionError::MqttState(_) => advised(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<ConnectionError>, expect: DisconnectReason, text: &str) {
        match Ended::from(error.into()) {
            Ended::Failed { reason, message } => assert_eq!((reason, message.as_str()), (expect, text)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_are_told_apart_and_readable() {
        use mqttbytes::Error;
        let not_authorised = ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized);
        check(
            not_authorised,
            DisconnectReason::Refused,
            "the broker does not authorise this client",
        );
        check(
            StateError::Deserialization(Error::InvalidConnectReturnCode(7)),
            DisconnectReason::Refused,
            "the broker refused the connection with the code 7",
        );
        check(
            StateError::ConnectionAborted,
            DisconnectReason::Closed,
            "the broker closed the connection",
        );
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let text = advised(ConnectionError::Io(std::io::Error::other(tls.clone())).to_string());
        assert!(
            text.ends_with("check `ca`, which must hold the authority of the server's certificate"),
            "{text}"
        );
        check(
            ConnectionError::Io(std::io::Error::other(tls)),
            DisconnectReason::Network,
            &text,
        );
        check(
            StateError::AwaitPingResp,
            DisconnectReason::Timeout,
            "the broker did not answer a keep-alive ping",
        );
    }

    #[test]
    fn an_oversize_packet_is_not_just_a_protocol_error() {
        let error = StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(70_000));
        assert!(matches!(
            Ended::from(ConnectionError::from(error)),
            Ended::Oversize { bytes: 70_000 }
        ));
    }
}
