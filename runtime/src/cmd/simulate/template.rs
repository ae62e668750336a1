//! Topic and payload templates: text with placeholders in braces.
//!
//! A brace starts a placeholder only when a letter follows it, which never happens in JSON outside of texts; there,
//! `{{` stands for one brace. So `{"temperature": {float:15:35}}` is what it looks like.
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{id}` | the device's number, from 1 |
//! | `{seq}` | the number of the device's message, from 1 |
//! | `{time}` | milliseconds since the Unix epoch |
//! | `{time_us}` | microseconds since the Unix epoch |
//! | `{float:MIN:MAX}` | a number with two decimals, wandering between the two for each device |
//! | `{int:MIN:MAX}` | any integer from MIN to MAX |
//! | `{choice:a\|b}` | one of the texts |

use super::simulation::Device;
use rulemill_core::Micros;
use std::fmt::Write as _;
use std::str::FromStr;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    /// How many `{float}` there are: each wanders by itself.
    floats: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Id,
    Sequence,
    TimeMillis,
    TimeMicros,
    /// The index is this one's place among the template's floats.
    Float {
        index: usize,
        min: f64,
        max: f64,
    },
    Int {
        min: i64,
        max: i64,
    },
    Choice(Vec<String>),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No such placeholder.
    #[error(
        "unknown placeholder {{{0}}}; there are {{id}} {{seq}} {{time}} {{time_us}} {{float:MIN:MAX}} {{int:MIN:MAX}} \
         {{choice:a|b}}, and {{{{ stands for one brace"
    )]
    Unknown(String),
    /// A brace and a letter, but no closing brace.
    #[error("the placeholder {{{0} is not closed")]
    Open(String),
    /// Bounds that are not two numbers in order.
    #[error("the bounds of {{{0}}} must be two numbers, the smaller one first")]
    Bounds(String),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// The first placeholder that is not one.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut template = Template {
            parts: Vec::new(),
            floats: 0,
        };
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            let (before, from_brace) = rest.split_at(brace);
            let after = &from_brace[1..];
            template.push_text(before);
            if after.starts_with(|first: char| first.is_ascii_alphabetic()) {
                let Some((placeholder, behind)) = after.split_once('}') else {
                    return Err(TemplateError::Open(after.to_owned()));
                };
                template.push_placeholder(placeholder)?;
                rest = behind;
            } else {
                template.push_text("{");
                rest = after.strip_prefix('{').unwrap_or(after);
            }
        }
        template.push_text(rest);
        Ok(template)
    }

    /// How many numbers wander in this template.
    pub(super) fn floats(&self) -> usize {
        self.floats
    }

    /// The text for one message of `device`. `walks` are the places of this template's floats between their bounds,
    /// 0 to 1; they move.
    pub(super) fn render(&self, device: Device, now: Micros, walks: &mut [f64], random: &mut fastrand::Rng) -> String {
        let mut text = String::with_capacity(64);
        for part in &self.parts {
            // Writing to a string cannot fail.
            let _ = match part {
                Part::Text(literal) => text.write_str(literal),
                Part::Id => write!(text, "{}", device.id),
                Part::Sequence => write!(text, "{}", device.sequence),
                Part::TimeMillis => write!(text, "{}", now.0.div_euclid(1000)),
                Part::TimeMicros => write!(text, "{}", now.0),
                Part::Float { index, min, max } => {
                    let place = &mut walks[*index];
                    *place = (*place + (random.f64() - 0.5) * STEP).clamp(0.0, 1.0);
                    write!(text, "{:.2}", min + (max - min) * *place)
                }
                Part::Int { min, max } => write!(text, "{}", random.i64(*min..=*max)),
                Part::Choice(choices) => text.write_str(&choices[random.usize(..choices.len())]),
            };
        }
        text
    }

    fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn push_placeholder(&mut self, placeholder: &str) -> Result<(), TemplateError> {
        let (name, argument) = placeholder
            .split_once(':')
            .map_or((placeholder, None), |(name, rest)| (name, Some(rest)));
        let part = match (name, argument) {
            ("id", None) => Part::Id,
            ("seq", None) => Part::Sequence,
            ("time", None) => Part::TimeMillis,
            ("time_us", None) => Part::TimeMicros,
            ("float", Some(bounds)) => {
                let (min, max) = parse_bounds::<f64>(bounds)
                    .filter(|(min, max)| min.is_finite() && max.is_finite())
                    .ok_or_else(|| TemplateError::Bounds(placeholder.to_owned()))?;
                self.floats += 1;
                Part::Float {
                    index: self.floats - 1,
                    min,
                    max,
                }
            }
            ("int", Some(bounds)) => {
                let (min, max) = parse_bounds(bounds).ok_or_else(|| TemplateError::Bounds(placeholder.to_owned()))?;
                Part::Int { min, max }
            }
            ("choice", Some(choices)) => Part::Choice(choices.split('|').map(str::to_owned).collect()),
            _ => return Err(TemplateError::Unknown(placeholder.to_owned())),
        };
        self.parts.push(part);
        Ok(())
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Template::parse(text)
    }
}

fn parse_bounds<N: FromStr + PartialOrd>(text: &str) -> Option<(N, N)> {
    let (min, max) = text.split_once(':')?;
    let bounds = (min.parse().ok()?, max.parse().ok()?);
    (bounds.0 <= bounds.1).then_some(bounds)
}

/// The widest step of a wandering number, as a part of its range, in both directions together.
const STEP: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> String {
        let template = Template::parse(text).unwrap();
        let device = Device { id: 7, sequence: 3 };
        let mut walks = vec![0.5; template.floats()];
        template.render(
            device,
            Micros(1_700_000_000_123_456),
            &mut walks,
            &mut fastrand::Rng::with_seed(1),
        )
    }

    #[test]
    fn placeholders_stand_for_values() {
        for (text, expect) in [
            ("devices/{id}/messages", "devices/7/messages"),
            ("{seq} {time} {time_us}", "3 1700000000123 1700000000123456"),
            ("{int:5:5} {int:-2:-2}", "5 -2"),
            ("{float:2:2}", "2.00"),
            ("{choice:only}", "only"),
            ("", ""),
        ] {
            assert_eq!(render(text), expect, "{text}");
        }
    }

    #[test]
    fn braces_of_json_are_themselves() {
        for (text, expect) in [
            (r#"{"a": {"b": {}}}"#, r#"{"a": {"b": {}}}"#),
            (r#"{"id": {id}, "n": {"s": {seq}}}"#, r#"{"id": 7, "n": {"s": 3}}"#),
            ("{ \"a\": 1 }", "{ \"a\": 1 }"),
            (r#"{"text": "{{id}"}"#, r#"{"text": "{id}"}"#),
            ("[{", "[{"),
        ] {
            assert_eq!(render(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_placeholder_is_refused() {
        for (text, expect) in [
            ("{tiem}", TemplateError::Unknown("tiem".into())),
            ("{id:1}", TemplateError::Unknown("id:1".into())),
            ("{float}", TemplateError::Unknown("float".into())),
            ("a {id", TemplateError::Open("id".into())),
            ("{float:a:1}", TemplateError::Bounds("float:a:1".into())),
            ("{float:0:inf}", TemplateError::Bounds("float:0:inf".into())),
            ("{int:2:1}", TemplateError::Bounds("int:2:1".into())),
            ("{int:1}", TemplateError::Bounds("int:1".into())),
        ] {
            assert_eq!(Template::parse(text), Err(expect), "{text}");
        }
        assert!(
            Template::parse("{x}")
                .unwrap_err()
                .to_string()
                .starts_with("unknown placeholder {x}; there are {id}")
        );
    }
}
