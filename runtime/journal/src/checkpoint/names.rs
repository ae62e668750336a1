//! The names of the files.

/// What a file of the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Checkpoint(u64),
    Unfinished,
    Damaged(u64),
    Reserve,
    Foreign,
}

impl Name {
    pub(super) fn parse(name: &str) -> Name {
        if name == RESERVE {
            return Name::Reserve;
        }
        let Some((digits, suffix)) = name.split_once('.') else {
            return Name::Foreign;
        };
        let number = digits.parse().ok();
        let Some(number) = number
            .filter(|number| *number <= NUMBER_MAX)
            .filter(|_| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            return Name::Foreign;
        };
        match suffix {
            "checkpoint" => Name::Checkpoint(number),
            "checkpoint.new" => Name::Unfinished,
            "checkpoint.damaged" => Name::Damaged(number),
            _ => Name::Foreign,
        }
    }
}

pub(super) const RESERVE: &str = "reserve";

pub(super) fn checkpoint(number: u64) -> String {
    format!("{number:020}.checkpoint")
}

pub(super) fn unfinished(number: u64) -> String {
    format!("{number:020}.checkpoint.new")
}

pub(super) fn damaged(number: u64) -> String {
    format!("{number:020}.checkpoint.damaged")
}

/// A file with a higher number is not ours: there must be numbers after it.
const NUMBER_MAX: u64 = u64::MAX / 2;

#[test]
fn names_are_read_as_they_are_written() {
    for (name, expected) in [
        (checkpoint(7), Name::Checkpoint(7)),
        (checkpoint(u64::MAX), Name::Foreign),
        (unfinished(7), Name::Unfinished),
        (damaged(7), Name::Damaged(7)),
        (RESERVE.to_owned(), Name::Reserve),
        ("7.checkpoint".to_owned(), Name::Foreign),
        ("lock".to_owned(), Name::Foreign),
        ("00000000000000000007.log".to_owned(), Name::Foreign),
    ] {
        assert_eq!(Name::parse(&name), expected, "{name}");
    }
}
