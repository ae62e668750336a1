//! Where to send requests.

use anyhow::{anyhow, bail};
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `HOST:PORT` or `http://HOST:PORT`.
pub(super) fn parse(text: &str) -> anyhow::Result<Url> {
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let wrong = |why: &str| anyhow!("must be HOST:PORT or http://HOST:PORT: {why}");
    let url = Url::parse(&with_scheme).map_err(|error| wrong(&error.to_string()))?;
    if url.scheme() != "http" {
        bail!(wrong("rulemill speaks plain HTTP"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        bail!(wrong("nothing but a path may stand beside host and port"));
    }
    Ok(url)
}

/// Where something that listens here can be reached from this machine.
pub(super) fn of_listener(listen: SocketAddr) -> anyhow::Result<Url> {
    if listen.port() == 0 {
        bail!("http.listen is {listen}, so the port is not known beforehand; say where to ask with --server");
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    parse(&SocketAddr::new(ip, listen.port()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_scheme_or_none() {
        for (text, url) in [
            ("127.0.0.1:9081", "http://127.0.0.1:9081/"),
            ("http://gateway:80/rulemill/", "http://gateway/rulemill/"),
            ("[::1]:5", "http://[::1]:5/"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), url, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("https://gateway", "plain HTTP"),
            ("", "HOST:PORT"),
            ("http://", "HOST:PORT"),
            ("me:secret@gateway:1", "nothing but a path"),
            ("gateway:70000", "port"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn what_listens_everywhere_is_asked_on_the_loopback() {
        let url = |listen: &str| of_listener(listen.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(url("0.0.0.0:9081").unwrap(), "http://127.0.0.1:9081/");
        assert_eq!(url("[::]:9081").unwrap(), "http://[::1]:9081/");
        assert_eq!(url("10.0.0.7:80").unwrap(), "http://10.0.0.7/");
        assert!(url("127.0.0.1:0").unwrap_err().to_string().contains("--server"));
    }
}
