//! Wrong names and wrong values of options: the answer says what there is, and not what was sent.

use safelight::ops::options::{Enhance, Options, Output, RemoveBackground, Restore};

use crate::{
    common::spawn,
    errors::{CUT, jpeg, with},
};

#[test]
fn an_unknown_option_is_answered_with_the_nearest_one() {
    let server = spawn(&[]);
    for (sent, nearest) in [
        ("feahter", "feather"),
        ("backgroud", "background"),
        ("treshold", "threshold"),
    ] {
        let answer = with(&server, &format!("{sent}=1"));
        answer.assert_problem(sent, 400, "unknown_option");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(&format!("Did you mean `{nearest}`?")),
            "{detail}"
        );
        assert!(!detail.contains(sent), "{detail}");
        for spec in RemoveBackground::SPECS.iter().chain(Output::SPECS) {
            assert!(detail.contains(spec.name), "{}: {detail}", spec.name);
        }
    }
    let detail = with(&server, "zq7canary=1").json()["detail"].to_string();
    assert!(!detail.contains("Did you mean"), "{detail}");
    server.assert_books_balance();
}

#[test]
fn every_option_refuses_what_it_does_not_take_and_says_what_it_takes() {
    let server = spawn(&[]);
    let refused = |route: &str, name: &str, value: &str| {
        let path = format!("{route}?{name}={value}");
        let answer = server.post(&path, "image/jpeg", &jpeg());
        answer.assert_problem(&path, 400, "bad_value");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&format!("`{name}` takes ")),
            "{path}: {detail}"
        );
        assert!(
            !detail.contains(value) || value.len() < 3,
            "{path}: {detail}"
        );
    };
    for spec in RemoveBackground::SPECS.iter().chain(Output::SPECS) {
        refused(CUT, spec.name, "zq7canary%01");
    }
    for spec in Restore::SPECS.iter().chain(Output::SPECS) {
        refused("/v1/restore", spec.name, "zq7canary%01");
    }
    for spec in Enhance::SPECS.iter().chain(Output::SPECS) {
        refused("/v1/enhance", spec.name, "zq7canary%01");
    }
    for (name, value) in [
        ("model", "cutoff"),
        ("model", "..%2Fcutout"),
        ("model", "restore"),
        ("output", "all"),
        ("background", "hsl(0,0,0)"),
        ("background", "%23ff000"),
        ("background", "blur:0"),
        ("background", "http://127.0.0.1/"),
        ("crop", "maybe"),
        ("crop_margin", "-1"),
        ("crop_margin", "1,2,3"),
        ("scale", "5%25"),
        ("scale", "101%25"),
        ("position", "25"),
        ("feather", "50.5"),
        ("feather", "NaN"),
        ("shift", "-51"),
        ("refine", "2"),
        ("shadow", "hard"),
        ("roi", "0,0,10"),
        ("roi", "-1,0,10,10"),
        ("max_megapixels", "-1"),
        ("threshold", "1.1"),
        ("on_empty", "ignore"),
        ("format", "tiff"),
        ("quality", "0"),
        ("quality", "101"),
        ("quality", "8.5"),
        ("lossless", "perhaps"),
        ("compression", "best"),
        ("progressive", "maybe"),
        ("subsampling", "4:1:1"),
    ] {
        refused(CUT, name, value);
    }
    for (name, value) in [
        ("steps", "denoise,polish"),
        ("steps", ""),
        ("strength", "1.01"),
        ("strength", "NaN"),
        ("scale", "3"),
        ("scale", "2.0"),
        ("sepia", "true"),
        ("report", "yes"),
        ("model", "cutout"),
    ] {
        refused("/v1/restore", name, value);
    }
    for (name, value) in [
        ("tone", "true"),
        ("white_balance", "5000K"),
        ("sharpen", "2.1"),
        ("sharpen", "-1"),
        ("denoise", "none"),
        ("denoise", "1.5"),
        ("scale", "8"),
        ("strength", "-0.1"),
    ] {
        refused("/v1/enhance", name, value);
    }
    server.assert_books_balance();
}
