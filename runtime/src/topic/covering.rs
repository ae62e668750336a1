//! The fewest subscriptions that serve many filters, no two of which match the same topic.

use super::{TOPIC_BYTES_MAX, TopicFilter, explicit};
use std::collections::BTreeSet;

/// Filters that together match every topic that any of `filters` matches, sorted; within a share group, no topic is
/// matched by two of them. Subscribing to these, and to nothing else, brings each message once, even from brokers that
/// send a copy for each overlapping subscription.
///
/// Where two filters overlap, what covers both takes their place: `+/+/messages` for `devices/+/messages` and
/// `+/d1/messages`. It may match topics that none of `filters` matches.
pub fn covering<'a>(filters: impl IntoIterator<Item = &'a TopicFilter>) -> Vec<TopicFilter> {
    let distinct: BTreeSet<&TopicFilter> = filters.into_iter().collect();
    // Without a wildcard a filter overlaps only what covers it, so thousands of plain topics are not compared to each
    // other.
    let (wide, plain): (Vec<_>, Vec<_>) = distinct.into_iter().partition(|filter| filter.has_wildcard());
    let mut apart: Vec<TopicFilter> = Vec::new();
    for filter in wide {
        let mut merged = filter.clone();
        // What grows may overlap what it did not before. It is one filter fewer each time, so this ends.
        while let Some(index) = apart.iter().position(|other| overlap(other, &merged)) {
            merged = generalisation(&apart.swap_remove(index), &merged);
        }
        apart.push(merged);
    }
    let wide = apart.len();
    for filter in plain {
        if !apart[..wide].iter().any(|other| other.covers(filter)) {
            apart.push(filter.clone());
        }
    }
    apart.sort();
    apart
}

/// Whether there is a topic that both match, in the same share group.
pub(super) fn overlap(one: &TopicFilter, other: &TopicFilter) -> bool {
    if one.share_group != other.share_group {
        return false;
    }
    // A wildcard in the first level does not match what starts with `$`.
    if one.filter.starts_with('$') != other.filter.starts_with('$') {
        return false;
    }
    let mut other_levels = explicit(&other.filter).split('/');
    for level in explicit(&one.filter).split('/') {
        match (level, other_levels.next()) {
            // Also when the other has ended: `a/#` matches `a`.
            ("#", _) | (_, Some("#")) => return true,
            (_, None) => return false,
            ("+", Some(_)) | (_, Some("+")) => {}
            (level, Some(other_level)) if level == other_level => {}
            (_, Some(_)) => return false,
        }
    }
    matches!(other_levels.next(), None | Some("#"))
}

/// The narrowest filter that covers two overlapping ones.
fn generalisation(one: &TopicFilter, other: &TopicFilter) -> TopicFilter {
    let mut levels = Vec::new();
    let mut one_levels = explicit(&one.filter).split('/');
    let mut other_levels = explicit(&other.filter).split('/');
    loop {
        match (one_levels.next(), other_levels.next()) {
            (None, None) => break,
            (Some(level), Some(other_level)) if level == other_level => levels.push(level),
            (Some("#") | None, _) | (_, Some("#") | None) => {
                levels.push("#");
                break;
            }
            (Some(_), Some(_)) => levels.push("+"),
        }
    }
    let mut filter = levels.join("/");
    if filter.len() > TOPIC_BYTES_MAX {
        // A `+` is longer than an empty level. The first level and `#` are never longer than the two filters.
        filter = format!("{}/#", levels[0]);
    }
    TopicFilter {
        filter: filter.into(),
        share_group: one.share_group.clone(),
    }
}
