//! The main job over a socket: a picture comes in, its background goes, and the picture is gone.

mod common;

use common::{Form, pictures, spawn};

#[test]
fn a_background_is_removed_and_nothing_stays() {
    let server = spawn(&[]);
    let answer = server.form("/v1/remove-background", Form::of(&pictures::jpeg(640, 480)));
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.header("content-type"), Some("image/png"));
    let picture = answer.picture().to_rgba8();
    assert_eq!(picture.dimensions(), (640, 480));
    assert_eq!(picture.get_pixel(320, 250)[3], 255, "the subject is opaque");
    assert_eq!(
        picture.get_pixel(5, 5).0,
        [0, 0, 0, 0],
        "the ground is gone, colours and all"
    );
    assert_eq!(
        (
            answer.header("x-image-width"),
            answer.header("x-image-height")
        ),
        (Some("640"), Some("480"))
    );
    let timing = answer.header("server-timing").unwrap();
    for stage in ["upload", "queue", "decode", "inference", "encode"] {
        assert!(timing.contains(&format!("{stage};dur=")), "{timing}");
    }
    server.assert_books_balance();
    assert_eq!(
        server.metric(r#"safelight_requests_total{operation="remove-background",outcome="ok"}"#),
        1.0
    );
}
