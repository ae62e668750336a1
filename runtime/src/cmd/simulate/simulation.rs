//! Simulated devices: what they publish, one message after the other.
//!
//! No clock and no I/O: the caller says when, and sends. The same seed gives the same messages.

use super::template::Template;
use rulemill_core::Micros;

/// One message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The device that a message is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// From 1.
    pub(super) id: u32,
    /// The number of its message, from 1.
    pub(super) sequence: u64,
}

/// Devices that publish in turn, without end.
#[derive(Clone, Debug)]
pub struct Simulation {
    devices: u32,
    topic: Template,
    payload: Template,
    /// The places of all floats, device after device, those of the topic first.
    walks: Vec<f64>,
    /// Messages made so far.
    made: u64,
    random: fastrand::Rng,
}

impl Simulation {
    /// So many `devices` (at least one), with templates of what they publish.
    pub fn new(devices: u32, topic: Template, payload: Template, seed: u64) -> Self {
        let devices = devices.max(1);
        let mut random = fastrand::Rng::with_seed(seed);
        let floats = (topic.floats() + payload.floats()) * devices as usize;
        Simulation {
            devices,
            topic,
            payload,
            walks: (0..floats).map(|_| random.f64()).collect(),
            made: 0,
            random,
        }
    }

    /// The next device's message, made at `now`.
    pub fn next(&mut self, now: Micros) -> Sample {
        let device = self.advance();
        let floats = self.topic.floats() + self.payload.floats();
        let walks = &mut self.walks[(device.id as usize - 1) * floats..][..floats];
        let (topic_walks, payload_walks) = walks.split_at_mut(self.topic.floats());
        Sample {
            topic: self.topic.render(device, now, topic_walks, &mut self.random),
            payload: self
                .payload
                .render(device, now, payload_walks, &mut self.random)
                .into_bytes(),
        }
    }

    fn advance(&mut self) -> Device {
        let devices = u64::from(self.devices);
        let device = Device {
            id: u32::try_from(self.made % devices).map_or(1, |index| index + 1),
            sequence: self.made / devices + 1,
        };
        self.made += 1;
        device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(devices: u32, payload: &str, seed: u64) -> Simulation {
        let topic = Template::parse("devices/{id}").unwrap();
        Simulation::new(devices, topic, Template::parse(payload).unwrap(), seed)
    }

    fn next(simulation: &mut Simulation) -> (String, String) {
        let sample = simulation.next(Micros(0));
        (sample.topic, String::from_utf8(sample.payload).unwrap())
    }

    #[test]
    fn devices_publish_in_turn_and_count_their_messages() {
        let mut simulation = simulation(2, "{id}:{seq}", 0);
        let topics: Vec<_> = (0..4).map(|_| next(&mut simulation)).collect();
        let expect = [
            ("devices/1", "1:1"),
            ("devices/2", "2:1"),
            ("devices/1", "1:2"),
            ("devices/2", "2:2"),
        ];
        assert_eq!(
            topics,
            expect.map(|(topic, payload)| (topic.to_owned(), payload.to_owned()))
        );
    }

    #[test]
    fn numbers_wander_within_their_bounds() {
        let mut simulation = simulation(1, "{float:15:35} {int:-3:3}", 5);
        let mut before: Option<f64> = None;
        for _ in 0..10_000 {
            let (_, payload) = next(&mut simulation);
            let (float, int) = payload.split_once(' ').unwrap();
            let (float, int): (f64, i64) = (float.parse().unwrap(), int.parse().unwrap());
            assert!((15.0..=35.0).contains(&float) && (-3..=3).contains(&int), "{payload}");
            // A step is at most a twentieth of the range, and both ends are rounded.
            assert!(
                before.is_none_or(|before| (before - float).abs() <= 1.0 + 0.011),
                "{before:?} {float}"
            );
            before = Some(float);
        }
    }

    #[test]
    fn a_seed_repeats_itself() {
        let payload = "{float:0:1} {int:0:1000000} {choice:a|b}";
        let (mut one, mut two, mut other) = (
            simulation(3, payload, 9),
            simulation(3, payload, 9),
            simulation(3, payload, 8),
        );
        let mut differs = false;
        for _ in 0..100 {
            let sample = next(&mut one);
            assert_eq!(sample, next(&mut two));
            differs |= sample != next(&mut other);
        }
        assert!(differs);
    }
}
