//! What happens to the PUBACKs that a broker sends: nothing, or some are lost, or neighbours change places.
//!
//! AWS IoT Core acknowledges in any order, and any network may lose one together with its connection.

use super::packets::Packet;
use fastrand::Rng;

/// What becomes of the PUBACKs on their way to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgements {
    /// They pass.
    #[default]
    Pass,
    /// Half of them never arrive.
    Lose,
    /// Half of them arrive after the one that follows.
    Reorder,
}

/// The PUBACKs of one connection.
#[derive(Debug, Default)]
pub(super) struct Course {
    held: Option<Vec<u8>>,
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written, with what was held back before it.
    Written,
    /// It is never written.
    Lost,
    /// It waits for the next PUBACK, or for [`Course::release`].
    Held,
}

impl Course {
    /// Appends to `out` what is to be written now that `packet` has come.
    pub(super) fn pass(&mut self, packet: &[u8], mode: Acknowledgements, rng: &mut Rng, out: &mut Vec<u8>) -> Fate {
        if !matches!(Packet::read(packet), Packet::Acknowledgement { .. }) {
            out.extend_from_slice(packet);
            return Fate::Written;
        }
        match mode {
            Acknowledgements::Lose if rng.bool() => return Fate::Lost,
            Acknowledgements::Reorder if self.held.is_none() && rng.bool() => {
                self.held = Some(packet.to_vec());
                return Fate::Held;
            }
            Acknowledgements::Pass | Acknowledgements::Lose | Acknowledgements::Reorder => {}
        }
        out.extend_from_slice(packet);
        self.release(out);
        Fate::Written
    }

    /// Appends to `out` what was held back: none came after it.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        out.extend(self.held.take().into_iter().flatten());
    }

    /// Whether a PUBACK waits.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::packets::Splitter;

    const PING: [u8; 2] = [0xd0, 0];

    /// The packet ids that arrive of those from 0 to 99, with a ping after each tenth.
    fn arriving(mode: Acknowledgements) -> (Vec<u8>, usize) {
        let (mut course, mut rng, mut out) = (Course::default(), Rng::with_seed(1), Vec::new());
        for id in 0..100 {
            course.pass(&[0x40, 2, 0, id], mode, &mut rng, &mut out);
            if id % 10 == 9 {
                assert_eq!(course.pass(&PING, mode, &mut rng, &mut out), Fate::Written);
            }
        }
        course.release(&mut out);
        assert!(!course.holds());
        let (mut splitter, mut ids, mut pings) = (Splitter::default(), Vec::new(), 0);
        splitter.push(&out);
        while let Some(packet) = splitter.next_packet().unwrap() {
            match Packet::read(packet) {
                Packet::Acknowledgement { id } => ids.push(u8::try_from(id).unwrap()),
                _ => pings += 1,
            }
        }
        (ids, pings)
    }

    #[test]
    fn they_pass_as_they_come() {
        assert_eq!(arriving(Acknowledgements::Pass), ((0..100).collect(), 10));
    }

    #[test]
    fn some_are_lost_and_nothing_else_is() {
        let (ids, pings) = arriving(Acknowledgements::Lose);
        assert!(ids.is_sorted() && (30..70).contains(&ids.len()), "{ids:?}");
        assert_eq!(pings, 10);
    }

    #[test]
    fn neighbours_change_places_and_none_is_lost() {
        let (mut ids, pings) = arriving(Acknowledgements::Reorder);
        assert!(!ids.is_sorted(), "{ids:?}");
        for (position, &id) in ids.iter().enumerate() {
            assert!(position.abs_diff(usize::from(id)) <= 1, "{ids:?}");
        }
        ids.sort_unstable();
        assert_eq!((ids, pings), ((0..100).collect(), 10));
    }
}
