//! What is nobody's fault but ours, in the shape that the client reads.

use crate::{
    REMBG, REMOVEBG,
    common::{Form, faults::Failing, skip},
    fields::base64,
    form, picture, send,
};

#[test]
fn a_fault_of_ours_is_told_in_the_clients_shape_and_the_service_works_on() {
    let flags = ["--workers=1", "--compat=withoutbg,backgroundremover"];
    let Some(failing) = Failing::start(&flags, None) else {
        return skip("compat::faults", "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)");
    };
    let json = format!("{{\"image_file_b64\":\"{}\"}}", base64(&picture()));
    let rembg = || failing.server.form(REMBG, Form::of(&picture()));
    let removebg = || failing.server.form(REMOVEBG, form(&[]));
    let encoded = || {
        let mime = "application/json";
        send(&failing.server, REMOVEBG, mime, &[], json.as_bytes())
    };
    let switched = || {
        let (server, text) = (&failing.server, base64(&picture()));
        let json = |path: &str, member: &str| {
            let body = format!("{{\"{member}\":\"{text}\"}}");
            send(server, path, "application/json", &[], body.as_bytes())
        };
        let cut = "/v1/remove-background";
        [
            ("detail", json(cut, "image")),
            (
                "error",
                server.post(&format!("{cut}?output=matte"), "image/jpeg", &picture()),
            ),
            ("detail", json("/v1.0/alpha-channel-base64", "image_base64")),
            ("error", server.form("/", Form::of(&picture()))),
        ]
    };
    for (fault, code) in [
        ("upload", "internal"),
        ("probe", "internal"),
        ("operation", "internal"),
        ("inference", "internal"),
        ("inference:error", "model_failed"),
        ("encode", "internal"),
        ("response", "internal"),
    ] {
        failing.arm(fault);
        let answers = [rembg(), removebg(), encoded()];
        let others = switched();
        failing.disarm();
        for (member, answer) in &others {
            assert_eq!(answer.status, 500, "{fault}");
            assert_eq!(
                answer.json()[member],
                "The service failed; try again.",
                "{fault}"
            );
        }
        assert!(
            switched().iter().all(|(_, answer)| answer.status == 200),
            "{fault}"
        );
        for answer in &answers {
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, 500, "{fault}: {text}");
        }
        let said = "The service failed; try again.";
        assert_eq!(answers[0].json()["detail"], said, "{fault}");
        for answer in &answers[1..] {
            let error = &answer.json()["errors"][0];
            assert_eq!(
                (&error["code"], &error["detail"]),
                (&code.into(), &said.into())
            );
        }
        for answer in [rembg(), removebg(), encoded()] {
            assert_eq!(answer.status, 200, "{fault}: it works on as before");
        }
    }
    failing.server.assert_books_balance();
}
