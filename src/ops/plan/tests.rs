use super::{list::MAX_LIST, *};

#[test]
fn unknown_options_are_refused_with_the_known_ones_and_never_echoed() {
    let error = Plan::single(Kind::RemoveBackground, [("treshold", "0.5")]).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), "unknown_option");
    assert!(text.contains("`threshold`") && text.contains("quality") && !text.contains("treshold"));
}

#[test]
fn later_pairs_win_and_output_options_are_part_of_every_plan() {
    let pairs = [("feather", "2"), ("feather", "7"), ("quality", "12")];
    let plan = Plan::single(Kind::RemoveBackground, pairs).unwrap();
    let Op::RemoveBackground(options) = plan.last() else {
        panic!("another operation")
    };
    assert_eq!((options.feather.0, plan.output().quality.0), (7.0, 12));
}

#[test]
fn values_that_cannot_be_are_refused_without_being_echoed() {
    let error = Plan::single(Kind::Restore, [("strength", "secret")]).unwrap_err();
    assert_eq!(error, Error::bad_value("strength", "a number from 0 to 1"));
}

fn listed(list: &str) -> Result<Plan, Error> {
    Recipe::Pipeline.plan([("ops", list)]).map(Option::unwrap)
}

#[test]
fn a_list_is_the_operations_in_their_order_with_any_kind_of_value() {
    let plan = listed(
        r#"[{"op":"restore","steps":["denoise","dejpeg"],"strength":0.5},
            {"op":"remove-background","refine":false},
            {"op":"transform","width":1024,"crop":[0,0,"50%",10],"quality":12}]"#,
    )
    .unwrap();
    let [
        Op::Restore(restore),
        Op::RemoveBackground(cut),
        Op::Transform(transform),
    ] = &plan.ops[..]
    else {
        panic!("{:?}", plan.ops)
    };
    assert_eq!(restore.strength.0, 0.5);
    assert_eq!(
        restore.steps,
        options::Steps::Named(vec!["denoise", "dejpeg"])
    );
    assert!(!cut.refine);
    assert_eq!(transform.width.map(|width| width.0), Some(1024));
    assert!(transform.crop.is_some());
    assert_eq!(plan.output().quality.0, 12, "the last operation may say it");
    let beside = [
        ("ops", r#"[{"op":"transform","quality":12}]"#),
        ("quality", "34"),
    ];
    let plan = Recipe::Pipeline.plan(beside).unwrap().unwrap();
    assert_eq!(plan.output().quality.0, 34, "and the request overrules it");
}

#[test]
fn a_wrong_list_is_refused_with_the_place_of_what_is_wrong() {
    let eleven = format!("[{}]", [r#"{"op":"restore"}"#; 11].join(","));
    let deep = "[".repeat(10_000);
    for wrong in ["", "{}", "[]", "null", "[1", &eleven, &deep] {
        let error = listed(wrong).unwrap_err();
        assert_eq!(
            error,
            Error::bad_value("ops", OPS.kind.expects()),
            "{wrong:.20}"
        );
    }
    let long = format!("[{}{{\"op\":\"restore\"}}]", " ".repeat(MAX_LIST));
    assert_eq!(listed(&long), Err(Error::FieldTooLong { limit: MAX_LIST }));
    for (step, wrong, code) in [
        (1, r#"[3]"#, "bad_value"),
        (1, r#"[{"width":3}]"#, "bad_value"),
        (2, r#"[{"op":"restore"},{"op":"zq7canary"}]"#, "bad_value"),
        (
            2,
            r#"[{"op":"restore"},{"op":"transform","zq7canary":1}]"#,
            "unknown_option",
        ),
        (
            1,
            r#"[{"op":"transform","width":"zq7canary"}]"#,
            "bad_value",
        ),
        (1, r#"[{"op":"transform","width":null}]"#, "bad_value"),
        (
            1,
            r#"[{"op":"transform","width":{"zq7canary":1}}]"#,
            "bad_value",
        ),
        (
            1,
            r#"[{"op":"transform","crop":[[0,0],[1,1]]}]"#,
            "bad_value",
        ),
        (
            1,
            r#"[{"op":"transform","format":"png"},{"op":"restore"}]"#,
            "unknown_option",
        ),
    ] {
        let error = listed(wrong).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), code, "{wrong}");
        assert!(text.starts_with(&format!("Operation {step}: ")), "{text}");
        assert!(!text.contains("zq7canary"), "{text}");
    }
    let beside = Recipe::Pipeline.plan([("width", "3")]).unwrap_err();
    assert!(matches!(beside, Error::UnknownOption { .. }), "{beside}");
    assert_eq!(
        Recipe::Pipeline.plan([("quality", "3")]),
        Ok(None),
        "no list so far"
    );
}

#[test]
fn a_further_picture_goes_to_the_last_operation_that_takes_it() {
    let plan = listed(
        r#"[{"op":"transform"},{"op":"remove-background"},{"op":"transform"},{"op":"restore"}]"#,
    )
    .unwrap();
    assert_eq!(
        (plan.taker(WATERMARK), plan.taker(super::super::BACKGROUND)),
        (Some(2), Some(1))
    );
    let only = listed(r#"[{"op":"restore"}]"#).unwrap();
    let refused = only.check_files(&[WATERMARK]);
    assert!(
        matches!(refused, Err(Error::OptionsConflict(_))),
        "{refused:?}"
    );
    let early = listed(r#"[{"op":"transform","watermark_opacity":0.5},{"op":"transform"}]"#);
    let refused = early.unwrap().check_files(&[WATERMARK]).unwrap_err();
    assert!(
        refused.to_string().starts_with("Operation 1: "),
        "{refused}"
    );
}
