//! The folds of a stream: which versions of which rules share one, and when they part or come together.
//!
//! Nobody can tell from the output who shares with whom: rules share only while their state must be the same, and a rule
//! that goes its own way takes a copy along.

use crate::fold::{Feed, Fold};
use crate::program::FoldProgram;
use crate::shared::{Link, Moves, Shared};
use crate::watermark::Watermark;
use crate::{Counts, Output, RuleCounts};
use hashbrown::HashMap;
use std::sync::Arc;

/// The place of a fold; it stays the same as long as the fold has members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FoldId(u32);

/// All folds.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    folds: Vec<Option<Fold>>,
    free: Vec<FoldId>,
    /// Those that are given all rows, by program. Only looked up, never walked, so its random order shows nowhere.
    whole: HashMap<Arc<FoldProgram>, Vec<FoldId>, foldhash::fast::RandomState>,
    /// How many programs have more than one such fold.
    twins: usize,
    /// Counts of rules that are in no fold any more, or in another one.
    owed: Vec<RuleCounts>,
    /// Links that are used no more.
    unused: Vec<Link>,
    /// Whether a version has gone.
    version_gone: bool,
    /// The time of the stream, for folds that change.
    pub(crate) clock: i64,
}

impl Folds {
    /// The same program as other rules have, if they have it, so that it is in memory once.
    pub(crate) fn known(&self, program: Arc<FoldProgram>) -> Arc<FoldProgram> {
        match self.whole.get_key_value(&program) {
            Some((known, _)) => Arc::clone(known),
            None => program,
        }
    }

    /// A fold for a rule that has had no rows yet, given all rows: one that it shares, or a new one.
    pub(crate) fn join(
        &mut self,
        rule: &Arc<str>,
        program: &Arc<FoldProgram>,
        watermark: Watermark,
        shared: &mut Shared,
    ) -> FoldId {
        let known = self.whole.get(program).map_or(&[][..], Vec::as_slice);
        let untouched = known.iter().find(|id| self.get(**id).is_untouched(&watermark));
        if let Some(&id) = untouched {
            self.settle_one(id);
            let members = &mut self.get_mut(id).members;
            if let Err(position) = members.binary_search(rule) {
                members.insert(position, Arc::clone(rule));
            }
            return id;
        }
        let mut fold = Fold::new(Arc::clone(program), shared.link(&program.sources));
        fold.watermark = watermark;
        fold.members.push(Arc::clone(rule));
        let id = self.insert(fold);
        self.feed(id, Feed::All);
        id
    }

    /// Takes a rule out of a fold; the last one takes the fold along.
    pub(crate) fn leave(&mut self, id: FoldId, rule: &Arc<str>) {
        self.settle_one(id);
        self.version_gone = true;
        let fold = self.get_mut(id);
        fold.members.retain(|member| member != rule);
        if fold.members.is_empty() {
            self.remove(id);
        }
    }

    /// A fold with the same state that no other rule shares.
    pub(crate) fn own(&mut self, id: FoldId, rule: &Arc<str>, shared: &mut Shared) -> FoldId {
        if self.get(id).members.len() == 1 {
            return id;
        }
        self.settle_one(id);
        let fold = self.get_mut(id);
        fold.members.retain(|member| member != rule);
        let mut copy = fold.clone();
        copy.members = vec![Arc::clone(rule)];
        copy.feed = Feed::Parts;
        copy.spare = None;
        // The copy uses what the original uses.
        copy.set_links(shared.link(&copy.program.sources));
        let own = self.insert(copy);
        self.feed(own, Feed::All);
        own
    }

    /// Gives a rule another program of the same layout, which goes on with the state; gives the fold where it does.
    pub(crate) fn replace(
        &mut self,
        id: FoldId,
        rule: &Arc<str>,
        program: &Arc<FoldProgram>,
        shared: &mut Shared,
    ) -> FoldId {
        if self.get(id).program == *program {
            let fold = self.get_mut(id);
            fold.timing = program.timing;
            return id;
        }
        let id = self.own(id, rule, shared);
        let feed = self.get(id).feed;
        self.feed(id, Feed::Parts);
        let links = shared.link(&program.sources);
        let before = self.get_mut(id).replace(Arc::clone(program), links);
        self.unused.extend(before);
        self.feed(id, feed);
        id
    }

    /// Says which rows a fold is given. What is given parts of the rows has one member.
    pub(crate) fn feed(&mut self, id: FoldId, feed: Feed) {
        let clock = self.clock;
        let fold = self.get_mut(id);
        if fold.feed == feed {
            return;
        }
        fold.feed = feed;
        fold.since = clock;
        let program = Arc::clone(&fold.program);
        match feed {
            Feed::All => {
                let same = self.whole.entry(program).or_default();
                same.push(id);
                self.twins += usize::from(same.len() == 2);
            }
            Feed::Parts => self.forget(id, &program),
        }
    }

    /// Lets folds come together whose state must be the same. Gives the members that moved, from where and to where.
    pub(crate) fn merge(&mut self) -> Vec<(Arc<str>, FoldId, FoldId)> {
        let mut moved = Vec::new();
        if self.twins == 0 {
            return moved;
        }
        for position in 0..self.folds.len() {
            let id = id_of(position);
            let Some(fold) = self.folds[position].as_ref().filter(|fold| fold.feed == Feed::All) else {
                continue;
            };
            let same = self.whole.get(&fold.program).map_or(&[][..], Vec::as_slice);
            let first = same.iter().find(|&&other| other < id && self.get(other).is_as(fold));
            let Some(&first) = first else {
                continue;
            };
            self.settle_one(id);
            self.settle_one(first);
            let members = std::mem::take(&mut self.get_mut(id).members);
            let host = self.get_mut(first);
            host.members.extend(members.iter().cloned());
            host.members.sort_unstable();
            self.remove(id);
            moved.extend(members.into_iter().map(|member| (member, id, first)));
        }
        moved
    }

    /// Hands over what was counted since the last time.
    pub(crate) fn settle(&mut self, out: &mut Output) {
        for position in 0..self.folds.len() {
            if self.folds[position].is_some() {
                self.settle_one(id_of(position));
            }
        }
        out.counts.append(&mut self.owed);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.folds.len() - self.free.len()
    }

    pub(crate) fn get(&self, id: FoldId) -> &Fold {
        self.folds[id.0 as usize]
            .as_ref()
            .expect("a fold stays while it has members")
    }

    pub(crate) fn get_mut(&mut self, id: FoldId) -> &mut Fold {
        self.folds[id.0 as usize]
            .as_mut()
            .expect("a fold stays while it has members")
    }

    /// The fold that has this program, if it is still there.
    pub(crate) fn with_program(&mut self, id: FoldId, program: &Arc<FoldProgram>) -> Option<&mut Fold> {
        let fold = self.folds.get_mut(id.0 as usize)?.as_mut();
        fold.filter(|fold| Arc::ptr_eq(&fold.program, program))
    }

    /// The folds that are given all rows.
    pub(crate) fn whole_mut(&mut self) -> impl Iterator<Item = (FoldId, &mut Fold)> {
        self.iter_mut().filter(|(_, fold)| fold.feed == Feed::All)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (FoldId, &mut Fold)> {
        let folds = self.folds.iter_mut().enumerate();
        folds.filter_map(|(position, fold)| Some((id_of(position), fold.as_mut()?)))
    }

    /// The links that are used no more since the last call.
    pub(crate) fn take_unused(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.unused)
    }

    /// Whether a version has gone since the last call.
    pub(crate) fn take_version_gone(&mut self) -> bool {
        std::mem::take(&mut self.version_gone)
    }

    /// Shared columns have new places.
    pub(crate) fn relink(&mut self, moves: &Moves) {
        for (_, fold) in self.iter_mut() {
            let links = fold.links().iter().map(|&link| moves.apply(link)).collect();
            fold.set_links(links);
        }
    }

    /// Adds a rule to a fold that was restored with it.
    pub(crate) fn add_member(&mut self, id: FoldId, rule: &Arc<str>) {
        let members = &mut self.get_mut(id).members;
        if let Err(position) = members.binary_search(rule) {
            members.insert(position, Arc::clone(rule));
        }
    }

    pub(crate) fn insert(&mut self, fold: Fold) -> FoldId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.folds.push(None);
            id_of(self.folds.len() - 1)
        });
        self.folds[id.0 as usize] = Some(fold);
        id
    }

    fn remove(&mut self, id: FoldId) {
        self.feed(id, Feed::Parts);
        if let Some(fold) = self.folds[id.0 as usize].take() {
            self.unused.extend_from_slice(fold.links());
        }
        self.free.push(id);
    }

    /// Takes a fold out of those that are given all rows.
    fn forget(&mut self, id: FoldId, program: &Arc<FoldProgram>) {
        if let Some(same) = self.whole.get_mut(program) {
            self.twins -= usize::from(same.len() == 2);
            same.retain(|&known| known != id);
            if same.is_empty() {
                self.whole.remove(program);
            }
        }
    }

    /// Books the counts of a fold for its members.
    fn settle_one(&mut self, id: FoldId) {
        let fold = self.folds[id.0 as usize]
            .as_mut()
            .expect("a fold stays while it has members");
        let counts = std::mem::take(&mut fold.counts);
        if counts != Counts::default() {
            let owed = fold.members.iter().map(|rule| RuleCounts {
                rule: Arc::clone(rule),
                counts,
            });
            self.owed.extend(owed);
        }
    }
}

fn id_of(position: usize) -> FoldId {
    FoldId(crate::isolate::row_number(position))
}
