//! The files under `examples/` do what they say, with the real tools that they are written for.

mod common;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use common::{Server, http, pictures, spawn};

/// A folder with one picture in it, removed when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = common::folder("examples");
        fs::write(folder.join("a picture.jpg"), pictures::jpeg(160, 120)).unwrap();
        fs::write(folder.join("broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// Runs `tool` with an example and its arguments, against `server`.
fn run(server: &Server, tool: &Path, name: &str, arguments: &[&Path]) -> common::Ran {
    let mut command = Command::new(tool);
    command.arg(example(name)).args(arguments);
    command.env("SAFELIGHT_URL", format!("http://{}", server.address));
    common::run(&mut command, b"")
}

/// One picture, with an option, and a broken one, as each of the clients sends them.
fn cuts_out_one_picture_and_says_why_another_is_refused(tool: &Path, name: &str) {
    let server = spawn(&["--workers=1"]);
    let folder = Folder::new();
    let (source, result) = (folder.file("a picture.jpg"), folder.file("result.png"));
    let option = Path::new("background=#00ff00");
    let ran = run(&server, tool, name, &[&source, &result, option]);
    assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.text(), ran.stderr);
    let cut = pictures::decoded(&fs::read(&result).unwrap()).to_rgb8();
    assert_eq!(cut.dimensions(), (160, 120), "{name}");
    // The answer is a JPEG, as the picture was: near the colour, not exactly it.
    let [red, green, blue] = cut.get_pixel(0, 0).0;
    assert!(red < 9 && green > 246 && blue < 9, "{name}: the option");

    let (broken, none) = (folder.file("broken.png"), folder.file("none.png"));
    let ran = run(&server, tool, name, &[&broken, &none]);
    assert_eq!(ran.code, Some(1), "{name}");
    assert!(ran.stderr.contains("broken"), "{name}: {}", ran.stderr);
    assert!(!none.exists(), "{name}: an error is no picture");
}

#[test]
fn the_shell_script_works() {
    let (Some(sh), Some(_)) = (common::tool(&["sh"]), common::tool(&["curl"])) else {
        return common::skip("examples/curl.sh", "sh and curl");
    };
    cuts_out_one_picture_and_says_why_another_is_refused(&sh, "curl.sh");
}

#[test]
fn the_python_client_works() {
    let Some(python) = common::tool(&["python3"]) else {
        return common::skip("examples/client.py", "Python 3");
    };
    cuts_out_one_picture_and_says_why_another_is_refused(&python, "client.py");
}

#[test]
fn the_node_client_works() {
    let Some(node) = common::tool(&["node"]) else {
        return common::skip("examples/client.mjs", "Node");
    };
    cuts_out_one_picture_and_says_why_another_is_refused(&node, "client.mjs");
}

#[test]
fn the_loop_over_a_folder_goes_on_after_a_bad_file_and_a_busy_service() {
    let (Some(sh), Some(_)) = (common::tool(&["sh"]), common::tool(&["curl"])) else {
        return common::skip("examples/folder.sh", "sh and curl");
    };
    // One upload at a time, and the first is that of a client who does not go on with it until
    // somebody else was told to come again.
    let server = spawn(&["--workers=1", "--upload-permits=1", "--upload-idle=60s"]);
    let path = "/v1/remove-background";
    let held = http::begin(server.address, path, "image/jpeg", 1000, &[7; 500]);
    let soon = Duration::from_secs(30);
    server.wait_until(soon, "the permit is taken", |m| {
        m.get("safelight_inputs_live") == Some(&1.0)
    });
    let folder = Folder::new();
    for i in 0..6 {
        let name = folder.file(&format!("{i}.jpg"));
        fs::write(name, pictures::jpeg(320 + i, 240)).unwrap();
    }
    let results = folder.file("results");
    let refused = r#"safelight_rejections_total{reason="upload_permits"}"#;
    let ran = thread::scope(|scope| {
        scope.spawn(|| {
            // Dropped where the wait fails, too.
            let _held = held;
            server.wait_until(soon, "a refusal", |m| m.get(refused) >= Some(&1.0));
        });
        run(&server, &sh, "folder.sh", &[&folder.0, &results])
    });
    assert_ne!(ran.code, Some(0), "one of them failed");
    assert!(ran.stderr.contains("failed: broken.png"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("failed:").count(), 1, "{}", ran.stderr);
    for i in 0..6 {
        let result = fs::read(results.join(format!("{i}.png"))).unwrap();
        assert_eq!(pictures::decoded(&result).width(), 320 + i);
    }
    let busy = r#"safelight_requests_total{operation="remove-background",outcome="busy"}"#;
    assert!(server.metric(refused) >= 1.0 && server.metric(busy) >= 1.0);
    server.assert_books_balance();
}

/// Serves the example's page, with the service's address in it, until the test's process ends.
fn page_for(service: SocketAddr, listener: TcpListener) {
    let page = fs::read_to_string(example("page.html")).unwrap();
    let default = "http://127.0.0.1:8080";
    assert!(page.contains(default), "the address to be replaced");
    let page = page.replace(default, &format!("http://{service}"));
    http::serve_page(listener, page);
}

#[test]
fn the_page_of_another_origin_works_in_a_browser() {
    let browser = common::tool(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(node), Some(browser)) = (common::tool(&["node"]), browser) else {
        return common::skip("examples/page.html", "Node and Chromium");
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = spawn(&["--cors-origin", &origin]);
    page_for(server.address, listener);
    let folder = Folder::new();
    let see = |picture: &str| -> serde_json::Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples.mjs");
        let mut command = Command::new(&node);
        command.arg(script).arg(&browser).arg(&origin);
        command.arg(folder.file(picture));
        let ran = common::run(&mut command, b"");
        assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
        serde_json::from_str(ran.text().trim()).unwrap()
    };
    let seen = see("a picture.jpg");
    assert_eq!(seen["message"], "160 × 120 pixels");
    assert_eq!(
        (&seen["width"], &seen["height"]),
        (&160.into(), &120.into())
    );
    let message = see("broken.png")["message"].to_string();
    assert!(message.contains("broken"), "{message}");
}

/// Nothing lies under `examples/` that no test runs.
#[test]
fn every_example_is_listed_and_run() {
    let tests = include_str!("examples.rs");
    let listed = fs::read_to_string(example("README.md")).unwrap();
    for entry in fs::read_dir(example("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md" {
            assert!(
                listed.contains(&format!("({name})")),
                "{name} is not listed"
            );
            assert!(tests.contains(&format!("\"{name}\"")), "{name} is not run");
        }
    }
}
