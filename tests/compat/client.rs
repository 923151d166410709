//! What every client is run with: a server, and a folder with the test picture. Here are curl and Python; npm's is in npm.rs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    common::{Folder, Ran, Server, pictures, python_tool, run, skip, spawn, tool},
    picture,
    table::Table,
};

/// A server with further flags, a folder with `input.jpg`, and the lines that come of them.
pub struct Visit {
    pub server: Server,
    pub folder: Folder,
    pub table: Table,
}

impl Visit {
    pub fn new(client: &'static str, flags: &[&str]) -> Self {
        let folder = Folder::new("client");
        // The names that the documents use.
        for name in ["input.jpg", "image.jpg"] {
            folder.write(name, &picture());
        }
        Self {
            server: spawn(flags),
            folder,
            table: Table::of(client),
        }
    }

    /// The address of a path of the server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// A row that says which picture lies in a file.
    pub fn picture_row(&mut self, sent: &str, name: &str) {
        self.table.row(sent, &png_size(&self.folder.path(name)));
    }

    pub fn finish(self) {
        self.table.finish();
        self.server.assert_books_balance();
    }
}

/// Runs lines of curl as they are documented, with our address in place of `ADDRESS`.
pub fn curl_lines(client: &'static str, flags: &[&str], lines: &[&str]) {
    let Some(curl) = tool(&["curl"]) else {
        return skip(client, "curl");
    };
    let mut visit = Visit::new(client, flags);
    for line in lines {
        let here = line.replace("ADDRESS", &visit.url(""));
        let got = curled(&curl, &visit.folder, &here.split(' ').collect::<Vec<_>>());
        visit
            .table
            .row(&format!("`curl -s {line} -o output.png`"), &got);
    }
    visit.finish();
}

/// Runs curl as a shell would, with `input.jpg` and `output.png` in its folder; says what came.
pub fn curled(curl: &Path, folder: &Folder, arguments: &[&str]) -> String {
    let output = folder.path("output.png");
    let _ = fs::remove_file(&output);
    let mut command = Command::new(curl);
    command.args(["-s", "-o", "output.png"]).args(arguments);
    ran("curl", command.current_dir(folder.path("")));
    let bytes = fs::read(&output).unwrap();
    match bytes.starts_with(b"{") {
        true => format!("`{}`", String::from_utf8(bytes).unwrap()),
        false => png_size(&output),
    }
}

/// Python, where it has a package.
pub fn python_with(import: &str) -> Option<PathBuf> {
    let python = python_tool("python")?;
    let tried = run(Command::new(&python).args(["-c", import]), b"");
    (tried.code == Some(0)).then_some(python)
}

/// Runs a script with these arguments, which must succeed; the lines that it prints.
pub fn python(python: &Path, script: &str, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(python);
    let said = ran("python", command.args(["-c", script]).args(arguments)).text();
    said.lines().map(str::to_owned).collect()
}

/// Runs a command that must succeed.
pub fn ran(what: &str, command: &mut Command) -> Ran {
    let ran = run(command, b"");
    assert_eq!(
        ran.code,
        Some(0),
        "{what}: {}{}",
        ran.stderr,
        String::from_utf8_lossy(&ran.stdout)
    );
    ran
}

pub fn png_size(file: &str) -> String {
    let bytes = fs::read(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let picture = pictures::decoded(&bytes);
    let kind = match picture.color() {
        image::ColorType::L8 => "mask",
        _ if picture.to_rgba8().get_pixel(2, 2).0[3] == 0 => "cutout",
        _ => "on a ground",
    };
    format!("PNG {} x {}, {kind}", picture.width(), picture.height())
}
