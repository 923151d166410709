//! Bombs: files that announce or unfold to far more than they are.

use std::fs;

use crate::{
    DECODE, assert_unharmed,
    common::{
        Server,
        pictures::{self, JpegColor, crafted},
        spawn,
    },
    sent,
};

/// Files that announce or unfold to far more than they are, with the status that they get.
fn bombs() -> Vec<(&'static str, Vec<u8>, u16)> {
    let zeros = crafted::zlib_zeros(64);
    let long = [b"p\0\0".as_slice(), &zeros].concat();
    let short = [b"p\0\0".as_slice(), &crafted::zlib_zeros(32)].concat();
    let text = [b"Comment\0\0".as_slice(), &zeros].concat();
    let announced = |width, height, bits, color| {
        let head = crafted::ihdr(width, height, bits, color, false);
        crafted::png(&[(b"IHDR", &head), (b"IDAT", &zeros), (b"IEND", b"")])
    };
    let one = crafted::ihdr(1, 1, 8, 2, false);
    let jpeg = pictures::jpeg(64, 48);
    let progressive = pictures::jpeg_of(
        &pictures::subject(512, 512),
        (512, 512),
        JpegColor::Rgb,
        50,
        true,
    );
    let scans = {
        // The last scan with its table, three hundred times.
        let find = |marker: u8, before: usize| {
            (0..before)
                .rev()
                .find(|&i| progressive[i..].starts_with(&[0xff, marker]))
                .unwrap()
        };
        let scan = find(0xda, progressive.len());
        let end = progressive.len() - 2;
        [
            &progressive[..end],
            &progressive[scan..end].repeat(300),
            &progressive[end..],
        ]
        .concat()
    };
    let sized = |width: u16, height: u16| {
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        let mut bytes = jpeg.clone();
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    };
    // VP8L of 16,384 x 16,384 pixels in a few bytes: five codes of one symbol each.
    let lossless = [0x2f, 0xff, 0xff, 0xff, 0x0f, 0x88, 0x88, 0x08, 0, 0];
    let canvas = [&[0x12, 0, 0, 0], [0xff; 6].as_slice()].concat();
    vec![
        (
            "PNG of 65,535 x 65,535",
            announced(65_535, 65_535, 1, 0),
            422,
        ),
        (
            "PNG of 2^31 x 2^31",
            announced(0x7fff_ffff, 0x7fff_ffff, 8, 2),
            422,
        ),
        (
            "PNG of 20,000 x 20,000",
            announced(20_000, 20_000, 8, 2),
            422,
        ),
        (
            "PNG of a pixel with 64 MiB",
            crafted::png(&[(b"IHDR", &one), (b"IDAT", &zeros), (b"IEND", b"")]),
            200,
        ),
        (
            "PNG with 32 MiB of profile",
            crafted::pixel_with(&[(b"iCCP", &short)]),
            200,
        ),
        (
            "PNG with 64 MiB of profile",
            crafted::pixel_with(&[(b"iCCP", &long)]),
            200,
        ),
        (
            "PNG with 64 MiB of text",
            crafted::pixel_with(&[(b"zTXt", &text)]),
            200,
        ),
        (
            "PNG with 2,000 texts",
            crafted::pixel_with(&vec![(b"iTXt", b"k\0\x01\0\0\0xxx".as_slice()); 2000]),
            200,
        ),
        (
            "PNG with 100,000 chunks",
            crafted::pixel_with(&vec![(b"teSt", b"".as_slice()); 100_000]),
            422,
        ),
        ("JPEG of 65,000 x 600", sized(65_000, 600), 422),
        ("JPEG of 16,000 x 16,000", sized(16_000, 16_000), 422),
        ("JPEG with 300 more scans", scans, 422),
        (
            "JPEG with 60,000 comments",
            [&jpeg[..2], &[0xff, 0xfe, 0, 2].repeat(60_000), &jpeg[2..]].concat(),
            422,
        ),
        (
            "WebP of 16,384 x 16,384",
            crafted::webp(&[(b"VP8L", &lossless)]),
            422,
        ),
        (
            "WebP with a canvas of 2^24",
            crafted::webp(&[(b"VP8X", &canvas), (b"ANIM", &[0; 6])]),
            422,
        ),
        (
            "WebP of 100,000 chunks",
            crafted::webp(&vec![(b"JUNK", b"".as_slice()); 100_000]),
            422,
        ),
        (
            "GIF of 65,535 x 65,535",
            crafted::gif((65_535, 65_535), (65_535, 65_535)),
            422,
        ),
        (
            "GIF with a frame beyond its canvas",
            crafted::gif((1, 1), (65_535, 65_535)),
            422,
        ),
        (
            "BMP of 60,000 x 60,000",
            crafted::bmp(60_000, 60_000, 24, 0),
            422,
        ),
        (
            "BMP of 30,000 x 30,000 in runs",
            crafted::bmp(30_000, 30_000, 8, 1),
            422,
        ),
        (
            "BMP with a negative width",
            crafted::bmp(-60_000, -60_000, 24, 0),
            422,
        ),
        (
            "TIFF of 30,000 x 30,000",
            crafted::tiff(30_000, 30_000, 8, &zeros),
            422,
        ),
        (
            "TIFF of 2^32 x 2^32",
            crafted::tiff(u32::MAX, u32::MAX, 1, &[0; 16]),
            422,
        ),
        (
            "TIFF whose directory is itself",
            b"II*\0\x08\0\0\0\0\0\x08\0\0\0".to_vec(),
            422,
        ),
    ]
}

/// Largest resident size so far, in KiB (proc_pid_status(5): VmHWM).
fn peak(server: &Server) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn bombs_cost_neither_an_answer_nor_memory() {
    let server = spawn(&["--formats=jpeg,png,webp,gif,bmp,tiff", "--workers=1"]);
    assert_eq!(
        sent(&server, DECODE, "a usual one", &pictures::jpeg(640, 480)),
        200
    );
    let before = peak(&server);
    for (name, bytes, expected) in bombs() {
        let status = sent(&server, DECODE, name, &bytes);
        assert_eq!(status, expected, "{name} of {} bytes", bytes.len());
        assert_eq!(server.get("/healthz").status, 200, "{name}");
    }
    if let (Some(before), Some(after)) = (before, peak(&server)) {
        let grown = after - before;
        assert!(grown < 64 << 10, "the bombs took {grown} KiB");
    }
    assert_unharmed(&server);
}
