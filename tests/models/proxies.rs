//! What `safelight models` takes from the environment: proxies, the folders of rembg, a terminal.

use std::{fs, process::Command};

use super::{
    Folder, catalogue,
    common::{self, PROGRAM, Ran, skip, tool},
    pull::Site,
    standins,
};

/// Every variable that says something of proxies or of folders.
const VARIABLES: [&str; 11] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "XDG_DATA_HOME",
    "U2NET_HOME",
    "REMBG_HOME",
];

/// Runs the program with these variables, and none of those of whoever runs the tests.
fn run(arguments: &[String], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(PROGRAM);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied());
    common::run(&mut command, b"")
}

/// Pulls from `url` with these variables, and takes the model away again. The hosts that the
/// server was asked for as a proxy.
fn through(site: &Site, url: &str, variables: &[(&str, &str)]) -> (Ran, Vec<String>) {
    let before = site.server.requests().len();
    let ran = run(&site.arguments(&["--from", url]), variables);
    if ran.code == Some(0) {
        site.assert_installed();
        fs::remove_file(site.folder.path("models/tiny.onnx")).unwrap();
    }
    let asked = site.server.requests().split_off(before);
    let hosts = asked.iter().filter_map(|head| {
        let rest = head.strip_prefix("connect ")?;
        Some(rest[..rest.find(':')?].to_owned())
    });
    (ran, hosts.collect())
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let site = Site::new("commercial_use = true");
    let (proxy, url) = (site.server.url(""), "http://models.invalid/whole");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        let (ran, hosts) = through(&site, url, &[(name, &proxy)]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert_eq!(hosts, ["models.invalid"], "{name}");
    }
    let (ran, hosts) = through(&site, url, &[]);
    assert_eq!(
        (ran.code, hosts.len()),
        (Some(1), 0),
        "nobody else knows it"
    );
}

#[test]
fn a_proxy_that_cannot_be_used_is_no_reason_to_go_without() {
    let site = Site::new("commercial_use = true");
    let url = site.server.url("/whole");
    for (name, proxy, says) in [
        (
            "ALL_PROXY",
            "socks5://me:s3cret@127.0.0.1:1",
            "a proxy of SOCKS5",
        ),
        ("https_proxy", "socks5h://127.0.0.1:1", "a proxy of SOCKS5h"),
        (
            "HTTP_PROXY",
            "nonsense://s3cret",
            "is not the address of a proxy",
        ),
        (
            "ALL_PROXY",
            "http://127.0.0.1:1",
            "(ALL_PROXY names a proxy)",
        ),
    ] {
        let (ran, _) = through(&site, &url, &[(name, proxy)]);
        assert_eq!((ran.code, site.server.requests().len()), (Some(1), 0));
        let clear = ran.stderr.contains(name) && ran.stderr.contains(says);
        assert!(clear && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    // A file that is here needs none; what is set to nothing is not set.
    let file = site.folder.write("downloads/x.onnx", site.file());
    for (from, proxy) in [(&file, "socks5://127.0.0.1:1"), (&url, "")] {
        let (ran, _) = through(&site, from, &[("ALL_PROXY", proxy)]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn hosts_that_need_no_proxy_are_asked_directly() {
    let site = Site::new("commercial_use = true");
    let url = site.server.url("/whole");
    // Nothing listens there.
    let closed = "http://127.0.0.1:1";
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let (ran, hosts) = through(&site, &url, &[(name, closed)]);
        assert_eq!((ran.code, hosts.len()), (Some(1), 0), "{name}");
        for list in ["127.0.0.1", "example.org,127.0.0.1", "*"] {
            let variables = [(name, closed), ("NO_PROXY", list)];
            let (ran, hosts) = through(&site, &url, &variables);
            assert_eq!(ran.code, Some(0), "{name} {list}: {}", ran.stderr);
            assert!(hosts.is_empty(), "{name} {list}");
        }
    }
    // Others go through it still.
    let variables = [
        ("HTTP_PROXY", site.server.url("")),
        ("NO_PROXY", "127.0.0.1".into()),
    ];
    let variables = [0, 1].map(|i| (variables[i].0, variables[i].1.as_str()));
    let (ran, hosts) = through(&site, "http://models.invalid/whole", &variables);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(hosts, ["models.invalid"]);
}

#[test]
fn the_folders_that_rembg_is_told_of_are_searched() {
    let folder = Folder::new("models");
    let file = standins::matte(64, 1).file();
    let catalogue = catalogue(&folder, &file, "commercial_use = true");
    let (models, home) = (folder.path("models"), folder.path("home"));
    let with = |what: &[&str], name: &str, value: &str| {
        let places = ["--catalogue", &catalogue, "--models-dir", &models];
        let arguments = [&["models"], what, &places].concat();
        let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
        let ran = run(&arguments, &[("HOME", &home), (name, value)]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        ran.text()
    };
    let row = |name: &str, value: &str| {
        let text = with(&["list"], name, value);
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with("tiny "))
            .unwrap()
            .to_owned()
    };
    // The flat ones are of its older releases; where `~` stands the variable says so.
    for (variable, value, below) in [
        ("U2NET_HOME", "elsewhere", "elsewhere/tiny.onnx"),
        ("U2NET_HOME", "elsewhere", "elsewhere/models/tiny/tiny.onnx"),
        ("U2NET_HOME", "~/mine", "home/mine/models/tiny/tiny.onnx"),
        ("REMBG_HOME", "elsewhere", "elsewhere/models/tiny/tiny.onnx"),
        ("XDG_DATA_HOME", "elsewhere", "elsewhere/.u2net/tiny.onnx"),
        ("XDG_DATA_HOME", "elsewhere", "elsewhere/rembg/tiny.onnx"),
        (
            "XDG_DATA_HOME",
            "elsewhere",
            "elsewhere/rembg/models/tiny/tiny.onnx",
        ),
    ] {
        let place = match value.starts_with('~') {
            true => value.to_owned(),
            false => folder.path(value),
        };
        let rembg = folder.write(below, &file);
        assert!(
            row(variable, &place).contains("in rembg's folder"),
            "{variable}: {below}"
        );
        let other = folder.path("empty");
        assert!(row(variable, &other).contains("missing"), "{below}");
        // What is there is copied, since nobody publishes it.
        let text = with(&["pull", "tiny"], variable, &place);
        assert!(text.contains("installed as"), "{text}");
        assert_eq!(folder.files("models"), ["tiny.onnx"]);
        fs::remove_file(folder.path("models/tiny.onnx")).unwrap();
        fs::remove_file(rembg).unwrap();
    }
}

#[test]
fn progress_is_shown_to_a_terminal_alone() {
    const TEST: &str = "progress_is_shown_to_a_terminal_alone";
    let site = Site::new("commercial_use = true");
    let (ran, _) = through(&site, &site.server.url("/whole"), &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let Some(script) = tool(&["script"]) else {
        return skip(TEST, "script of util-linux");
    };
    let arguments = site.arguments(&["--from", &site.server.url("/whole")]);
    let line = format!("{PROGRAM} {}", arguments.join(" "));
    let mut command = Command::new(script);
    command
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm");
    for name in VARIABLES {
        command.env_remove(name);
    }
    let ran = common::run(&mut command, b"");
    let text = ran.text();
    assert_eq!(ran.code, Some(0), "{text}");
    site.assert_installed();
    assert!(text.contains("B/s"), "{text:?}");
    // It is taken away when the file is whole.
    assert!(text.trim_end().ends_with("(Apache-2.0)"), "{text:?}");
}
