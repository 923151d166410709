//! withoutBG's documented lines, what its own programs send, and its Python package.

use std::{fs, process::Command};

use crate::{
    SIZE, WITHOUTBG,
    clients::{Curl, png_size, ran},
    common::{self, folder, pictures, skip, spawn},
    picture,
    table::Table,
    withoutbg::CUT,
};

#[test]
fn the_curl_lines_that_it_documents_work() {
    let Some(curl) = common::tool(&["curl"]) else {
        return skip("withoutbg::curl", "curl");
    };
    let (server, folder) = (spawn(WITHOUTBG), folder("curl"));
    fs::write(folder.join("input.jpg"), picture()).unwrap();
    let curl = Curl::new(curl, &folder);
    let address = format!("http://{}", server.address);
    let mut table = Table::of("curl (withoutBG)");
    for line in [
        "-H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/v1/remove-background",
        "-H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/v1/remove-background?output=matte",
        "-F image=@input.jpg ADDRESS/v1/remove-background",
        "-F image=@input.jpg ADDRESS/v1/remove-background?output=matte",
        "-F picture=@input.jpg ADDRESS/v1/remove-background?output=matte",
        "ADDRESS/health",
        "ADDRESS/ready",
    ] {
        let line_here = line.replace("ADDRESS", &address);
        let got = curl.at(&line_here.split(' ').collect::<Vec<_>>());
        table.row(&format!("`curl -s {line} -o output.png`"), &got);
    }
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

/// What its page and its GIMP plug-in do.
#[test]
fn python_requests_are_answered_as_it_answers_them() {
    let Some(python) = common::python_tool("python") else {
        return skip("withoutbg::python", "Python with requests");
    };
    let (server, folder) = (spawn(WITHOUTBG), folder("python"));
    let input = folder.join("input.jpg");
    fs::write(&input, picture()).unwrap();
    let script = r#"
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
    let url = format!("http://{}{CUT}", server.address);
    let said = ran(
        "python",
        Command::new(python).args(["-c", script, &url]).arg(&input),
    );
    let said = said.text();
    let said: Vec<_> = said.lines().collect();
    let mut table = Table::of("Python (withoutBG)");
    table.row(
        "`requests.post(url, json={'image': …})`",
        &said[..2].join("; "),
    );
    table.row("`urllib`, `?output=matte`, as its GIMP plug-in", said[2]);
    table.row("the same, half of a picture", &format!("`{}`", said[3]));
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

#[test]
fn the_python_package_withoutbg_works_with_another_base_url() {
    // What it would download its local model with is not installed: only its cloud's client runs.
    const STAND_IN: &str = "import sys, types; \
         sys.modules['huggingface_hub'] = types.SimpleNamespace(hf_hub_download=None)\n";
    let python = common::python_tool("python").filter(|python| {
        let import = format!("{STAND_IN}import withoutbg");
        common::run(Command::new(python).args(["-c", &import]), b"").code == Some(0)
    });
    let Some(python) = python else {
        return skip("withoutbg::package", "the Python package withoutbg");
    };
    let (server, folder) = (spawn(WITHOUTBG), folder("withoutbg"));
    let (input, output) = (folder.join("input.jpg"), folder.join("output.png"));
    fs::write(&input, picture()).unwrap();
    fs::write(folder.join("half.png"), pictures::png(40, 30)).unwrap();
    let script = format!(
        "{STAND_IN}{}",
        r#"
import withoutbg
base_url, source, target = sys.argv[1:]
client = withoutbg.WithoutBGAPIClient("a key", base_url)
client.remove_background(source).save(target)
client._encode_image = lambda image: "bm8gcGljdHVyZQ=="
try:
    client.remove_background(source)
except withoutbg.APIError as error:
    print(error)
"#
    );
    let url = format!("http://{}", server.address);
    let mut command = Command::new(python);
    let command = command.args(["-c", &script, &url]).args([&input, &output]);
    let said = ran("withoutbg", command).text();
    assert_eq!(SIZE, (320, 240));
    let mut table = Table::of("PyPI `withoutbg` 1.1.1");
    table.row(
        "`WithoutBGAPIClient(key, base_url).remove_background()`",
        &png_size(&output),
    );
    table.row("the same with no picture", said.trim());
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}
