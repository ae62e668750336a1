//! Hashing with a secret, so that nobody outside can choose keys or topics that land in one place of a table, which would
//! make each look-up as slow as the table is long.
//!
//! What a hash is never shows: groups come out in order of arrival, and topics are numbered in that order too.

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

/// The secret of all hashes. The core has no randomness, so the host draws it, once for a process. Cheap to clone.
#[derive(Clone)]
pub struct HashSeed(Arc<Secrets>);

struct Secrets {
    start: u64,
    mixer: Mixer,
    /// A secret start alone would not do: a key of two words, one of which cancels a constant of the hash that everybody
    /// knows, hashes to the same whatever the start.
    shared: SharedSeed,
}

/// Brings one more word into a hash. It is copied out of the seed before a loop, to stay in registers.
#[derive(Clone, Copy)]
pub(crate) struct Mixer {
    before: u64,
    between: u64,
}

impl HashSeed {
    /// Derives the secrets from a number that should be random. Any number gives the same results.
    pub fn new(seed: u64) -> Self {
        let shared = SharedSeed::from_u64(seed ^ NOT_ZERO);
        let word = |number: u64| {
            let mut hasher = FoldHasher::with_seed(seed, &shared);
            hasher.write_u64(number);
            hasher.finish()
        };
        HashSeed(Arc::new(Secrets {
            start: word(1),
            mixer: Mixer {
                before: word(2),
                between: word(3),
            },
            shared,
        }))
    }

    /// The hash of nothing.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.0.start
    }

    #[inline]
    pub(crate) fn mixer(&self) -> Mixer {
        self.0.mixer
    }

    /// The hash of a text or a byte string.
    #[inline]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.0.start, &self.0.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}

impl Mixer {
    /// Two rounds: after one, whoever knows the factor could still choose words that agree in the low bits whatever the
    /// secret. The factors are no secrets, for some random ones spread words badly.
    #[inline]
    pub(crate) fn mixed(self, hash: u64, bits: u64) -> u64 {
        let first = folded(hash.rotate_left(32) ^ bits ^ self.before, 0x8bb8_4b93_962e_acc9);
        folded(first ^ self.between, NOT_ZERO)
    }
}

/// Both halves of a 128-bit product: every bit of the input reaches the high bits and the low bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of the product are meant")]
fn folded(word: u64, factor: u64) -> u64 {
    let product = u128::from(word) * u128::from(factor);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Does not show the secrets: a log is no place for them.
impl fmt::Debug for HashSeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HashSeed(..)")
    }
}

/// Zero would stay zero when the secrets are derived from it.
const NOT_ZERO: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// How many hashes the keys have, and how many places in a table of 1024.
    fn spread(hashes: impl Iterator<Item = u64>) -> (usize, usize) {
        let hashes: Vec<u64> = hashes.collect();
        let places: BTreeSet<u64> = hashes.iter().map(|hash| hash % 1024).collect();
        (hashes.into_iter().collect::<BTreeSet<u64>>().len(), places.len())
    }

    /// Texts made to cancel a constant of the hash function under its published seed.
    fn cancelling() -> impl Iterator<Item = [u8; 16]> {
        (0..1000_u64).map(|n| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&n.to_ne_bytes());
            key[8..].copy_from_slice(&0x3f84_d5b5_b547_0917_u64.to_ne_bytes());
            key
        })
    }

    #[test]
    fn texts_that_collide_under_the_published_seed_do_not_collide_here() {
        let known = cancelling().map(|key| {
            let mut hasher = FoldHasher::with_seed(7, SharedSeed::global_fixed());
            hasher.write(&key);
            hasher.finish()
        });
        assert_eq!(spread(known).0, 1, "these keys are no attack any more: find others");
        for seed in [0, 1, u64::MAX, NOT_ZERO] {
            let seed = HashSeed::new(seed);
            let (hashes, places) = spread(cancelling().map(|key| seed.bytes(&key)));
            assert!(hashes == 1000 && places > 500, "{hashes} hashes, {places} places");
        }
    }

    #[test]
    fn words_that_cancel_each_other_do_not_collide() {
        for seed in 0..20 {
            let seed = HashSeed::new(seed);
            let mixer = seed.mixer();
            let pair = |group: u64, value: u64| mixer.mixed(mixer.mixed(seed.start(), group), value);
            let (hashes, places) = spread((0..1000).map(|n| pair(n, n << 32)));
            assert!(hashes == 1000 && places > 500, "{hashes} hashes, {places} places");
        }
    }

    #[test]
    fn words_in_a_row_and_far_apart_are_spread() {
        for seed in 0..20 {
            let seed = HashSeed::new(seed);
            for step in [1, 1000, 1 << 20, 1 << 40, 1 << 54] {
                let words = (0..1000_u64).map(|n| seed.mixer().mixed(seed.start(), n.wrapping_mul(step)));
                let (hashes, places) = spread(words);
                assert!(
                    hashes == 1000 && places > 500,
                    "{hashes} hashes, {places} places, step {step}"
                );
            }
        }
    }

    #[test]
    fn seeds_give_different_hashes_and_do_not_show() {
        let (one, other) = (HashSeed::new(1), HashSeed::new(2));
        assert_ne!(one.bytes(b"devices/1"), other.bytes(b"devices/1"));
        assert_ne!(one.mixer().mixed(one.start(), 5), other.mixer().mixed(other.start(), 5));
        assert_eq!(one.bytes(b"devices/1"), HashSeed::new(1).bytes(b"devices/1"));
        assert_eq!(format!("{one:?}"), "HashSeed(..)");
    }
}
