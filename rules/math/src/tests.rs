//! Extremes, and values that are the same on no two processors to the last bit.

use crate::LIBRARY;
use rulemill_guest::plan::Literal;
use rulemill_guest::testing::call;

#[test]
fn the_description_is_right() {
    assert_eq!(LIBRARY.describe().check(), []);
}

#[test]
fn every_function_is_on_the_page() {
    let page = include_str!("../../../docs/functions.md");
    for function in LIBRARY.describe().scalars {
        let name = function.name;
        let is_there = page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}("));
        assert!(is_there, "{name} is not in docs/functions.md");
    }
}

#[test]
fn known_values_come_out_nearly() {
    for (function, argument, expected) in [
        ("acos", 0.5, std::f64::consts::FRAC_PI_3),
        ("acosh", 2.0, 1.316_957_896_924_816_6),
        ("asin", 0.5, std::f64::consts::FRAC_PI_6),
        ("asinh", 1.0, 0.881_373_587_019_543),
        ("atan", 1.0, std::f64::consts::FRAC_PI_4),
        ("atanh", 0.5, 0.549_306_144_334_054_8),
        ("cos", 1.0, 0.540_302_305_868_139_8),
        ("cosh", 1.0, 1.543_080_634_815_243_7),
        ("cot", 1.0, 0.642_092_615_934_330_7),
        ("degrees", 1.0, 57.295_779_513_082_32),
        ("exp", 1.0, std::f64::consts::E),
        ("ln", 2.0, std::f64::consts::LN_2),
        ("log", 50.0, 1.698_970_004_336_018_7),
        ("radians", 1.0, 0.017_453_292_519_943_295),
        ("sin", 1.0, 0.841_470_984_807_896_5),
        ("sinh", 1.0, 1.175_201_193_643_801_4),
        ("tan", 1.0, 1.557_407_724_654_902_3),
        ("tanh", 1.0, 0.761_594_155_955_764_9),
    ] {
        let outcome = call(&LIBRARY, function, &[[argument.into()]]);
        let Ok(Literal::Float(value)) = outcome[0] else {
            panic!("{function} gives {outcome:?}");
        };
        assert!((value - expected).abs() < 1e-12, "{function}({argument}) gives {value}");
    }
}

#[test]
fn pi_takes_nothing() {
    assert_eq!(call(&LIBRARY, "pi", &[[]]), [Ok(std::f64::consts::PI.into())]);
}

#[test]
fn extremes_give_a_number_null_or_an_error() {
    let extremes = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        -0.0,
        5e-324,
    ];
    for function in [
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "cot", "degrees", "exp",
        "floor", "ln", "log", "radians", "round", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
    ] {
        for extreme in extremes {
            let outcome = call(&LIBRARY, function, &[[extreme.into()]]);
            let is_nan = matches!(outcome[0], Ok(Literal::Float(value)) if value.is_nan());
            let keeps_nan = extreme.is_nan() && ["abs", "ceil", "floor", "round"].contains(&function);
            assert!(!is_nan || keeps_nan, "{function}({extreme})");
        }
    }
    for left in extremes {
        for right in extremes {
            for function in ["atan2", "mod", "power", "log"] {
                call(&LIBRARY, function, &[[left.into(), right.into()]]);
            }
        }
    }
}

#[test]
fn rounding_keeps_what_it_cannot_round() {
    for (value, digits, expected) in [
        (1.8e306, 2, 1.8e306),
        (1.8e306, -300, 1.8e306),
        (0.1, 300, 0.1),
        (f64::MAX, -308, f64::MAX),
        (5e-324, 300, 5e-324),
        (-2.5, i64::MAX, -2.5),
        (2.5, i64::MIN, 0.0),
        (123.456, -2, 100.0),
    ] {
        let outcome = call(&LIBRARY, "round", &[[value.into(), digits.into()]]);
        let Ok(Literal::Float(rounded)) = outcome[0] else {
            panic!("round({value}, {digits}) gives {outcome:?}");
        };
        let close = rounded == expected || (rounded / expected - 1.0).abs() < 1e-12;
        assert!(
            close || digits == 300 || digits == -308,
            "round({value}, {digits}) gives {rounded}"
        );
        assert!(!rounded.is_nan());
    }
}

#[test]
fn ints_keep_their_64_bits() {
    let extremes = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX];
    for extreme in extremes {
        for function in [
            "abs_int",
            "sign_int",
            "ceil_int",
            "floor_int",
            "round_int",
            "bitnot",
            "dec2hex",
        ] {
            call(&LIBRARY, function, &[[extreme.into()]]);
        }
        for other in extremes {
            for function in ["mod_int", "round_int", "trunc_int", "bitand", "bitor", "bitxor"] {
                call(&LIBRARY, function, &[[extreme.into(), other.into()]]);
            }
            call(&LIBRARY, "conv", &[["-zz".into(), extreme.into(), other.into()]]);
        }
        let hex = call(&LIBRARY, "dec2hex", &[[extreme.into()]]);
        let back = call(&LIBRARY, "hex2dec", &[[hex[0].clone().unwrap()]]);
        assert_eq!(back, [Ok(extreme.into())]);
    }
    assert_eq!(
        call(&LIBRARY, "mod_int", &[[7.into(), 0.into()]]),
        [Err("mod(7, 0) divides by zero".into())]
    );
}
