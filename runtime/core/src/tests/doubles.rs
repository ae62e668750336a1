//! Guests made of plain functions.

use crate::{
    AccumulatorId, BindError, BoundAggregate, BoundScalar, CallError, Cells, Column, Guests, KernelsId, RowError, Rows,
    SiteId,
};
use rulemill_plan::{BoundArgument, Literal, Type};

/// What the tests' library can do, and what it was asked to do.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// Each call of a scalar function: its name and how many rows.
    pub(super) calls: Vec<(String, usize)>,
    /// The functions that are not loaded.
    pub(super) missing: Vec<&'static str>,
    /// Every call fails as if the library were gone.
    pub(super) unavailable: bool,
    /// What `split_value` puts before its result, as another version of the library might.
    pub(super) prefix: &'static str,
    /// The fingerprint of the state of `total`.
    pub(super) fingerprint: u64,
    sites: Vec<Site>,
    accumulators: Vec<Site>,
}

#[derive(Clone, Debug, PartialEq)]
struct Site {
    function: String,
    arguments: Vec<BoundArgument>,
}

impl Library {
    pub(super) fn rows_of(&self, function: &str) -> usize {
        self.calls_of(function).sum()
    }

    pub(super) fn calls_of(&self, function: &str) -> impl Iterator<Item = usize> {
        self.calls
            .iter()
            .filter(move |call| call.0 == function)
            .map(|call| call.1)
    }

    /// The call sites of a function.
    pub(super) fn sites_of(&self, function: &str) -> Vec<SiteId> {
        let numbered = self.sites.iter().zip(0..);
        let found = numbered.filter(|(site, _)| site.function == function);
        found.map(|(_, number)| SiteId(number)).collect()
    }
}

fn site(sites: &mut Vec<Site>, function: &str, arguments: &[BoundArgument]) -> u32 {
    let site = Site {
        function: function.to_owned(),
        arguments: arguments.to_vec(),
    };
    let position = sites.iter().position(|known| *known == site).unwrap_or_else(|| {
        sites.push(site);
        sites.len() - 1
    });
    u32::try_from(position).unwrap()
}

fn literal_int(arguments: &[BoundArgument], position: usize) -> i64 {
    match &arguments[position] {
        BoundArgument::Literal(Literal::Int(value)) => *value,
        other => panic!("an int literal, not {other:?}"),
    }
}

fn literal_float(arguments: &[BoundArgument], position: usize) -> f64 {
    match &arguments[position] {
        BoundArgument::Literal(Literal::Float(value)) => *value,
        other => panic!("a float literal, not {other:?}"),
    }
}

fn ints(column: &Column) -> &[i64] {
    match &column.cells {
        Cells::Ints(values) | Cells::Times(values) => values,
        other => panic!("ints, not {}", other.kind()),
    }
}

fn floats(column: &Column) -> &[f64] {
    match &column.cells {
        Cells::Floats(values) => values,
        other => panic!("floats, not {}", other.kind()),
    }
}

fn error(row: usize, message: &str) -> RowError {
    RowError {
        row: u32::try_from(row).unwrap(),
        message: message.to_owned(),
    }
}

impl Guests for Library {
    fn bind_scalar(
        &mut self,
        library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundScalar, BindError> {
        if self.missing.contains(&function) || library.is_some_and(|library| library != "tests") {
            return Err(BindError::Missing(format!("no library has {function}")));
        }
        let (returns, immutable) = match function {
            "split_value" => (Type::Text, true),
            "plus" | "trap_on" | "refuse" | "short" | "wild" | "broken" => (Type::Int, false),
            "above" => (Type::Bool, false),
            "stamp" => (Type::Time, true),
            "shout" => (Type::Text, false),
            "inflate" => (Type::Text, true),
            "trap_topic" => (Type::Text, true),
            _ => return Err(BindError::Refused(format!("there is no function {function}"))),
        };
        let site = SiteId(site(&mut self.sites, function, arguments));
        Ok(BoundScalar {
            site,
            returns,
            immutable,
        })
    }

    fn bind_aggregate(
        &mut self,
        _library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundAggregate, BindError> {
        let state_words = match function {
            "total" | "refusing_total" | "trapping_total" => 1,
            "mean_of" => 2,
            "huge" => 65,
            _ => return Err(BindError::Missing(format!("no library has {function}"))),
        };
        Ok(BoundAggregate {
            accumulator: AccumulatorId(site(&mut self.accumulators, function, arguments)),
            returns: if function == "mean_of" { Type::Float } else { Type::Int },
            state_words,
            fingerprint: self.fingerprint,
        })
    }

    fn evaluate(&mut self, site: SiteId, rows: Rows<'_>) -> Result<(Column, Vec<RowError>), CallError> {
        let Site { function, arguments } = self.sites[site.0 as usize].clone();
        self.calls.push((function.clone(), rows.rows));
        if self.unavailable {
            return Err(CallError::Unavailable("the library is gone".to_owned()));
        }
        for column in rows.columns {
            assert_eq!(column.len(), rows.rows);
        }
        let mut errors = Vec::new();
        let cells = match function.as_str() {
            "split_value" => Cells::Texts(self.split(&arguments, rows, &mut errors)),
            "shout" => {
                let Cells::Texts(texts) = &rows.columns[0].cells else {
                    panic!("texts")
                };
                let loud: Vec<String> = texts.iter().map(str::to_uppercase).collect();
                Cells::Texts(loud.iter().map(String::as_str).collect())
            }
            // As many bytes as the text says.
            "inflate" => {
                let Cells::Texts(texts) = &rows.columns[0].cells else {
                    panic!("texts")
                };
                let large: Vec<String> = texts
                    .iter()
                    .map(|text| "x".repeat(text.split('/').next().unwrap().parse().unwrap()))
                    .collect();
                Cells::Texts(large.iter().map(String::as_str).collect())
            }
            "trap_topic" => {
                let Cells::Texts(texts) = &rows.columns[0].cells else {
                    panic!("texts")
                };
                if texts.iter().any(|text| text.contains("poison")) {
                    return Err(CallError::Trap("poison".to_owned()));
                }
                Cells::Texts(texts.clone())
            }
            "plus" => {
                let by = literal_int(&arguments, 1);
                Cells::Ints(
                    ints(rows.columns[0])
                        .iter()
                        .map(|value| value.wrapping_add(by))
                        .collect(),
                )
            }
            "stamp" => Cells::Times(ints(rows.columns[0]).to_vec()),
            "above" => {
                let bound = literal_float(&arguments, 1);
                Cells::Bools(floats(rows.columns[0]).iter().map(|&value| value > bound).collect())
            }
            "refuse" => {
                let values = ints(rows.columns[0]);
                let refused = literal_int(&arguments, 1);
                let found = values.iter().enumerate().filter(|&(_, &value)| value == refused);
                errors.extend(found.map(|(row, _)| error(row, "refused")));
                Cells::Ints(values.to_vec())
            }
            "trap_on" => {
                let values = ints(rows.columns[0]);
                if values.contains(&literal_int(&arguments, 1)) {
                    return Err(CallError::Trap("unreachable".to_owned()));
                }
                Cells::Ints(values.to_vec())
            }
            "short" => Cells::Ints(ints(rows.columns[0])[1..].to_vec()),
            "wild" => {
                errors.push(error(rows.rows + 5, "out of range"));
                Cells::Ints(ints(rows.columns[0]).to_vec())
            }
            "broken" => return Err(CallError::Failure("a bad setting".to_owned())),
            other => panic!("{other} was not bound"),
        };
        let valid = rows.columns.first().and_then(|column| column.valid.clone());
        Ok((Column { valid, cells }, errors))
    }

    fn run(
        &mut self,
        _kernels: KernelsId,
        kernel: u32,
        input: Rows<'_>,
        _outputs: &[Type],
    ) -> Result<(Vec<Column>, Vec<RowError>), CallError> {
        self.calls.push((format!("kernel {kernel}"), input.rows));
        let column = |cells| Column {
            valid: input.columns[0].valid.clone(),
            cells,
        };
        Ok(match kernel {
            // Doubled, and whether positive.
            0 => {
                let values = floats(input.columns[0]);
                let doubled = column(Cells::Floats(values.iter().map(|value| value * 2.0).collect()));
                let positive = column(Cells::Bools(values.iter().map(|&value| value > 0.0).collect()));
                (vec![doubled, positive], Vec::new())
            }
            // The spread of a group: largest less smallest, an error where that is more than 100.
            1 => {
                let pairs = floats(input.columns[0]).iter().zip(floats(input.columns[1]));
                let spread: Vec<f64> = pairs.map(|(largest, smallest)| largest - smallest).collect();
                let wide = spread.iter().enumerate().filter(|&(_, &spread)| spread > 100.0);
                let errors = wide.map(|(row, _)| error(row, "too wide")).collect();
                (vec![Column::new(Cells::Floats(spread))], errors)
            }
            // The same times.
            2 => (vec![input.columns[0].clone()], Vec::new()),
            other => return Err(CallError::Failure(format!("there is no kernel {other}"))),
        })
    }

    fn initial(&mut self, accumulator: AccumulatorId) -> Result<Vec<u64>, CallError> {
        match self.accumulators[accumulator.0 as usize].function.as_str() {
            "mean_of" => Ok(vec![0, 0]),
            _ => Ok(vec![0]),
        }
    }

    fn accumulate(
        &mut self,
        accumulator: AccumulatorId,
        states: &[u64],
        group_of_row: &[u32],
        arguments: Rows<'_>,
    ) -> Result<(Vec<u64>, Vec<RowError>), CallError> {
        let function = self.accumulators[accumulator.0 as usize].function.clone();
        self.calls.push((function.clone(), arguments.rows));
        let values = ints(arguments.columns[0]);
        if function == "trapping_total" && values.contains(&13) {
            return Err(CallError::Trap("thirteen".to_owned()));
        }
        let mut states = states.to_vec();
        let mut errors = Vec::new();
        for (row, (&value, &group)) in values.iter().zip(group_of_row).enumerate() {
            if function == "refusing_total" && value == 13 {
                errors.push(error(row, "thirteen"));
                continue;
            }
            if arguments.columns[0].is_null(row) {
                continue;
            }
            let group = group as usize;
            if function == "mean_of" {
                states[group * 2] = states[group * 2].wrapping_add_signed(value);
                states[group * 2 + 1] += 1;
            } else {
                states[group] = states[group].wrapping_add_signed(value);
            }
        }
        Ok((states, errors))
    }

    fn finish(&mut self, accumulator: AccumulatorId, states: &[u64]) -> Result<Column, CallError> {
        if self.unavailable {
            return Err(CallError::Unavailable("the library is gone".to_owned()));
        }
        if self.accumulators[accumulator.0 as usize].function == "mean_of" {
            let means = states
                .chunks_exact(2)
                .map(|state| state[0].cast_signed() as f64 / state[1] as f64);
            return Ok(Column::new(Cells::Floats(means.collect())));
        }
        let totals = states.iter().map(|state| state.cast_signed());
        Ok(Column::new(Cells::Ints(totals.collect())))
    }
}

impl Library {
    fn split(&self, arguments: &[BoundArgument], rows: Rows<'_>, errors: &mut Vec<RowError>) -> crate::Texts {
        let (BoundArgument::Literal(Literal::Text(separator)), Cells::Texts(texts)) =
            (&arguments[1], &rows.columns[0].cells)
        else {
            panic!("a text and a literal separator")
        };
        let index = usize::try_from(literal_int(arguments, 2)).unwrap();
        let mut parts = crate::Texts::default();
        for (row, text) in texts.iter().enumerate() {
            match text.split(separator.as_str()).nth(index) {
                Some(part) => parts.push(&format!("{}{part}", self.prefix)),
                None => {
                    errors.push(error(row, "there is no such part"));
                    parts.push("");
                }
            }
        }
        parts
    }
}
