//! Fields that a rule needs as they are: which rows of a batch do not have them.

use crate::Found;
use crate::fold::Ready;
use crate::isolate::row_number;
use crate::program::Requirement;
use crate::shared::Link;
use rulemill_plan::Fallback;

/// The rows that a requirement makes bad, ascending, with the reason.
pub(crate) fn rejected(requirement: &Requirement, link: Link, ready: &Ready<'_>) -> Vec<(u32, String)> {
    let Link::Field(field) = link else {
        return Vec::new();
    };
    let Some(valid) = &ready.columns[field].valid else {
        return Vec::new();
    };
    let mut mistyped: Vec<(u32, Found)> = ready
        .mistyped
        .iter()
        .filter(|mistyped| mistyped.field as usize == field)
        .map(|mistyped| (mistyped.row, mistyped.found))
        .collect();
    mistyped.sort_unstable_by_key(|(row, _)| *row);
    let nulls = (0..row_number(valid.len())).filter(|&row| !valid.get(row as usize));
    nulls
        .filter_map(|row| {
            let (policy, reason) = match mistyped.binary_search_by_key(&row, |(row, _)| *row) {
                Ok(at) => {
                    let kind = requirement.field.kind;
                    let found = mistyped[at].1.in_place_of(kind);
                    (requirement.mistyped, format!("must be of type {kind}, got {found}"))
                }
                Err(_) => (requirement.missing, "is missing or null".to_owned()),
            };
            (policy == Fallback::Reject).then_some((row, reason))
        })
        .collect()
}
