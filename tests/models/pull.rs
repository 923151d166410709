//! `safelight models pull` against a server on this machine: every way in which a download ends.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Folder, catalogue,
    common::{PROGRAM, Ran, skip},
    run,
    server::{Files, Way},
    standins, sum,
};

const WAYS: &[(&str, Way)] = &[
    ("/whole", Way::Whole),
    ("/breaks-off", Way::BreaksOff),
    ("/other", Way::Other),
    ("/page", Way::Page),
    ("/html", Way::Html),
    ("/endless", Way::Endless),
    ("/moved", Way::Redirect("/whole")),
    ("/circle", Way::Redirect("/circle")),
    ("/stalls", Way::Stalls),
    ("/renewed", Way::Renewed),
    ("/changing", Way::Changing),
];

/// A model file of some size, its catalogue, and a server of it.
pub struct Site {
    pub folder: Folder,
    file: Vec<u8>,
    pub catalogue: String,
    pub server: Files,
}

impl Site {
    pub fn new(more: &str) -> Self {
        let folder = Folder::new("models");
        // A weight that nothing uses makes it a megabyte.
        let noise = |i: u32| i.wrapping_mul(2_654_435_761) as f32;
        let weight: Vec<_> = (0..300_000).map(noise).collect();
        let file = standins::matte(64, 1).floats("weight", &[300_000], &weight);
        let file = file.file();
        let catalogue = catalogue(&folder, &file, more);
        let server = Files::new(&file, WAYS);
        Self {
            folder,
            file,
            catalogue,
            server,
        }
    }

    pub fn file(&self) -> &[u8] {
        &self.file
    }

    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let models = format!("--models-dir={}", self.folder.path("models"));
        let catalogue = format!("--catalogue={}", self.catalogue);
        let start = ["models", "pull", "tiny", &models, &catalogue].map(str::to_owned);
        let more = more.iter().map(|argument| (*argument).to_owned());
        start.into_iter().chain(more).collect()
    }

    /// Pulls from these paths, in this order.
    pub fn pull(&self, paths: &[&str]) -> Ran {
        let from: Vec<_> = paths.iter().map(|path| self.server.url(path)).collect();
        let from: Vec<_> = from.iter().flat_map(|url| ["--from", url]).collect();
        let arguments = self.arguments(&from);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn assert_installed(&self) {
        let installed = fs::read(self.folder.path("models/tiny.onnx")).unwrap();
        assert_eq!(sum(&installed), sum(&self.file));
        assert_eq!(
            self.folder.files("models"),
            ["tiny.onnx"],
            "and nothing else"
        );
    }
}

#[test]
fn a_model_is_installed_under_its_name_when_it_is_whole_and_right() {
    let site = Site::new("commercial_use = true");
    for path in ["/whole", "/moved", "/endless"] {
        let ran = site.pull(&[path]);
        assert_eq!(ran.code, Some(0), "{path}: {}", ran.stderr);
        assert!(ran.text().contains("installed") && ran.text().contains("Apache-2.0"));
        site.assert_installed();
        if path != "/endless" {
            fs::remove_file(site.folder.path("models/tiny.onnx")).unwrap();
        }
    }
    let before = site.server.requests().len();
    let ran = site.pull(&["/whole"]);
    assert!(ran.text().contains("already"), "{}", ran.text());
    assert_eq!(site.server.requests().len(), before, "nothing is asked for");
    let head = &site.server.requests()[0];
    assert!(head.contains("user-agent: safelight/"), "{head}");
    for word in ["referer", "cookie", "accept-encoding: gzip"] {
        assert!(!head.contains(word), "{head}");
    }
}

#[test]
fn what_is_not_the_file_is_refused_and_not_kept() {
    let site = Site::new("commercial_use = true");
    for (path, says) in [
        ("/other", "another file: its SHA-256 is"),
        ("/page", "has 25 bytes, the catalogue says"),
        ("/html", "sends a web page"),
        ("/missing", "is not there (404)"),
        ("/circle", "redirects more than 5 times"),
    ] {
        let ran = site.pull(&[path]);
        assert_eq!(ran.code, Some(1), "{path}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{path}: {}", ran.stderr);
        assert!(ran.stderr.contains("not installed: tiny"), "{}", ran.stderr);
        assert!(
            site.folder.files("models").is_empty(),
            "{path}: nothing stays"
        );
    }
    // What an earlier pull brought is not given up for an answer that cannot be the file.
    let half = site.file.len() / 2;
    let part = site.folder.write("models/tiny.part", &site.file[..half]);
    for path in ["/page", "/html", "/missing", "/circle"] {
        assert_eq!(site.pull(&[path]).code, Some(1), "{path}");
        assert_eq!(fs::metadata(&part).unwrap().len(), half as u64, "{path}");
    }
    fs::remove_file(part).unwrap();
    let closed = "http://127.0.0.1:1/x";
    let ran = run(&site
        .arguments(&["--from", closed])
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>());
    assert!(
        ran.code == Some(1) && ran.stderr.contains(closed),
        "{}",
        ran.stderr
    );
    // The next place is tried where one fails.
    let ran = site.pull(&["/missing", "/page", "/other", "/whole"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
}

#[test]
fn what_broke_off_is_taken_up_where_it_was() {
    let site = Site::new("commercial_use = true");
    let ran = site.pull(&["/breaks-off"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("broke off after"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the next pull goes on there"),
        "{}",
        ran.stderr
    );
    let part = fs::metadata(site.folder.path("models/tiny.part"))
        .unwrap()
        .len();
    // Three tries, each of which got a third of what was left.
    let length = site.file.len() as u64;
    assert!(part > length * 2 / 3 && part < length, "{part} of {length}");
    let asked = site.server.requests();
    assert_eq!(asked.len(), 3);
    assert!(asked[2].contains("if-range: \"v1\""), "{}", asked[2]);
    let ran = site.pull(&["/whole"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
    let last = site.server.requests().pop().unwrap();
    assert!(last.contains(&format!("range: bytes={part}-")), "{last}");
}

#[test]
fn a_file_that_was_renewed_meanwhile_begins_anew() {
    let site = Site::new("commercial_use = true");
    assert_eq!(site.pull(&["/changing"]).code, Some(1));
    let ran = site.pull(&["/changing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
}

#[test]
fn a_part_that_is_wrong_is_thrown_away_and_the_whole_is_asked_for() {
    let site = Site::new("commercial_use = true");
    let length = site.file.len();
    // A part, all of it, more than that.
    for (wrong, requests) in [(length / 2, 2), (length, 1), (length + 9, 1)] {
        site.folder.write("models/tiny.part", &vec![9; wrong]);
        let before = site.server.requests().len();
        let ran = site.pull(&["/whole"]);
        assert_eq!(ran.code, Some(0), "{wrong}: {}", ran.stderr);
        site.assert_installed();
        let asked = site.server.requests().split_off(before);
        assert_eq!(asked.len(), requests, "{wrong}");
        assert!(!asked[requests - 1].contains("range:"), "{wrong}");
        fs::remove_file(site.folder.path("models/tiny.onnx")).unwrap();
    }
    // A file that is not the one is no reason to give up what came.
    let half = site
        .folder
        .write("models/tiny.part", &site.file[..length / 2]);
    let wrong = site.folder.write("downloads/x.onnx", &vec![0; length]);
    let arguments = site.arguments(&["--from", &wrong]);
    let ran = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        ran.code == Some(1) && ran.stderr.contains("is another file"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::metadata(half).unwrap().len(), length as u64 / 2);
}

#[test]
fn a_mirror_goes_on_where_another_place_broke_off() {
    let site = Site::new("commercial_use = true");
    // It calls the version by another name, which nobody asks it for.
    let ran = site.pull(&["/breaks-off", "/renewed"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
    let last = site.server.requests().pop().unwrap();
    assert!(
        last.contains("range: bytes=") && !last.contains("if-range"),
        "{last}"
    );
}

#[test]
fn what_is_said_of_an_address_holds_no_secret() {
    let site = Site::new("commercial_use = true");
    let url = site.server.url("/missing?token=t0k3n");
    let url = url.replace("http://", "http://me:s3cret@");
    let arguments = site.arguments(&["--from", &url]);
    let ran = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("/missing: is not there (404)"),
        "{}",
        ran.stderr
    );
    for secret in ["s3cret", "t0k3n"] {
        assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
    }
}

#[test]
fn a_pull_that_is_killed_leaves_no_model_and_can_go_on() {
    let site = Site::new("commercial_use = true");
    let url = site.server.url("/stalls");
    let mut child = Command::new(PROGRAM)
        .args(site.arguments(&["--from", &url]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = site.folder.path("models/tiny.part");
    let deadline = Instant::now() + Duration::from_secs(20);
    let third = site.file.len() as u64 / 3;
    while fs::metadata(&part).map_or(0, |m| m.len()) < third {
        assert!(Instant::now() < deadline, "nothing came");
        thread::sleep(Duration::from_millis(5));
    }
    // A second one keeps away while the first is at work.
    let ran = site.pull(&["/whole"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("another pull is at work"),
        "{}",
        ran.stderr
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !site
            .folder
            .files("models")
            .contains(&"tiny.onnx".to_owned())
    );
    let ran = site.pull(&["/whole"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    site.assert_installed();
    let last = site.server.requests().pop().unwrap();
    assert!(last.contains(&format!("range: bytes={third}-")), "{last}");
}

/// A tmpfs of half a megabyte, where this user may make one.
struct Small<'a>(&'a str);

impl<'a> Small<'a> {
    fn new(path: &'a str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=512k", "tmpfs", path]);
        let done = mount.stderr(Stdio::null()).status().ok()?.success();
        done.then_some(Self(path))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // What was started meanwhile beside this may still look at it.
        let _ = Command::new("umount").args(["--lazy", self.0]).status();
    }
}

#[test]
fn a_full_disk_is_said_and_no_half_model_stays() {
    const TEST: &str = "a_full_disk_is_said_and_no_half_model_stays";
    let site = Site::new("commercial_use = true");
    let models = site.folder.path("models");
    let Some(small) = Small::new(&models) else {
        return skip(TEST, "the right to mount a tmpfs");
    };
    // What cannot fit is not begun.
    let ran = site.pull(&["/whole"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("are needed"), "{}", ran.stderr);
    assert!(site.folder.files("models").is_empty());
    // Where nobody says how much it is, it shows when it is full.
    let text = fs::read_to_string(&site.catalogue).unwrap();
    let open: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("bytes"))
        .collect();
    fs::write(&site.catalogue, open.join("\n")).unwrap();
    let ran = site.pull(&["/endless"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("there is no space left in"),
        "{}",
        ran.stderr
    );
    assert!(
        !site
            .folder
            .files("models")
            .contains(&"tiny.onnx".to_owned())
    );
    drop(small);
}

#[test]
fn a_file_of_ones_own_is_installed_if_it_is_the_one() {
    let site = Site::new("commercial_use = true");
    let right = site.folder.write("downloads/x.onnx", &site.file);
    let wrong = site.folder.write("downloads/y.onnx", &[0; 99]);
    let link = format!("file://{right}");
    let from = |file: &str| {
        let arguments = site.arguments(&["--from", file]);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let ran = from(&wrong);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("has 99 bytes"), "{}", ran.stderr);
    let ran = from(&site.folder.path("downloads"));
    assert!(
        ran.code == Some(1) && ran.stderr.contains("is not a file"),
        "{}",
        ran.stderr
    );
    for right in [&right, &link] {
        assert_eq!(from(right).code, Some(0), "{right}");
        site.assert_installed();
        fs::remove_file(site.folder.path("models/tiny.onnx")).unwrap();
    }
    assert_eq!(site.server.requests().len(), 0);
    let ran = run(&["models", "pull", "cutout"]);
    assert!(ran.code == Some(0) && ran.text().contains("part of the program"));
    let ran = run(&["models", "pull", "u2netp", "yunet", "--from", &right]);
    assert_eq!(ran.code, Some(2), "one at a time: {}", ran.stderr);
}
