//! withoutBG's documented lines, what its own programs send, and its Python package.

use crate::{
    WITHOUTBG,
    client::{Visit, curl_lines, python, python_with},
    common::{pictures, skip},
    withoutbg::CUT,
};

#[test]
fn the_curl_lines_that_it_documents_work() {
    curl_lines(
        "curl (withoutBG)",
        WITHOUTBG,
        &[
            "-H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/v1/remove-background",
            "-H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/v1/remove-background?output=matte",
            "-F image=@input.jpg ADDRESS/v1/remove-background",
            "-F image=@input.jpg ADDRESS/v1/remove-background?output=matte",
            "-F picture=@input.jpg ADDRESS/v1/remove-background?output=matte",
            "ADDRESS/health",
            "ADDRESS/ready",
        ],
    );
}

/// What its page and its GIMP plug-in do.
#[test]
fn python_requests_are_answered_as_it_answers_them() {
    const SCRIPT: &str = r#"
import base64, io, json, sys, urllib.error, urllib.request
import requests
from PIL import Image
url, source = sys.argv[1:]
data = open(source, "rb").read()
encoded = "data:image/jpeg;base64," + base64.b64encode(data).decode()
result = requests.post(url, json={"image": encoded})
result.raise_for_status()
for name in ("processed", "alphaMatte"):
    head, text = result.json()[name].split(",")
    assert head == "data:image/png;base64", head
    picture = Image.open(io.BytesIO(base64.b64decode(text)))
    print(name, picture.format, picture.mode, *picture.size)
request = urllib.request.Request(url + "?output=matte", data=data, method="POST")
request.add_header("Content-Type", "image/png")
with urllib.request.urlopen(request) as answer:
    int(answer.headers["X-Latency-Ms"])
    picture = Image.open(io.BytesIO(answer.read()))
    print(picture.format, picture.mode, *picture.size)
try:
    request.data = data[:100]
    urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    print(error.code, json.loads(error.read())["error"])
"#;
    let Some(program) = python_with("import requests, PIL") else {
        return skip("withoutbg_clients::python", "Python with requests");
    };
    let mut visit = Visit::new("Python (withoutBG)", WITHOUTBG);
    let input = visit.folder.path("input.jpg");
    let said = python(&program, SCRIPT, &[&visit.url(CUT), &input]);
    for (sent, got) in [
        (
            "`requests.post(url, json={'image': …})`",
            said[..2].join("; "),
        ),
        (
            "`urllib`, `?output=matte`, as its GIMP plug-in",
            said[2].clone(),
        ),
        ("the same, half of a picture", format!("`{}`", said[3])),
    ] {
        visit.table.row(sent, &got);
    }
    visit.finish();
}

#[test]
fn the_python_package_withoutbg_works_with_another_base_url() {
    // What it would download its local model with is not installed: only its cloud's client runs.
    const STAND_IN: &str = "import sys, types; \
         sys.modules['huggingface_hub'] = types.SimpleNamespace(hf_hub_download=None)\n";
    const SCRIPT: &str = r#"
import withoutbg
base_url, source, target = sys.argv[1:]
client = withoutbg.WithoutBGAPIClient("a key", base_url)
client.remove_background(source).save(target)
client._encode_image = lambda image: "bm8gcGljdHVyZQ=="
try:
    client.remove_background(source)
except withoutbg.APIError as error:
    print(error)
"#;
    let Some(program) = python_with(&format!("{STAND_IN}import withoutbg")) else {
        return skip("withoutbg_clients::package", "the Python package withoutbg");
    };
    let mut visit = Visit::new("PyPI `withoutbg` 1.1.1", WITHOUTBG);
    visit.folder.write("half.png", &pictures::png(40, 30));
    let paths = ["input.jpg", "output.png"].map(|name| visit.folder.path(name));
    let script = format!("{STAND_IN}{SCRIPT}");
    let said = python(&program, &script, &[&visit.url(""), &paths[0], &paths[1]]);
    visit.picture_row(
        "`WithoutBGAPIClient(key, base_url).remove_background()`",
        "output.png",
    );
    visit.table.row("the same with no picture", &said.join(" "));
    visit.finish();
}
