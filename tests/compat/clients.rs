//! The clients themselves, as they are published. Those that have their host built in are led here
//! inside the test: one by another address in its module, one through TLS under the host's own name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    REMBG, SIZE,
    common::{self, Ran, Server, folder, pictures, run, skip, spawn, tool},
    form, picture, send,
    table::Table,
};

pub fn ran(what: &str, command: &mut Command) -> Ran {
    let ran = run(command, b"");
    assert_eq!(
        ran.code,
        Some(0),
        "{what}: {}{}",
        ran.stderr,
        String::from_utf8_lossy(&ran.stdout)
    );
    ran
}

pub fn png_size(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let picture = pictures::decoded(&bytes);
    let kind = match picture.color() {
        image::ColorType::L8 => "mask",
        _ if picture.to_rgba8().get_pixel(2, 2).0[3] == 0 => "cutout",
        _ => "on a ground",
    };
    format!("PNG {} x {}, {kind}", picture.width(), picture.height())
}

/// Runs curl with a file of its own for the output.
pub struct Curl {
    curl: PathBuf,
    output: PathBuf,
}

impl Curl {
    pub fn new(curl: PathBuf, folder: &Path) -> Self {
        let output = folder.join("output.png");
        Self { curl, output }
    }

    /// Runs it as a shell would, with `input.jpg` and `output.png` in its folder; says what came.
    pub fn at(&self, arguments: &[&str]) -> String {
        let _ = fs::remove_file(&self.output);
        let mut command = Command::new(&self.curl);
        let folder = self.output.parent().unwrap();
        command.args(arguments).args(["-o", "output.png"]);
        ran("curl", command.current_dir(folder));
        let bytes = fs::read(&self.output).unwrap();
        match bytes.starts_with(b"{") {
            true => format!("`{}`", String::from_utf8(bytes).unwrap()),
            false => png_size(&self.output),
        }
    }
}

/// rembg's README has the first two, its server's own page shows the others.
#[test]
fn the_curl_lines_that_rembg_documents_work_with_another_address() {
    let Some(curl) = tool(&["curl"]) else {
        return skip("clients::curl", "curl");
    };
    let (server, folder) = (spawn(&[]), folder("curl"));
    fs::write(folder.join("input.jpg"), picture()).unwrap();
    let curl = Curl::new(curl, &folder);
    let address = format!("http://{}", server.address);
    let mut table = Table::of("curl (rembg)");
    for line in [
        "-s ADDRESS/api/remove?url=http://input.png",
        "-s -F file=@input.jpg ADDRESS/api/remove",
        "-s -F file=@input.jpg -F a=true -F af=240 -F ab=10 -F ae=10 ADDRESS/api/remove",
        "-s -F file=@input.jpg -F model=u2net -F om=true ADDRESS/api/remove",
        "-s -F file=@input.jpg -F ppm=true ADDRESS/api/remove?bgc=255,255,255,255",
        "-s -F file=@input.jpg ADDRESS/api/remove?model=u2net&a=true&dc=true",
        "-s -F file=@input.jpg -F model=isnet-anime ADDRESS/api/remove",
        "-s -H Content-Type:image/jpeg --data-binary @input.jpg ADDRESS/api/remove",
    ] {
        let line_here = line.replace("ADDRESS", &address);
        let got = curl.at(&line_here.split(' ').collect::<Vec<_>>());
        table.row(&format!("`curl {line} -o output.png`"), &got);
    }
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

#[test]
fn the_curl_lines_that_remove_bg_documents_work_with_another_address() {
    let Some(curl) = tool(&["curl"]) else {
        return skip("clients::curl", "curl");
    };
    let (server, folder) = (spawn(&[]), folder("curl"));
    fs::write(folder.join("input.jpg"), picture()).unwrap();
    let curl = Curl::new(curl, &folder);
    let address = format!("http://{}", server.address);
    let mut table = Table::of("curl (remove.bg)");
    for line in [
        "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_file=@input.jpg -F size=auto -f \
         ADDRESS/v1.0/removebg",
        "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_url=https://www.remove.bg/example.jpg \
         -F size=auto ADDRESS/v1.0/removebg",
        "-H X-API-Key:INSERT_YOUR_API_KEY_HERE ADDRESS/v1.0/account",
        "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_file=@input.jpg ADDRESS/v1.0/improve",
    ] {
        let line_here = line.replace("ADDRESS", &address);
        let got = curl.at(&line_here.split(' ').collect::<Vec<_>>());
        table.row(&format!("`curl -s {line} -o output.png`"), &got);
    }
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

#[test]
fn python_requests_are_answered_as_rembg_answers_them() {
    let Some(python) = common::python_tool("python") else {
        return skip("clients::python", "Python with requests");
    };
    let (server, folder) = (spawn(&[]), folder("python"));
    let (input, output) = (folder.join("input.jpg"), folder.join("output.png"));
    fs::write(&input, picture()).unwrap();
    let script = r#"
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
    let url = format!("http://{}{REMBG}", server.address);
    let mut command = Command::new(python);
    let said = ran(
        "python",
        command.args(["-c", script, &url]).args([&input, &output]),
    )
    .text();
    let said: Vec<_> = said.lines().collect();
    let mut table = Table::of("Python `requests` (rembg)");
    table.row(
        "`requests.post(url, files={'file': …}, data={model, a, af, ab, ae, om, ppm})`",
        &png_size(&output),
    );
    table.row(
        "`requests.post(url, files={'file': …}, params={'model': 'silueta'})`",
        &format!("`{}`", said[0]),
    );
    table.row(
        "`requests.get(url, params={'url': …})`",
        &format!("`{}`", said[1]),
    );
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

#[test]
fn the_python_package_removebg_works_with_another_address() {
    let python = common::python_tool("python").filter(|python| {
        run(Command::new(python).args(["-c", "import removebg"]), b"").code == Some(0)
    });
    let Some(python) = python else {
        return skip("clients::removebg", "the Python package removebg");
    };
    let (server, folder) = (spawn(&[]), folder("removebg"));
    let input = folder.join("input.jpg");
    fs::write(&input, picture()).unwrap();
    let script = r#"
import base64, sys, removebg.removebg as package
package.API_ENDPOINT, source, folder = sys.argv[1:]
client = package.RemoveBg("a key", folder + "/errors.log")
client.remove_background_from_img_file(source, size="hd", bg_color=None)
encoded = base64.b64encode(open(source, "rb").read()).decode()
client.remove_background_from_base64_img(encoded, new_file_name=folder + "/base64.png")
client.remove_background_from_base64_img(encoded, new_file_name=folder + "/white.jpg", bg_color="white")
try:
    client.remove_background_from_img_url("http://127.0.0.1/x.jpg", new_file_name=folder + "/url.png")
    sys.exit("a URL was taken")
except package.requests.HTTPError as error:
    print(error.response.status_code, error.response.json()["errors"][0]["code"])
"#;
    let url = format!("http://{}/v1.0/removebg", server.address);
    let mut command = Command::new(python);
    let command = command.args(["-c", script, &url]).arg(&input).arg(&folder);
    let said = ran("removebg", command).text();
    let mut table = Table::of("PyPI `removebg` 0.04");
    table.row(
        "`remove_background_from_img_file(size='hd')`",
        &png_size(&folder.join("input.jpg_no_bg.png")),
    );
    table.row(
        "`remove_background_from_base64_img()`",
        &png_size(&folder.join("base64.png")),
    );
    let white = fs::read(folder.join("white.jpg")).unwrap();
    let format = image::guess_format(&white).unwrap();
    table.row(
        "`remove_background_from_base64_img(bg_color='white')`",
        &format!("{format:?}"),
    );
    table.row("`remove_background_from_img_url()`", said.trim());
    table.finish();
    fs::remove_dir_all(folder).unwrap();
    server.assert_books_balance();
}

/// Leads connections to remove.bg's host through TLS to the server under test. It is loaded before
/// the client, of which not a line is changed.
const DETOUR: &str = r#"
const fs = require("fs"), net = require("net"), tls = require("tls");
const { DETOUR_PORT: port, DETOUR_CERT: cert, DETOUR_KEY: key } = process.env;
const connect = tls.connect;
const terminator = tls.createServer(
  { cert: fs.readFileSync(cert), key: fs.readFileSync(key) },
  (secure) => {
    const plain = net.connect(Number(port), "127.0.0.1");
    secure.pipe(plain, { end: false });
    plain.pipe(secure);
    secure.on("error", () => plain.destroy());
    secure.on("close", () => plain.destroy());
    plain.on("error", () => secure.destroy());
  },
);
terminator.unref();
terminator.listen(0, "127.0.0.1");
tls.connect = (options, ...more) => {
  if (options.host !== "api.remove.bg") throw new Error("another host");
  const detour = { ...options, host: "127.0.0.1", port: terminator.address().port };
  return connect({ ...detour, servername: "api.remove.bg" }, ...more);
};
"#;

const SCRIPT: &str = r#"
const client = require("remove.bg");
const fs = require("fs");
const assert = require("assert");
const [source, folder] = process.argv.slice(2);
(async () => {
  // The detour begins to listen in this turn of the loop.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const apiKey = "a key";
  const base64img = fs.readFileSync(source).toString("base64");
  const one = await client.removeBackgroundFromImageBase64({
    apiKey, base64img, size: "regular", type: "product", scale: "60%", outputFile: `${folder}/one.png`,
  });
  assert.equal(one.base64img, fs.readFileSync(`${folder}/one.png`).toString("base64"));
  assert.equal(one.creditsCharged, "0");
  assert.ok(["product", "other"].includes(one.detectedType), one.detectedType);
  assert.equal(one.rateLimit, "99999");
  const two = await client.removeBackgroundFromImageFile({
    apiKey, path: source, size: "auto", type: "auto", scale: "80%", position: "center",
    crop_margin: "0", roi: "0% 0% 100% 100%", bg_color: "", bg_image_url: "", channels: "rgba",
    add_shadow: "false", outputFile: `${folder}/two.png`,
  });
  assert.equal(two.resultWidth, "320");
  for (const url of ["http://127.0.0.1/x.jpg", "https://example.invalid/x.jpg"]) {
    const errors = await client.removeBackgroundFromImageUrl({ apiKey, url }).then(
      () => { throw new Error("a URL was taken"); }, (errors) => errors);
    assert.equal(errors[0].code, "invalid_image_url");
    assert.equal(errors[0].detail, "URL input is disabled on this server");
  }
  console.log("done");
})().catch((error) => { console.error(error); process.exit(1); });
"#;

#[test]
fn the_npm_package_remove_bg_works_unchanged_through_tls() {
    let modules = common::node_modules().filter(|folder| folder.join("remove.bg").is_dir());
    let (Some(node), Some(openssl), Some(modules)) = (tool(&["node"]), tool(&["openssl"]), modules)
    else {
        return skip(
            "clients::remove_bg",
            "Node, openssl and the npm package remove.bg",
        );
    };
    let (server, folder) = (spawn(&[]), folder("node"));
    let file = |name: &str| folder.join(name);
    fs::write(file("input.jpg"), picture()).unwrap();
    fs::write(file("detour.js"), DETOUR).unwrap();
    fs::write(file("script.js"), SCRIPT).unwrap();
    let mut certify = Command::new(openssl);
    certify
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=api.remove.bg"])
        .args(["-addext", "subjectAltName=DNS:api.remove.bg"])
        .arg("-keyout")
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("cert.pem"));
    ran("openssl", &mut certify);
    let mut client = Command::new(node);
    client
        .arg("--require")
        .arg(file("detour.js"))
        .arg(file("script.js"))
        .arg(file("input.jpg"))
        .arg(&folder)
        .env("NODE_PATH", modules)
        .env("NODE_EXTRA_CA_CERTS", file("cert.pem"))
        .env("DETOUR_PORT", server.address.port().to_string())
        .env("DETOUR_CERT", file("cert.pem"))
        .env("DETOUR_KEY", file("key.pem"));
    assert_eq!(ran("node", &mut client).text(), "done\n");
    let mut table = Table::of("npm `remove.bg` 1.3.0");
    table.row(
        "`removeBackgroundFromImageBase64({size, type, scale, outputFile})`",
        &png_size(&file("one.png")),
    );
    table.row(
        "`removeBackgroundFromImageFile({size: 'auto', scale, position, …})`",
        &png_size(&file("two.png")),
    );
    table.row("`removeBackgroundFromImageUrl()`", "`invalid_image_url`");
    table.finish();
    fs::remove_dir_all(&folder).unwrap();
    server.assert_books_balance();
}

/// What the official command line sends: every field, `""` where nothing is set, for which it asks
/// for a ZIP and puts the picture together by itself.
fn of_command_line(server: &Server, fields: &[(&str, &str)]) -> common::Answer {
    let unset = [
        "type",
        "type_level",
        "roi",
        "crop",
        "crop_margin",
        "scale",
        "position",
        "channels",
        "add_shadow",
        "semitransparency",
        "bg_color",
    ];
    let mut all: Vec<_> = unset.iter().map(|name| (*name, "")).collect();
    all.extend([("size", "auto"), ("format", "zip")]);
    all.extend(fields);
    let form = form(&all).file("bg_image_file", "", b"");
    let (mime, body) = form.finish();
    let headers = [
        ("X-Api-Key", "a key"),
        ("User-Agent", "remove-bg-cli/1"),
        ("Accept", "*/*"),
    ];
    send(server, crate::REMOVEBG, &mime, &headers, &body)
}

#[test]
fn the_request_of_the_official_command_line_gives_a_zip_to_compose() {
    let server = spawn(&[]);
    let mut table = Table::of("remove-bg-cli (replayed)");
    for (sent, fields) in [
        ("every field `\"\"`, `format=zip`", &[][..]),
        (
            "the same with `bg_color=81d4fa`",
            &[("bg_color", "81d4fa")][..],
        ),
    ] {
        let answer = of_command_line(&server, fields);
        assert_eq!(answer.status, 200, "{sent}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/zip"),
            "{sent}"
        );
        let files = pictures::unzipped(&answer.body);
        let size = |at: usize| {
            let picture = pictures::decoded(&files[at].1);
            (picture.width(), picture.height())
        };
        assert_eq!(
            (files[0].0.as_str(), size(0)),
            ("color.jpg", SIZE),
            "{sent}"
        );
        assert_eq!(
            (files[1].0.as_str(), size(1)),
            ("alpha.png", SIZE),
            "{sent}"
        );
        let names = format!("ZIP of `{}` and `{}`", files[0].0, files[1].0);
        table.row(sent, &names);
    }
    table.finish();
    server.assert_books_balance();
}
