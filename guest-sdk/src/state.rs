//! States of aggregates as 64-bit words: the host keeps them, and hands them back with the next rows.

use crate::types::Time;

/// The state of one group. `#[derive(State)]` implements it for a struct of [`StateField`]s. The default is the state
/// of a group without rows.
pub trait State: Default + 'static {
    /// How many words a state has.
    const WORDS: usize;
    /// The identity of the layout: another one for other names, types or order of the fields.
    const FINGERPRINT: u64;

    /// The state in `words`, which are [`State::WORDS`].
    fn load(words: &[u64]) -> Self;
    /// Writes the state into `words`, which are [`State::WORDS`].
    fn store(&self, words: &mut [u64]);
}

/// A field of a state: `f64`, `i64`, `u64`, `bool`, [`Time`], an `Option` or an array of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a state",
    note = "use `f64`, `i64`, `u64`, `bool`, `Time`, or an `Option` or an array of these: a state has a fixed size"
)]
pub trait StateField: Sized {
    /// How many words it takes.
    const WORDS: usize;

    /// The value in the first words.
    fn load(words: &[u64]) -> Self;
    /// Writes the value into the first words.
    fn store(&self, words: &mut [u64]);
}

macro_rules! word {
    ($($type:ty, $load:expr, $store:expr);* $(;)?) => {$(
        impl StateField for $type {
            const WORDS: usize = 1;

            #[inline]
            fn load(words: &[u64]) -> Self {
                $load(words[0])
            }

            #[inline]
            fn store(&self, words: &mut [u64]) {
                words[0] = $store(*self);
            }
        }
    )*};
}

word! {
    u64, std::convert::identity, std::convert::identity;
    i64, u64::cast_signed, i64::cast_unsigned;
    f64, f64::from_bits, f64::to_bits;
    bool, bool_of, u64::from;
    Time, time_of, word_of;
}

fn bool_of(word: u64) -> bool {
    word != 0
}

fn time_of(word: u64) -> Time {
    Time(word.cast_signed())
}

fn word_of(time: Time) -> u64 {
    time.0.cast_unsigned()
}

impl<T: StateField> StateField for Option<T> {
    const WORDS: usize = 1 + T::WORDS;

    fn load(words: &[u64]) -> Self {
        (words[0] != 0).then(|| T::load(&words[1..]))
    }

    fn store(&self, words: &mut [u64]) {
        words[..Self::WORDS].fill(0);
        if let Some(value) = self {
            words[0] = 1;
            value.store(&mut words[1..]);
        }
    }
}

impl<T: StateField, const N: usize> StateField for [T; N] {
    const WORDS: usize = N * T::WORDS;

    fn load(words: &[u64]) -> Self {
        std::array::from_fn(|position| T::load(&words[position * T::WORDS..]))
    }

    fn store(&self, words: &mut [u64]) {
        for (position, value) in self.iter().enumerate() {
            value.store(&mut words[position * T::WORDS..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, crate::State)]
    struct Everything {
        sum: f64,
        count: u64,
        least: Option<i64>,
        seen: bool,
        at: Time,
        last: [f64; 3],
    }

    #[test]
    fn a_state_survives_its_words() {
        let states = [
            Everything::default(),
            Everything {
                sum: -0.0,
                count: u64::MAX,
                least: Some(i64::MIN),
                seen: true,
                at: Time(-1),
                last: [1.5, f64::INFINITY, -2.0],
            },
        ];
        for state in states {
            let mut words = vec![7; Everything::WORDS];
            state.store(&mut words);
            assert_eq!(Everything::load(&words), state);
        }
        assert_eq!(Everything::WORDS, 9);
    }

    #[test]
    fn none_leaves_nothing_of_an_earlier_value() {
        let mut words = [9, 9];
        Option::<i64>::None.store(&mut words);
        assert_eq!(words, [0, 0]);
    }

    #[test]
    fn the_fingerprint_follows_names_types_and_order() {
        mod renamed {
            #[derive(Default, crate::State)]
            pub(super) struct Same {
                pub(super) a: f64,
                pub(super) b: u64,
            }
        }
        #[derive(Default, crate::State)]
        struct First {
            a: f64,
            b: u64,
        }
        #[derive(Default, crate::State)]
        struct Swapped {
            b: u64,
            a: f64,
        }
        #[derive(Default, crate::State)]
        struct Retyped {
            a: i64,
            b: u64,
        }
        assert_eq!(First::FINGERPRINT, renamed::Same::FINGERPRINT);
        assert_ne!(First::FINGERPRINT, Swapped::FINGERPRINT);
        assert_ne!(First::FINGERPRINT, Retyped::FINGERPRINT);
    }
}
