//! Models in the service: which are loaded, what is said of those that are not, on what they run.

use std::process::Command;

use super::{
    Folder, catalogue,
    common::{self, Launch, PROGRAM, Server, pictures},
    run, standins, sum,
};

/// A server with the catalogue of `tiny`, and these flags and variables.
fn serve(catalogue: &str, models: &str, flags: &[&str], home: &str) -> Server {
    let (catalogue, models) = (
        format!("--catalogue={catalogue}"),
        format!("--models-dir={models}"),
    );
    let own = [catalogue.as_str(), &models, "--workers=1"];
    Launch {
        program: Some(PROGRAM.as_ref()),
        flags: &[&own, flags].concat(),
        variables: &[("HOME", home)],
        ..Launch::default()
    }
    .start()
}

/// What `POST /v1/remove-background` with the model `tiny` says.
fn asked(server: &Server) -> (u16, String) {
    let picture = pictures::png(64, 48);
    let answer = server.post("/v1/remove-background?model=tiny", "image/png", &picture);
    let text = match answer.status {
        200 => answer
            .header("x-model-license")
            .unwrap_or_default()
            .to_owned(),
        _ => {
            answer.assert_problem("tiny", 422, "model_missing");
            answer.json()["detail"].as_str().unwrap().to_owned()
        }
    };
    (answer.status, text)
}

fn listed(server: &Server) -> serde_json::Value {
    let answer = server.get("/v1/models").json();
    let models = answer["models"].as_array().unwrap();
    models.iter().find(|m| m["name"] == "tiny").unwrap().clone()
}

#[test]
fn a_pulled_model_is_served_and_one_that_is_not_is_refused_with_the_command() {
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    let catalogue = catalogue(&folder, &file, "commercial_use = true");
    let (models, home) = (folder.path("models"), folder.path("home"));
    {
        let server = serve(&catalogue, &models, &[], &home);
        let (status, text) = asked(&server);
        assert_eq!(status, 422);
        assert!(text.contains("safelight models pull tiny"), "{text}");
        let tiny = listed(&server);
        assert_eq!(
            (&tiny["installed"], &tiny["device"]),
            (&false.into(), &().into())
        );
    }
    folder.write("models/tiny.onnx", &file);
    let server = serve(&catalogue, &models, &[], &home);
    assert_eq!(asked(&server), (200, "Apache-2.0".to_owned()));
    let tiny = listed(&server);
    for truth in ["installed", "loaded", "commercial_use"] {
        assert_eq!(tiny[truth], true, "{truth}");
    }
    assert_eq!(tiny["device"], "cpu");
    assert_eq!(tiny["sha256"], sum(&file));
    let gauge = "safelight_model_loaded{device=\"cpu\",license=\"Apache-2.0\",model=\"tiny\"}";
    assert_eq!(server.metric(gauge), 1.0);
}

#[test]
fn a_file_that_is_not_the_catalogues_stops_the_start() {
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    let catalogue = catalogue(&folder, &file, "commercial_use = true");
    folder.write("models/tiny.onnx", &standins::matte(64, 2).file());
    let ran = run(&[
        "serve",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
        &format!("--catalogue={catalogue}"),
        &format!("--models-dir={}", folder.path("models")),
    ]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains(&sum(&file)), "{}", ran.stderr);
    assert!(ran.stderr.contains("models pull tiny"), "{}", ran.stderr);
}

#[test]
fn a_licence_without_commercial_use_needs_the_operators_word() {
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    let catalogue = catalogue(&folder, &file, "commercial_use = false");
    folder.write("models/tiny.onnx", &file);
    let (models, home) = (folder.path("models"), folder.path("home"));
    let (status, text) = asked(&serve(&catalogue, &models, &[], &home));
    assert_eq!(status, 422);
    assert!(text.contains("--accept-license tiny"), "{text}");
    let accepted = serve(&catalogue, &models, &["--accept-license=tiny"], &home);
    assert_eq!(asked(&accepted).0, 200);
}

#[test]
fn models_of_rembg_are_found_and_used_where_they_are_named() {
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    let catalogue = catalogue(&folder, &file, "commercial_use = true");
    let (models, home) = (folder.path("models"), folder.path("home"));
    for place in [
        ".u2net/tiny.onnx",
        ".rembg/models/tiny/tiny.onnx",
        ".local/share/rembg/tiny.onnx",
    ] {
        let rembg = folder.write(&format!("home/{place}"), &file);
        let mut list = Command::new(PROGRAM);
        list.args([
            "models",
            "list",
            "--catalogue",
            &catalogue,
            "--models-dir",
            &models,
        ]);
        let list = list
            .env("HOME", &home)
            .env_remove("XDG_DATA_HOME")
            .env_remove("REMBG_HOME")
            .env_remove("U2NET_HOME");
        let text = common::run(list, b"").text();
        let row = text
            .lines()
            .find(|line| line.starts_with("tiny "))
            .unwrap()
            .to_owned();
        assert!(row.contains("in rembg's folder"), "{place}: {row}");
        if place.starts_with(".u2net") {
            // Its gigabytes are not loaded unless somebody says so.
            let (status, text) = asked(&serve(&catalogue, &models, &[], &home));
            assert!(status == 422 && text.contains("--model tiny"), "{text}");
            let server = serve(&catalogue, &models, &["--model=tiny"], &home);
            assert_eq!(asked(&server).0, 200);
            assert_eq!(listed(&server)["default"], true);
        }
        std::fs::remove_file(rembg).unwrap();
    }
    // A pull takes it from there.
    folder.write("home/.u2net/tiny.onnx", &file);
    let mut pull = Command::new(PROGRAM);
    pull.args([
        "models",
        "pull",
        "tiny",
        "--catalogue",
        &catalogue,
        "--models-dir",
        &models,
    ]);
    let ran = common::run(
        pull.env("HOME", &home)
            .env_remove("REMBG_HOME")
            .env_remove("U2NET_HOME"),
        b"",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(folder.files("models"), ["tiny.onnx"]);
    // One of another size is no model of ours.
    folder.write("home/.u2net/tiny.onnx", &file[1..]);
    std::fs::remove_file(folder.path("models/tiny.onnx")).unwrap();
    let (status, text) = asked(&serve(&catalogue, &models, &[], &home));
    assert!(status == 422 && text.contains("models pull tiny"), "{text}");
}

#[test]
fn a_device_that_is_not_there_is_said_or_stops_the_start() {
    // The library of the tests offers the processor alone; another is a reason to skip.
    let serve = [
        "serve",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
        "--workers=1",
    ];
    let required = ["--device=cuda", "--require-device"];
    let ran = run(&[serve.as_slice(), &required].concat());
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    for part in ["--device cuda --require-device", "offers cpu"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let server = common::spawn(&["--device=cuda", "--workers=1"]);
    let models = server.get("/v1/models").json();
    for model in models["models"].as_array().unwrap() {
        let device = if model["loaded"] == true {
            "cpu".into()
        } else {
            serde_json::Value::Null
        };
        assert_eq!(model["device"], device, "{model}");
    }
    assert_eq!(
        server.get("/v1/transparency").json()["modes"]["device"],
        "cpu"
    );
    let log = server.log().join("\n");
    assert!(
        log.contains("cuda") && log.contains("models run on cpu"),
        "{log}"
    );
}

#[test]
fn commands_say_that_a_model_does_not_run_on_what_was_asked_for() {
    let folder = Folder::new("models");
    let picture = folder.write("in.jpg", &common::pictures::jpeg(64, 48));
    let out = folder.path("out.png");
    let command = ["remove-background", &picture, "-o", &out, "--force"];
    for (device, says) in [
        (
            "--device=cuda",
            "--device cuda: the ONNX Runtime that is loaded does not offer it",
        ),
        ("--device=auto", ""),
        ("--device=cpu", ""),
    ] {
        let ran = super::run(&[command.as_slice(), &[device]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), usize::from(!says.is_empty()));
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}
