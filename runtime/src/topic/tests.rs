use super::*;
use proptest::prelude::*;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

#[test]
fn filters_match_as_the_standard_says() {
    for (text, topic, expect) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a/b", "a", false),
        ("a", "a/b", false),
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player2", false),
        ("sport/#", "sport", true),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("+/tennis/#", "sport/tennis/a/b", true),
        ("#", "/", true),
        ("/", "/", true),
        ("a//b", "a//b", true),
        ("a/+/b", "a//b", true),
        ("A", "a", false),
    ] {
        assert_eq!(filter(text).matches(topic), expect, "{text} against {topic}");
    }
}

#[test]
fn leading_wildcards_do_not_match_reserved_topics() {
    for (text, topic, expect) in [
        ("#", "$SYS/uptime", false),
        ("+/uptime", "$SYS/uptime", false),
        ("+/#", "$SYS/uptime", false),
        ("$SYS/#", "$SYS/uptime", true),
        ("$SYS/+", "$SYS/uptime", true),
        ("a/+", "a/$b", true),
        ("a/#", "a/$b", true),
    ] {
        assert_eq!(filter(text).matches(topic), expect, "{text} against {topic}");
    }
}

#[test]
fn broken_filters_are_refused_with_the_reason() {
    for (text, expect) in [
        ("", "a topic filter must have at least one character"),
        (
            "devices/\u{1}/x",
            "a topic filter must not contain control characters or what is no character of Unicode, since brokers close \
             the connection then; got U+0001 in `devices/\\u{1}/x`",
        ),
        ("a\0", "a topic filter must not contain the character U+0000"),
        (
            "sport+",
            "a wildcard must be alone in its level, got `sport+` in the topic filter `sport+`",
        ),
        (
            "a/b#",
            "a wildcard must be alone in its level, got `b#` in the topic filter `a/b#`",
        ),
        (
            "a/++/b",
            "a wildcard must be alone in its level, got `++` in the topic filter `a/++/b`",
        ),
        ("a/#/b", "`#` must be the last level of a topic filter, got `a/#/b`"),
        ("#/", "`#` must be the last level of a topic filter, got `#/`"),
        (
            "$share",
            "a shared subscription is written $share/GROUP/FILTER, got `$share`",
        ),
        (
            "$share/g",
            "a shared subscription is written $share/GROUP/FILTER, got `$share/g`",
        ),
        ("$share/g/", "a topic filter must have at least one character"),
        (
            "$share//a",
            "the group of a shared subscription must be one level without wildcards and control characters, got ``",
        ),
        (
            "$share/+/a",
            "the group of a shared subscription must be one level without wildcards and control characters, got `+`",
        ),
    ] {
        assert_eq!(TopicFilter::parse(text).unwrap_err().to_string(), expect, "{text}");
    }
    let long = "a".repeat(TOPIC_BYTES_MAX + 1);
    assert_eq!(
        TopicFilter::parse(&long),
        Err(TopicFilterError::TooLong { bytes: 65_536 })
    );
}

#[test]
fn share_groups_are_parsed_and_written_back() {
    let shared = filter("$share/mills/devices/+/messages");
    assert_eq!(shared.share_group(), Some("mills"));
    assert_eq!(shared.as_str(), "devices/+/messages");
    assert_eq!(shared.to_string(), "$share/mills/devices/+/messages");
    assert!(shared.matches("devices/1/messages"));
    assert_eq!(filter("devices/+/messages").shared("mills"), Ok(shared));
    assert_eq!(filter("$sharex/a").share_group(), None);
    assert_eq!(filter("$share/g//a").as_str(), "/a");
}

#[test]
fn characters_over_which_brokers_close_the_connection_are_refused_in_filters_only() {
    for character in [
        '\u{1}',
        '\u{1f}',
        '\u{7f}',
        '\u{9f}',
        '\u{fdd0}',
        '\u{fdef}',
        '\u{fffe}',
        '\u{ffff}',
        '\u{1fffe}',
        '\u{10ffff}',
    ] {
        let text = format!("a/{character}");
        let expect = TopicFilterError::UnsafeCharacter {
            filter: text.clone(),
            character,
        };
        assert_eq!(TopicFilter::parse(&text), Err(expect));
        assert!(TopicFilter::parse(&format!("$share/{character}/a")).is_err());
        // A device may publish to such a topic: that costs nobody else anything.
        assert_eq!(check_topic_name(&text), Ok(()));
    }
    for character in [
        ' ',
        '~',
        '\u{a0}',
        '\u{fdcf}',
        '\u{fdf0}',
        '\u{fffd}',
        '\u{1fffd}',
        '\u{10000}',
    ] {
        assert!(TopicFilter::parse(&format!("a/{character}")).is_ok(), "{character:?}");
    }
}

#[test]
fn topic_names_are_checked() {
    for topic in ["a", "/", "a//b", " ", "$SYS/x", "ä/ö"] {
        assert_eq!(check_topic_name(topic), Ok(()), "{topic}");
    }
    assert_eq!(check_topic_name(""), Err(TopicNameError::Empty));
    assert_eq!(check_topic_name("a\0b"), Err(TopicNameError::NullCharacter));
    assert_eq!(
        check_topic_name("a/+"),
        Err(TopicNameError::Wildcard { topic: "a/+".into() })
    );
    assert_eq!(
        check_topic_name("a#"),
        Err(TopicNameError::Wildcard { topic: "a#".into() })
    );
    let long = "a".repeat(TOPIC_BYTES_MAX + 1);
    assert_eq!(check_topic_name(&long), Err(TopicNameError::TooLong { bytes: 65_536 }));
}

#[test]
fn covers_is_inclusion() {
    for (wide, narrow, expect) in [
        ("#", "a/b", true),
        ("#", "+/#", true),
        ("+/#", "#", true),
        ("+/+/#", "#", false),
        ("+/+/#", "/#", true),
        ("/#", "/+/#", true),
        ("+", "/#", false),
        ("a/#", "a", true),
        ("a/+/#", "a/#", false),
        ("a/#", "a/+/#", true),
        ("a/+", "a/b", true),
        ("a/+", "a/#", false),
        ("a/+/c", "a/+/c", true),
        ("a/b/c", "a/+/c", false),
        ("+", "/", false),
        ("#", "$SYS/#", false),
        ("+/x", "$SYS/x", false),
        ("$SYS/#", "$SYS/x", true),
        ("$share/g/#", "$share/g/a", true),
        ("#", "$share/g/a", false),
        ("$share/g/#", "$share/h/a", false),
    ] {
        assert_eq!(filter(wide).covers(&filter(narrow)), expect, "{wide} over {narrow}");
    }
}

#[test]
fn overlapping_filters_share_a_topic() {
    for (one, other, expect) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a/+", "+/b", true),
        ("devices/+/messages", "+/d1/messages", true),
        ("devices/+/messages", "devices/d1/#", true),
        ("a/b/#", "a/+", true),
        ("a/+/c/#", "a/b", false),
        ("+", "/#", false),
        ("+/+/#", "/#", true),
        ("a/+", "b/+", false),
        ("#", "$SYS/#", false),
        ("+/x", "$SYS/+", false),
        ("$SYS/+/x", "$SYS/a/+", true),
        ("$share/g/a", "a", true),
        ("$share/g/a/+", "$share/h/+/b", true),
        ("$share/g/a", "$share/g/b", false),
    ] {
        let (one, other) = (filter(one), filter(other));
        assert_eq!(one.overlaps(&other), expect, "{one} and {other}");
        assert_eq!(other.overlaps(&one), expect, "{other} and {one}");
    }
}

#[test]
fn filters_fit_beside_each_other_unless_they_overlap_in_part() {
    for (one, other, expect) in [
        ("a/+", "b/+", true),
        ("a/#", "a/+", true),
        ("a", "a", true),
        ("a/+", "+/b", false),
        ("a/b/#", "a/+", false),
        // Two subscriptions bring two copies, whatever they match.
        ("$share/g/a", "a", false),
        ("$share/g/#", "$share/h/a", false),
        ("$share/g/#", "$share/g/a", true),
    ] {
        let (one, other) = (filter(one), filter(other));
        assert_eq!(one.fits_beside(&other), expect, "{one} and {other}");
        assert_eq!(other.fits_beside(&one), expect, "{other} and {one}");
    }
}

#[test]
fn the_widest_filters_are_enough_and_none_is_made_up() {
    fn check(filters: &[&str], expect: &[&str]) {
        let filters: Vec<_> = filters.iter().map(|text| filter(text)).collect();
        let kept: Vec<_> = widest(&filters).iter().map(ToString::to_string).collect();
        assert_eq!(kept, expect);
    }
    check(&[], &[]);
    check(&["a", "a"], &["a"]);
    check(&["a/+", "a/b", "a/#", "c"], &["a/#", "c"]);
    check(&["+/#", "#"], &["#"]);
    check(&["/#", "/+/#"], &["/#"]);
    check(&["a/+", "+/b"], &["+/b", "a/+"]);
    check(&["a/+", "+/b", "#", "$SYS/a"], &["#", "$SYS/a"]);
    check(&["$share/g/a", "a"], &["a", "$share/g/a"]);
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "", "$a"])
}

fn any_filter() -> impl Strategy<Value = TopicFilter> {
    let level = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(level, 0..4), any::<bool>())
        .prop_map(|(mut levels, hash)| {
            if hash {
                levels.push("#");
            }
            levels.join("/")
        })
        .prop_filter_map("a valid filter", |text| TopicFilter::parse(&text).ok())
}

/// Every topic of up to five levels over an alphabet that has a level which no filter names.
fn all_topics() -> Vec<String> {
    let alphabet = ["a", "b", "", "$a", "z"];
    let mut topics: Vec<String> = alphabet.iter().map(|level| (*level).to_owned()).collect();
    let mut last = topics.clone();
    for _ in 1..5 {
        last = last
            .iter()
            .flat_map(|topic| alphabet.iter().map(move |level| format!("{topic}/{level}")))
            .collect();
        topics.extend(last.iter().cloned());
    }
    topics.retain(|topic| !topic.is_empty());
    topics
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn covers_agrees_with_matches(wide in any_filter(), narrow in any_filter()) {
        thread_local!(static TOPICS: Vec<String> = all_topics());
        let included = TOPICS.with(|topics| topics.iter().all(|topic| !narrow.matches(topic) || wide.matches(topic)));
        prop_assert_eq!(wide.covers(&narrow), included, "{:?} over {:?}", wide, narrow);
    }

    #[test]
    fn overlap_agrees_with_matches(one in any_filter(), other in any_filter()) {
        thread_local!(static TOPICS: Vec<String> = all_topics());
        let both = TOPICS.with(|topics| topics.iter().any(|topic| one.matches(topic) && other.matches(topic)));
        prop_assert_eq!(one.overlaps(&other), both, "{:?} and {:?}", one, other);
    }

    #[test]
    fn what_covers_comes_first(one in any_filter(), other in any_filter()) {
        if one.covers(&other) && !other.covers(&one) {
            prop_assert_eq!(one.wider_first(&other), std::cmp::Ordering::Less, "{:?} and {:?}", one, other);
        }
    }

    #[test]
    fn the_widest_cover_all_and_not_each_other(
        filters in prop::collection::vec((any_filter(), prop::sample::select(vec!["", "g", "h"])), 0..8),
    ) {
        let shared = filters.into_iter().map(|(filter, group)| filter.shared(group).unwrap_or(filter));
        let filters: Vec<_> = shared.collect();
        let kept = widest(&filters);
        for filter in &filters {
            prop_assert!(kept.iter().any(|one| one.covers(filter)), "{:?} in {:?}", filter, kept);
        }
        for one in &kept {
            prop_assert!(filters.contains(one), "{:?} is not asked for", one);
            prop_assert_eq!(kept.iter().filter(|other| one.covers(other)).count(), 1, "{:?}", kept);
        }
    }

    #[test]
    fn parsing_never_panics_and_writes_back(text in "[a$/+#\\x00]{0,12}") {
        if let Ok(filter) = TopicFilter::parse(&text) {
            prop_assert_eq!(filter.to_string(), text);
        }
    }
}
