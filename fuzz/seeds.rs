//! What fuzzing begins with: for each target a folder of small, right inputs, made here.
//!
//! `cargo run --example fuzz-seeds -- FOLDER`

use std::{fs, io, path::Path};

use safelight::ops::{
    Kind,
    options::{Options, Output},
};
use test_pictures::{self as pictures, crafted};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: fuzz-seeds FOLDER"));
    };
    let folder = Path::new(&folder);
    write(&folder.join("probe"), files())?;
    write(&folder.join("decode"), files())?;
    write(&folder.join("multipart"), bodies())?;
    write(&folder.join("options"), queries())?;
    write(&folder.join("pipeline"), lists())
}

fn write(folder: &Path, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (i, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{i:03}")), seed)?;
    }
    Ok(())
}

/// A picture in every way of storing it that is read, and heads of others.
fn files() -> Vec<Vec<u8>> {
    let plain = pictures::jpeg(16, 12);
    let png = pictures::png(16, 12);
    let odd = [
        pictures::with_segment(&plain, 0xee, b"Adobe\0\x64\0\0\0\0\0"),
        crafted::with_chunk(&png, b"eXIf", &pictures::exif_orientation(3)[6..]),
        crafted::with_chunk(&png, b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        crafted::webp(&[
            (b"VP8X", &[0x12, 0, 0, 0, 7, 0, 0, 7, 0, 0]),
            (b"ANIM", &[0; 6]),
        ]),
        crafted::gif((8, 8), (8, 8)),
        crafted::bmp(4, 3, 24, 0),
        crafted::bmp(8, -4, 8, 1),
        crafted::tiff(8, 4, 1, &[9; 32]),
    ];
    let kinds = pictures::kinds::every_kind();
    let kinds = kinds.into_iter().map(|(_, bytes)| bytes);
    kinds.chain(odd).collect()
}

/// Uploads: content type, a line's end, the size of the pieces, what is declared, the body.
fn bodies() -> Vec<Vec<u8>> {
    let form = "multipart/form-data; boundary=b";
    let part = |name: &str, more: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
    };
    let file = |name: &str| part(name, "; filename=\"a.png\"", "picture");
    let many: String = (0..33).map(|i| part(&format!("o{i}"), "", "1")).collect();
    let texts = [
        (form, file("file") + "--b--\r\n"),
        (
            form,
            part("format", "", "png") + &file("image") + &part("crop", "", "true") + "--b--",
        ),
        (form, file("file") + &file("background_file") + "--b--\r\n"),
        (form, file("file") + &file("image_file") + "--b--\r\n"),
        (
            form,
            "preamble\r\n".to_owned() + &file("file") + "--b--\r\nepilogue",
        ),
        (
            form,
            "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n".to_owned(),
        ),
        (form, many + "--b--\r\n"),
        (form, file("file")),
        (
            "multipart/form-data; boundary=\"a b\"",
            "--a b\r\n\r\n\r\n--a b--".to_owned(),
        ),
        ("multipart/form-data", file("file")),
        ("multipart/mixed; boundary=b", file("file")),
        ("image/png", "picture".to_owned()),
        ("application/octet-stream", String::new()),
        ("text/plain", "picture".to_owned()),
    ];
    let mut bodies = Vec::new();
    for (kind, text) in &texts {
        for (step, declared) in [(0, 1), (1, 0), (7, 2)] {
            bodies.push([kind.as_bytes(), &[b'\n', step, declared], text.as_bytes()].concat());
        }
    }
    bodies
}

/// Lists of operations, right and wrong.
fn lists() -> Vec<Vec<u8>> {
    let lists = [
        r#"[]"#,
        r#"[{"op":"restore","steps":"denoise"},{"op":"remove-background"},{"op":"transform","width":1024}]"#,
        r#"[{"op":"transform","crop":"10,20,30,40","fit":"cover","gravity":"smart","height":5,"width":7}]"#,
        r##"[{"op":"remove-background","background":"#fff","crop":true,"feather":2.5}]"##,
        r#"[{"op":"transform","rotate":90,"flip":"h","blur":1e1,"grayscale":true}]"#,
        r#"[{"op":"nothing"}]"#,
        r#"{"op":"restore"}"#,
        r#"[{"op":"restore","strength":[1]},{"width":null}]"#,
    ];
    lists.iter().map(|list| list.as_bytes().to_vec()).collect()
}

/// Queries with every option, at its default and at other values, and `Accept` headers.
fn queries() -> Vec<Vec<u8>> {
    let mut queries: Vec<String> = [
        "",
        "background=blur:12&shadow=drop&crop=true&crop_margin=5%25",
        "background=%23ff000080&scale=50%25&position=center&feather=2.5",
        "roi=10,20,30,40&threshold=0.5&shift=-2&refine=false&on_empty=error",
        "roi=10%25,20%25,30%25,40%25&crop_margin=1,2,3,4&position=10%25+90%25",
        "steps=denoise,dejpeg&strength=0.3&quality=90&format=webp&lossless=true",
        "image/png;q=0.5, image/webp, */*;q=0.1",
    ]
    .map(str::to_owned)
    .to_vec();
    for kind in Kind::ALL {
        for spec in kind.specs().iter().chain(Output::SPECS) {
            queries.push(format!("{}={}", spec.name, spec.default));
        }
    }
    queries.into_iter().map(String::into_bytes).collect()
}
