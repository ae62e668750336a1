//! What bounds a result that can be much larger than the arguments.

use rulemill_guest::RowError;

/// How many bytes such a result may have. More is an error of the row.
pub(crate) const RESULT_LEN_MAX: usize = 64 * 1024;

/// How many values a path may find on its way. More is an error of the row.
pub(crate) const FOUND_MAX: usize = 10_000;

/// Fails when a result of so many bytes is too long.
pub(crate) fn check_len(len: usize) -> Result<(), RowError> {
    if len <= RESULT_LEN_MAX {
        return Ok(());
    }
    Err(RowError::new(format!(
        "the result would have more than {RESULT_LEN_MAX} bytes"
    )))
}
