//! What follows a pull: what is here and what is not, the licence, and the word of the catalogue.

use std::{fs, process::Command};

use super::{
    common::{self, PROGRAM, pictures},
    pull::Site,
    run, sum,
};

#[test]
fn what_forbids_commercial_use_needs_a_word() {
    let site = Site::new("commercial_use = false");
    let ran = site.pull(&["/whole"]);
    assert_eq!((ran.code, site.server.requests().len()), (Some(1), 0));
    assert!(
        ran.stderr.contains("--accept-license tiny"),
        "{}",
        ran.stderr
    );
    let url = site.server.url("/whole");
    let arguments = site.arguments(&["--from", &url, "--accept-license", "tiny"]);
    let ran = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
}

#[test]
fn mirrors_of_the_catalogue_are_tried_in_their_order_through_the_proxy_of_the_environment() {
    let site = Site::new("commercial_use = true");
    // No name that begins like this exists; only a proxy can answer for it.
    let urls = "urls = ['http://first.invalid/missing', 'http://second.invalid/whole']";
    let text = fs::read_to_string(&site.catalogue).unwrap();
    fs::write(&site.catalogue, format!("{text}{urls}\n")).unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(site.arguments(&[]))
        .env("ALL_PROXY", site.server.url(""));
    let ran = common::run(&mut command, b"");
    assert_eq!(
        ran.code,
        Some(0),
        "{} {:?}",
        ran.stderr,
        site.server.requests()
    );
    site.assert_installed();
    let asked = site.server.requests();
    let hosts = asked
        .iter()
        .filter_map(|head| head.strip_prefix("connect "));
    let hosts: Vec<_> = hosts.map(|rest| &rest[..rest.find(':').unwrap()]).collect();
    assert_eq!(hosts, ["first.invalid", "second.invalid"]);
}

#[test]
fn of_several_models_those_that_can_be_had_are_installed() {
    let site = Site::new("commercial_use = true");
    let text = fs::read_to_string(&site.catalogue).unwrap();
    let of = |name: &str, path: &str| {
        let entry = text.replace("name = 'tiny'", &format!("name = '{name}'"));
        format!("{entry}urls = ['{}']\n", site.server.url(path))
    };
    let entries = [of("gone", "/missing"), of("tiny", "/whole")];
    fs::write(&site.catalogue, entries.concat()).unwrap();
    let mut arguments = site.arguments(&[]);
    arguments.insert(2, "gone".to_owned());
    let ran = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not there (404)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not installed: gone"), "{}", ran.stderr);
    assert!(ran.text().contains("tiny: installed"), "{}", ran.text());
    site.assert_installed();
    arguments.extend(["--from".to_owned(), site.server.url("/whole")]);
    let ran = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("one model at a time"), "{}", ran.stderr);
}

#[test]
fn every_file_that_is_here_is_read_and_checked() {
    let site = Site::new("commercial_use = true");
    assert_eq!(site.pull(&["/whole"]).code, Some(0));
    let models = format!("--models-dir={}", site.folder.path("models"));
    let catalogue = format!("--catalogue={}", site.catalogue);
    let verify = || run(&["models", "verify", &models, &catalogue]);
    let ran = verify();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for name in ["cutout", "restore", "tiny"] {
        assert!(
            ran.text().contains(&format!("ok    {name} ")),
            "{}",
            ran.text()
        );
    }
    // What the operator names is theirs to know, unless its card says what it should be.
    let mine = site.folder.write("own/mine.onnx", site.file());
    let model = format!("--model=mine={mine}");
    let card = "task = 'cutout'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n";
    for (more, says, code) in [
        (String::new(), "yours mine", 0),
        (format!("sha256 = '{}'", sum(site.file())), "ok    mine", 0),
        (format!("sha256 = '{}'", sum(b"")), "WRONG mine", 1),
    ] {
        site.folder
            .write("own/mine.toml", format!("{card}{more}").as_bytes());
        let ran = run(&["models", "verify", &models, &catalogue, &model]);
        assert_eq!(ran.code, Some(code), "{says}: {}", ran.stderr);
        assert!(ran.text().contains(says), "{says}: {}", ran.text());
    }
    let picture = site.folder.write("in.jpg", &pictures::jpeg(64, 48));
    let ran = run(&["remove-background", &picture, "-o", "-", &model]);
    assert!(
        ran.code == Some(1) && ran.stderr.contains("its card's is"),
        "{}",
        ran.stderr
    );
    let ran = run(&["models", "show", "mine", &model]);
    assert!(ran.text().contains("your own"), "{}", ran.text());
    assert!(ran.text().contains("1.2 MB"), "{}", ran.text());
    let mut file = site.file().to_vec();
    file[1000] ^= 1;
    site.folder.write("models/tiny.onnx", &file);
    let ran = verify();
    assert_eq!(ran.code, Some(1));
    assert!(ran.text().contains("WRONG tiny"), "{}", ran.text());
    // What is wrong is fetched anew.
    assert_eq!(site.pull(&["/whole"]).code, Some(0));
    site.assert_installed();
}
