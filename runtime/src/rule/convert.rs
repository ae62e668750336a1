//! Columns across the border: borrowed into the guest, checked on the way back.

use super::bindings::columns::{
    BlobsParam, CellsParam, CellsResult, ColumnParam, ColumnResult, RowError as GuestRowError, TextsParam,
};
use rulemill_core::{Bits, Blobs, CallError, Cells, Column, RowError, Texts};
use rulemill_plan::Type;

/// The column as the guest gets it; nothing is copied here.
pub(super) fn lower(column: &Column) -> ColumnParam<'_> {
    ColumnParam {
        valid: column.valid.as_ref().map_or(&[], Bits::words),
        cells: match &column.cells {
            Cells::Bools(bits) => CellsParam::Bools(bits.words()),
            Cells::Ints(values) => CellsParam::Ints(values),
            Cells::Floats(values) => CellsParam::Floats(values),
            Cells::Times(values) => CellsParam::Times(values),
            Cells::Texts(texts) => CellsParam::Texts(lower_texts(texts)),
            Cells::Json(texts) => CellsParam::Json(lower_texts(texts)),
            Cells::Bytes(blobs) => CellsParam::Bytes(BlobsParam {
                data: blobs.data(),
                ends: blobs.ends(),
            }),
        },
    }
}

fn lower_texts(texts: &Texts) -> TextsParam<'_> {
    TextsParam {
        data: texts.data(),
        ends: texts.ends(),
    }
}

/// Takes over a column that a guest returned; it must have `rows` rows of type `wanted`.
pub(crate) fn lift(column: ColumnResult, wanted: Type, rows: usize) -> Result<Column, CallError> {
    let bad = CallError::BadResult;
    let cells = match column.cells {
        CellsResult::Bools(words) => {
            let words_len = words.len();
            let bits = Bits::from_words(words, rows).ok_or_else(|| {
                bad(format!(
                    "a bool column of {rows} rows needs {} words, got {words_len}",
                    rows.div_ceil(64)
                ))
            })?;
            Cells::Bools(bits)
        }
        CellsResult::Ints(values) => Cells::Ints(values),
        CellsResult::Floats(values) => Cells::Floats(values),
        CellsResult::Times(values) => Cells::Times(values),
        CellsResult::Texts(texts) => Cells::Texts(Texts::from_parts(texts.data, texts.ends).map_err(bad)?),
        CellsResult::Json(texts) => Cells::Json(Texts::from_parts(texts.data, texts.ends).map_err(bad)?),
        CellsResult::Bytes(blobs) => Cells::Bytes(Blobs::from_parts(blobs.data, blobs.ends).map_err(bad)?),
    };
    if cells.kind() != wanted {
        return Err(bad(format!("a column must be of type {wanted}, got {}", cells.kind())));
    }
    if cells.len() != rows {
        return Err(bad(format!("a column must have {rows} rows, got {}", cells.len())));
    }
    let valid = match column.valid.len() {
        0 => None,
        words => Some(Bits::from_words(column.valid, rows).ok_or_else(|| {
            bad(format!(
                "the validity of {rows} rows needs {} words or none, got {words}",
                rows.div_ceil(64)
            ))
        })?),
    };
    Ok(Column { valid, cells })
}

/// Takes over row errors; each must name one of the `rows` rows, and there may be one for each. Those beyond `texts_max`
/// lose their texts; how many did is the second result.
pub(crate) fn lift_errors(
    errors: Vec<GuestRowError>,
    rows: usize,
    texts_max: usize,
) -> Result<(Vec<RowError>, u64), CallError> {
    if errors.len() > rows {
        return Err(CallError::BadResult(format!(
            "{rows} rows can have as many row errors, got {}",
            errors.len()
        )));
    }
    let silenced = errors.len().saturating_sub(texts_max) as u64;
    let lift = |(position, error): (usize, GuestRowError)| {
        if error.row as usize >= rows {
            let message = format!("a row error names row {} of {rows}", error.row);
            return Err(CallError::BadResult(message));
        }
        let message = if position < texts_max {
            shorten(error.message)
        } else {
            format!("one of more than {texts_max} row errors of a call (limits.row_errors_max)")
        };
        Ok(RowError {
            row: error.row,
            message,
        })
    };
    let lifted: Result<Vec<RowError>, CallError> = errors.into_iter().enumerate().map(lift).collect();
    Ok((lifted?, silenced))
}

/// Cuts a text that comes from a guest to [`MESSAGE_BYTES_MAX`]: it is copied for each row and into each log line.
pub(super) fn shorten(text: String) -> String {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    // A copy: truncating would keep the whole allocation.
    text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)].to_owned()
}

/// The most bytes kept of any message of a guest.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::bindings::columns::TextsResult;

    fn texts(data: &str, ends: &[u32]) -> ColumnResult {
        ColumnResult {
            valid: vec![],
            cells: CellsResult::Texts(TextsResult {
                data: data.to_owned(),
                ends: ends.to_vec(),
            }),
        }
    }

    fn refusal(column: ColumnResult, wanted: Type, rows: usize) -> String {
        lift(column, wanted, rows).unwrap_err().to_string()
    }

    #[test]
    fn ends_that_do_not_ascend_are_refused() {
        let text = refusal(texts("abc", &[2, 1, 3]), Type::Text, 3);
        assert!(text.contains("ends must ascend"), "{text}");
    }

    #[test]
    fn ends_inside_a_character_are_refused() {
        let text = refusal(texts("é", &[1, 2]), Type::Text, 2);
        assert!(text.contains("inside a character"), "{text}");
    }

    #[test]
    fn ends_beyond_the_data_are_refused() {
        let text = refusal(texts("abc", &[1, 400]), Type::Text, 2);
        assert!(text.contains("length of the data"), "{text}");
    }

    #[test]
    fn another_number_of_rows_or_another_type_is_refused() {
        assert!(refusal(texts("abc", &[3]), Type::Text, 2).contains("2 rows, got 1"));
        assert!(refusal(texts("abc", &[3]), Type::Int, 1).contains("type int, got text"));
    }

    #[test]
    fn validity_of_another_length_is_refused() {
        let column = ColumnResult {
            valid: vec![1, 2],
            cells: CellsResult::Ints(vec![1]),
        };
        assert!(refusal(column, Type::Int, 1).contains("1 words or none, got 2"));
    }

    #[test]
    fn a_row_error_beyond_the_batch_is_refused() {
        let error = GuestRowError {
            row: 3,
            message: String::new(),
        };
        assert!(lift_errors(vec![error], 3, 10).is_err());
    }

    #[test]
    fn a_huge_row_error_is_cut_between_characters() {
        let error = GuestRowError {
            row: 0,
            message: format!("x{}", "é".repeat(1 << 20)),
        };
        let (lifted, _) = lift_errors(vec![error], 1, 10).unwrap();
        assert_eq!(lifted[0].message.len(), MESSAGE_BYTES_MAX - 1);
        assert!(lifted[0].message.capacity() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_flood_of_row_errors_is_refused() {
        let error = |_| GuestRowError {
            row: 0,
            message: String::new(),
        };
        assert!(lift_errors((0..3).map(error).collect(), 2, 10).is_err());
    }

    #[test]
    fn row_errors_beyond_the_bound_keep_their_rows_and_lose_their_texts() {
        let error = |row| GuestRowError {
            row,
            message: format!("bad {row}"),
        };
        let (lifted, silenced) = lift_errors((0..5).map(error).collect(), 5, 2).unwrap();
        assert_eq!(silenced, 3);
        assert_eq!(
            lifted.iter().map(|error| error.row).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(lifted[1].message, "bad 1");
        assert!(
            lifted[4].message.contains("limits.row_errors_max"),
            "{}",
            lifted[4].message
        );
    }
}
