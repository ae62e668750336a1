//! What MQTT sources and sinks have in common: server, client id, credentials, TLS.

use super::aws::CLIENT_ID_BYTES_MAX as AWS_CLIENT_ID_BYTES_MAX;
use super::{Checker, Section};
use crate::config::problems::Spot;
use crate::config::read::Given;
use crate::config::tls::load_tls;
use crate::config::types::{Credentials, ServerAddress, TlsConfig, TlsFiles};
use crate::limits::SOURCE_LANES_MAX;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The keys of a connection as given.
pub(super) struct RawConnection {
    pub(super) server: Option<Given<String>>,
    pub(super) client_id: Option<Given<String>>,
    pub(super) clients: Clients,
    pub(super) username: Option<Given<String>>,
    pub(super) password: Option<Given<String>>,
    pub(super) files: RawFiles,
}

/// How many clients a section may connect as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    One,
    /// Further ones append `-2` and so on to the client id.
    Several,
}

/// The TLS keys as given.
pub(super) struct RawFiles {
    pub(super) ca: Option<Given<String>>,
    pub(super) cert: Option<Given<String>>,
    pub(super) key: Option<Given<String>>,
}

/// The keys of a connection, checked.
pub(super) struct Connection {
    pub(super) server: ServerAddress,
    pub(super) client_id: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<TlsConfig>,
}

impl Checker {
    pub(super) fn connection(&mut self, section: &Section<'_>, raw: RawConnection) -> Option<Connection> {
        let server = self.required(section, "server", raw.server, "\"tcp://127.0.0.1:1883\"");
        let server = server.and_then(|given| self.server(&given));
        let client_id = self.client_id(raw.client_id, raw.clients, server.as_ref());
        let identified = raw.username.is_some() || raw.files.cert.is_some();
        let credentials = self.credentials(raw.username, raw.password);
        if let Some(server) = &server
            && server.is_aws()
        {
            self.check_aws_server(section, server, identified);
        }
        let tls = match &server {
            Some(server) if server.tls => self.tls(section, &raw.files, Some(server.port)).map(Some),
            Some(_) => self.refuse_files(&raw.files, "needs ssl:// in server, which now says tcp://"),
            None => self.tls_for_nobody(section, &raw.files),
        };
        Some(Connection {
            server: server?,
            client_id: client_id?,
            credentials: credentials?,
            tls: tls?,
        })
    }

    /// Reads the files and makes the TLS configuration.
    pub(super) fn tls(&mut self, section: &Section<'_>, raw: &RawFiles, mqtt_port: Option<u16>) -> Option<TlsConfig> {
        let path = |given: &Option<Given<String>>| given.as_ref().map(|given| self.folder.join(&given.value));
        let mut files = TlsFiles {
            ca: path(&raw.ca),
            cert: path(&raw.cert),
            key: path(&raw.key),
        };
        let misread = |key: &str, file: &Option<PathBuf>| file.is_none() && section.table.contains_key(key);
        if misread("cert", &files.cert) || misread("key", &files.key) {
            // That has been reported, and the other half is not without its half.
            (files.cert, files.key) = (None, None);
        }
        for path in [&files.ca, &files.cert, &files.key].into_iter().flatten() {
            self.remember(path);
        }
        match load_tls(&files, mqtt_port) {
            Ok(tls) => Some(tls),
            Err(problems) => {
                for problem in problems {
                    let spot = raw.spot_of(problem.file.key());
                    let spot = spot.unwrap_or_else(|| section.spot.missing(problem.file.key()));
                    self.problems.add(&spot, problem.message);
                }
                None
            }
        }
    }

    /// Checks the files, when there are any, though nobody can be connected to: the address is wrong.
    #[expect(clippy::option_option, reason = "as of the other checks of files")]
    pub(super) fn tls_for_nobody(&mut self, section: &Section<'_>, raw: &RawFiles) -> Option<Option<TlsConfig>> {
        if raw.given().next().is_some() {
            self.tls(section, raw, None)?;
        }
        None
    }

    /// TLS files make no sense here; `Some(None)` when there are none.
    #[expect(clippy::option_option, reason = "no TLS is right, and a problem is not")]
    pub(super) fn refuse_files(&mut self, raw: &RawFiles, why: &str) -> Option<Option<TlsConfig>> {
        for file in raw.given() {
            self.problems.add(&file.spot, why);
        }
        raw.given().next().is_none().then_some(None)
    }

    /// 0 or 1.
    pub(super) fn qos(&mut self, given: Option<Given<u64>>) -> Option<u8> {
        let given = given?;
        match given.value {
            0 => Some(0),
            1 => Some(1),
            other => {
                let message = format!("must be 0 or 1, got {other}");
                self.problems.add(&given.spot, message);
                None
            }
        }
    }

    fn server(&mut self, given: &Given<String>) -> Option<ServerAddress> {
        match ServerAddress::parse(&given.value) {
            Ok(server) => Some(server),
            Err(message) => {
                self.problems.add(&given.spot, message);
                None
            }
        }
    }

    fn client_id(
        &mut self,
        given: Option<Given<String>>,
        clients: Clients,
        server: Option<&ServerAddress>,
    ) -> Option<String> {
        let given = self.filled(given)?;
        let id = given.value;
        let aws = server.is_some_and(ServerAddress::is_aws);
        if aws && id.starts_with('$') {
            self.problems.add(&given.spot, "must not begin with $ at AWS IoT Core");
            return None;
        }
        let (bytes_max, place) = if aws {
            (AWS_CLIENT_ID_BYTES_MAX, " at AWS IoT Core")
        } else {
            (CLIENT_ID_BYTES_MAX, "")
        };
        let (bytes_max, why) = match clients {
            Clients::One => (bytes_max, ""),
            Clients::Several => (
                bytes_max - LANE_SUFFIX.len(),
                ", as further connections append -2 to -8",
            ),
        };
        if id.len() > bytes_max {
            let message = format!("must have at most {bytes_max} bytes{place}{why}, got {}", id.len());
            self.problems.add(&given.spot, message);
            return None;
        }
        Some(id)
    }

    #[expect(clippy::option_option, reason = "no credentials are right, and a problem is not")]
    fn credentials(
        &mut self,
        username: Option<Given<String>>,
        password: Option<Given<String>>,
    ) -> Option<Option<Credentials>> {
        match (username, password) {
            (None, None) => Some(None),
            (None, Some(password)) => {
                self.problems.add(&password.spot, "needs username");
                None
            }
            (Some(username), password) => Some(Some(Credentials {
                username: username.value,
                password: password.map(|given| given.value).unwrap_or_default(),
            })),
        }
    }

    /// Keeps the digest of a file. One that cannot be read is reported by whoever uses it.
    fn remember(&mut self, path: &Path) {
        if let Ok(bytes) = std::fs::read(path) {
            self.digests.insert(path.to_owned(), Sha256::digest(&bytes).into());
        }
    }
}

impl RawFiles {
    fn given(&self) -> impl Iterator<Item = &Given<String>> {
        [&self.ca, &self.cert, &self.key].into_iter().flatten()
    }

    fn spot_of(&self, key: &str) -> Option<Spot> {
        let given = match key {
            "ca" => &self.ca,
            "cert" => &self.cert,
            "key" => &self.key,
            _ => &None,
        };
        given.as_ref().map(|given| given.spot.clone())
    }
}

/// What an MQTT string can hold.
const CLIENT_ID_BYTES_MAX: usize = 65_535;

/// What every further connection of a source appends to the client id is as long as this.
const LANE_SUFFIX: &str = "-2";
const _: () = assert!(SOURCE_LANES_MAX < 10, "the number of a lane has one digit");
