//! Descriptions as the macros write them: constants, so that describing a library costs a guest no code of its own.

use rulemill_plan::{AggregateFunction, Example, Expected, Literal, Parameter, ScalarFunction, Type, Volatility};

/// A value in an example.
#[derive(Clone, Copy, Debug)]
pub enum Constant {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Text(&'static str),
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct ParameterText {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Whether it takes nulls.
    pub nullable: bool,
    /// Whether it may be given any number of times.
    pub variadic: bool,
}

/// One example.
#[derive(Clone, Copy, Debug)]
pub struct ExampleText {
    /// The rows of arguments.
    pub rows: &'static [&'static [Constant]],
    /// The value; `None` for an error.
    pub expected: Option<Constant>,
}

/// What is common to scalar and aggregate functions.
#[derive(Clone, Copy, Debug)]
pub struct FunctionText {
    /// The name by which rules call it.
    pub name: &'static str,
    /// What it computes.
    pub doc: &'static str,
    /// The parameters, in order.
    pub parameters: &'static [ParameterText],
    /// The type of the result.
    pub returns: Type,
    /// The examples.
    pub examples: &'static [ExampleText],
}

impl FunctionText {
    pub(crate) fn scalar(&self, volatility: Volatility) -> ScalarFunction {
        ScalarFunction {
            name: self.name.to_owned(),
            doc: self.doc.to_owned(),
            parameters: self.parameters(),
            returns: self.returns,
            volatility,
            examples: self.examples(),
        }
    }

    pub(crate) fn aggregate(&self, state_words: usize, fingerprint: u64) -> AggregateFunction {
        AggregateFunction {
            name: self.name.to_owned(),
            doc: self.doc.to_owned(),
            parameters: self.parameters(),
            returns: self.returns,
            state_words: u32::try_from(state_words).expect("a state has at most 64 words, or it does not compile"),
            fingerprint: format!("{fingerprint:016x}"),
            examples: self.examples(),
        }
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let parameter = |text: &ParameterText| Parameter {
            name: text.name.to_owned(),
            kind: text.kind,
            nullable: text.nullable,
            variadic: text.variadic,
        };
        self.parameters.iter().map(parameter).collect()
    }

    fn examples(&self) -> Vec<Example> {
        let row = |row: &&[Constant]| row.iter().map(|constant| constant.literal()).collect();
        let example = |text: &ExampleText| Example {
            rows: text.rows.iter().map(row).collect(),
            expected: match text.expected {
                Some(constant) => Expected::Value(constant.literal()),
                None => Expected::Error,
            },
        };
        self.examples.iter().map(example).collect()
    }
}

impl Constant {
    fn literal(self) -> Literal {
        match self {
            Constant::Null => Literal::Null,
            Constant::Bool(value) => Literal::Bool(value),
            Constant::Int(value) => Literal::Int(value),
            Constant::Float(value) => Literal::Float(value),
            Constant::Text(value) => Literal::from(value),
        }
    }
}
