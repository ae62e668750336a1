//! Whether a licence expression (SPDX, and the old form with a slash) is met by a list of accepted licences.

/// Whether somebody who accepts `accepted` may use what is licensed as `expression`. False also when the expression
/// cannot be read.
pub(crate) fn is_accepted(expression: &str, accepted: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = Words {
        words: spaced.split_whitespace().collect(),
        accepted,
    };
    let met = words.any();
    met == Some(true) && words.words.is_empty()
}

/// What is left of an expression. `None` from its methods: it is not an expression.
struct Words<'a> {
    words: std::collections::VecDeque<&'a str>,
    accepted: &'a [&'a str],
}

impl Words<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.skip("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.skip("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let met = self.any()?;
            return self.skip(")").then_some(met);
        }
        let mut licence = self.words.pop_front()?.to_owned();
        if [")", "OR", "AND", "WITH"].contains(&licence.as_str()) {
            return None;
        }
        if self.skip("WITH") {
            licence = format!("{licence} WITH {}", self.words.pop_front()?);
        }
        Some(self.accepted.contains(&licence.as_str()))
    }

    fn skip(&mut self, word: &str) -> bool {
        let next = self.words.front() == Some(&word);
        if next {
            self.words.pop_front();
        }
        next
    }
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    let accepted = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
    for met in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0/MIT",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "GPL-3.0 AND LGPL-3.0 OR MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_accepted(met, &accepted), "{met}");
    }
    for not_met in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND GPL-3.0",
        "MIT WITH Classpath-exception-2.0",
        "MIT OR",
        "(MIT",
        "MIT)",
        "MIT Apache-2.0",
    ] {
        assert!(!is_accepted(not_met, &accepted), "{not_met}");
    }
}
