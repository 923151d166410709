//! `GET /v1/transparency`: what runs here.

use std::{fs, path::Path};

use serde_json::json;

use super::sha256;
use crate::common::{PROGRAM, folder, spawn};

#[test]
fn the_transparency_statement_is_that_of_the_running_program() {
    // A file of one's own under a known name: what is listed is the file that runs.
    let files = folder("models");
    let file = files.join("own.onnx");
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/models/cutout.onnx");
    let mut model = fs::read(built_in).unwrap();
    // A field that ONNX does not know (number 1000, of length 1), and so does not mind.
    model.extend([0xc2, 0x3e, 0x01, b'x']);
    fs::write(&file, &model).unwrap();
    let own = format!("cutout={}", file.display());
    let flags = [
        "--workers=1",
        "--receipts",
        "--formats=png,gif",
        "--compat=withoutbg",
        "--model",
        &own,
    ];
    let server = spawn(&flags);
    let statement = server.get("/v1/transparency").json();
    let members: Vec<_> = statement.as_object().unwrap().keys().collect();
    let known = [
        "build",
        "models",
        "modes",
        "onnxruntime",
        "receipt_key",
        "version",
    ];
    assert_eq!(members, known);
    assert_eq!(statement["version"], env!("CARGO_PKG_VERSION"));
    let program = fs::read(PROGRAM).unwrap();
    assert_eq!(statement["build"], json!({ "sha256": sha256(&program) }));
    let runtime = Path::new(PROGRAM).parent().unwrap().join("onnxruntime");
    let library = runtime.join(safelight::engine::LIBRARY);
    assert_eq!(
        statement["onnxruntime"]["sha256"],
        sha256(&fs::read(library).unwrap())
    );
    let version = statement["onnxruntime"]["version"].as_str().unwrap();
    assert!(version.starts_with("1."), "{version}");
    let models = statement["models"].as_array().unwrap();
    let of = |name: &str| models.iter().find(|m| m["name"] == name).unwrap()["sha256"].clone();
    assert_eq!(of("cutout"), sha256(&model));
    let listed = server.get("/v1/models").json();
    for model in listed["models"].as_array().unwrap() {
        let found = models.iter().find(|m| m["name"] == model["name"]);
        assert_eq!(found.is_some(), model["loaded"] == true, "{model}");
        if let Some(found) = found {
            assert_eq!(found["sha256"], model["sha256"]);
        }
    }
    let key = &statement["receipt_key"];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (
            &json!("OKP"),
            &json!("Ed25519"),
            &json!("EdDSA"),
            &json!("sig")
        )
    );
    assert_eq!(key.get("d"), None, "no private key");
    let modes = &statement["modes"];
    assert_eq!(modes["formats"], json!(["png", "gif"]));
    assert_eq!(modes["compat"], json!(["withoutbg"]));
    assert_eq!(
        (&modes["ephemerality"], &modes["receipts"], &modes["device"]),
        (&json!("warn"), &json!(true), &json!("cpu"))
    );
    let exposed = server.metric("safelight_storage_exposed");
    assert_eq!(modes["ephemerality_holds"], exposed == 0.0);
    let _ = fs::remove_dir_all(files);
}
