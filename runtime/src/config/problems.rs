//! What is wrong with a configuration: everything at once, each with its place.

use super::node::Origin;
use std::fmt;

/// All problems of one file, in the order of its lines. As text: one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    spot: Spot,
    message: String,
    /// Whether further problems at the same place only follow from this one.
    last: bool,
}

/// The place of a value: its path, such as `sink.aws.qos`, and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) path: String,
    pub(super) origin: Origin,
}

impl Spot {
    pub(super) fn new(path: impl Into<String>, origin: &Origin) -> Self {
        Self {
            path: path.into(),
            origin: origin.clone(),
        }
    }

    /// The place of `key` in the table at this place, for a key that is not there.
    pub(super) fn missing(&self, key: &str) -> Self {
        Self {
            path: join(&self.path, key),
            origin: self.origin.clone(),
        }
    }
}

/// `path.key`, or `key` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl Problems {
    /// No problems yet with the file that messages call `file`.
    pub(super) fn none(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            list: Vec::new(),
        }
    }

    /// The file itself cannot be read.
    pub(super) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        let mut problems = Self::none(path.display().to_string());
        problems.add(&Spot::new("", &Origin::Default), format!("cannot be read: {error}"));
        problems
    }

    /// Adds one. `message` goes on after the path: `must be 0 or 1, got 2`.
    pub(super) fn add(&mut self, spot: &Spot, message: impl Into<String>) {
        if self.list.iter().any(|earlier| earlier.last && earlier.spot == *spot) {
            return;
        }
        self.list.push(Problem {
            spot: spot.clone(),
            message: message.into(),
            last: false,
        });
    }

    /// Adds one after which there is nothing more to say about this place.
    pub(super) fn add_last(&mut self, spot: &Spot, message: impl Into<String>) {
        self.list.push(Problem {
            spot: spot.clone(),
            message: message.into(),
            last: true,
        });
    }

    /// `value` when there are no problems, otherwise all of them.
    pub(super) fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        self.list.sort_by_key(|problem| match problem.spot.origin {
            Origin::Line(line) => line,
            Origin::Variable(_) | Origin::Default => usize::MAX,
        });
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, Problem { spot, message, .. }) in self.list.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            match &spot.origin {
                Origin::Line(line) => write!(f, "{}:{line}: ", self.file)?,
                Origin::Variable(name) => write!(f, "{name} (environment): ")?,
                Origin::Default => write!(f, "{}: ", self.file)?,
            }
            if !spot.path.is_empty() {
                write!(f, "{} ", spot.path)?;
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
