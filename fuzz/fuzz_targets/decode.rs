//! Any bytes through probe and decoder. A job catches the panic of a decoder; here it is a finding.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use safelight::codec::{Format, PictureLimits, decode, probe};

fuzz_target!(|bytes: &[u8]| {
    // Small, so that many are tried: the code is the same.
    let limits = PictureLimits {
        max_pixels: 250_000,
        max_side: 4096,
        formats: vec![
            Format::Jpeg,
            Format::Png,
            Format::Webp,
            Format::Gif,
            Format::Bmp,
            Format::Tiff,
        ],
    };
    let Ok(header) = probe(&mut Cursor::new(bytes), &limits) else {
        return;
    };
    let Ok(frame) = decode(bytes, &header) else {
        return;
    };
    assert_eq!((frame.width(), frame.height()), header.upright_size());
    assert_eq!(frame.data().len() as u64, header.frame_bytes());
});
