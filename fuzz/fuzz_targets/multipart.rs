//! Any body through the upload reader as a request's: a form or raw, in chunks of any size, its
//! length declared rightly, wrongly or not at all.
//!
//! The first line of an input is the content type; its next two bytes are the size of the chunks and
//! what is declared; the rest is the body.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use safelight::{
    error::Error,
    http::fuzzing::{Bench, Declared},
};

static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

fuzz_target!(|bytes: &[u8]| {
    let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (Ok(kind), [step, declared, body @ ..]) =
        (std::str::from_utf8(&bytes[..line]), &bytes[line + 1..])
    else {
        return;
    };
    let declared = match declared % 3 {
        0 => Declared::Nothing,
        1 => Declared::Rightly,
        _ => Declared::As(u64::from(*declared)),
    };
    // 0 is one piece; the others cut boundaries in every place.
    let step = if *step == 0 {
        usize::MAX
    } else {
        usize::from(*step)
    };
    match BENCH.receive(kind, declared, body, step) {
        Ok(upload) => {
            let texts = upload
                .options
                .iter()
                .map(|(name, value)| name.len() + value.len());
            assert!(upload.size() + texts.sum::<usize>() as u64 <= body.len() as u64);
            assert!(upload.pictures.iter().all(|picture| picture.size() > 0));
            assert!(upload.options.len() <= 32);
            assert!(
                upload
                    .options
                    .iter()
                    .all(|(_, value)| value.len() <= 4 << 10)
            );
        }
        Err(error) => assert!(
            !matches!(
                error,
                Error::Internal | Error::Busy { .. } | Error::SpoolFull
            ),
            "{error:?}"
        ),
    }
    assert_eq!(BENCH.live(), 0, "what was received is gone");
});
