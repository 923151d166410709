//! The npm package `remove.bg`, of which not a line is changed. It has its host built in, and is led
//! here inside the test through TLS under the host's own name.

use std::process::Command;

use crate::{
    client::{Visit, ran},
    common::{self, skip, tool},
};

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
            "npm::remove_bg",
            "Node, openssl and the npm package remove.bg",
        );
    };
    let mut visit = Visit::new("npm `remove.bg` 1.3.0", &[]);
    let folder = &visit.folder;
    let detour = folder.write("detour.js", DETOUR.as_bytes());
    let script = folder.write("script.js", SCRIPT.as_bytes());
    common::certify(&openssl, folder.as_ref(), "api.remove.bg");
    let mut client = Command::new(node);
    client
        .args(["--require", &detour, &script])
        .args(["input.jpg", ""].map(|name| folder.path(name)))
        .env("NODE_PATH", modules)
        .env("NODE_EXTRA_CA_CERTS", folder.path("tls.crt"))
        .env("DETOUR_PORT", visit.server.address.port().to_string())
        .env("DETOUR_CERT", folder.path("tls.crt"))
        .env("DETOUR_KEY", folder.path("tls.key"));
    assert_eq!(ran("node", &mut client).text(), "done\n");
    visit.picture_row(
        "`removeBackgroundFromImageBase64({size, type, scale, outputFile})`",
        "one.png",
    );
    visit.picture_row(
        "`removeBackgroundFromImageFile({size: 'auto', scale, position, …})`",
        "two.png",
    );
    visit
        .table
        .row("`removeBackgroundFromImageUrl()`", "`invalid_image_url`");
    visit.finish();
}
