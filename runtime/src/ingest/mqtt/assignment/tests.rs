use super::*;
use proptest::prelude::*;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn filters(texts: &[&str]) -> BTreeSet<TopicFilter> {
    texts.iter().map(|text| filter(text)).collect()
}

/// What each lane serves, as text; vacant lanes are left out.
fn lanes(assignment: &Assignment) -> Vec<String> {
    let lanes = assignment.lanes().map(|(lane, filters)| {
        let filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
        let closing = if assignment.is_closing(lane) { " closing" } else { "" };
        format!("{}{closing}: {}", lane + 1, filters.join(" "))
    });
    lanes.collect()
}

#[test]
fn filters_that_overlap_in_part_go_to_different_lanes() {
    for (wanted, expect) in [
        (&[] as &[&str], &["1: "] as &[&str]),
        (&["a/+", "b/+", "c"], &["1: a/+ b/+ c"]),
        (&["a/+", "+/b"], &["1: +/b", "2: a/+"]),
        (&["a/#", "a/+", "a/b"], &["1: a/# a/+ a/b"]),
        (
            &["devices/+/messages", "devices/1/#", "devices/2/+"],
            &["1: devices/1/# devices/2/+", "2: devices/+/messages"],
        ),
        // Both are covered, and still overlap each other: without `#` they need two lanes, and none is to move then.
        (&["#", "a/+", "+/b"], &["1: # +/b", "2: a/+"]),
        (&["a/+", "+/b", "a/b"], &["1: +/b a/b", "2: a/+"]),
        (&["$SYS/#", "#"], &["1: # $SYS/#"]),
        (
            &["$share/g/a", "$share/h/a", "a"],
            &["1: a", "2: $share/g/a", "3: $share/h/a"],
        ),
        (
            &["$share/g/a/+", "$share/g/+/b"],
            &["1: $share/g/+/b", "2: $share/g/a/+"],
        ),
    ] {
        let mut assignment = Assignment::new();
        assignment.want(&filters(wanted));
        assert_eq!(lanes(&assignment), expect, "{wanted:?}");
    }
}

#[test]
fn a_filter_stays_where_it_is() {
    let mut assignment = Assignment::new();
    assignment.want(&filters(&["a/+"]));
    assignment.want(&filters(&["a/+", "+/b"]));
    assert_eq!(lanes(&assignment), ["1: a/+", "2: +/b"]);
    assignment.want(&filters(&["+/b", "c/+", "a/x"]));
    assert_eq!(lanes(&assignment), ["1: a/x c/+", "2: +/b"]);
}

#[test]
fn a_lane_without_filters_closes_and_its_number_is_used_again() {
    let mut assignment = Assignment::new();
    assignment.want(&filters(&["a/+", "+/b"]));
    assignment.want(&filters(&["+/b"]));
    assert_eq!(lanes(&assignment), ["1: +/b", "2 closing: "]);
    assignment.want(&filters(&["+/b", "a/+"]));
    assert_eq!(lanes(&assignment), ["1: +/b", "2 closing: ", "3: a/+"]);
    assignment.closed(1);
    assignment.closed(2);
    assignment.want(&filters(&["+/b", "a/+", "a/b/#"]));
    assert_eq!(lanes(&assignment), ["1: +/b", "2: a/b/#", "3: a/+"]);
}

#[test]
fn the_first_lane_stays_when_nothing_is_wanted() {
    let mut assignment = Assignment::new();
    assignment.want(&filters(&["a"]));
    assignment.want(&filters(&[]));
    assert_eq!(lanes(&assignment), ["1: "]);
}

#[test]
fn filters_beyond_the_last_lane_are_crowded_until_what_they_overlap_is_gone() {
    // Each pair of these shares one topic.
    let levels = |wild: usize| {
        let levels = (0..=LANES_MAX).map(|level| if level == wild { "+".to_owned() } else { "x".to_owned() });
        filter(&levels.collect::<Vec<_>>().join("/"))
    };
    let mut wanted: BTreeSet<_> = (0..=LANES_MAX).map(levels).collect();
    let mut assignment = Assignment::new();
    assignment.want(&wanted);
    assert_eq!(assignment.lanes().count(), LANES_MAX);
    let crowded = assignment.crowded();
    assert_eq!(crowded.len(), 2, "{crowded:?}");

    wanted.remove(&crowded[0]);
    assignment.want(&wanted);
    assert!(assignment.crowded().is_empty());
    assert_eq!(assignment.lanes().count(), LANES_MAX);
}

#[test]
fn lanes_of_an_earlier_process_go_on_or_close() {
    let served = [
        (0, filters(&["a"])),
        (1, filters(&["+/b", "a/+"])),
        (2, filters(&["x"])),
        (70, filters(&["y"])),
    ];
    let mut assignment = Assignment::restored(&served.into());
    assignment.want(&filters(&["+/b", "c"]));
    assert_eq!(lanes(&assignment), ["1: c", "2: +/b", "3 closing: "]);
}

#[test]
fn a_filter_that_two_restored_lanes_name_belongs_to_the_first() {
    let served = [(1, filters(&["a", "b"])), (2, filters(&["a"]))];
    let mut assignment = Assignment::restored(&served.into());
    assignment.want(&filters(&["a", "b"]));
    assert_eq!(lanes(&assignment), ["1: ", "2: a b", "3 closing: "]);
}

fn any_filter() -> impl Strategy<Value = TopicFilter> {
    let level = prop::sample::select(vec!["a", "b", "", "+", "+", "$a"]);
    let group = prop::sample::select(vec!["", "", "", "g"]);
    (prop::collection::vec(level, 0..4), any::<bool>(), group)
        .prop_map(|(mut levels, hash, group)| {
            if hash {
                levels.push("#");
            }
            (levels.join("/"), group)
        })
        .prop_filter_map("a valid filter", |(text, group)| {
            let plain = TopicFilter::parse(&text).ok()?;
            Some(plain.shared(group).unwrap_or(plain))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_wanted_filter_has_one_lane_and_keeps_it(
        rounds in prop::collection::vec(prop::collection::btree_set(any_filter(), 0..12), 1..6),
        closes in any::<bool>(),
    ) {
        let mut assignment = Assignment::new();
        let mut before: BTreeMap<TopicFilter, usize> = BTreeMap::new();
        for wanted in rounds {
            assignment.want(&wanted);

            let mut served = BTreeMap::new();
            for (lane, filters) in assignment.lanes() {
                prop_assert!(lane == 0 || filters.is_empty() == assignment.is_closing(lane));
                for filter in filters {
                    prop_assert!(served.insert(filter.clone(), lane).is_none(), "{:?} is in two lanes", filter);
                }
            }
            prop_assert_eq!(served.keys().cloned().collect::<BTreeSet<_>>(), wanted);
            for (filter, lane) in &served {
                prop_assert!(before.get(filter).is_none_or(|before| before == lane), "{:?} moved", filter);
            }
            let crowded: BTreeSet<_> = assignment.crowded().into_iter().collect();
            for (one, lane) in &served {
                for (other, other_lane) in &served {
                    let apart = lane != other_lane || one.fits_beside(other);
                    prop_assert!(apart || crowded.contains(one), "{:?} and {:?} in lane {}", one, other, lane);
                }
            }
            prop_assert!(crowded.is_empty() || assignment.lanes().count() == LANES_MAX);
            before = served;
            if closes {
                (0..LANES_MAX).for_each(|lane| assignment.closed(lane));
            }
        }
    }

    #[test]
    fn the_subscriptions_of_a_lane_share_no_topic(wanted in prop::collection::btree_set(any_filter(), 0..12)) {
        let mut assignment = Assignment::new();
        assignment.want(&wanted);
        prop_assume!(assignment.crowded().is_empty());
        for (lane, filters) in assignment.lanes() {
            let subscriptions = crate::topic::widest(&filters);
            for one in &subscriptions {
                prop_assert_eq!(subscriptions.iter().filter(|other| one.overlaps(other)).count(), 1, "lane {}", lane);
            }
        }
    }
}
