//! The fewest subscriptions that serve many filters.

use super::TopicFilter;
use std::collections::BTreeSet;

/// The smallest set of `filters` that matches every topic that any of them matches, sorted. Subscribing to these, and
/// to nothing else, brings each message once, even from brokers that send a copy for each overlapping subscription.
pub fn covering<'a>(filters: impl IntoIterator<Item = &'a TopicFilter>) -> Vec<TopicFilter> {
    let distinct: Vec<&TopicFilter> = filters.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    // Without a wildcard a filter covers only itself, so thousands of plain topics are not compared to each other.
    let wide: Vec<&TopicFilter> = distinct
        .iter()
        .copied()
        .filter(|filter| filter.has_wildcard())
        .collect();
    let superfluous = |filter: &TopicFilter| {
        wide.iter().any(|other| {
            *other != filter && other.covers(filter)
                // Of two that cover each other (`#` and `+/#`) the first stays.
                && (!filter.covers(other) || *other < filter)
        })
    };
    distinct
        .into_iter()
        .filter(|filter| !superfluous(filter))
        .cloned()
        .collect()
}
