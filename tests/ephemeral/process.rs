//! E10, E14: the process cannot be looked into, and reaches nobody.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Command, thread, time::Duration};

use crate::{
    BACKGROUND,
    common::{
        Launch, PROGRAM,
        faults::{alone, root, status_kib},
        folder, pictures, skip, spawn, tool,
    },
    noise,
};

/// E10: no core file, no look into the process by its own user.
#[test]
fn nobody_of_the_same_user_can_look_into_the_process() {
    let _alone = alone();
    let server = spawn(&[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "the core limit, soft and hard");
    drop(server);

    let (Some(setpriv), true) = (tool(&["setpriv"]), root()) else {
        return skip("E10", "root and setpriv, to become another user");
    };
    // The other user has to reach the program, its library and its spool.
    let place = folder("e10");
    let user = |path: &Path| {
        let done = std::os::unix::fs::chown(path, Some(65_534), Some(65_534));
        done.expect("root may give files away");
    };
    let program = place.join("safelight");
    fs::copy(PROGRAM, &program).unwrap();
    let library = Path::new(PROGRAM).with_file_name("onnxruntime");
    let library = library.join("libonnxruntime.so");
    let library = fs::canonicalize(&library)
        .or_else(|_| {
            fs::canonicalize(Path::new(PROGRAM).join("../../onnxruntime/libonnxruntime.so"))
        })
        .expect("the library that `make runtime` fetches");
    fs::copy(library, place.join("libonnxruntime.so")).unwrap();
    let spool = folder("e10-spool");
    for path in [&place, &program, &place.join("libonnxruntime.so"), &spool] {
        user(path);
    }
    let setpriv = setpriv.to_str().unwrap();
    let as_user = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"];
    let launch = Launch {
        program: Some(&program),
        through: &as_user,
        spool: Some(&spool),
        ..Launch::default()
    };
    let server = launch.start();
    let owner = |file: &str| {
        let path = format!("/proc/{}/{file}", server.pid());
        fs::metadata(path).unwrap().uid()
    };
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    assert!(
        status.contains("Uid:\t65534\t65534\t65534\t65534"),
        "it runs as that user"
    );
    // proc(5): the files of a process that cannot be dumped belong to root.
    for file in ["mem", "maps", "environ", "fd"] {
        assert_eq!(owner(file), 0, "{file}");
    }
    let may_open = |path: String| {
        let script = "exec 3< \"$1\"";
        let mut command = Command::new(as_user[0]);
        command
            .args(&as_user[1..])
            .args(["sh", "-c", script, "sh", &path]);
        command
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    for file in ["mem", "maps", "environ"] {
        assert!(
            !may_open(format!("/proc/{}/{file}", server.pid())),
            "{file}"
        );
    }
    // The control: of an ordinary process of that user the same files can be opened.
    let mut other = Command::new(as_user[0])
        .args(&as_user[1..])
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    let control = may_open(format!("/proc/{}/mem", other.id()));
    let traced = tool(&["strace"]).map(|strace| {
        let attach = |pid: u32| {
            let mut command = Command::new(as_user[0]);
            command.args(&as_user[1..]).args(["timeout", "1"]);
            command.arg(&strace).args(["-o", "/dev/null", "-p"]);
            let ran = command.arg(pid.to_string()).output().unwrap();
            String::from_utf8_lossy(&ran.stderr).into_owned()
        };
        (attach(server.pid()), attach(other.id()))
    });
    let _ = other.kill();
    let _ = other.wait();
    assert!(control, "the control cannot be opened either");
    match traced {
        None => skip("E10: tracing", "strace"),
        Some((_, control)) if control.contains("not permitted") => {
            skip(
                "E10: tracing",
                "a system on which a user may trace its own processes",
            );
        }
        Some((refused, control)) => {
            assert!(refused.contains("Operation not permitted"), "{refused}");
            assert!(control.contains("attached"), "{control}");
        }
    }
    assert_eq!(
        status_kib(server.pid(), "VmSwap"),
        0,
        "nothing of it is swapped out"
    );
    let answer = server.post(BACKGROUND, "image/png", &noise(64, 4));
    assert_eq!(answer.status, 200, "that user can run the service");
    drop(server);
    let _ = fs::remove_dir_all(place);
}

/// E14: it works where there is nothing to connect to but itself.
#[test]
fn it_needs_no_network() {
    let _alone = alone();
    let tools = ["unshare", "nsenter", "ip", "curl"];
    if !root() || tools.iter().any(|name| tool(&[name]).is_none()) {
        return skip(
            "E14 without a network",
            "root, unshare, nsenter, ip and curl",
        );
    }
    let folder = folder("netless");
    let (input, output) = (folder.join("in.png"), folder.join("out.png"));
    fs::write(&input, noise(96, 3)).unwrap();
    let script = "ip link set lo up && exec \"$@\"";
    let server = Launch {
        through: &["unshare", "-n", "sh", "-c", script, "sh"],
        ..Launch::default()
    }
    .start();
    let inside = |arguments: &[&str]| {
        let target = format!("--target={}", server.pid());
        let ran = Command::new("nsenter")
            .args([target.as_str(), "--net"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(inside(&["ip", "route", "show"]), "", "there is a route");
    let links = inside(&["ip", "-o", "link", "show", "up"]);
    assert!(
        links.lines().count() == 1 && links.contains(" lo:"),
        "{links}"
    );
    for path in [BACKGROUND, "/v1/restore?steps=denoise&format=png"] {
        let file = format!("file=@{}", input.display());
        let address = format!("http://{}{path}", server.address);
        let place = output.to_str().unwrap();
        let curl = [
            "curl",
            "-sS",
            "-F",
            &file,
            "-o",
            place,
            "-w",
            "%{http_code}",
            &address,
        ];
        assert_eq!(inside(&curl), "200", "{path}");
        let picture = pictures::decoded(&fs::read(&output).unwrap());
        assert_eq!((picture.width(), picture.height()), (96, 96));
    }
    drop(server);
    let _ = fs::remove_dir_all(folder);
}
