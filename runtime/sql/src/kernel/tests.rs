use super::*;
use crate::ast::{Operator, Sense};
use rulemill_plan::Literal;

fn column(number: u32, kind: Type) -> Value {
    Value::column(Column::Need(number), kind, format!("c{number}"))
}

fn value(node: Node, kinds: Kinds) -> Value {
    Value {
        node,
        kinds,
        source: "x".to_owned(),
    }
}

/// A kernel with every expression that there is.
fn everything() -> Kernel {
    let bool_kind = Kinds::of(Type::Bool);
    let number = || Box::new(column(0, Type::Int));
    let float = || Box::new(column(1, Type::Float));
    let text = || Box::new(column(2, Type::Text));
    let any = Box::new(value(
        Node::Dynamic {
            parts: vec![
                (Type::Int, Column::Need(3)),
                (Type::Float, Column::Need(4)),
                (Type::Text, Column::Need(5)),
            ],
            present: Some(Column::Need(6)),
        },
        Kinds::ANY,
    ));
    let compare = value(Node::Compare(Operator::Less, any.clone(), number()), bool_kind);
    let null = Box::new(Value::constant(Literal::Null));
    let values = vec![
        value(
            Node::Arithmetic(Operator::Add, number(), float()),
            Kinds::of(Type::Float),
        ),
        value(
            Node::Arithmetic(Operator::Multiply, any.clone(), number()),
            Kinds::NUMBERS,
        ),
        value(
            Node::Arithmetic(Operator::Remainder, number(), number()),
            Kinds::of(Type::Int),
        ),
        value(Node::Arithmetic(Operator::Divide, null.clone(), number()), Kinds::NONE),
        value(Node::Negate(any.clone()), Kinds::NUMBERS),
        value(Node::Between(Sense::Negated, any.clone(), number(), float()), bool_kind),
        value(
            Node::In(Sense::Plain, text(), vec![Value::constant("a".into()), *any.clone()]),
            bool_kind,
        ),
        value(Node::Like(Sense::Plain, any.clone(), text()), bool_kind),
        value(Node::Like(Sense::Plain, null.clone(), text()), bool_kind),
        value(Node::Not(null.clone()), bool_kind),
        value(Node::And(Box::new(compare.clone()), null), bool_kind),
        value(
            Node::Or(Box::new(compare.clone()), Box::new(column(7, Type::Bool))),
            bool_kind,
        ),
        value(
            Node::Case(Box::new(Case {
                operand: None,
                branches: vec![(compare, *number())],
                otherwise: Some(*text()),
            })),
            Kinds::of(Type::Int).with(Type::Text),
        ),
        value(Node::IsNull(any.clone()), bool_kind),
        value(Node::ToFloat(any.clone()), Kinds::of(Type::Float)),
        value(Node::ToMillis(Box::new(column(8, Type::Time))), Kinds::of(Type::Int)),
        value(Node::Require(Kinds::of(Type::Text), any.clone()), Kinds::ANY),
        *any,
    ];
    let mut kernel = Kernel {
        inputs: Vec::new(),
        outputs: values
            .into_iter()
            .map(|value| Output {
                kinds: value.kinds.iter().collect(),
                value,
            })
            .collect(),
    };
    kernel.collect_inputs();
    kernel
}

#[test]
fn a_module_with_every_expression_is_valid() {
    let bytes = module("{}", &[everything(), Kernel::default()]).finish();
    let mut validator = wasmparser::Validator::new();
    if let Err(error) = validator.validate_all(&bytes) {
        panic!("{error}");
    }
}

#[test]
fn a_component_is_valid_and_small() {
    let bytes = crate::component::component("{}", &[]);
    wasmparser::Validator::new().validate_all(&bytes).unwrap();
    assert!(
        bytes.len() < 3000,
        "a rule without kernels has {} bytes around its plan",
        bytes.len()
    );
}
