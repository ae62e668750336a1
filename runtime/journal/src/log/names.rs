//! The names of a log's files.

use super::sequence::Sequence;

/// What a file of the directory is to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment(Sequence),
    /// A damaged segment that was renamed aside, with the number of its name.
    Aside(Sequence, u32),
    /// A segment that had been begun.
    Unfinished,
    Foreign,
}

impl Name {
    pub(super) fn parse(name: &str) -> Name {
        let Some((digits, suffix)) = name.split_once('.') else {
            return Name::Foreign;
        };
        let number = digits.parse().ok().map(Sequence);
        let Some(first) = number
            .filter(|number| *number <= NUMBER_MAX)
            .filter(|_| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            return Name::Foreign;
        };
        match suffix.strip_prefix("log") {
            Some("") => Name::Segment(first),
            Some(".new") => Name::Unfinished,
            Some(".damaged") => Name::Aside(first, 1),
            Some(rest) => {
                let number = rest.strip_prefix(".damaged-").and_then(|number| number.parse().ok());
                number.map_or(Name::Foreign, |number| Name::Aside(first, number))
            }
            None => Name::Foreign,
        }
    }
}

pub(super) fn segment(first: Sequence) -> String {
    format!("{:020}.log", first.0)
}

pub(super) fn unfinished(first: Sequence) -> String {
    format!("{:020}.log.new", first.0)
}

/// A name for a damaged segment that no file in `taken` has.
pub(super) fn aside(segment: &str, taken: &[String]) -> String {
    let plain = format!("{segment}.damaged");
    let numbered = (2_u32..).map(|number| format!("{segment}.damaged-{number}"));
    let mut names = std::iter::once(plain).chain(numbered);
    names.find(|name| !taken.contains(name)).expect("numbers do not end")
}

/// A file with a higher number is not ours: no log lives so long, and there must be numbers after it.
const NUMBER_MAX: Sequence = Sequence(u64::MAX / 2);

#[test]
fn names_are_read_as_they_are_written() {
    let first = Sequence(42);
    let name = segment(first);
    assert_eq!(name, "00000000000000000042.log");
    assert_eq!(Name::parse(&name), Name::Segment(first));
    assert_eq!(Name::parse(&unfinished(first)), Name::Unfinished);
    let mut taken = Vec::new();
    for number in 1..4 {
        let found = aside(&name, &taken);
        assert_eq!(Name::parse(&found), Name::Aside(first, number), "{found}");
        taken.push(found);
    }
}

#[test]
fn other_names_are_foreign() {
    for name in [
        "",
        "lock",
        "42.log",
        "+0000000000000000042.log",
        "99999999999999999999.log",
        "18446744073709551615.log",
        "00000000000000000042",
        "00000000000000000042.log.old",
        "00000000000000000042.log.damaged-",
        "00000000000000000042.log.damaged-99999999999",
        "00000000000000000042.txt",
        "0000000000000000004é.log",
    ] {
        assert_eq!(Name::parse(name), Name::Foreign, "{name}");
    }
}
