//! Whether a thread is still there.

use tokio::sync::watch;

/// Says that its thread has ended when it goes, however that comes about.
pub(super) struct Alive(watch::Sender<bool>);

impl Alive {
    /// `ended` becomes true when the thread has ended.
    pub(super) fn new(ended: watch::Sender<bool>) -> Self {
        Alive(ended)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_is_missed() {
        let (ended, watched) = watch::channel(false);
        let alive = Alive::new(ended);
        let thread = std::thread::spawn(move || {
            let _alive = alive;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(*watched.borrow());
    }
}
