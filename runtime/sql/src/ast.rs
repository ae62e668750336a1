//! What a text says, before anybody knows what its names mean.

use crate::problem::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name, without backticks.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// One statement of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A query.
    Select(Box<Select>),
    /// `CREATE STREAM` or `CREATE TABLE`.
    Create(CreateStream),
    /// `SHOW STREAMS` or `SHOW TABLES`.
    Show(Kind),
    /// `DESCRIBE STREAM name`.
    Describe(Kind, Name),
    /// `EXPLAIN STREAM name`.
    Explain(Kind, Name),
    /// `DROP STREAM name`.
    Drop(Kind, Name),
}

/// What a definition is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages that come.
    Stream,
    /// Rows that stay.
    Table,
}

/// The definition of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateStream {
    /// A stream or a table.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Its fields; none: any message will do, and types follow from what queries do with a field.
    pub fields: Vec<Field>,
    /// What stands in `WITH (...)`.
    pub options: Vec<StreamOption>,
}

/// A field of a stream or of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub kind: FieldType,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    /// A 64-bit integer.
    Bigint,
    /// A double.
    Float,
    /// Text.
    String,
    /// Bytes.
    Bytea,
    /// A time.
    Datetime,
    /// True or false.
    Boolean,
    /// Values of one type.
    Array(Box<FieldType>),
    /// Named values.
    Struct(Vec<Field>),
}

/// One of the options of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOption {
    /// Its name, in capitals.
    pub name: Name,
    /// Its value.
    pub value: Name,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// What comes out.
    pub items: Vec<Item>,
    /// What it reads.
    pub from: Source,
    /// What else it reads.
    pub joins: Vec<Join>,
    /// Which rows count.
    pub filter: Option<Expr>,
    /// What makes a group.
    pub group_by: Vec<Expr>,
    /// How rows are cut into windows.
    pub window: Option<Window>,
    /// Which groups count.
    pub having: Option<Expr>,
    /// In which order rows come out.
    pub order_by: Vec<OrderBy>,
    /// How many rows come out at most.
    pub limit: Option<u32>,
    /// All of it.
    pub span: Span,
}

/// One thing that comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An expression.
    Expr {
        /// What is computed.
        expr: Expr,
        /// What it is called.
        alias: Option<Name>,
        /// Only for other expressions to use.
        invisible: bool,
    },
    /// All fields.
    Star(Star),
}

/// All fields but some.
#[derive(Clone, Debug, PartialEq)]
pub struct Star {
    /// The stream whose fields are meant, when one is named.
    pub stream: Option<Name>,
    /// Those that are left out.
    pub except: Vec<Name>,
    /// Those that are something else.
    pub replace: Vec<(Expr, Name)>,
    /// Where it stands.
    pub span: Span,
}

/// A stream that is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The stream's name.
    pub stream: Name,
    /// What it is called in the query.
    pub alias: Option<Name>,
}

/// A stream that is joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Which rows come out.
    pub kind: JoinKind,
    /// What is joined.
    pub source: Source,
    /// Which rows belong together.
    pub on: Option<Expr>,
}

/// Which rows of a join come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Those with a partner.
    Inner,
    /// All of the left.
    Left,
    /// All of the right.
    Right,
    /// All.
    Full,
    /// All with all.
    Cross,
}

/// How rows are cut into windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Its kind and sizes.
    pub kind: WindowKind,
    /// `FILTER (WHERE ...)`: which rows belong to it.
    pub filter: Option<Expr>,
    /// `OVER (WHEN ...)`: which rows begin it.
    pub when: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of windows; times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowKind {
    /// One after the other.
    Tumbling {
        /// How long each is.
        size_ms: u64,
    },
    /// Overlapping, at a fixed pace.
    Hopping {
        /// How long each is.
        size_ms: u64,
        /// How far apart they are.
        hop_ms: u64,
    },
    /// One for each row.
    Sliding {
        /// How far back it reaches.
        size_ms: u64,
        /// How long it waits.
        delay_ms: Option<u64>,
    },
    /// Until silence.
    Session {
        /// How long at most.
        max_ms: u64,
        /// How long a silence ends it.
        timeout_ms: u64,
    },
    /// So many rows.
    Count {
        /// How many rows.
        rows: u64,
        /// After how many rows it comes out; as many as it has when left out.
        every: Option<u64>,
    },
    /// From one condition to another.
    State {
        /// Begins it.
        begin: Box<Expr>,
        /// Ends it.
        emit: Box<Expr>,
    },
}

/// One criterion of the order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// What is compared.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
}

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression can be.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// `name`: a field or an alias.
    Name(String),
    /// `a->name` or `a.name`: a member of an object, or a field of a stream.
    Member(Box<Expr>, Name),
    /// `a[i]`.
    Index(Box<Expr>, Box<Expr>),
    /// `a[from:to]`.
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a + b` and the like.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a IS NULL`.
    IsNull(Box<Expr>),
    /// `a BETWEEN low AND high`.
    Between(Sense, Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a IN (b, c)`.
    In(Sense, Box<Expr>, Vec<Expr>),
    /// `a IN b`, b an array.
    InArray(Sense, Box<Expr>, Box<Expr>),
    /// `a LIKE pattern`.
    Like(Sense, Box<Expr>, Box<Expr>),
    /// `CASE`, with or without an operand.
    Case(Box<Case>),
    /// `f(a, b)`.
    Call(Call),
}

/// Whether `NOT` stands before `BETWEEN`, `IN` or `LIKE`. It is not the same as `NOT` before all of it: with a null, both
/// `a LIKE b` and `a NOT LIKE b` are false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// It does not.
    Plain,
    /// It does.
    Negated,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Text(String),
}

/// `CASE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What the branches are compared with; without it they are conditions.
    pub operand: Option<Expr>,
    /// `WHEN a THEN b`.
    pub branches: Vec<(Expr, Expr)>,
    /// `ELSE a`.
    pub otherwise: Option<Expr>,
}

/// `f(a, b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub function: Name,
    /// What it is given.
    pub arguments: Vec<Argument>,
    /// `OVER (...)`.
    pub over: Option<Box<Over>>,
}

/// What a function is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A value.
    Expr(Expr),
    /// All fields.
    Star(Star),
}

/// `OVER (PARTITION BY ... WHEN ...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// What has a state of its own.
    pub partition_by: Vec<Expr>,
    /// Which rows count.
    pub when: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The operators with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `=`
    Equal,
    /// `!=` and `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `&`
    BitAnd,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl Operator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Or => "OR",
            Operator::And => "AND",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::BitOr => "|",
            Operator::BitXor => "^",
            Operator::BitAnd => "&",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }
}
