//! rembg's interface: every parameter, good and bad, in the form and in the query.

use image::RgbaImage;
use serde_json::{Value, json};

use crate::{
    REMBG, SIZE,
    common::{Answer, Form, Server, http::CANARY, pictures, shared, skip, spawn},
    good, picture, refused_as_json,
    table::Table,
};

/// Names of models that rembg takes and that this build does not hold.
const ABSENT: &[&str] = &[
    "u2netp",
    "u2net_human_seg",
    "u2net_cloth_seg",
    "u2net_custom",
    "silueta",
    "isnet-general-use",
    "isnet-anime",
    "sam",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
    "birefnet-dis",
    "birefnet-hrsod",
    "birefnet-cod",
    "birefnet-massive",
    "dis_custom",
    "ben_custom",
];

fn posted(server: &Server, query: &str, fields: &[(&str, &str)]) -> Answer {
    let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
    let form = fields.iter().fold(Form::of(&picture()), text);
    server.form(&format!("{REMBG}{query}"), form)
}

fn cut(server: &Server, fields: &[(&str, &str)]) -> RgbaImage {
    good(&format!("{fields:?}"), &posted(server, "", fields))
}

#[test]
fn every_parameter_works_alike_in_the_form_and_in_the_query() {
    let server = spawn(&[]);
    let plain = posted(&server, "", &[]).body;
    for (base, name, value, changes) in [
        ("", "model", "u2net", false),
        ("", "model", "bria-rmbg", false),
        ("", "model", "cutout", false),
        ("af=0&ae=0&", "a", "true", true),
        ("a=1&ae=0&", "af", "0", true),
        ("a=1&ae=0&", "ab", "254", true),
        ("a=1&af=0&ab=0&", "ae", "0", true),
        ("", "af", "200", false),
        ("", "om", "Yes", true),
        ("", "ppm", "on", true),
        ("", "bgc", "0,128,255,255", true),
        ("", "bgc", "0, 128, 255, 100", true),
        ("om=1&", "bgc", "0,128,255,255", false),
        ("", "dc", "t", false),
        ("", "vm", "1", false),
        ("", "extras", "{\"sam_prompt\": []}", false),
        ("", "extras", "{not json", false),
        ("", "of_a_later_version", "x", false),
        ("", "om", "", false),
    ] {
        let without = match base {
            "" => plain.clone(),
            base => posted(&server, &format!("?{base}"), &[]).body,
        };
        let field = posted(&server, &format!("?{base}"), &[(name, value)]);
        let escaped = value
            .replace(' ', "+")
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let query = posted(&server, &format!("?{base}{name}={escaped}"), &[]);
        for answer in [&field, &query] {
            good(name, answer);
            assert_eq!(answer.header("content-type"), Some("image/png"), "{name}");
            assert!(answer.body.starts_with(b"\x89PNG"), "{name}");
            assert_eq!(answer.header("x-model"), Some("cutout"), "{name}");
        }
        assert!(field.body == query.body, "{name}={value}: form and query");
        assert_eq!(field.body != without, changes, "{base}{name}={value}");
    }
    let both = posted(
        &server,
        "?om=false&model=zq7canary",
        &[("om", "1"), ("model", "cutout")],
    );
    assert!(
        both.body == posted(&server, "", &[("om", "1")]).body,
        "the form wins"
    );
    for truth in ["true", "TRUE", "1", "yes", "on", "t", "y"] {
        assert!(
            posted(&server, "", &[("om", truth)]).body == both.body,
            "{truth}"
        );
    }
    for lie in ["false", "False", "0", "no", "off", "f", "n"] {
        assert!(posted(&server, "", &[("om", lie)]).body == plain, "{lie}");
    }
    server.assert_books_balance();
}

#[test]
fn what_it_answers_is_what_rembg_would() {
    let server = spawn(&[]);
    let native = |query: &str| {
        let path = format!("/v1/remove-background?format=png&{query}");
        server.post(&path, "image/jpeg", &picture())
    };
    let mask = posted(&server, "", &[("om", "true")]);
    assert!(
        mask.body == native("output=mask").body,
        "the mask is our mask"
    );
    assert_eq!(mask.picture().color(), image::ColorType::L8, "a grey PNG");
    assert!(
        posted(&server, "", &[]).body == native("").body,
        "the cutout is our cutout"
    );

    let hard = cut(&server, &[("om", "true"), ("ppm", "true")]);
    assert!(
        hard.pixels().all(|p| [0, 255].contains(&p.0[0])),
        "two values"
    );
    let inside = |p: &image::Rgba<u8>| p.0[0] == 255;
    let (hard, soft) = (hard, mask.picture().to_rgba8());
    let differ = hard.pixels().zip(soft.pixels());
    let differ = differ.filter(|(a, b)| inside(a) != (b.0[0] >= 128)).count();
    assert!(differ < 400, "{differ} pixels are on the other side");

    let on = cut(&server, &[("bgc", "0,128,255,255")]);
    assert_eq!(on.get_pixel(2, 2).0, [0, 128, 255, 255]);
    let veil = cut(&server, &[("bgc", "0,128,255,100")]);
    assert_eq!(veil.get_pixel(2, 2).0, [0, 128, 255, 100]);
    assert_eq!(veil.get_pixel(160, 125).0[3], 255);
    let matted = cut(&server, &[("a", "true"), ("om", "true")]);
    assert_eq!(matted.dimensions(), SIZE);
    assert_eq!(
        (matted.get_pixel(2, 2).0[0], matted.get_pixel(160, 125).0[0]),
        (0, 255)
    );
}

#[test]
fn a_model_that_is_installed_runs_under_its_name() {
    let test = "rembg::a_model_that_is_installed_runs_under_its_name";
    let Some(file) = shared("models/u2netp.onnx") else {
        return skip(test, "../shared/models/u2netp.onnx");
    };
    let server = spawn(&[
        "--model",
        "cutout",
        "--model",
        &format!("u2netp={}", file.display()),
    ]);
    let named = posted(&server, "", &[("model", "u2netp"), ("om", "1")]);
    assert_eq!(named.header("x-model"), Some("u2netp"));
    let default = posted(&server, "", &[("om", "1"), ("model", "u2net")]);
    assert_eq!(default.header("x-model"), Some("cutout"));
    assert!(named.body != default.body);
    let missing = posted(&server, "", &[("model", "silueta")]).json();
    let message = missing["detail"][0]["msg"].as_str().unwrap();
    assert!(
        message.contains("Installed are: cutout, u2netp"),
        "{message}"
    );
}

/// Asserts FastAPI's shape, and that nothing is repeated; gives the wrong parameters.
fn invalid(what: &str, answer: &Answer) -> Vec<Value> {
    let text = String::from_utf8_lossy(&answer.body);
    let json = refused_as_json(what, answer, 422);
    let list = json["detail"].as_array().unwrap().clone();
    for one in &list {
        for key in ["type", "msg"] {
            assert!(
                one[key].as_str().is_some_and(|t| !t.is_empty()),
                "{what}: {text}"
            );
        }
        assert_eq!(one["loc"].as_array().unwrap().len(), 2, "{what}: {text}");
        assert_eq!(one["input"], Value::Null, "{what}: {text}");
    }
    list
}

#[test]
fn every_wrong_parameter_is_refused_in_the_shape_of_fastapi() {
    let server = spawn(&[]);
    let mut table = Table::of("any (rembg)");
    for (name, value, kind) in [
        ("a", "zq7canary", "bool_parsing"),
        ("om", "2", "bool_parsing"),
        ("ppm", "maybe", "bool_parsing"),
        ("dc", "zq7canary", "bool_parsing"),
        ("vm", "zq7canary", "bool_parsing"),
        ("af", "zq7canary", "int_parsing"),
        ("af", "1.5", "int_parsing"),
        ("af", "256", "less_than_equal"),
        ("af", "-1", "greater_than_equal"),
        ("ab", "256", "less_than_equal"),
        ("ab", "-1", "greater_than_equal"),
        ("ae", "-1", "greater_than_equal"),
        ("ae", "zq7canary", "int_parsing"),
        ("bgc", "red", "value_error"),
        ("bgc", "1,2", "value_error"),
        ("bgc", "1,2,3,4,5", "value_error"),
        ("bgc", "1,2,3,256", "value_error"),
        ("model", "zq7canary", "string_pattern_mismatch"),
        ("model", "../u2net", "string_pattern_mismatch"),
        ("model", "restore", "string_pattern_mismatch"),
    ] {
        let what = format!("{name}={value}");
        for (place, answer) in [
            ("body", posted(&server, "", &[(name, value)])),
            ("query", posted(&server, &format!("?{what}"), &[])),
        ] {
            let list = invalid(&what, &answer);
            assert_eq!(list.len(), 1, "{what}");
            assert_eq!(list[0]["loc"], json!([place, name]), "{what}");
            assert_eq!(list[0]["type"], kind, "{what}");
        }
        table.row(&format!("`{what}`"), &format!("422 `{kind}`"));
    }
    let fields = [("a", "x"), ("af", "300"), ("model", "none"), ("bgc", "x")];
    let list = invalid("several", &posted(&server, "", &fields));
    let names: Vec<_> = list
        .iter()
        .map(|one| one["loc"][1].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "af", "model", "bgc"], "all are told at once");
    assert_eq!(list[1]["ctx"], json!({ "le": 255 }));
    for name in ABSENT {
        let list = invalid(name, &posted(&server, "", &[("model", name)]));
        let message = list[0]["msg"].as_str().unwrap();
        assert!(
            message.contains("not installed") && message.contains("cutout"),
            "{message}"
        );
        assert!(
            message.contains(&format!("--model {name}=FILE")),
            "{message}"
        );
    }
    for (what, answer) in [
        (
            "no part",
            server.form(REMBG, Form::new().text("om", "true")),
        ),
        ("an empty part", server.form(REMBG, Form::of(b""))),
        (
            "another type",
            server.post(REMBG, "application/json", b"{}"),
        ),
    ] {
        let list = invalid(what, &answer);
        assert_eq!(list[0]["loc"], json!(["body", "file"]), "{what}");
        assert_eq!(list[0]["type"], "missing", "{what}");
        table.row(what, "422 `missing`");
    }
    table.finish();
    server.assert_books_balance();
}

#[test]
fn nothing_is_fetched() {
    let server = spawn(&[]);
    for url in [
        "http://input.png",
        "ftp://x/zq7canary",
        "http://127.0.0.1/",
        "x",
    ] {
        let answer = server.get(&format!("{REMBG}?url={url}"));
        assert_eq!(answer.status, 400, "{url}");
        assert_eq!(
            answer.json(),
            json!({ "detail": "URL input is disabled on this server" })
        );
    }
    let list = invalid("no url", &server.get(REMBG));
    assert_eq!(list[0]["loc"], json!(["query", "url"]));
    let list = invalid("both", &server.get(&format!("{REMBG}?af=999")));
    assert_eq!(list.len(), 2);
    assert_eq!(
        server.metric("safelight_requests_total{operation=\"rembg\",outcome=\"client_error\"}"),
        6.0
    );
}

#[test]
fn other_errors_have_a_sentence_as_detail() {
    let server = spawn(&["--max-upload", "100KiB", "--max-megapixels", "1"]);
    let file = |bytes: &[u8]| server.form(REMBG, Form::of(bytes));
    let whole = pictures::png(320, 240);
    let held = pictures::long(150 << 10);
    for (what, answer, status) in [
        ("text", file(b"zq7canary is no picture"), 415),
        ("half a picture", file(&whole[..whole.len() / 2]), 422),
        ("too many pixels", file(&pictures::jpeg(1300, 1000)), 422),
        ("too many bytes", file(&held), 413),
        (
            "a broken form",
            server.post(REMBG, "multipart/form-data; boundary=B", b"--B"),
            400,
        ),
        (
            "another method",
            crate::common::http::request(server.address, "PUT", REMBG, &[], b"").unwrap(),
            405,
        ),
    ] {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{what}: {text}");
        assert!(answer.json()["detail"].is_string(), "{what}: {text}");
        assert!(!text.contains(CANARY), "{what}: {text}");
    }
    server.assert_books_balance();
}

#[test]
fn of_two_files_the_last_one_counts() {
    let server = spawn(&[]);
    let one = Form::of(&pictures::png(100, 80)).file("file", "b.jpg", &picture());
    let answer = server.form(REMBG, one);
    assert_eq!(good("two", &answer).dimensions(), SIZE);
    server.assert_books_balance();
}
