//! A stream with its topics, guests and output, driven by messages with integer times.

use super::doubles::Library;
use crate::{
    Bounds, Cells, Column, CompileError, Counts, DeadRow, Emission, Fault, Field, Found, HashSeed, KernelsId,
    LostVersion, Micros, Mistyped, OnChange, Output, Removal, RuleVersion, SnapshotError, Stream, StreamBatch, Swap,
    TopicTable,
};
use rulemill_plan::{
    Aggregate, Argument, Call, ColumnIndex, Emit, Kernel, Literal, Need, Origin, OutputColumn, PathSegment, Plan, Step,
    Type, Window,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value of a message's field; a field that is left out is missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Float(f64),
    Text(String),
    /// Of another type than any rule wants.
    Wrong,
}

/// A message; times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) at: i64,
    pub(super) topic: String,
    pub(super) fields: Vec<(&'static str, Value)>,
}

pub(super) fn message(at: i64, topic: &str, fields: &[(&'static str, Value)]) -> Message {
    Message {
        at,
        topic: topic.to_owned(),
        fields: fields.to_vec(),
    }
}

pub(super) struct Driver {
    bounds: Bounds,
    pub(super) stream: Stream,
    pub(super) topics: TopicTable,
    pub(super) library: Library,
    pub(super) emissions: Vec<Emission>,
    pub(super) dead: Vec<DeadRow>,
    pub(super) counts: BTreeMap<Arc<str>, Counts>,
    out: Output,
    /// The pieces of an emission that are there so far.
    pieces: Option<Emission>,
}

impl Driver {
    pub(super) fn new() -> Self {
        Driver::bounded(Bounds::default(), 1)
    }

    /// With bounds of the calls that rules share, and a seed of the hashes.
    pub(super) fn bounded(bounds: Bounds, seed: u64) -> Self {
        let seed = HashSeed::new(seed);
        Driver {
            bounds,
            stream: Stream::new(bounds, seed.clone()),
            topics: TopicTable::new(seed),
            library: Library::default(),
            emissions: Vec::new(),
            dead: Vec::new(),
            counts: BTreeMap::new(),
            out: Output::default(),
            pieces: None,
        }
    }

    pub(super) fn with(plan: Plan) -> Self {
        let mut driver = Driver::new();
        driver.put("rule", plan);
        driver
    }

    pub(super) fn put(&mut self, id: &str, plan: Plan) -> Swap {
        self.try_put(&version(id, plan)).unwrap()
    }

    pub(super) fn try_put(&mut self, version: &RuleVersion) -> Result<Swap, CompileError> {
        let swap = self.stream.put(version, &mut self.library, &mut self.out);
        self.collect();
        swap
    }

    pub(super) fn remove(&mut self, id: &str, how: Removal) {
        self.stream.remove(id, how);
        self.collect();
    }

    pub(super) fn send(&mut self, messages: &[Message]) {
        self.send_to(None, messages);
    }

    /// Sends messages to one rule alone, or to all.
    pub(super) fn send_to(&mut self, rule: Option<&str>, messages: &[Message]) {
        self.topics.make_room();
        let topics: Vec<_> = messages
            .iter()
            .map(|message| self.topics.intern(&message.topic))
            .collect();
        let arrivals: Vec<Micros> = messages.iter().map(|message| Micros::from_millis(message.at)).collect();
        let mut mistyped = Vec::new();
        let columns: Vec<Column> = (0..)
            .zip(self.stream.fields())
            .map(|(number, field)| decode(number, field, messages, &mut mistyped))
            .collect();
        let batch = StreamBatch {
            rows: messages.len(),
            arrivals: &arrivals,
            topics: &topics,
            topic_names: &self.topics,
            columns: &columns,
            mistyped: &mistyped,
        };
        match rule {
            None => self.stream.process(&batch, &mut self.library, &mut self.out),
            Some(id) => self.stream.process_for(id, &batch, &mut self.library, &mut self.out),
        }
        self.collect();
    }

    /// Lets time pass, in milliseconds.
    pub(super) fn tick(&mut self, now: i64) {
        self.stream
            .advance(Micros::from_millis(now), &mut self.library, &mut self.out);
        self.collect();
    }

    /// The clock of arrivals was set back, to a time in milliseconds.
    pub(super) fn set_back(&mut self, now: i64) {
        self.stream
            .set_back(Micros::from_millis(now), &mut self.library, &mut self.out);
        self.collect();
    }

    /// The process ends and begins again: a stream with another seed takes the state over. Gives what was lost.
    pub(super) fn restart(&mut self, versions: &[RuleVersion], seed: u64) -> Vec<LostVersion> {
        self.stream.finish_closing(&mut self.library, &mut self.out);
        self.collect();
        let bytes = self.stream.snapshot();
        let seed = HashSeed::new(seed);
        let mut stream = Stream::new(self.bounds, seed.clone());
        self.topics = TopicTable::new(seed);
        let mut version_of = |id: &str, tag: u64| {
            let found = versions.iter().find(|version| *version.id == *id && version.tag == tag);
            found.cloned()
        };
        let lost = stream.restore(&bytes, &mut version_of, &mut self.library).unwrap();
        if lost.is_empty() {
            assert_eq!(stream.snapshot(), bytes, "what was restored is written in the same way");
        }
        self.stream = stream;
        lost
    }

    /// A process that begins with a snapshot from elsewhere.
    pub(super) fn restored(bytes: &[u8], versions: &[RuleVersion]) -> Result<(Self, Vec<LostVersion>), SnapshotError> {
        let mut driver = Driver::new();
        let mut version_of = |id: &str, tag: u64| {
            let found = versions.iter().find(|version| *version.id == *id && version.tag == tag);
            found.cloned()
        };
        let lost = driver.stream.restore(bytes, &mut version_of, &mut driver.library)?;
        Ok((driver, lost))
    }

    pub(super) fn close_all(&mut self) {
        self.stream.close_all(&mut self.library, &mut self.out);
        self.collect();
    }

    /// The rows of all emissions, those included of which only pieces are there.
    pub(super) fn rows_so_far(&self) -> usize {
        let emissions = self.emissions.iter().chain(&self.pieces);
        emissions.map(|emission| emission.rows).sum()
    }

    pub(super) fn counts(&self, rule: &str) -> Counts {
        self.counts.get(rule).copied().unwrap_or_default()
    }

    fn collect(&mut self) {
        self.stream.settle(&mut self.out);
        for emission in self.out.emissions.drain(..) {
            if emission.window.is_none() {
                self.emissions.push(emission);
                continue;
            }
            let whole = match self.pieces.take() {
                None => emission,
                Some(mut pieces) => {
                    assert_eq!((&pieces.rule, pieces.window), (&emission.rule, emission.window));
                    for (to, from) in pieces.columns.iter_mut().zip(&emission.columns) {
                        to.append(from);
                    }
                    pieces.rows += emission.rows;
                    pieces.more = emission.more;
                    pieces
                }
            };
            if whole.more {
                self.pieces = Some(whole);
            } else {
                self.emissions.push(whole);
            }
        }
        self.dead.append(&mut self.out.dead);
        for entry in self.out.counts.drain(..) {
            let total = self.counts.entry(entry.rule).or_default();
            let counts = entry.counts;
            total.batches += counts.batches;
            total.rows_in += counts.rows_in;
            total.rows_filtered += counts.rows_filtered;
            total.rows_late += counts.rows_late;
            total.rows_dead += counts.rows_dead;
            total.rows_windowed += counts.rows_windowed;
            total.windows_closed += counts.windows_closed;
            total.groups_dead += counts.groups_dead;
            total.groups_filtered += counts.groups_filtered;
            total.emissions += counts.emissions;
            total.rows_out += counts.rows_out;
        }
        self.out.clear();
    }

    /// The emissions of a rule since the last call, as text: the window in milliseconds and the rows.
    pub(super) fn taken(&mut self, rule: &str) -> Vec<String> {
        let (taken, rest) = std::mem::take(&mut self.emissions)
            .into_iter()
            .partition(|emission| &*emission.rule == rule);
        self.emissions = rest;
        let taken: Vec<Emission> = taken;
        taken.iter().map(show).collect()
    }

    /// What kinds of things went wrong with the dead rows so far.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.dead.iter().map(DeadRow::fault).collect()
    }

    /// The reasons of the dead rows since the last call, with the row, or `group`.
    pub(super) fn reasons(&mut self) -> Vec<String> {
        let dead = std::mem::take(&mut self.dead);
        dead.iter()
            .map(|dead| match dead {
                DeadRow::Message { row, reason, .. } => format!("{row}: {reason}"),
                DeadRow::Group { reason, .. } => format!("group: {reason}"),
            })
            .collect()
    }
}

pub(super) fn show(emission: &Emission) -> String {
    let window = emission.window.map_or_else(String::new, |(start, end)| {
        format!("[{}, {}) ", start.0 / 1000, end.0 / 1000)
    });
    let rows: Vec<String> = (0..emission.rows).map(|row| show_row(emission, row)).collect();
    format!("{window}{}", rows.join("; "))
}

fn show_row(emission: &Emission, row: usize) -> String {
    let cells: Vec<String> = emission
        .names
        .iter()
        .zip(&emission.columns)
        .filter(|(_, column)| !column.is_null(row))
        .map(|(name, column)| format!("{name}={}", show_cell(column, row)))
        .collect();
    cells.join(" ")
}

pub(super) fn show_cell(column: &Column, row: usize) -> String {
    match &column.cells {
        Cells::Bools(bits) => bits.get(row).to_string(),
        Cells::Ints(values) => values[row].to_string(),
        Cells::Times(values) => format!("{}us", values[row]),
        Cells::Floats(values) => values[row].to_string(),
        Cells::Texts(texts) | Cells::Json(texts) => texts.get(row).to_owned(),
        Cells::Bytes(blobs) => format!("{:?}", blobs.get(row)),
    }
}

fn decode(number: u32, field: &Field, messages: &[Message], mistyped: &mut Vec<Mistyped>) -> Column {
    let mut column = Column::empty(field.kind);
    for (row, message) in (0..).zip(messages) {
        let Origin::Field(path) = &field.origin else {
            assert_eq!(field.origin, Origin::ArrivalTime, "the tests use no other");
            push(&mut column, Cells::Times(vec![message.at * 1000]));
            continue;
        };
        let [PathSegment::Name(name)] = path.as_slice() else {
            panic!("the tests use plain names")
        };
        let value = message.fields.iter().find(|(given, _)| given == name);
        match (value.map(|(_, value)| value), field.kind) {
            (None, _) => column.push_null(),
            (Some(Value::Int(value)), Type::Int) => push(&mut column, Cells::Ints(vec![*value])),
            (Some(Value::Int(value)), Type::Time) => push(&mut column, Cells::Times(vec![value.saturating_mul(1000)])),
            (Some(Value::Float(value)), Type::Float) => push(&mut column, Cells::Floats(vec![*value])),
            (Some(Value::Text(value)), Type::Text) => {
                push(&mut column, Cells::Texts([value.as_str()].into_iter().collect()));
            }
            (Some(_), _) => {
                column.push_null();
                mistyped.push(Mistyped {
                    row,
                    field: number,
                    found: Found::Text,
                });
            }
        }
    }
    column
}

fn push(column: &mut Column, cells: Cells) {
    column.push_from(&Column::new(cells), 0);
}

// Plans.

pub(super) fn version(id: &str, plan: Plan) -> RuleVersion {
    let needs_kernels = plan
        .before
        .iter()
        .chain(&plan.after)
        .any(|step| matches!(step, Step::Kernel(_)));
    RuleVersion {
        id: Arc::from(id),
        plan: Arc::new(plan),
        kernels: needs_kernels.then_some(KernelsId(0)),
        settings: BTreeMap::new(),
        window_override_ms: None,
        bounds: Bounds::default(),
        on_change: OnChange::Boundary,
        tag: 0,
    }
}

pub(super) fn empty_plan() -> Plan {
    Plan {
        format: 1,
        name: "test".to_owned(),
        version: String::new(),
        doc: String::new(),
        topics: Vec::new(),
        source: None,
        needs: Vec::new(),
        before: Vec::new(),
        keep: None,
        content: None,
        keys: Vec::new(),
        each_row: false,
        window: None,
        event_time: None,
        aggregates: Vec::new(),
        after: Vec::new(),
        having: None,
        order: Vec::new(),
        limit: None,
        emits: Vec::new(),
        settings: Vec::new(),
        sinks: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

pub(super) fn tumbling(size_ms: u64) -> Option<Window> {
    Some(Window::Tumbling { size_ms })
}

pub(super) fn field(name: &str, kind: Type) -> Need {
    Need {
        name: name.to_owned(),
        kind,
        origin: Origin::Field(vec![name.into()]),
        missing: rulemill_plan::Fallback::Null,
        mistyped: rulemill_plan::Fallback::Null,
    }
}

pub(super) fn topic() -> Need {
    Need {
        name: "topic".to_owned(),
        kind: Type::Text,
        origin: Origin::Topic,
        missing: rulemill_plan::Fallback::Null,
        mistyped: rulemill_plan::Fallback::Null,
    }
}

pub(super) fn column(index: u32) -> Argument {
    Argument::Column(ColumnIndex(index))
}

pub(super) fn literal(value: impl Into<Literal>) -> Argument {
    Argument::Literal(value.into())
}

pub(super) fn call(function: &str, arguments: Vec<Argument>) -> Step {
    Step::Call(Call {
        name: function.to_owned(),
        function: function.to_owned(),
        library: None,
        arguments,
        returns: None,
    })
}

pub(super) fn kernel(kernel: u32, inputs: &[u32], outputs: &[(&str, Type)]) -> Step {
    Step::Kernel(Kernel {
        kernel,
        inputs: inputs.iter().map(|&input| ColumnIndex(input)).collect(),
        outputs: outputs
            .iter()
            .map(|&(name, kind)| OutputColumn {
                name: name.to_owned(),
                kind,
            })
            .collect(),
    })
}

pub(super) fn aggregate(name: &str, function: &str, arguments: Vec<Argument>) -> Aggregate {
    Aggregate {
        name: name.to_owned(),
        function: function.to_owned(),
        library: None,
        arguments,
    }
}

pub(super) fn emits(emits: &[(&str, u32)]) -> Vec<Emit> {
    emits
        .iter()
        .map(|&(name, index)| Emit {
            name: name.to_owned(),
            column: ColumnIndex(index),
            otherwise: Vec::new(),
        })
        .collect()
}

/// Per device of the topic `devices/{device}/messages`: average, largest, smallest and count of the temperature.
pub(super) fn tutorial_plan() -> Plan {
    Plan {
        needs: vec![topic(), field("temperature", Type::Float)],
        before: vec![call("split_value", vec![column(0), literal("/"), literal(1)])],
        keys: vec![ColumnIndex(2)],
        window: tumbling(10_000),
        aggregates: vec![
            aggregate("t_av", "avg", vec![column(1)]),
            aggregate("t_max", "max", vec![column(1)]),
            aggregate("t_min", "min", vec![column(1)]),
            aggregate("t_count", "count", vec![]),
        ],
        // The after file: 0 device, 1 start, 2 end, 3 to 6 the aggregates.
        emits: emits(&[
            ("device_id", 0),
            ("t_av", 3),
            ("t_max", 4),
            ("t_min", 5),
            ("t_count", 6),
        ]),
        ..empty_plan()
    }
}

pub(super) fn reading(at: i64, device: &str, temperature: f64) -> Message {
    let topic = format!("devices/{device}/messages");
    message(at, &topic, &[("temperature", Value::Float(temperature))])
}
