//! The bounds that are not configuration. Each says what happens at the bound.

/// The most messages in a batch. What has arrived beyond it goes into the next one.
pub const BATCH_ROWS_MAX: usize = 1024;

/// The most payload bytes in a batch, unless a single message is larger. The rest goes into the next batch.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// The most batches waiting for a mill thread. What is accepted meanwhile waits before them, and goes into larger batches.
pub const MILL_QUEUE_BATCHES_MAX: usize = 16;

/// The most messages that are accepted and not in a batch yet, but for the delivery that goes beyond it. Then sources withhold
/// acknowledgements and pause reading.
pub const ACCEPTED_ROWS_MAX: usize = 64 * BATCH_ROWS_MAX;

/// The same in payload bytes.
pub const ACCEPTED_BYTES_MAX: usize = 8 * BATCH_BYTES_MAX;

/// The most connections of a source to its broker. A topic filter that overlaps some of the others on each of them is
/// subscribed to on the last one all the same; that is logged and counted, because some brokers then send a message for
/// each of the overlapping subscriptions.
pub const SOURCE_LANES_MAX: usize = 8;
