//! The program in the confinement that the image gives it, made with what Linux
//! has: it starts in strict mode, does the main job there, and needs nothing that it has not.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::project;
use crate::common::{self, PROGRAM, faults, pictures};

/// The list that an instruction of the Dockerfile's last stage holds, such as `CMD ["a", "b"]`.
fn instruction(word: &str) -> Vec<String> {
    let dockerfile = project("Dockerfile").replace("\\\n", " ");
    let mut lines = dockerfile.lines().map(str::trim);
    let line = lines.rfind(|line| line.starts_with(word) && line.contains('['));
    let line = line.unwrap_or_else(|| panic!("no {word}"));
    serde_json::from_str(&line[line.find('[').unwrap()..]).expect("a list")
}

/// The libraries that a file is linked with, at the places where the loader looks for them.
fn libraries(file: &Path) -> BTreeSet<PathBuf> {
    let ran = common::run(Command::new("ldd").arg(file), b"");
    let words = ran.text();
    let paths = words
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    // ldd names the file itself in an error.
    paths
        .map(|path| PathBuf::from(path.trim_end_matches(':')))
        .collect()
}

/// The program that is confined: the one of this build, or a release that
/// `SAFELIGHT_TEST_RELEASE_BIN` names.
#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn program() -> PathBuf {
    std::env::var_os("SAFELIGHT_TEST_RELEASE_BIN").map_or_else(|| PROGRAM.into(), PathBuf::from)
}

/// The program under bubblewrap, and where its process is.
struct Container {
    bubblewrap: Child,
    pid: u32,
}

impl Container {
    /// Starts what ENTRYPOINT and CMD say in a root of the files that the image has, and `spool` on
    /// /spool, where it is given; else bubblewrap makes a tmpfs there.
    fn start(bubblewrap: &Path, spool: Option<&Path>, log: &Path) -> Self {
        let library = Path::new(PROGRAM).ancestors().nth(2).unwrap();
        let library = library.join("onnxruntime/libonnxruntime.so");
        let mut command = Command::new(bubblewrap);
        command
            .args([
                "--unshare-all",
                "--unshare-user",
                "--uid",
                "65532",
                "--gid",
                "65532",
            ])
            .args([
                "--cap-drop",
                "ALL",
                "--clearenv",
                "--die-with-parent",
                "--new-session",
            ])
            .args(["--as-pid-1", "--proc", "/proc", "--dev", "/dev"])
            .arg("--ro-bind")
            .arg(program())
            .args(["/usr/local/bin/safelight", "--ro-bind"])
            .arg(&library)
            .arg("/usr/local/lib/libonnxruntime.so");
        let mut needed = libraries(&program());
        needed.extend(libraries(&library));
        for file in needed {
            // What distroless/cc has: glibc, libgcc and libstdc++.
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let known = [
                "libc.",
                "libm.",
                "libdl.",
                "librt.",
                "libpthread.",
                "libgcc_s.",
                "libstdc++.",
                "ld-linux",
            ];
            assert!(
                known.iter().any(|k| name.starts_with(k)),
                "the image has no {name}"
            );
            command.arg("--ro-bind").arg(&file).arg(&file);
        }
        match spool {
            Some(folder) => command.arg("--bind").arg(folder).arg("/spool"),
            None => command.args(["--perms", "0700", "--tmpfs", "/spool"]),
        };
        command.args(["--remount-ro", "/"]);
        command
            .args(instruction("ENTRYPOINT"))
            .args(instruction("CMD"));
        let log = fs::File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let bubblewrap = command.spawn().expect("bubblewrap starts");
        let mut container = Self { bubblewrap, pid: 0 };
        let deadline = Instant::now() + Duration::from_secs(10);
        while container.pid == 0 && Instant::now() < deadline {
            container.pid = container.child().unwrap_or(0);
            thread::sleep(Duration::from_millis(5));
        }
        container
    }

    /// The process that runs the program.
    fn child(&self) -> Option<u32> {
        let id = self.bubblewrap.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        let pid: u32 = children.split_whitespace().next()?.parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim() == "safelight").then_some(pid)
    }

    /// Runs a command in the container's networks, and where `in_root` in its root too.
    fn enter(&self, in_root: bool, command: &[&str]) -> common::Ran {
        let mut enter = Command::new("nsenter");
        enter.args(["--preserve-credentials", "--user", "--net", "--target"]);
        enter.arg(self.pid.to_string());
        if in_root {
            enter.args(["--mount", "--root"]);
        }
        common::run(enter.args(command), b"")
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).expect("it is running")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.bubblewrap.kill();
        let _ = self.bubblewrap.wait();
    }
}

#[test]
fn the_image_does_the_main_job_with_a_read_only_root_a_tmpfs_and_no_network() {
    const TEST: &str = "the_image_does_the_main_job_with_a_read_only_root_a_tmpfs_and_no_network";
    let tools = ["bwrap", "nsenter", "curl"].map(|name| common::tool(&[name]));
    let [Some(bubblewrap), Some(_), Some(_)] = tools else {
        return common::skip(TEST, "bubblewrap, nsenter and curl");
    };
    let mut probe = Command::new(&bubblewrap);
    probe.args(["--unshare-all", "--ro-bind", "/", "/", "true"]);
    if common::run(&mut probe, b"").code != Some(0) {
        return common::skip(TEST, "a kernel that lets this user make namespaces");
    }
    let swap = fs::read_to_string("/proc/swaps").unwrap_or_default();
    if swap.lines().count() > 1 {
        return common::skip(TEST, "a machine without swap, or strict mode refuses");
    }
    let options = "size=512m,mode=0700";
    // Only the root of the machine may ask for `noswap`, and only kernels since 6.4 know it.
    let spool = faults::Tmpfs::mount_with("confined", &format!("{options},noswap"))
        .or_else(|| faults::Tmpfs::mount_with("confined", options));
    let folder = common::folder("image");
    let log = folder.join("log");
    let mut container = Container::start(
        &bubblewrap,
        spool.as_ref().map(|s| s.folder.as_path()),
        &log,
    );
    let said = || fs::read_to_string(&log).unwrap();
    assert_ne!(container.pid, 0, "it did not start:\n{}", said());

    let health = instruction("HEALTHCHECK");
    let health: Vec<_> = health.iter().map(String::as_str).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while container.enter(true, &health).code != Some(0) {
        assert!(Instant::now() < deadline, "not healthy:\n{}", said());
        thread::sleep(Duration::from_millis(100));
    }

    let status = container.proc("status");
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    let devices = container.proc("net/dev");
    assert_eq!(
        devices.lines().filter(|line| line.contains(':')).count(),
        1,
        "{devices}"
    );
    let mounts = container.proc("mountinfo");
    let options = |point: &str| {
        let line = mounts
            .lines()
            .find(|line| line.split(' ').nth(4) == Some(point));
        line.unwrap_or_else(|| panic!("{point} in\n{mounts}"))
            .to_owned()
    };
    assert!(
        options("/").split(' ').nth(5).unwrap().starts_with("ro"),
        "{mounts}"
    );
    assert!(options("/spool").contains(" - tmpfs "), "{mounts}");
    println!("spool: {}", options("/spool"));
    let shell = container.enter(true, &["/bin/sh", "-c", "true"]);
    assert_ne!(shell.code, Some(0), "there is a shell");

    let picture = match common::shared("data") {
        // A photograph, where one is at hand.
        Some(data) => photograph(&data).unwrap_or_else(|| pictures::jpeg(1600, 1200)),
        None => pictures::jpeg(1600, 1200),
    };
    let expected = pictures::decoded(&picture);
    fs::write(folder.join("in"), &picture).unwrap();
    let (from, to) = (folder.join("in"), folder.join("out.png"));
    let form = format!("file=@{}", from.display());
    let address = "http://127.0.0.1:8080/v1/remove-background";
    let to_text = to.display().to_string();
    let curl = [
        "curl",
        "--silent",
        "--fail",
        "--max-time",
        "60",
        "--form",
        &form,
        "--form",
        "format=png",
    ];
    let ran = container.enter(
        false,
        &[curl.as_slice(), &["--output", &to_text, address]].concat(),
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.stderr, said());
    let answer = pictures::decoded(&fs::read(&to).unwrap());
    assert_eq!(
        (answer.width(), answer.height()),
        (expected.width(), expected.height())
    );
    let alpha: Vec<u8> = answer.to_rgba8().pixels().map(|pixel| pixel[3]).collect();
    assert!(
        alpha.contains(&0) && alpha.contains(&255),
        "something is cut out"
    );
    let metrics = container.enter(
        false,
        &["curl", "--silent", "http://127.0.0.1:9464/metrics"],
    );
    let metrics = metrics.text();
    for line in [
        "safelight_storage_exposed 0",
        "safelight_inputs_live 0",
        "safelight_inputs_opened_total 1",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    if let Some(spool) = &spool {
        assert_eq!(spool.used(), 0, "bytes in the spool");
    }

    // As process 1, it must still end when told to.
    let pid = rustix::process::Pid::from_raw(container.pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let ended = loop {
        if let Some(status) = container.bubblewrap.try_wait().unwrap() {
            break status;
        }
        assert!(
            Instant::now() < deadline,
            "SIGTERM did not end it:\n{}",
            said()
        );
        thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{ended}\n{}", said());
    let _ = fs::remove_dir_all(folder);
}

/// Some photograph below `folder`.
fn photograph(folder: &Path) -> Option<Vec<u8>> {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder)
            .ok()?
            .flatten()
            .map(|e| e.path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                waiting.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "jpg" || end == "jpeg")
            {
                return fs::read(path).ok();
            }
        }
    }
    None
}
