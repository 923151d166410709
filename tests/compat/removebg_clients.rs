//! remove.bg's documented lines of curl, its Python package, and what its command line sends.

use std::fs;

use crate::{
    SIZE,
    client::{Visit, curl_lines, python, python_with},
    common::{self, Server, pictures, skip, spawn},
    form, send,
    table::Table,
};

#[test]
fn the_curl_lines_that_it_documents_work_with_another_address() {
    curl_lines(
        "curl (remove.bg)",
        &[],
        &[
            "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_file=@input.jpg -F size=auto -f \
         ADDRESS/v1.0/removebg",
            "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_url=https://www.remove.bg/example.jpg \
         -F size=auto ADDRESS/v1.0/removebg",
            "-H X-API-Key:INSERT_YOUR_API_KEY_HERE ADDRESS/v1.0/account",
            "-H X-API-Key:INSERT_YOUR_API_KEY_HERE -F image_file=@input.jpg ADDRESS/v1.0/improve",
        ],
    );
}

#[test]
fn the_python_package_works_with_another_address() {
    const SCRIPT: &str = r#"
import base64, sys, removebg.removebg as package
package.API_ENDPOINT, source, folder = sys.argv[1:]
client = package.RemoveBg("a key", folder + "/errors.log")
client.remove_background_from_img_file(source, size="hd", bg_color=None)
encoded = base64.b64encode(open(source, "rb").read()).decode()
client.remove_background_from_base64_img(encoded, new_file_name=folder + "/base64.png")
client.remove_background_from_base64_img(encoded, new_file_name=folder + "/white.jpg", bg_color="white")
try:
    client.remove_background_from_img_url("http://127.0.0.1/x.jpg", new_file_name=folder + "/url.png")
    sys.exit("a URL was taken")
except package.requests.HTTPError as error:
    print(error.response.status_code, error.response.json()["errors"][0]["code"])
"#;
    let Some(program) = python_with("import removebg") else {
        return skip("removebg_clients::package", "the Python package removebg");
    };
    let mut visit = Visit::new("PyPI `removebg` 0.04", &[]);
    let [input, folder] = ["input.jpg", ""].map(|name| visit.folder.path(name));
    let url = visit.url("/v1.0/removebg");
    let said = python(&program, SCRIPT, &[&url, &input, &folder]);
    visit.picture_row(
        "`remove_background_from_img_file(size='hd')`",
        "input.jpg_no_bg.png",
    );
    visit.picture_row("`remove_background_from_base64_img()`", "base64.png");
    let white = fs::read(visit.folder.path("white.jpg")).unwrap();
    let format = image::guess_format(&white).unwrap();
    visit.table.row(
        "`remove_background_from_base64_img(bg_color='white')`",
        &format!("{format:?}"),
    );
    visit
        .table
        .row("`remove_background_from_img_url()`", &said[0]);
    visit.finish();
}

/// What the official command line sends: every field, `""` where nothing is set, for which it asks
/// for a ZIP and puts the picture together by itself.
fn of_command_line(server: &Server, fields: &[(&str, &str)]) -> common::Answer {
    let unset = [
        "type",
        "type_level",
        "roi",
        "crop",
        "crop_margin",
        "scale",
        "position",
        "channels",
        "add_shadow",
        "semitransparency",
        "bg_color",
    ];
    let mut all: Vec<_> = unset.iter().map(|name| (*name, "")).collect();
    all.extend([("size", "auto"), ("format", "zip")]);
    all.extend(fields);
    let form = form(&all).file("bg_image_file", "", b"");
    let (mime, body) = form.finish();
    let headers = [
        ("X-Api-Key", "a key"),
        ("User-Agent", "remove-bg-cli/1"),
        ("Accept", "*/*"),
    ];
    send(server, crate::REMOVEBG, &mime, &headers, &body)
}

#[test]
fn the_request_of_the_official_command_line_gives_a_zip_to_compose() {
    let server = spawn(&[]);
    let mut table = Table::of("remove-bg-cli (replayed)");
    for (sent, fields) in [
        ("every field `\"\"`, `format=zip`", &[][..]),
        (
            "the same with `bg_color=81d4fa`",
            &[("bg_color", "81d4fa")][..],
        ),
    ] {
        let answer = of_command_line(&server, fields);
        assert_eq!(answer.status, 200, "{sent}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/zip"),
            "{sent}"
        );
        let files = pictures::unzipped(&answer.body);
        let size = |at: usize| {
            let picture = pictures::decoded(&files[at].1);
            (picture.width(), picture.height())
        };
        assert_eq!(
            (files[0].0.as_str(), size(0)),
            ("color.jpg", SIZE),
            "{sent}"
        );
        assert_eq!(
            (files[1].0.as_str(), size(1)),
            ("alpha.png", SIZE),
            "{sent}"
        );
        let names = format!("ZIP of `{}` and `{}`", files[0].0, files[1].0);
        table.row(sent, &names);
    }
    table.finish();
    server.assert_books_balance();
}
