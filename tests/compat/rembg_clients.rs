//! rembg's documented lines of curl, and its example in Python.

use crate::{
    REMBG,
    client::{Visit, curl_lines, python, python_with},
    common::skip,
};

/// rembg's README has the first two, its server's own page shows the others.
#[test]
fn the_curl_lines_that_it_documents_work_with_another_address() {
    curl_lines(
        "curl (rembg)",
        &[],
        &[
            "ADDRESS/api/remove?url=http://input.png",
            "-F file=@input.jpg ADDRESS/api/remove",
            "-F file=@input.jpg -F a=true -F af=240 -F ab=10 -F ae=10 ADDRESS/api/remove",
            "-F file=@input.jpg -F model=u2net -F om=true ADDRESS/api/remove",
            "-F file=@input.jpg -F ppm=true ADDRESS/api/remove?bgc=255,255,255,255",
            "-F file=@input.jpg ADDRESS/api/remove?model=u2net&a=true&dc=true",
            "-F file=@input.jpg -F model=isnet-anime ADDRESS/api/remove",
            "-H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/api/remove",
        ],
    );
}

#[test]
fn python_requests_are_answered_as_it_answers_them() {
    const SCRIPT: &str = r#"
import sys, requests
url, source, target = sys.argv[1:]
options = {"model": "u2net", "a": True, "af": 240, "ab": 10, "ae": 10, "om": False, "ppm": True}
with open(source, "rb") as picture:
    response = requests.post(url, files={"file": picture}, data=options)
response.raise_for_status()
assert response.headers["content-type"] == "image/png"
open(target, "wb").write(response.content)
with open(source, "rb") as picture:
    refused = requests.post(url, files={"file": picture}, params={"model": "silueta"})
print(refused.status_code, refused.json()["detail"][0]["loc"])
print(requests.get(url, params={"url": "http://127.0.0.1/x.png"}).text)
"#;
    let Some(program) = python_with("import requests") else {
        return skip("rembg_clients::python", "Python with requests");
    };
    let mut visit = Visit::new("Python `requests` (rembg)", &[]);
    let paths = ["input.jpg", "output.png"].map(|name| visit.folder.path(name));
    let said = python(&program, SCRIPT, &[&visit.url(REMBG), &paths[0], &paths[1]]);
    visit.picture_row(
        "`requests.post(url, files={'file': …}, data={model, a, af, ab, ae, om, ppm})`",
        "output.png",
    );
    for (sent, said) in [
        (
            "`requests.post(url, files={'file': …}, params={'model': 'silueta'})`",
            &said[0],
        ),
        ("`requests.get(url, params={'url': …})`", &said[1]),
    ] {
        visit.table.row(sent, &format!("`{said}`"));
    }
    visit.finish();
}
