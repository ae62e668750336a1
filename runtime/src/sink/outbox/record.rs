//! An emission as bytes in a queue on disk.
//!
//! ```text
//! flags u8 (1: it has a window, 2: it has a place) | window: start i64, end i64 | place: position u64, number u32
//! | rule: length u16, bytes | rows u32, where each ends: u32 | the JSON array
//! ```
//!
//! in little-endian order; what the flags do not name is not there.

use crate::emit::{EMISSION_BYTES_MAX, EncodedEmission, Place, ROW_BYTES_MAX};
use bytes::Bytes;
use rulemill_core::Micros;
use rulemill_journal::log::PAYLOAD_BYTES_MAX;
use std::sync::Arc;

/// The largest emission fits into a record, with its head and a name that is as long as a name can be.
const _: () = assert!(EMISSION_BYTES_MAX + ROW_BYTES_MAX + (128 << 10) <= PAYLOAD_BYTES_MAX);

/// What comes before the JSON array.
pub(super) fn head(emission: &EncodedEmission) -> Vec<u8> {
    let mut head = Vec::with_capacity(64 + emission.ends.len() * 4);
    let (window, place) = (emission.window, emission.place);
    head.push(u8::from(window.is_some()) | u8::from(place.is_some()) << 1);
    if let Some((start, end)) = window {
        head.extend_from_slice(&start.0.to_le_bytes());
        head.extend_from_slice(&end.0.to_le_bytes());
    }
    if let Some(place) = place {
        head.extend_from_slice(&place.position.to_le_bytes());
        head.extend_from_slice(&place.number.to_le_bytes());
    }
    // A rule's name is that of a file, which no system lets be so long.
    let rule = &emission.rule.as_bytes()[..emission.rule.len().min(usize::from(u16::MAX))];
    head.extend_from_slice(&u16::try_from(rule.len()).unwrap_or(u16::MAX).to_le_bytes());
    head.extend_from_slice(rule);
    let rows = u32::try_from(emission.ends.len()).expect("a row has more than one byte, and an emission is bounded");
    head.extend_from_slice(&rows.to_le_bytes());
    for end in &emission.ends {
        head.extend_from_slice(&end.to_le_bytes());
    }
    head
}

/// The emission of these bytes; `None`: they are not one.
pub(super) fn decode(mut bytes: &[u8]) -> Option<EncodedEmission> {
    let from = &mut bytes;
    let [flags] = take(from)?;
    let window = match flags & 1 {
        0 => None,
        _ => Some((time(from)?, time(from)?)),
    };
    let place = match flags & 2 {
        0 => None,
        _ => Some(Place {
            position: u64::from_le_bytes(take(from)?),
            number: u32::from_le_bytes(take(from)?),
        }),
    };
    let length = usize::from(u16::from_le_bytes(take(from)?));
    let (rule, rest) = from.split_at_checked(length)?;
    *from = rest;
    let rows = usize::try_from(u32::from_le_bytes(take(from)?)).ok()?;
    let (ends, json) = from.split_at_checked(rows.checked_mul(4)?)?;
    let ends: Vec<u32> = ends
        .as_chunks::<4>()
        .0
        .iter()
        .map(|end| u32::from_le_bytes(*end))
        .collect();
    let emission = EncodedEmission {
        rule: Arc::from(std::str::from_utf8(rule).ok()?),
        window,
        place,
        json: Bytes::copy_from_slice(json),
        ends,
    };
    is_array(&emission).then_some(emission)
}

/// Whether the rows are where they are said to be.
fn is_array(emission: &EncodedEmission) -> bool {
    let (json, ends) = (&emission.json, &emission.ends);
    let mut start = 1;
    for &end in ends {
        if (end as usize) < start || end as usize >= json.len() {
            return false;
        }
        start = end as usize + 1;
    }
    json.first() == Some(&b'[') && json.last() == Some(&b']') && start == json.len()
}

fn time(from: &mut &[u8]) -> Option<Micros> {
    Some(Micros(i64::from_le_bytes(take(from)?)))
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::test::rows;

    fn bytes(emission: &EncodedEmission) -> Vec<u8> {
        [&head(emission)[..], &emission.json].concat()
    }

    #[test]
    fn an_emission_comes_back_as_it_was() {
        let mut emission = rows(&[r#"{"a":1}"#, r#"{"a":2}"#]);
        for window in [None, Some((Micros(-5), Micros(5)))] {
            for place in [None, Some(Place { position: 7, number: 3 })] {
                (emission.window, emission.place) = (window, place);
                let back = decode(&bytes(&emission)).unwrap();
                assert_eq!((back.window, back.place, &*back.rule), (window, place, "rule"));
                assert_eq!((&back.json, &back.ends), (&emission.json, &emission.ends));
                assert_eq!(back.id(), emission.id());
            }
        }
    }

    #[test]
    fn what_is_not_an_emission_is_refused() {
        let mut emission = rows(&[r#"{"a":1}"#, r#"{"a":2}"#]);
        emission.window = Some((Micros(0), Micros(1)));
        let good = bytes(&emission);
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_none(), "cut at {cut}");
        }
        emission.ends[0] = 100;
        assert!(decode(&bytes(&emission)).is_none());
        emission.ends = vec![8, 7];
        assert!(decode(&bytes(&emission)).is_none());
    }
}
