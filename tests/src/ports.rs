//! Free ports.

use std::net::TcpListener;

/// A port of the loopback interface that nobody listens on now. Somebody may take it before it is used: callers start
/// again with another one when their process says that the address is in use.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// How often a process is started anew because its port was taken.
pub(crate) const ATTEMPTS_MAX: usize = 5;

/// Whether a log says that a port was taken.
pub(crate) fn says_in_use(log: &str) -> bool {
    let log = log.to_lowercase();
    log.contains("in use") || log.contains("eaddrinuse")
}
