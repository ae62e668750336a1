//! Who is connected, so that a device that comes back replaces its old connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The connected clients that have an id. At most as many as there may be connections.
#[derive(Debug, Default)]
pub(super) struct Clients {
    connected: Mutex<HashMap<String, Arc<Notify>>>,
}

/// A client's place among the connected; leaves it when dropped.
#[derive(Debug)]
pub(super) struct Presence {
    clients: Arc<Clients>,
    client_id: String,
    replaced: Arc<Notify>,
}

impl Clients {
    /// Enters `client_id`, and tells the connection that had it before.
    pub(super) fn enter(self: &Arc<Self>, client_id: String) -> Presence {
        let replaced = Arc::new(Notify::new());
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = connected.insert(client_id.clone(), Arc::clone(&replaced)) {
            before.notify_one();
        }
        Presence {
            clients: Arc::clone(self),
            client_id,
            replaced,
        }
    }

    /// Tells the connection of `client_id`, if there is one, to end.
    pub(super) fn replace(&self, client_id: &str) {
        let connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = connected.get(client_id) {
            before.notify_one();
        }
    }
}

impl Presence {
    /// Ready when another connection has come with the same id.
    pub(super) async fn replaced(&self) {
        self.replaced.notified().await;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut connected = self.clients.connected.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that replaced it has its own entry by now.
        if connected
            .get(&self.client_id)
            .is_some_and(|entry| Arc::ptr_eq(entry, &self.replaced))
        {
            connected.remove(&self.client_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn the_newest_connection_keeps_the_id() {
        let clients = Arc::new(Clients::default());
        let first = clients.enter("a".into());
        assert!(first.replaced().now_or_never().is_none());
        let second = clients.enter("a".into());
        assert!(first.replaced().now_or_never().is_some());
        drop(first);
        clients.replace("a");
        assert!(second.replaced().now_or_never().is_some());
        drop(second);
        assert!(clients.connected.lock().unwrap().is_empty());
    }
}
