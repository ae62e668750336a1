//! The types of a plan's columns, as far as the plan tells them: what functions return is known for certain only when
//! their libraries are.

use rulemill_core::built_in_aggregate_type;
use rulemill_plan::{Argument, Plan, Step, Type};

/// The types of the columns of both files; `None` where only a library knows.
pub(super) struct ColumnTypes {
    pub(super) before: Vec<Option<Type>>,
    pub(super) after: Vec<Option<Type>>,
}

impl ColumnTypes {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut before: Vec<Option<Type>> = plan.needs.iter().map(|need| Some(need.kind)).collect();
        append(&plan.before, &mut before);
        let mut after = if plan.window.is_some() {
            let keys = plan.keys.iter().map(|key| kind(&before, key.position()));
            let times = [Some(Type::Time), Some(Type::Time)];
            let aggregates = plan.aggregates.iter().map(|aggregate| {
                let argument = match aggregate.arguments.first() {
                    Some(Argument::Column(column)) => kind(&before, column.position()),
                    Some(Argument::Literal(_) | Argument::Setting(_)) | None => None,
                };
                match aggregate.library {
                    None => built_in_aggregate_type(&aggregate.function, argument),
                    Some(_) => None,
                }
            });
            keys.chain(times).chain(aggregates).collect()
        } else {
            before.clone()
        };
        append(&plan.after, &mut after);
        ColumnTypes { before, after }
    }
}

/// The type of a column that may not even exist; the check of the plan says so elsewhere.
pub(super) fn kind(columns: &[Option<Type>], position: usize) -> Option<Type> {
    columns.get(position).copied().flatten()
}

fn append(steps: &[Step], columns: &mut Vec<Option<Type>>) {
    for step in steps {
        match step {
            Step::Call(call) => columns.push(call.returns),
            Step::Kernel(kernel) => columns.extend(kernel.outputs.iter().map(|output| Some(output.kind))),
            Step::Remember(remember) => {
                let kinds = remember.returns(|column| kind(columns, column.position()));
                columns.extend(kinds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_the_plan_where_no_library_is_asked() {
        let plan = Plan::from_json(
            r#"{"name": "x", "needs": [{"name": "topic", "type": "text", "origin": "topic"},
                {"name": "t", "type": "int", "origin": {"field": ["t"]}}],
                "before": [{"call": {"name": "a", "function": "f", "returns": "bool"}},
                           {"call": {"name": "b", "function": "g"}},
                           {"kernel": {"kernel": 0, "inputs": [1], "outputs": [{"name": "c", "type": "json"}]}}],
                "keys": [0], "window": {"kind": "tumbling", "size_ms": 1000},
                "aggregates": [{"name": "d", "function": "avg", "arguments": [{"column": 1}]},
                               {"name": "e", "function": "max", "arguments": [{"column": 1}]},
                               {"name": "f", "function": "count"},
                               {"name": "g", "function": "mine", "arguments": [{"column": 1}]}],
                "after": [{"kernel": {"kernel": 1, "inputs": [], "outputs": [{"name": "h", "type": "bytes"}]}}],
                "emits": [{"name": "x", "column": 0}]}"#,
        );
        let types = ColumnTypes::of(&plan.unwrap());
        use Type::{Bool, Bytes, Float, Int, Json, Text, Time};
        assert_eq!(types.before, [Some(Text), Some(Int), Some(Bool), None, Some(Json)]);
        let after = [
            Some(Text),
            Some(Time),
            Some(Time),
            Some(Float),
            Some(Int),
            Some(Int),
            None,
            Some(Bytes),
        ];
        assert_eq!(types.after, after);
    }
}
