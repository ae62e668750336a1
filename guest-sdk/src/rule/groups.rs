//! The stage of groups: aggregates, and which groups are emitted.

use super::builder::Groups;
use super::call::{CallArguments, Drafts};
use super::column::{After, Before, Col, ColumnId};
use super::draft::{AggregateDraft, ArgumentDraft};
use crate::kind::Kind;
use crate::types::Time;

/// A type that can be summed: `i64` or `f64`.
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` cannot be summed",
    note = "use a column of `f64` or `i64`"
)]
pub trait Number: Kind {}

impl Number for i64 {}
impl Number for f64 {}

/// A type with a smallest and a largest value: any but bytes and JSON.
#[diagnostic::on_unimplemented(message = "a column of `{Self}` has no order")]
pub trait Comparable: Kind {}

impl Comparable for bool {}
impl Comparable for i64 {}
impl Comparable for f64 {}
impl Comparable for Time {}
impl Comparable for str {}

impl Groups {
    /// When the window began.
    pub fn window_start(&self) -> Col<Time, After> {
        Col::new(ColumnId::WindowStart)
    }

    /// When the window ended; the first moment that is no longer part of it.
    pub fn window_end(&self) -> Col<Time, After> {
        Col::new(ColumnId::WindowEnd)
    }

    /// How many rows the group has.
    pub fn count(&self) -> Col<i64, After> {
        self.built_in("count", None)
    }

    /// In how many rows the column is not null.
    pub fn count_of<T: ?Sized>(&self, column: Col<T, Before>) -> Col<i64, After> {
        self.built_in("count", Some(column.id))
    }

    /// How many different values the column has, exactly.
    pub fn count_distinct<T: ?Sized>(&self, column: Col<T, Before>) -> Col<i64, After> {
        self.built_in("count_distinct", Some(column.id))
    }

    /// The mean.
    pub fn avg<T: Number>(&self, column: Col<T, Before>) -> Col<f64, After> {
        self.built_in("avg", Some(column.id))
    }

    /// The sum; an int sum beyond 64 bits is a row error.
    pub fn sum<T: Number>(&self, column: Col<T, Before>) -> Col<T, After> {
        self.built_in("sum", Some(column.id))
    }

    /// The smallest value.
    pub fn min<T: Comparable + ?Sized>(&self, column: Col<T, Before>) -> Col<T, After> {
        self.built_in("min", Some(column.id))
    }

    /// The largest value.
    pub fn max<T: Comparable + ?Sized>(&self, column: Col<T, Before>) -> Col<T, After> {
        self.built_in("max", Some(column.id))
    }

    /// The first value to arrive.
    pub fn first<T: ?Sized>(&self, column: Col<T, Before>) -> Col<T, After> {
        self.built_in("first", Some(column.id))
    }

    /// The last value to arrive.
    pub fn last<T: ?Sized>(&self, column: Col<T, Before>) -> Col<T, After> {
        self.built_in("last", Some(column.id))
    }

    /// The standard deviation of the values, taken as the whole population.
    pub fn stddev<T: Number>(&self, column: Col<T, Before>) -> Col<f64, After> {
        self.built_in("stddev", Some(column.id))
    }

    /// The standard deviation of the values, taken as a sample; null for one value.
    pub fn stddevs<T: Number>(&self, column: Col<T, Before>) -> Col<f64, After> {
        self.built_in("stddevs", Some(column.id))
    }

    /// The variance of the values, taken as the whole population.
    pub fn var<T: Number>(&self, column: Col<T, Before>) -> Col<f64, After> {
        self.built_in("var", Some(column.id))
    }

    /// The variance of the values, taken as a sample; null for one value.
    pub fn vars<T: Number>(&self, column: Col<T, Before>) -> Col<f64, After> {
        self.built_in("vars", Some(column.id))
    }

    /// An aggregate of a library, over columns of messages: `groups.aggregate::<f64>("geometric_mean", price)`.
    /// `library.aggregate` asks for a library. `T` must be the type that the aggregate returns.
    pub fn aggregate<T: Kind + ?Sized>(&self, function: &str, arguments: impl CallArguments<Before>) -> Col<T, After> {
        self.add(function, arguments.drafts())
    }

    /// Emits only the groups for which the column is true; null is false. A later call replaces an earlier one.
    pub fn having(&self, condition: Col<bool, After>) {
        self.draft.borrow_mut().having = Some(condition.id);
    }

    fn built_in<T: ?Sized>(&self, function: &str, column: Option<ColumnId>) -> Col<T, After> {
        self.add(function, column.map(ArgumentDraft::Column).into_iter().collect())
    }

    fn add<T: ?Sized>(&self, function: &str, arguments: Vec<ArgumentDraft>) -> Col<T, After> {
        let aggregates = &mut self.draft.borrow_mut().aggregates;
        aggregates.push(AggregateDraft {
            function: function.into(),
            arguments,
        });
        Col::new(ColumnId::Aggregate(aggregates.len() - 1))
    }
}
