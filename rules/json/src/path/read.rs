//! From the text of a path to its steps.

use super::filter::Filter;
use rulemill_guest::RowError;

/// A path.
#[derive(Debug, PartialEq)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
}

/// One step from a value to parts of it.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// Whether it begins at every depth, and not only at the value.
    pub(super) descends: bool,
    /// What is chosen there.
    pub(super) choices: Vec<Choice>,
}

/// Which parts of a value.
#[derive(Debug, PartialEq)]
pub(super) enum Choice {
    /// The member of this name.
    Member(String),
    /// The element at this index.
    Element(i64),
    /// The elements between two positions.
    Slice(Option<i64>, Option<i64>),
    /// All of them.
    All,
    /// Those for which it holds.
    Where(Filter),
}

impl Path {
    /// Whether it leads to one place.
    pub(super) fn is_single(&self) -> bool {
        self.steps.iter().all(|step| {
            let single = matches!(step.choices[..], [Choice::Member(_) | Choice::Element(_)]);
            single && !step.descends
        })
    }
}

/// Reads a path; one that does not begin with `$` begins with the name of a member.
pub(super) fn read(path: &str) -> Result<Path, RowError> {
    let mut reader = Reader {
        path,
        rest: path.trim_ascii(),
    };
    let mut steps = Vec::new();
    if !reader.eat("$") {
        steps.push(reader.plain_name(false)?);
    }
    steps.append(&mut reader.steps()?);
    if reader.rest.is_empty() {
        return Ok(Path { steps });
    }
    Err(reader.error())
}

/// What is left of a path.
pub(super) struct Reader<'p> {
    path: &'p str,
    pub(super) rest: &'p str,
}

impl Reader<'_> {
    /// The steps from here on, up to what is none.
    pub(super) fn steps(&mut self) -> Result<Vec<Step>, RowError> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                let step = if self.rest.starts_with('[') {
                    Step {
                        descends: true,
                        choices: self.brackets()?,
                    }
                } else {
                    self.plain_name(true)?
                };
                steps.push(step);
            } else if self.eat(".") {
                steps.push(self.plain_name(false)?);
            } else if self.rest.starts_with('[') {
                steps.push(Step {
                    descends: false,
                    choices: self.brackets()?,
                });
            } else {
                return Ok(steps);
            }
        }
    }

    /// A name without quotes, or `*`.
    fn plain_name(&mut self, descends: bool) -> Result<Step, RowError> {
        let choice = if self.eat("*") {
            Choice::All
        } else {
            let is_end = |sign: char| !(sign.is_alphanumeric() || matches!(sign, '_' | '-' | '$'));
            let name = self.take(self.rest.find(is_end).unwrap_or(self.rest.len()));
            if name.is_empty() {
                return Err(self.error());
            }
            Choice::Member(name)
        };
        Ok(Step {
            descends,
            choices: vec![choice],
        })
    }

    /// What stands in brackets, with commas between.
    fn brackets(&mut self) -> Result<Vec<Choice>, RowError> {
        self.expect("[")?;
        let mut choices = Vec::new();
        loop {
            self.blanks();
            choices.push(self.choice()?);
            self.blanks();
            if self.eat("]") {
                return Ok(choices);
            }
            self.expect(",")?;
        }
    }

    fn choice(&mut self) -> Result<Choice, RowError> {
        if self.eat("*") {
            return Ok(Choice::All);
        }
        if self.eat("?") {
            return Filter::read(self).map(Choice::Where);
        }
        if self.rest.starts_with(['"', '\'']) {
            return self.quoted().map(Choice::Member);
        }
        let from = self.int()?;
        self.blanks();
        if self.eat(":") {
            self.blanks();
            return Ok(Choice::Slice(from, self.int()?));
        }
        from.map(Choice::Element).ok_or_else(|| self.error())
    }

    /// An int; `None` when there is none.
    fn int(&mut self) -> Result<Option<i64>, RowError> {
        let is_part = |(at, sign): (usize, char)| sign.is_ascii_digit() || at == 0 && sign == '-';
        let len = self.rest.char_indices().take_while(|part| is_part(*part)).count();
        if len == 0 {
            return Ok(None);
        }
        match self.rest[..len].parse() {
            Ok(int) => {
                self.take(len);
                Ok(Some(int))
            }
            Err(_) => Err(self.error()),
        }
    }

    /// A text in quotes of either kind, in which a backslash keeps what follows it.
    pub(super) fn quoted(&mut self) -> Result<String, RowError> {
        let mut signs = self.rest.char_indices();
        let quote = signs.next().map(|(_, quote)| quote);
        let mut text = String::new();
        while let Some((at, sign)) = signs.next() {
            if Some(sign) == quote {
                self.take(at + 1);
                return Ok(text);
            }
            match sign {
                '\\' => text.extend(signs.next().map(|(_, kept)| kept)),
                sign => text.push(sign),
            }
        }
        Err(self.error())
    }

    pub(super) fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let behind = self.rest.strip_prefix(sign);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), RowError> {
        if self.eat(sign) { Ok(()) } else { Err(self.error()) }
    }

    /// The next `len` bytes, which must end between characters.
    pub(super) fn take(&mut self, len: usize) -> String {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken.to_owned()
    }

    pub(super) fn error(&self) -> RowError {
        let byte = self.path.len() - self.rest.len();
        RowError::new(format!(
            "the path is not understood from byte {byte} on; it should be such as $.a[0]['b']"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Choice {
        Choice::Member(name.to_owned())
    }

    #[test]
    fn steps_can_be_written_in_several_ways() {
        for (path, expected) in [
            ("$", vec![]),
            ("$.a", vec![(false, vec![member("a")])]),
            ("a", vec![(false, vec![member("a")])]),
            ("$['a']", vec![(false, vec![member("a")])]),
            (
                "$[ \"a\\\"\" , 'größe' ]",
                vec![(false, vec![member("a\""), member("größe")])],
            ),
            ("$.größe-1", vec![(false, vec![member("größe-1")])]),
            ("$..a", vec![(true, vec![member("a")])]),
            ("$..*", vec![(true, vec![Choice::All])]),
            ("$..[0]", vec![(true, vec![Choice::Element(0)])]),
            ("$[-1,2]", vec![(false, vec![Choice::Element(-1), Choice::Element(2)])]),
            ("$[1:]", vec![(false, vec![Choice::Slice(Some(1), None)])]),
            ("$[:-1]", vec![(false, vec![Choice::Slice(None, Some(-1))])]),
            ("$[:]", vec![(false, vec![Choice::Slice(None, None)])]),
        ] {
            let steps: Vec<(bool, Vec<Choice>)> = read(path)
                .unwrap()
                .steps
                .into_iter()
                .map(|step| (step.descends, step.choices))
                .collect();
            assert_eq!(steps, expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            "$.",
            "$..",
            "$...",
            "$[",
            "$[]",
            "$[a]",
            "$['a]",
            "$['a'",
            "$[1",
            "$[1,]",
            "$[--1]",
            "$[99999999999999999999]",
            "$a",
            "$ .a",
            "$[?]",
            "$[?(@.a ~ 1)]",
            "$[?(@.a > )]",
            "$[?(@.a > 1]",
            "$.a b",
            "$['\\",
        ] {
            assert!(read(path).is_err(), "{path}");
        }
    }
}
