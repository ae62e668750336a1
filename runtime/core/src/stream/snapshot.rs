//! A stream's state as bytes, and back.

use super::Stream;
use crate::compile::compile;
use crate::fold::Fold;
use crate::folds::FoldId;
use crate::program::Program;
use crate::rule::Rule;
use crate::snapshot::{self, LostVersion, SnapshotError, Source, Writer};
use crate::until::Until;
use crate::{Guests, Output, RuleVersion};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A version of a rule as it was written.
struct Written<'a> {
    rule: &'a str,
    tag: u64,
    until: Until,
    fold: usize,
}

/// A fold as it was written.
struct WrittenFold<'a> {
    shape: Vec<u8>,
    open: usize,
    state: Source<'a>,
}

impl Stream {
    /// All state: how far time has come, and the open windows of each version of each rule. Results of closed windows that are
    /// still to come out are not part of it: see [`Stream::finish_closing`].
    ///
    /// The bytes do not depend on the seed, and a stream that is restored from them goes on as this one does.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.u16(snapshot::VERSION);
        to.i64(self.clock);
        let mut numbers: BTreeMap<FoldId, usize> = BTreeMap::new();
        to.count(self.rules.len());
        for rule in &self.rules {
            to.bytes(rule.id.as_bytes());
            to.count(rule.versions().count());
            for version in rule.versions() {
                let next = numbers.len();
                let number = *numbers.entry(version.fold).or_insert(next);
                to.u64(version.program.tag);
                version.until().write(&mut to);
                to.count(number);
            }
        }
        let mut folds: Vec<FoldId> = numbers.keys().copied().collect();
        folds.sort_by_key(|fold| numbers[fold]);
        to.count(folds.len());
        for id in folds {
            let fold = self.folds.get(id);
            to.bytes(&fold.program.shape());
            to.count(fold.open_windows());
            let mut state = Writer::default();
            fold.write(&mut state);
            to.large(&state.finish());
        }
        to.finish()
    }

    /// The rules' versions that have state, from old to new for each rule, by id and tag.
    pub fn versions(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| rule.versions().map(|version| (&rule.id, version.program.tag)))
    }

    /// Gives what is left of closed windows, however much that is.
    pub fn finish_closing(&mut self, guests: &mut dyn Guests, out: &mut Output) {
        while !self.closing.is_empty() {
            self.send_out(guests, out);
        }
    }

    /// Takes over the state that [`Stream::snapshot`] wrote. The stream must be new: no rules, no rows. `version_of` is asked for
    /// each version by the rule's id and its tag. A version that cannot be had, that cannot run or whose state has another
    /// shape is left out and named, with the windows that are lost with it.
    ///
    /// After an error the stream must not be used.
    pub fn restore(
        &mut self,
        bytes: &[u8],
        version_of: &mut dyn FnMut(&str, u64) -> Option<RuleVersion>,
        guests: &mut dyn Guests,
    ) -> Result<Vec<LostVersion>, SnapshotError> {
        let mut from = Source::new(bytes);
        let version = from.u16()?;
        if version != snapshot::VERSION {
            return Err(SnapshotError::Version {
                got: version,
                expected: snapshot::VERSION,
            });
        }
        self.clock = from.i64()?;
        self.folds.clock = self.clock;
        let versions = read_versions(&mut from)?;
        let mut folds = read_folds(&mut from)?;
        if !from.is_empty() {
            return Err(SnapshotError::Damaged("something follows its end"));
        }
        let mut places: Vec<Option<FoldId>> = vec![None; folds.len()];
        let mut lost = Vec::new();
        for written in versions {
            let fold = folds
                .get_mut(written.fold)
                .ok_or(SnapshotError::Damaged("a fold that is not there"))?;
            let program = version_of(written.rule, written.tag)
                .ok_or_else(|| "its code is not there any more".to_owned())
                .and_then(|version| compile(&version, guests).map_err(|error| error.to_string()));
            let taken = match program {
                Ok(program) => self.take_over(&written, program, fold, &mut places[written.fold])?,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = taken {
                lost.push(LostVersion {
                    rule: written.rule.into(),
                    tag: written.tag,
                    windows: fold.open,
                    reason,
                });
            }
        }
        for rule in &mut self.rules {
            rule.begin_again(&mut self.folds, &mut self.shared);
        }
        self.rules_changed();
        Ok(lost)
    }

    /// Puts a version in its place, and the fold that it shares with others when it is the first of them. The inner error says
    /// why it is lost.
    fn take_over(
        &mut self,
        written: &Written<'_>,
        mut program: Program,
        fold: &mut WrittenFold<'_>,
        place: &mut Option<FoldId>,
    ) -> Result<Result<(), String>, SnapshotError> {
        if let Some(id) = *place {
            let known = &self.folds.get(id).program;
            if **known != *program.fold {
                return Ok(Err(
                    "it is not the same any more as the rules that it shared its windows with".to_owned(),
                ));
            }
            program.fold = Arc::clone(known);
        } else {
            if program.fold.shape() != fold.shape {
                return Ok(Err("its windows are of another shape".to_owned()));
            }
            let links = self.shared.link(&program.fold.sources);
            let restored = Fold::read(Arc::clone(&program.fold), links, &self.seed, &mut fold.state)?;
            if !fold.state.is_empty() {
                return Err(SnapshotError::Damaged("something follows the end of a fold"));
            }
            *place = Some(self.folds.insert(restored));
        }
        let Some(id) = *place else { return Ok(Ok(())) };
        let position = self.position(written.rule).unwrap_or_else(|position| {
            self.rules.insert(position, Rule::new(written.rule.into()));
            position
        });
        let rule = &mut self.rules[position];
        self.folds.add_member(id, &rule.id);
        rule.take_over(Arc::new(program), id, written.until);
        Ok(Ok(()))
    }
}

fn read_versions<'a>(from: &mut Source<'a>) -> Result<Vec<Written<'a>>, SnapshotError> {
    let mut versions = Vec::new();
    for _ in 0..from.count()? {
        let rule = from.text()?;
        for _ in 0..from.count()? {
            versions.push(Written {
                rule,
                tag: from.u64()?,
                until: Until::read(from)?,
                fold: from.u32()? as usize,
            });
        }
    }
    Ok(versions)
}

fn read_folds<'a>(from: &mut Source<'a>) -> Result<Vec<WrittenFold<'a>>, SnapshotError> {
    let count = from.count()?;
    let mut folds = Vec::new();
    for _ in 0..count {
        folds.push(WrittenFold {
            shape: from.bytes()?.to_vec(),
            open: from.u32()? as usize,
            state: Source::new(from.large()?),
        });
    }
    Ok(folds)
}
