//! The dependency rules of the source tree, checked on every `cargo test`.
//!
//! Text is enough here: the rules are about names, and a name that a macro hides would not
//! pass review anyway. Comments are ignored, so a file may still speak of what it must not use.

use std::{fs, path::Path};

/// A top-level module and the modules it may import, lowest first. `error` is open to all.
const LAYERS: &[(&str, &str)] = &[
    ("error", ""),
    ("digest", ""),
    ("progress", ""),
    ("cancel", "progress"),
    ("config", ""),
    ("harden", ""),
    ("cores", "harden"),
    ("observe", "config progress"),
    ("frame", ""),
    ("ephemeral", "config digest harden observe"),
    ("receipt", "ephemeral"),
    ("privacy", "config ephemeral observe"),
    ("codec", "config frame"),
    ("engine", "cancel config cores digest frame harden observe"),
    ("ops", "cancel cores engine frame observe"),
    (
        "job",
        "cancel codec config cores engine ephemeral frame harden observe ops progress",
    ),
    (
        "http",
        "codec config engine ephemeral harden job observe ops privacy progress receipt",
    ),
    (
        "cli",
        "cancel codec config digest engine ephemeral frame harden http job observe ops privacy receipt",
    ),
];

/// A name, and the only paths under `src/` whose code may use it.
const DOORS: &[(&str, &str)] = &[
    ("actix_cors::", "http/cors.rs"),
    ("actix_web::", "http/"),
    ("actix_multipart::", "http/upload.rs"),
    ("async ", "http/"),
    (".await", "http/"),
    ("base64::", "http/b64.rs receipt/"),
    ("clap::", "cli/ config"),
    ("crc32fast::", "job/archive.rs"),
    ("csscolorparser::", "ops/options/"),
    ("ed25519_dalek::", "receipt/"),
    ("fast_image_resize::", "frame"),
    ("getrandom::", "http/auth/ receipt/"),
    ("half::", "engine/session.rs"),
    ("image::", "codec/"),
    ("indicatif::", "cli/"),
    ("ipnet::", "config"),
    ("jpeg_encoder::", "codec/"),
    ("moxcms::", "codec/"),
    ("ndarray::", "engine/"),
    ("ort::", "engine/session"),
    ("png::", "codec/"),
    ("prometheus::", "observe/"),
    ("sha2::", "digest.rs http/auth/ receipt/jwk.rs"),
    ("socket2::", "cli/prove/ http/"),
    // Whoever else opens a connection breaks the promise that nothing goes out.
    ("TcpStream::connect", "cli/health.rs cli/prove/"),
    ("subtle::", "http/auth/"),
    ("tempfile::", "ephemeral/"),
    ("tokio::", "http/"),
    ("toml::", "config engine/manifest.rs engine/catalogue.rs"),
    ("unsafe_code", "harden/ lib.rs"),
    ("ureq::", "cli/models/download.rs"),
    ("utoipa::", "http/"),
    ("webp::", "codec/"),
    ("zeroize::", "receipt/"),
    ("zip::", "job/"),
    ("zune_jpeg::", "codec/"),
    ("libc::", "ephemeral/ harden/"),
];

#[test]
fn modules_import_only_what_their_row_allows() {
    let mut wrong = Vec::new();
    for (path, code) in sources(Path::new("src")) {
        let module = path.split(['/', '.']).next().unwrap();
        if ["main", "lib"].contains(&module) {
            continue;
        }
        match LAYERS.iter().find(|(name, _)| *name == module) {
            None => wrong.push(format!("{path}: `{module}` has no row in LAYERS")),
            Some((_, allowed)) => {
                for used in modules_named_in(&code) {
                    let free = used == module || used == "error";
                    if !free && !allowed.split(' ').any(|a| a == used) {
                        wrong.push(format!("{path} imports crate::{used}"));
                    }
                }
            }
        }
        for (name, doors) in DOORS {
            if uses(&code, name) && !doors.split(' ').any(|door| path.starts_with(door)) {
                wrong.push(format!("{path} uses `{name}`, which belongs to {doors}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn rows_name_only_rows_above_them() {
    for (i, (module, allowed)) in LAYERS.iter().enumerate() {
        for used in allowed.split_whitespace() {
            let above = LAYERS[..i].iter().any(|(name, _)| *name == used);
            assert!(above, "`{module}` names `{used}`, which is not above it");
        }
    }
}

/// The modules after `crate::`, in plain paths and in `crate::{a, b::{C, D}}` groups.
fn modules_named_in(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(ident(rest));
            continue;
        };
        let (mut depth, mut expect_name) = (0, true);
        for (i, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => expect_name = depth == 0,
                _ if expect_name && !c.is_whitespace() => {
                    found.push(ident(&group[i..]));
                    expect_name = false;
                }
                _ => {}
            }
        }
    }
    // Types re-exported at the crate root, such as `crate::Error`, are not modules.
    found.retain(|name| name.starts_with(char::is_lowercase));
    found
}

fn ident(s: &str) -> String {
    let part_of_name = |c: &char| c.is_alphanumeric() || *c == '_';
    s.chars().take_while(part_of_name).collect()
}

/// Whether `code` uses `name` as a whole word: `image::` is not in `my_image::` or `x::image::`.
fn uses(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        name.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c))
    })
}

/// Every `.rs` file below `dir`: its path from `dir`, and its text without `//` comments.
fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = sources(&path).into_iter();
            files.extend(below.map(|(file, code)| (format!("{name}/{file}"), code)));
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().map(|line| line.split("//").next().unwrap());
            files.push((name, code.collect::<Vec<_>>().join("\n")));
        }
    }
    files
}
