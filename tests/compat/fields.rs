//! remove.bg's fields: each works alike in a form, in JSON and in a plain form.

use serde_json::json;

use crate::{
    REMOVEBG,
    common::{Answer, Server, spawn},
    form, send,
};

fn asked(server: &Server, fields: &[(&str, &str)]) -> Answer {
    server.form(REMOVEBG, form(fields))
}

/// Each field, a value, and whether the answer's body differs from the one without it.
const EACH: &[(&str, &str, bool)] = &[
    ("size", "preview", false),
    ("size", "small", false),
    ("size", "regular", false),
    ("size", "medium", false),
    ("size", "hd", false),
    ("size", "full", false),
    ("size", "4k", false),
    ("size", "auto", false),
    ("size", "50MP", false),
    ("type", "auto", false),
    ("type", "person", false),
    ("type", "product", false),
    ("type", "car", false),
    ("type", "animal", false),
    ("type", "graphic", false),
    ("type", "transportation", false),
    ("type", "other", false),
    ("type_level", "none", false),
    ("type_level", "1", false),
    ("type_level", "2", false),
    ("type_level", "latest", false),
    ("format", "auto", false),
    ("format", "png", false),
    ("format", "jpg", true),
    ("format", "webp", true),
    ("format", "zip", true),
    ("roi", "0% 0% 100% 100%", false),
    ("roi", "20% 0% 100% 100%", true),
    ("roi", "150px 10 310 90%", true),
    ("crop", "false", false),
    ("crop", "true", true),
    ("crop_margin", "10%", false),
    ("scale", "original", false),
    ("scale", "40%", true),
    ("position", "original", false),
    ("position", "center", true),
    ("position", "0%", true),
    ("position", "10% 90%", true),
    ("channels", "rgba", false),
    ("channels", "alpha", true),
    ("add_shadow", "false", false),
    ("add_shadow", "true", true),
    ("shadow_type", "none", false),
    ("shadow_type", "drop", true),
    ("shadow_type", "3D", true),
    ("shadow_opacity", "40", false),
    ("shadow_method", "legacy", false),
    ("semitransparency", "true", false),
    ("semitransparency", "false", false),
    ("bg_color", "81d4fa", true),
    ("bg_color", "#fff", true),
    ("bg_color", "81d4fa77", true),
    ("bg_color", "8df7", true),
    ("bg_color", "green", true),
    ("a_field_of_later", "zq7canary", false),
];

#[test]
fn every_field_works_in_a_form_in_json_and_in_a_plain_form_and_empty_is_absent() {
    let server = spawn(&[]);
    let plain = asked(&server, &[]).body;
    let encoded = base64(&crate::picture());
    for (i, (name, value, changes)) in EACH.iter().enumerate() {
        let what = format!("{name}={value}");
        let multipart = asked(&server, &[(name, value)]);
        assert_eq!(multipart.status, 200, "{what}");
        assert_eq!(multipart.body != plain, *changes, "{what}");
        // By the other ways once for each field: a picture takes its time.
        if EACH.get(i + 1).is_some_and(|(next, ..)| next == name) {
            continue;
        }
        let body = json!({ "image_file_b64": encoded, *name: value }).to_string();
        let json = "application/json; charset=utf-8";
        let in_json = send(&server, REMOVEBG, json, &[], body.as_bytes());
        assert!(in_json.body == multipart.body, "{what} in JSON");
        let body = format!("{}&image_file_b64={}", pair(name, value), escaped(&encoded));
        let form = "application/x-www-form-urlencoded";
        let in_form = send(&server, REMOVEBG, form, &[], body.as_bytes());
        assert!(in_form.body == multipart.body, "{what} in a plain form");
    }
    // Booleans and numbers of JSON, and nothing.
    let body = json!({
        "image_file_b64": encoded, "crop": true, "shadow_opacity": 50, "bg_color": null, "scale": "",
    });
    let typed = send(
        &server,
        REMOVEBG,
        "application/json",
        &[],
        body.to_string().as_bytes(),
    );
    assert!(typed.body == asked(&server, &[("crop", "true")]).body);

    let names: std::collections::BTreeSet<_> = EACH.iter().map(|(name, ..)| *name).collect();
    let empty: Vec<_> = names.iter().map(|name| (*name, "")).collect();
    assert!(asked(&server, &empty).body == plain, "empty is absent");
    let all = form(&empty)
        .text("image_url", "")
        .text("image_file_b64", "")
        .text("bg_image_url", "")
        .file("bg_image_file", "", b"");
    assert!(
        server.form(REMOVEBG, all).body == plain,
        "the command line's form"
    );
    server.assert_books_balance();
}

pub fn base64(bytes: &[u8]) -> String {
    use std::fmt::Write;
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            let letter = if i <= three.len() { letter } else { b'=' };
            write!(text, "{}", char::from(letter)).unwrap();
        }
    }
    text
}

pub fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let escape = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", escaped(value))
}
