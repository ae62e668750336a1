//! How the core reaches code in guests. The host implements [`Guests`] with wasm instances, tests with plain functions.

use crate::Column;
use rulemill_plan::{BoundArgument, Type};

/// A bound call of a library's scalar function. It stays the same while the library is replaced underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiteId(pub u32);

/// A bound aggregate of a library. It stays the same while the library is replaced underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccumulatorId(pub u32);

/// The prepared kernels of one version of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelsId(pub u32);

/// Columns for a guest, all of `rows` rows.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// How many rows each column has.
    pub rows: usize,
    /// The columns, in the agreed order.
    pub columns: &'a [&'a Column],
}

/// A row that a guest could not compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The row's position in what the guest was given.
    pub row: u32,
    /// What is wrong with it.
    pub message: String,
}

/// A call that gave nothing for any of its rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The guest said so.
    #[error("{0}")]
    Failure(String),
    /// The guest trapped, overran its time or its memory; its instance is gone. Trying fewer rows may help.
    #[error("trapped: {0}")]
    Trap(String),
    /// The guest returned what was not agreed: another number of rows or columns, another type, broken texts.
    #[error("returned a bad result: {0}")]
    BadResult(String),
    /// There is no guest: its library is not loaded.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The call was not made: earlier calls that failed took all the time there is for it in this batch.
    #[error("not tried: {0}")]
    OutOfTime(String),
    /// The call was not made: those before failed batch after batch. It will be made again after a while.
    #[error("suspended {0}")]
    Suspended(String),
}

/// A function that could not be bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No loaded library has it; a library that appears later may.
    #[error("{0}")]
    Missing(String),
    /// It is there and does not take these arguments, or the name is ambiguous.
    #[error("{0}")]
    Refused(String),
}

/// What [`Guests::bind_scalar`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundScalar {
    /// The call site.
    pub site: SiteId,
    /// The type of the result.
    pub returns: Type,
    /// Whether results may be remembered: the same arguments always give the same result.
    pub immutable: bool,
}

/// What [`Guests::bind_aggregate`] found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BoundAggregate {
    /// The accumulator.
    pub accumulator: AccumulatorId,
    /// The type of the result.
    pub returns: Type,
    /// 64-bit words of one group's state.
    pub state_words: u32,
    /// The identity of the state's layout.
    pub fingerprint: u64,
}

/// The guests that a stream's rules call. Every call is synchronous, bounded in time, and may be repeated: guests are pure.
///
/// Results are checked by the implementation: the agreed types, exactly as many rows as were given, row errors in range.
pub trait Guests {
    /// Finds a scalar function and resolves types and literals. The same function with the same arguments gives the
    /// same site.
    fn bind_scalar(
        &mut self,
        library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundScalar, BindError>;

    /// Finds an aggregate function and resolves types and literals.
    fn bind_aggregate(
        &mut self,
        library: Option<&str>,
        function: &str,
        arguments: &[BoundArgument],
    ) -> Result<BoundAggregate, BindError>;

    /// Computes a scalar function for each row. Cells of rows with an error mean nothing.
    fn evaluate(&mut self, site: SiteId, arguments: Rows<'_>) -> Result<(Column, Vec<RowError>), CallError>;

    /// Runs a kernel of a rule. Cells of rows with an error mean nothing.
    fn run(
        &mut self,
        kernels: KernelsId,
        kernel: u32,
        input: Rows<'_>,
        outputs: &[Type],
    ) -> Result<(Vec<Column>, Vec<RowError>), CallError>;

    /// The state of a group without rows; `state_words` words.
    fn initial(&mut self, accumulator: AccumulatorId) -> Result<Vec<u64>, CallError>;

    /// Adds row r of `arguments` to state number `group_of_row[r]` of `states`; gives back all states.
    fn accumulate(
        &mut self,
        accumulator: AccumulatorId,
        states: &[u64],
        group_of_row: &[u32],
        arguments: Rows<'_>,
    ) -> Result<(Vec<u64>, Vec<RowError>), CallError>;

    /// The results of so many states.
    fn finish(&mut self, accumulator: AccumulatorId, states: &[u64]) -> Result<Column, CallError>;
}
