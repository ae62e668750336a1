//! Where columns come from, noted while a plan is compiled; it makes the [`Lineage`] of those that feed the state.

use crate::program::{Lineage, Node};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// All origins of a plan's columns. Equal ones are one node, so that columns of columns take no more than the plan.
#[derive(Debug, Default)]
pub(super) struct Origins {
    nodes: Vec<Node>,
    /// Only looked up, never walked, so its random order shows nowhere.
    known: HashMap<Node, usize, foldhash::fast::RandomState>,
}

impl Origins {
    /// The number of an origin, new or known. Its inputs are numbers from earlier calls.
    pub(super) fn number(&mut self, node: Node) -> usize {
        match self.known.entry(node) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.nodes.push(new.key().clone());
                *new.insert(self.nodes.len() - 1)
            }
        }
    }

    /// The lineage of columns. It does not depend on how the plan orders its steps, or on steps that do not feed them.
    pub(super) fn lineage(&self, columns: impl IntoIterator<Item = usize>) -> Lineage {
        let mut lineage = Lineage::default();
        let mut moved = vec![None; self.nodes.len()];
        for column in columns {
            // Depth first without recursion: a plan from outside may nest as deep as it has steps.
            let mut path = vec![column];
            while let Some(&node) = path.last() {
                if moved[node].is_some() {
                    path.pop();
                    continue;
                }
                let (inputs, len) = (self.nodes[node].inputs(), path.len());
                path.extend(inputs.iter().rev().filter(|&&input| moved[input].is_none()));
                if path.len() == len {
                    let inputs = inputs.iter().filter_map(|&input| moved[input]).collect();
                    moved[node] = Some(lineage.nodes.len());
                    lineage.nodes.push(self.nodes[node].with_inputs(inputs));
                    path.pop();
                }
            }
            lineage.columns.extend(moved[column]);
        }
        lineage
    }
}
