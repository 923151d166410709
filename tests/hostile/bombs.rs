//! Bombs: files that announce or unfold to far more than they are.

use std::fs;

use crate::{
    DECODE, assert_unharmed,
    common::{
        faults::{cpu_seconds, status_kib},
        pictures::{self, JpegColor, crafted},
        skip, spawn,
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
        ("PNG of 2,000,000 x 20", announced(2_000_000, 20, 8, 2), 422),
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

/// E15. The contract's time is checked as processor time; a tick of its clock is 10 ms.
#[test]
fn bombs_cost_neither_an_answer_nor_memory_nor_time() {
    const MEMORY_KIB: u64 = 64 << 10;
    let server = spawn(&["--formats=jpeg,png,webp,gif,bmp,tiff", "--workers=1"]);
    let usual = pictures::jpeg(640, 480);
    assert_eq!(sent(&server, DECODE, "a usual one", &usual), 200);
    let pid = server.pid();
    // The peak of memory can be set back by root only; without that it is the whole life's.
    let reset = || fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok();
    if !reset() {
        skip("E15: the memory of each bomb", "root, to set the peak back");
    }
    // The control: what a picture of 12 megapixels costs is seen by both measures. In time it is
    // held against one of a fortieth, some times over for the clock's ticks.
    let large = pictures::jpeg(4000, 3000);
    let cost = |what: &str, picture: &[u8]| {
        let before = cpu_seconds(pid);
        for _ in 0..4 {
            assert_eq!(sent(&server, DECODE, what, picture), 200);
        }
        cpu_seconds(pid) - before
    };
    let little = cost("a usual one", &usual);
    let before = status_kib(pid, "VmHWM");
    let spent = cost("a large one", &large);
    let grown = status_kib(pid, "VmHWM") - before;
    println!("{grown} KiB, {spent:.2} s; {little:.2} s for a usual one");
    assert!(grown > 30 << 10, "{grown} KiB");
    assert!(spent > 5.0 * little && spent > 0.0, "{spent} s, {little} s");
    let (mut most, mut longest) = (0, 0.0_f64);
    let bombs = bombs();
    for (name, bytes, expected) in &bombs {
        for path in ["/v1/inspect", DECODE] {
            reset();
            let before = (status_kib(pid, "VmHWM"), cpu_seconds(pid));
            let status = server.post(path, "image/png", bytes).status;
            let grown = status_kib(pid, "VmHWM").saturating_sub(before.0);
            let spent = cpu_seconds(pid) - before.1;
            // To say what the header says costs less, so that a bomb may pass.
            let passes = path == "/v1/inspect" && status == 200;
            assert!(status == *expected || passes, "{path} {name}: {status}");
            assert!(grown < MEMORY_KIB, "{path} {name}: {grown} KiB");
            // What is no bomb for us is decoded, which takes its time in a slow build.
            let limit = if status == 200 { 1.0 } else { 0.25 };
            assert!(spent <= limit, "{path} {name}: {spent:.2} s");
            most = most.max(grown);
            longest = longest.max(spent);
        }
        assert_eq!(server.get("/healthz").status, 200, "{name}");
    }
    println!(
        "{} bombs: at most {most} KiB and {longest:.2} s each",
        bombs.len()
    );
    assert_unharmed(&server);
}
