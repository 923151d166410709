//! backgroundremover's interface, switched on: `POST /`, and the demo page at `GET /` that stays.

use serde_json::json;

use crate::{
    BACKGROUNDREMOVER,
    client::{Visit, curl_lines, python, python_with},
    common::{Answer, Form, Server, http, http::CANARY, pictures, shared, skip, spawn},
    good, picture, refused_as_json,
    table::Table,
};

fn posted(server: &Server, query: &str, fields: &[(&str, &str)]) -> Answer {
    let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
    let form = fields.iter().fold(Form::of(&picture()), text);
    server.form(&format!("/{query}"), form)
}

#[test]
fn every_parameter_means_what_it_means_there() {
    let server = spawn(BACKGROUNDREMOVER);
    let native = |query: &str| {
        let path = format!("/v1/remove-background?format=png&{query}");
        server.post(&path, "image/jpeg", &picture()).body
    };
    for (sent, same) in [
        ("", ""),
        ("model=u2net", ""),
        ("model=cutout", ""),
        ("a=true", "trimap=240,10,10"),
        // That it is there is enough.
        ("a=", "trimap=240,10,10"),
        ("a=false", "trimap=240,10,10"),
        ("a=1&af=200&ab=20&ae=3", "trimap=200,20,3"),
        ("af=200&ab=20&ae=3", ""),
        ("a=1&az=500", "trimap=240,10,10"),
        // What is no number there is the default, and so is it here.
        ("a=1&af=zq7canary&ab=1.5&ae=", "trimap=240,10,10"),
        ("a=1&af=999&ab=-4&ae=-1", "trimap=255,0,0"),
        ("mt=127", "threshold=0.50196"),
        ("mt=-9", "threshold=0"),
        ("mt=zq7canary", ""),
        ("of_a_later_version=zq7canary", ""),
    ] {
        let expected = native(same);
        let pairs: Vec<_> = sent
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let query = posted(&server, &format!("?{sent}"), &[]);
        for answer in [posted(&server, "", &pairs), query] {
            good(sent, &answer);
            assert_eq!(answer.header("content-type"), Some("image/png"), "{sent}");
            assert!(answer.body == expected, "{sent} is {same}");
        }
    }
    // Of two, the query's counts.
    let both = posted(&server, "?af=200&ab=20&ae=3", &[("a", "1"), ("af", "9")]);
    assert!(both.body == native("trimap=200,20,3"));
    server.assert_books_balance();
}

#[test]
fn a_model_that_is_installed_runs_under_its_name() {
    let test = "backgroundremover::a_model_that_is_installed_runs_under_its_name";
    let Some(file) = shared("models/u2netp.onnx") else {
        return skip(test, "../shared/models/u2netp.onnx");
    };
    let model = format!("--model=u2netp={}", file.display());
    let server = spawn(&["--compat=backgroundremover", "--model=cutout", &model]);
    let named = posted(&server, "?model=u2netp", &[]);
    assert_eq!(named.header("x-model"), Some("u2netp"));
    let default = posted(&server, "?model=u2net", &[]);
    assert_eq!(default.header("x-model"), Some("cutout"));
    let missing = posted(&server, "?model=u2net_human_seg", &[]).json();
    assert_eq!(
        missing["error"],
        "invalid query param 'model'. Available options are ['u2net', 'cutout', 'u2netp']"
    );
}

#[test]
fn what_is_wrong_is_said_in_its_shape() {
    let server = spawn(&["--compat=backgroundremover", "--max-upload=60KiB"]);
    let mut table = Table::of("any (backgroundremover)");
    let mut told = |what: &str, answer: &Answer, status: u16| {
        let json = refused_as_json(what, answer, status);
        let said = json["error"].as_str().unwrap();
        assert_eq!(json, json!({ "error": said }), "{what}");
        table.row(what, &format!("{status} with `error`: {said}"));
    };
    told(
        "`model=nonsense`",
        &posted(&server, "?model=zq7canary", &[]),
        400,
    );
    told(
        "`model=nonsense` in the form",
        &posted(&server, "", &[("model", CANARY)]),
        400,
    );
    told(
        "`model=restore`",
        &posted(&server, "?model=restore", &[]),
        400,
    );
    told(
        "a form without a picture",
        &server.form("/", Form::new().text("a", "1")),
        400,
    );
    told("an empty picture", &server.form("/", Form::of(b"")), 400);
    told(
        "no form",
        &server.post("/", "text/plain", b"zq7canary"),
        400,
    );
    told(
        "text in place of a picture",
        &server.form("/", Form::of(b"zq7canary")),
        415,
    );
    let half = &pictures::png(40, 30)[..99];
    told("half of a picture", &server.form("/", Form::of(half)), 422);
    let large = pictures::encoded(pictures::noise(300, 280, 1), image::ImageFormat::Png);
    told("too many bytes", &server.form("/", Form::of(&large)), 413);
    told(
        "`GET /?url=…`",
        &server.get("/?url=http://127.0.0.1/zq7canary.png"),
        400,
    );
    told("`GET /?url=`", &server.get("/?url="), 400);
    table.finish();
    server.assert_books_balance();
}

#[test]
fn the_demo_page_stays() {
    let (plain, server) = (spawn(&[]), spawn(BACKGROUNDREMOVER));
    for path in ["/", "/?model=u2net", "/?%ff", "/?a=1"] {
        let (before, page) = (plain.get(path), server.get(path));
        assert_eq!((page.status, before.status), (200, 200), "{path}");
        assert!(page.body == before.body, "{path}");
        for name in ["content-type", "content-security-policy"] {
            assert_eq!(page.header(name), before.header(name), "{path}");
        }
    }
    for (method, allow) in [("PUT", "GET, HEAD, POST"), ("DELETE", "GET, HEAD, POST")] {
        let answer = http::request(server.address, method, "/", &[], b"").unwrap();
        answer.assert_problem(method, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
    let style = server.post("/assets/app.css", "image/jpeg", &picture());
    style.assert_problem("a part of the page", 405, "method_not_allowed");
}

#[test]
fn the_curl_lines_that_it_documents_work() {
    curl_lines(
        "curl (backgroundremover)",
        BACKGROUNDREMOVER,
        &[
            "-X POST -F file=@image.jpg ADDRESS/",
            "-X POST -F file=@image.jpg -F a=true -F af=240 ADDRESS/",
            "ADDRESS/?url=https://example.com/image.jpg",
            "ADDRESS/?url=https://example.com/image.jpg&a=true&af=240",
            "ADDRESS/?url=https://example.com/image.jpg&model=u2net_human_seg",
        ],
    );
}

#[test]
fn python_requests_are_answered_as_it_answers_them() {
    const SCRIPT: &str = r#"
import sys, requests
url, source, target = sys.argv[1:]
with open(source, "rb") as picture:
    answer = requests.post(url, files={"file": picture}, params={"model": "u2net", "a": True, "ae": 5})
answer.raise_for_status()
assert answer.headers["content-type"] == "image/png"
open(target, "wb").write(answer.content)
print(requests.post(url).json()["error"])
"#;
    let Some(program) = python_with("import requests") else {
        return skip("backgroundremover::python", "Python with requests");
    };
    let mut visit = Visit::new("Python (backgroundremover)", BACKGROUNDREMOVER);
    let paths = ["input.jpg", "output.png"].map(|name| visit.folder.path(name));
    let said = python(&program, SCRIPT, &[&visit.url("/"), &paths[0], &paths[1]]);
    visit.picture_row(
        "`requests.post(url, files={'file': …}, params={model, a, ae})`",
        "output.png",
    );
    visit.table.row("`requests.post(url)`", &said[0]);
    visit.finish();
}
