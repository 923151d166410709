//! Names of files: those that are no text, those that are taken, and what is no file.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    process::Command,
    thread,
};

use super::{assert_cutout, run};
use crate::common::{self, Folder, PROGRAM, pictures};

#[test]
fn a_name_that_is_no_text_is_a_name_as_others() {
    let folder = Folder::new("cli");
    let input = folder.write("plain.jpg", &pictures::jpeg(160, 120));
    let mut odd = OsString::from(folder.path(""));
    odd.push(OsStr::from_bytes(b"/caf\xe9.jpg"));
    fs::rename(&input, &odd).unwrap();
    let out = folder.path("out.png");
    let mut command = Command::new(PROGRAM);
    command.arg("remove-background").arg(&odd);
    let ran = common::run(command.args(["-o", &out, "--workers=1"]), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_cutout(&fs::read(&out).unwrap(), (160, 120));
    // Where it is none of the program's, it is the command line that is wrong.
    let ran = common::run(Command::new(PROGRAM).arg("serve").arg(&odd), b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn what_lies_beside_the_result_stays() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(160, 120));
    let (out, part) = (folder.path("out.png"), folder.path("out.png.part"));
    fs::write(&part, "precious").unwrap();
    let ran = run(&["remove-background", &input, "-o", &out, "--workers=1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_cutout(&fs::read(&out).unwrap(), (160, 120));
    assert_eq!(fs::read(&part).unwrap(), b"precious");
    assert_eq!(folder.files("").len(), 3, "and nothing else is left");
}

#[test]
fn a_pipe_is_written_to_and_not_replaced() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(160, 120));
    let pipe = folder.path("pipe.png");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let name = pipe.clone();
    let reader = thread::spawn(move || fs::read(name).unwrap());
    let line = ["remove-background", &input, "-o", &pipe, "--force"];
    let ran = run(&[&line[..], &["--workers=1"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_cutout(&reader.join().unwrap(), (160, 120));
}
