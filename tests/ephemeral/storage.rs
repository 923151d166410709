//! E1: which folder the uploads lie in, what `--ephemerality` makes of it, and that nothing else is
//! written to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    BACKGROUND,
    common::{
        self, Launch, PROGRAM, Ran,
        faults::{Tmpfs, alone, hooks, root},
        folder, skip, tool,
    },
    noise,
};

/// A folder on a disk; `None` where every folder is in memory.
fn on_disk() -> Option<&'static str> {
    const TMPFS_MAGIC: i128 = 0x0102_1994;
    let folder = env!("CARGO_TARGET_TMPDIR");
    fs::create_dir_all(folder).unwrap();
    let found = rustix::fs::statfs(folder).unwrap();
    (found.f_type as i128 != TMPFS_MAGIC).then_some(folder)
}

/// Runs `serve` in strict mode, which must refuse to start: with one line, and with exit code 78
/// (EX_CONFIG of sysexits.h).
fn refused(program: &Path, flags: &[&str], machine: Option<&Path>) -> String {
    let mut command = Command::new(program);
    command
        .args(["serve", "--ephemerality=strict"])
        .args(["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"])
        .args(flags);
    if let Some(machine) = machine {
        command.env("SAFELIGHT_TEST_MACHINE", machine);
    }
    let Ran { code, stderr, .. } = common::run(&mut command, b"");
    assert_eq!(code, Some(78), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(
        stderr.starts_with("safelight: refused to start"),
        "{stderr}"
    );
    stderr
}

/// A machine as the program sees it: its table of swap, and its group's limit of swap.
fn machine(swap: bool, limit: &str) -> PathBuf {
    let folder = folder("machine");
    let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    let line = "/dev/vdb                                partition\t8388604\t\t0\t\t-2\n";
    let table = if swap {
        [heading, line].concat()
    } else {
        heading.to_owned()
    };
    fs::write(folder.join("swaps"), table).unwrap();
    fs::write(folder.join("memory.swap.max"), format!("{limit}\n")).unwrap();
    folder
}

#[test]
fn strict_refuses_a_spool_on_a_disk_in_one_line() {
    let _alone = alone();
    let Some(disk) = on_disk() else {
        return skip("E1 on a disk", "a folder that is not in memory");
    };
    let line = refused(Path::new(PROGRAM), &["--spool", disk], None);
    assert!(
        line.contains("not on a tmpfs") && line.contains(disk),
        "{line}"
    );
}

#[test]
fn strict_refuses_memory_that_can_be_swapped_out() {
    let _alone = alone();
    let Some(program) = hooks() else {
        return skip("E1 with swap", "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)");
    };
    let spool = folder("swapped");
    let place = spool.to_str().unwrap();
    let exposed = machine(true, "max");
    let line = refused(&program, &["--spool", place], Some(&exposed));
    assert!(
        line.contains("can be swapped out") && line.contains("--memory-swap"),
        "{line}"
    );
    // On a file system that is never swapped out, the pixels on the heap still can be.
    match Tmpfs::mount_with("noswap", "size=16m,mode=0700,noswap") {
        None => skip("E1 with noswap", "root, and Linux 6.4 or newer"),
        Some(spool) => {
            let place = spool.folder.to_str().unwrap();
            refused(&program, &["--spool", place], Some(&exposed));
            let doctor = ["doctor", "--spool", place];
            let ran = common::run(Command::new(&program).args(doctor), b"");
            assert!(
                ran.text().contains("ok   the spool is on a tmpfs (noswap)"),
                "{}",
                ran.text()
            );
        }
    }
    // No swap, or none for this group: it starts.
    for machine in [machine(false, "max"), machine(true, "0")] {
        let server = Launch {
            program: Some(&program),
            flags: &["--ephemerality=strict"],
            variables: &[("SAFELIGHT_TEST_MACHINE", machine.to_str().unwrap())],
            ..Launch::default()
        }
        .start();
        assert_eq!(server.metric("safelight_storage_exposed"), 0.0);
        let told = server
            .log()
            .iter()
            .any(|line| line.contains("\"event\":\"storage\""));
        assert!(!told, "there is nothing to warn of");
        let _ = fs::remove_dir_all(machine);
    }
    for folder in [spool, exposed] {
        let _ = fs::remove_dir_all(folder);
    }
}

#[test]
fn warn_starts_and_says_so_in_the_log_the_metric_and_by_doctor() {
    let _alone = alone();
    let (Some(program), Some(disk)) = (hooks(), on_disk()) else {
        return skip(
            "E1 with a warning",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1), and a disk",
        );
    };
    let machine = machine(true, "max");
    let spool = Path::new(disk).join(format!("spool-{}", std::process::id()));
    fs::create_dir_all(&spool).unwrap();
    let server = Launch {
        program: Some(&program),
        spool: Some(&spool),
        flags: &["--ephemerality=warn"],
        variables: &[("SAFELIGHT_TEST_MACHINE", machine.to_str().unwrap())],
        ..Launch::default()
    }
    .start();
    let log = server.log();
    let warnings: Vec<_> = log
        .iter()
        .filter(|line| line.contains("\"level\":\"warn\""))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in [
        "\"event\":\"storage\"",
        "is not on a tmpfs",
        "can be swapped out",
    ] {
        assert!(warnings[0].contains(part), "{part}: {warnings:?}");
    }
    assert_eq!(server.metric("safelight_storage_exposed"), 1.0);
    assert_eq!(
        server.post(BACKGROUND, "image/png", &noise(64, 1)).status,
        200
    );
    server.assert_books_balance();
    let mut doctor = Command::new(&program);
    doctor
        .args(["doctor", "--spool", spool.to_str().unwrap()])
        .env("SAFELIGHT_TEST_MACHINE", &machine);
    let ran = common::run(&mut doctor, b"");
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    for line in [
        "FAIL the spool is on a tmpfs",
        "FAIL memory cannot be swapped out to a disk",
        // What to do about it.
        "--spool DIR on a tmpfs",
    ] {
        assert!(ran.text().contains(line), "{line}: {}", ran.text());
    }
    drop(server);
    let _ = fs::remove_dir_all(machine);
}

#[test]
fn the_spool_is_the_first_folder_that_is_in_memory_and_it_is_said_why() {
    let _alone = alone();
    let doctor = |command: &mut Command| {
        let ran = common::run(command.env_remove("XDG_RUNTIME_DIR"), b"");
        ran.text().lines().next().unwrap_or_default().to_owned()
    };
    let own = folder("own");
    let set = doctor(Command::new(PROGRAM).arg("doctor").arg("--spool").arg(&own));
    assert_eq!(set, format!("ok   spool {} (--spool)", own.display()));
    let shm = doctor(Command::new(PROGRAM).arg("doctor"));
    assert_eq!(shm, "ok   spool /dev/shm (the default)");
    let server = common::spawn(&[]);
    let said = format!("spool {} (--spool)", server.spool.display());
    assert!(
        server.log().join("\n").contains(&said),
        "the log says it too"
    );

    // Where /dev/shm is taken away, the user's own folder is next, then none is left.
    let (Some(_), Some(disk), true) = (tool(&["unshare"]), on_disk(), root()) else {
        return skip(
            "E1: $XDG_RUNTIME_DIR",
            "root, unshare and a disk, to take /dev/shm away",
        );
    };
    let runtime = format!("{disk}/runtime-{}", std::process::id());
    fs::create_dir_all(&runtime).unwrap();
    let without = |prepare: &str| {
        let script = format!(
            "mount --bind \"$1\" /dev/shm && {prepare} && \
             XDG_RUNTIME_DIR=\"$2\" exec \"$3\" doctor"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh", disk, &runtime, PROGRAM]);
        let ran = common::run(&mut command, b"");
        let line = ran.text().lines().next().unwrap_or_default().to_owned();
        (line, ran.code)
    };
    let (line, _) = without("mount -t tmpfs -o size=16m tmpfs \"$2\"");
    let expected = format!("ok   spool {runtime} ($XDG_RUNTIME_DIR, since /dev/shm is of no use)");
    assert_eq!(line, expected);
    let (line, code) = without("true");
    assert!(line.ends_with("(no tmpfs was found)"), "{line}");
    assert_eq!(code, Some(1));
    let _ = fs::remove_dir_all(runtime);
    let _ = fs::remove_dir_all(own);
}

#[test]
fn it_runs_where_nothing_but_the_spool_can_be_written_to() {
    let _alone = alone();
    if !root() || tool(&["unshare"]).is_none() {
        return skip("E1 with a read-only root", "root and unshare");
    }
    // Every mount becomes read-only but the one of the spool; a control looks that it is so.
    let script = "mount --make-rprivate / && mount -t tmpfs -o size=64m,mode=0700 tmpfs \"$0\" \
                  && mount -o remount,bind,ro / && mount -o remount,bind,ro /dev/shm || exit 8; \
                  if touch /tmp/safelight-written 2>/dev/null; then exit 9; fi; exec \"$@\"";
    let spool = folder("read-only");
    let place = spool.to_str().unwrap();
    let launch = Launch {
        through: &["unshare", "-m", "sh", "-c", script, place],
        spool: Some(&spool),
        flags: &["--ephemerality=strict"],
        ..Launch::default()
    };
    let server = launch.start();
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", server.pid())).unwrap();
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"));
    let options = root.and_then(|line| line.split(' ').nth(5)).unwrap();
    assert!(options.starts_with("ro"), "{options}");
    for path in [BACKGROUND, "/v1/restore?steps=denoise"] {
        assert_eq!(
            server.post(path, "image/png", &noise(96, 2)).status,
            200,
            "{path}"
        );
    }
    server.assert_books_balance();
}
