//! Pictures and requests that are broken, too much or not what they say: an answer of 4xx, or a
//! picture where they can be decoded; never a 5xx, never a crash, nothing left behind.
//!
//! These tests show that for the files here and for those of the public suites; they cannot show
//! it for all files, which is what fuzzing is for.

mod common;

#[path = "hostile/bombs.rs"]
mod bombs;
#[path = "hostile/corpus.rs"]
mod corpus;
#[path = "hostile/protocol.rs"]
mod protocol;

use common::{
    Answer, Server,
    pictures::{self, crafted, kinds::every_kind},
    spawn,
};

/// Decodes and encodes, and runs no model.
const DECODE: &str = "/v1/restore?strength=0&format=png";
const CUT: &str = "/v1/remove-background";

/// Sends a picture; the answer has to be a picture or an error of the client's.
pub fn sent(server: &Server, path: &str, what: &str, bytes: &[u8]) -> u16 {
    answered(server, path, what, bytes).status
}

/// The same, with all of the answer.
pub fn answered(server: &Server, path: &str, what: &str, bytes: &[u8]) -> Answer {
    let answer = server.post(path, "image/png", bytes);
    if answer.status == 200 {
        let size = |name| answer.header(name).unwrap().parse::<u32>().unwrap();
        assert!(size("x-image-width") * size("x-image-height") > 0, "{what}");
        assert!(!answer.body.is_empty(), "{what}");
    } else {
        let code = answer.code();
        assert!(
            (400..500).contains(&answer.status),
            "{what}: {} {code}",
            answer.status
        );
        answer.assert_problem(what, answer.status, &code);
    }
    answer
}

/// The server is as it was: it answers, it holds nothing, and no job of it panicked.
pub fn assert_unharmed(server: &Server) {
    server.assert_books_balance();
    let answer = server.post(CUT, "image/jpeg", &pictures::jpeg(160, 120));
    assert_eq!(answer.status, 200, "it works on as before");
    server.assert_books_balance();
    let deleted = |reason: &str| {
        server.metric(&format!(
            "safelight_inputs_deleted_total{{reason=\"{reason}\"}}"
        ))
    };
    assert_eq!(deleted("panic"), 0.0);
    assert_eq!(
        deleted("disconnect"),
        0.0,
        "every client waited for its answer"
    );
}

/// Every format, those included that a service reads only where it is told to.
const ALL: &str = "--formats=jpeg,png,webp,gif,bmp,tiff";

#[test]
fn a_picture_cut_off_anywhere_is_refused() {
    let server = spawn(&[ALL]);
    for (name, whole) in every_kind() {
        assert_eq!(sent(&server, DECODE, name, &whole), 200, "{name} is whole");
        let step = (whole.len() / 40).max(1);
        // The last bytes may be an end mark that nothing depends on.
        let cuts = (1..whole.len() - 16).step_by(step);
        for cut in cuts.chain(whole.len() - 16..whole.len()) {
            let what = format!("{name}: {cut} bytes of {}", whole.len());
            let status = sent(&server, DECODE, &what, &whole[..cut]);
            let expected = match cut {
                0..12 => status == 415 || status == 422,
                _ if cut < whole.len() - 16 => status == 422,
                _ => status == 422 || status == 200,
            };
            assert!(expected, "{what}: {status}");
        }
    }
    assert_unharmed(&server);
}

#[test]
fn flipped_bits_never_harm_the_service() {
    let server = spawn(&["--max-megapixels=4", ALL]);
    let mut state = 20_261_122_u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let mut refused = 0;
    for (name, whole) in every_kind() {
        for round in 0..60 {
            let mut bytes = whole.clone();
            // Half of the rounds change the head, where the sizes and the tables are.
            let reach = if round % 2 == 0 {
                bytes.len().min(64)
            } else {
                bytes.len()
            };
            for _ in 0..=round % 4 {
                bytes[random(reach)] ^= 1 << random(8);
            }
            let what = format!("{name}, round {round}");
            refused += usize::from(sent(&server, DECODE, &what, &bytes) != 200);
        }
    }
    assert!(refused > 50, "only {refused} of them were noticed");
    assert_unharmed(&server);
}

#[test]
fn files_that_are_two_things_at_once_give_only_pixels() {
    const MARK: &[u8] = b"<script>zq7canary</script>";
    let server = spawn(&[ALL]);
    let (jpeg, png) = (pictures::jpeg(64, 48), pictures::png(64, 48));
    let gif = pictures::encoded(pictures::subject(64, 48), image::ImageFormat::Gif);
    let zip = b"PK\x03\x04zq7canary";
    for (name, bytes) in [
        ("PNG, then a script", [&png, MARK].concat()),
        ("PNG, then a ZIP", [&png, zip.as_slice()].concat()),
        (
            "PNG with a script in it",
            crafted::with_chunk(&png, b"tEXt", MARK),
        ),
        (
            "JPEG, then a PDF",
            [&jpeg, b"%PDF-1.4 zq7canary".as_slice()].concat(),
        ),
        (
            "JPEG with a script in it",
            pictures::with_segment(&jpeg, 0xfe, MARK),
        ),
        ("GIF, then a script", [&gif, MARK].concat()),
        ("JPEG, then a JPEG", [&jpeg, jpeg.as_slice()].concat()),
    ] {
        let answer = server.post(DECODE, "text/html, image/png", &bytes);
        assert_ne!(answer.status, 200, "{name}: that is no type of a picture");
        let answer = server.post(DECODE, "image/png", &bytes);
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.header("content-type"), Some("image/png"));
        let mark = |w: &[u8]| w == b"zq7canary";
        assert!(!answer.body.windows(9).any(mark), "{name}: it went through");
    }
    for (name, bytes) in [
        ("a script, then a PNG", [MARK, &png].concat()),
        (
            "a PDF, then a JPEG",
            [b"%PDF-1.4\n".as_slice(), &jpeg].concat(),
        ),
        ("a ZIP, then a PNG", [zip.as_slice(), &png].concat()),
        (
            "a RIFF that is no picture",
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".repeat(9),
        ),
        (
            "an SVG",
            b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>".to_vec(),
        ),
        (
            "a PostScript file",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n".to_vec(),
        ),
        ("a PNM", b"P6 2 2 255\n123456789012".to_vec()),
        (
            "an icon",
            [&[0, 0, 1, 0, 1, 0, 9, 9, 0, 0, 1, 0, 24, 0], png.as_slice()].concat(),
        ),
    ] {
        assert_eq!(sent(&server, DECODE, name, &bytes), 415, "{name}");
    }
    assert_unharmed(&server);
}
