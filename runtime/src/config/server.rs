//! Server addresses: `tcp://`, `mqtt://`, `ssl://` and `mqtts://` with a host and perhaps a port.

use super::types::ServerAddress;
use std::fmt;
use std::net::Ipv6Addr;

impl ServerAddress {
    /// Reads a URL such as `ssl://host:8883`. The error continues "must ...".
    ///
    /// # Errors
    /// Another scheme, no host, a bad port, or anything after the port.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("must be tcp://HOST:PORT or ssl://HOST:PORT, got \"{url}\": {what}");
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("there is no ://"));
        };
        let tls = match scheme {
            "tcp" | "mqtt" => false,
            "ssl" | "mqtts" => true,
            _ => return Err(wrong("the scheme may be tcp, mqtt, ssl or mqtts")),
        };
        if rest.contains('@') {
            // Not repeated, as there may be a password in it.
            return Err("must be without user name and password, which have their own keys".to_owned());
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest).ok_or_else(|| wrong("an IPv6 address needs brackets: [::1]:1883"))?;
        let port = match port {
            None if tls => 8883,
            None => 1883,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("the port must be 1 to 65535")),
            },
        };
        let is_host_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_host_character) {
            return Err(wrong("the host must be a DNS name or an IP address"));
        }
        let host = host.to_owned();
        Ok(Self { host, port, tls })
    }

    /// The host as the MQTT client wants it. Without TLS it joins host and port with a colon, so that an IPv6 address
    /// needs brackets; with TLS the host is also the name to verify, which must not have them.
    pub fn client_host(&self) -> String {
        if !self.tls && self.host.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// Whether this is an endpoint of AWS IoT Core, whose limits then hold.
    pub fn is_aws(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "ssl" } else { "tcp" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// The longest DNS name.
const HOST_BYTES_MAX: usize = 253;

/// Host and port; `None` for an IPv6 address without brackets.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_schemes_have_their_usual_ports() {
        for (url, shown) in [
            ("tcp://127.0.0.1:1884", "tcp://127.0.0.1:1884"),
            ("mqtt://broker", "tcp://broker:1883"),
            (
                "ssl://x.iot.eu-west-1.amazonaws.com",
                "ssl://x.iot.eu-west-1.amazonaws.com:8883",
            ),
            ("mqtts://broker/", "ssl://broker:8883"),
            ("tcp://[::1]:5", "tcp://[::1]:5"),
            ("ssl://[::1]", "ssl://[::1]:8883"),
        ] {
            let address = ServerAddress::parse(url).unwrap();
            assert_eq!(address.to_string(), shown, "{url}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_reason() {
        for (url, reason) in [
            ("broker:1883", "there is no ://"),
            ("http://broker", "the scheme may be"),
            ("tcp://", "the host must be"),
            ("tcp://:1883", "the host must be"),
            ("tcp://broker:0", "the port must be"),
            ("tcp://broker:65536", "the port must be"),
            ("tcp://broker:x", "the port must be"),
            ("tcp://::1", "needs brackets"),
            ("tcp://[::1", "needs brackets"),
            ("tcp://me:secret@broker", "their own keys"),
            ("tcp://broker:1883/path", "the port must be"),
            ("tcp://bro ker", "the host must be"),
        ] {
            let error = ServerAddress::parse(url).unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn an_ipv6_address_gets_brackets_only_where_it_is_joined_with_the_port() {
        for (url, host) in [
            ("tcp://[::1]", "[::1]"),
            ("ssl://[::1]", "::1"),
            ("tcp://10.0.0.1", "10.0.0.1"),
            ("ssl://10.0.0.1", "10.0.0.1"),
            ("tcp://broker", "broker"),
            ("ssl://broker", "broker"),
        ] {
            assert_eq!(ServerAddress::parse(url).unwrap().client_host(), host, "{url}");
        }
    }

    #[test]
    fn aws_is_known_by_the_end_of_its_name() {
        for (url, aws) in [
            ("ssl://a-ats.iot.eu-west-1.amazonaws.com", true),
            ("ssl://a.IOT.cn-north-1.AmazonAWS.com.cn", true),
            ("ssl://amazonaws.com.example.org", false),
            ("ssl://notamazonaws.com", false),
        ] {
            assert_eq!(ServerAddress::parse(url).unwrap().is_aws(), aws, "{url}");
        }
    }
}
