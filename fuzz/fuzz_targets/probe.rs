//! Any bytes to the header walk, which reads them as they would come from the spool: whole, and in
//! pieces of a few bytes.
#![no_main]

use std::io::{Cursor, Read, Result, Seek, SeekFrom};

use libfuzzer_sys::fuzz_target;
use safelight::{
    codec::{Format, PictureLimits, probe},
    error::Error,
};

/// A reader that gives three bytes at a time, as a system may.
struct Slow<'a>(Cursor<&'a [u8]>);

impl Read for Slow<'_> {
    fn read(&mut self, target: &mut [u8]) -> Result<usize> {
        let most = target.len().min(3);
        self.0.read(&mut target[..most])
    }
}

impl Seek for Slow<'_> {
    fn seek(&mut self, place: SeekFrom) -> Result<u64> {
        self.0.seek(place)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let limits = PictureLimits {
        max_pixels: 50_000_000,
        max_side: 16_384,
        formats: vec![
            Format::Jpeg,
            Format::Png,
            Format::Webp,
            Format::Gif,
            Format::Bmp,
            Format::Tiff,
        ],
    };
    let found = probe(&mut Cursor::new(bytes), &limits);
    assert_eq!(found, probe(&mut Slow(Cursor::new(bytes)), &limits));
    match found {
        Ok(header) => {
            assert!(header.pixels() > 0 && header.pixels() <= limits.max_pixels);
            assert!(header.width.max(header.height) <= limits.max_side);
            assert!(header.decode_peak(bytes.len() as u64) >= header.frame_bytes());
        }
        Err(error) => assert_ne!(error, Error::Internal, "the reader never fails"),
    }
});
