//! Every kind of picture that cameras and programs write is read as it is meant.

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, RgbaImage};

use crate::{
    common::{
        Form, Server,
        pictures::{self, JpegColor, crafted},
        spawn,
    },
    errors::CUT,
};

/// What the service decoded: restoration of strength 0 changes no pixel.
fn seen(server: &Server, what: &str, picture: &[u8]) -> DynamicImage {
    let path = "/v1/restore?strength=0&format=png";
    let answer = server.form(path, Form::of(picture));
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{what}: {text}");
    answer.picture()
}

fn cut(server: &Server, what: &str, picture: &[u8]) -> RgbaImage {
    let answer = server.form(CUT, Form::of(picture));
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{what}: {text}");
    answer.picture().to_rgba8()
}

/// The picture as it is stored so that this EXIF orientation shows it upright (EXIF 2.32, 0x0112).
fn stored(upright: &RgbImage, orientation: u16) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(upright),
        3 => rotate180(upright),
        4 => flip_vertical(upright),
        5 => flip_horizontal(&rotate90(upright)),
        6 => rotate270(upright),
        7 => flip_horizontal(&rotate270(upright)),
        8 => rotate90(upright),
        _ => upright.clone(),
    }
}

#[test]
fn every_exif_orientation_gives_the_same_upright_picture() {
    let server = spawn(&[]);
    let upright = pictures::subject(200, 120);
    let exif = |o: u16| pictures::exif_orientation(o);
    let plain = pictures::encoded(upright.clone(), ImageFormat::Png);
    let expected = server.form(CUT, Form::of(&plain)).body;
    for orientation in 1..=8 {
        let stored = stored(&upright, orientation);
        let png = pictures::encoded(stored.clone(), ImageFormat::Png);
        // In PNG the block stands without the name that JPEG has before it.
        let png = crafted::with_chunk(&png, b"eXIf", &exif(orientation)[6..]);
        assert!(
            seen(&server, "png", &png).to_rgb8() == upright,
            "{orientation}"
        );
        let answer = server.form(CUT, Form::of(&png));
        assert!(answer.body == expected, "{orientation}: the cutout differs");

        let (width, height) = stored.dimensions();
        let size = (width as u16, height as u16);
        let jpeg = pictures::jpeg_of(&stored, size, JpegColor::Rgb, 98, false);
        let jpeg = pictures::with_segment(&jpeg, 0xe1, &exif(orientation));
        let seen = seen(&server, "jpeg", &jpeg).to_rgb8();
        assert_eq!(seen.dimensions(), (200, 120), "{orientation}");
        let error = pictures::error(&seen, &upright);
        assert!(error < 4.0, "{orientation}: {error}");
    }
    // An orientation that does not exist is none.
    for nonsense in [0, 9, 0xffff] {
        let jpeg = pictures::with_segment(&pictures::jpeg(200, 120), 0xe1, &exif(nonsense));
        assert_eq!(seen(&server, "nonsense", &jpeg).width(), 200);
    }
    server.assert_books_balance();
}

#[test]
fn the_alpha_of_the_input_is_respected() {
    let server = spawn(&[]);
    let clear = pictures::half_transparent(320, 240);
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let bytes = pictures::encoded(clear.clone(), format);
        let answer = cut(&server, "half", &bytes);
        assert!(
            answer
                .enumerate_pixels()
                .all(|(x, _, p)| x >= 160 || p.0 == [0; 4]),
            "{format:?}: what was transparent stays so"
        );
        assert!(
            answer.get_pixel(200, 125)[3] > 200,
            "{format:?}: the rest is there"
        );
        assert!(
            answer.get_pixel(315, 5)[3] < 20,
            "{format:?}: the ground is gone"
        );
    }
}

#[test]
fn every_kind_of_png_is_read_exactly() {
    let server = spawn(&[]);
    let rgb = pictures::subject(161, 119);
    let (width, height) = rgb.dimensions();
    let check = |what: &str, bytes: &[u8], expected: &DynamicImage| {
        let found = seen(&server, what, bytes);
        assert!(
            found.to_rgba8() == expected.to_rgba8(),
            "{what}: other pixels"
        );
        assert_eq!(
            cut(&server, what, bytes).dimensions(),
            (width, height),
            "{what}"
        );
    };
    let all: DynamicImage = rgb.clone().into();
    check("interlaced", &crafted::interlaced(&rgb), &all);
    // Times 257, 8 bits become 16 without a rest.
    let wide = |v: u8| u16::from(v) * 257;
    let deep: ImageBuffer<Rgb<u16>, _> =
        ImageBuffer::from_fn(width, height, |x, y| Rgb(rgb.get_pixel(x, y).0.map(wide)));
    let deep = DynamicImage::ImageRgb16(deep);
    check("16 bits", &pictures::encoded(deep, ImageFormat::Png), &all);

    let grey = all.to_luma8();
    let plain = DynamicImage::ImageLuma8(grey.clone());
    check(
        "grey",
        &pictures::encoded(grey.clone(), ImageFormat::Png),
        &plain,
    );
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_fn(width, height, |x, y| Luma([wide(grey.get_pixel(x, y)[0])]));
    let deep = DynamicImage::ImageLuma16(deep);
    check(
        "16 bits of grey",
        &pictures::encoded(deep, ImageFormat::Png),
        &plain,
    );
    let veiled: ImageBuffer<LumaA<u8>, _> = ImageBuffer::from_fn(width, height, |x, y| {
        LumaA([grey.get_pixel(x, y)[0], if x < 80 { 100 } else { 255 }])
    });
    let veiled = DynamicImage::ImageLumaA8(veiled);
    check(
        "grey with alpha",
        &pictures::encoded(veiled.clone(), ImageFormat::Png),
        &veiled,
    );

    // A palette of four colours, two bits an index, the last colour half transparent.
    let colors = [
        [10, 20, 30, 255],
        [250, 130, 40, 255],
        [90, 90, 200, 255],
        [1, 2, 3, 128],
    ];
    let index = |x: u32, y: u32| ((x / 20 + y / 20) % 4) as u8;
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        let packed = (0..width.div_ceil(4)).map(|byte| {
            (0..4).fold(0, |bits, i| {
                (bits << 2)
                    | if byte * 4 + i < width {
                        index(byte * 4 + i, y)
                    } else {
                        0
                    }
            })
        });
        rows.extend(packed);
    }
    let table: Vec<u8> = colors.iter().flat_map(|c| c[..3].to_vec()).collect();
    let bytes = crafted::png(&[
        (b"IHDR", &crafted::ihdr(width, height, 2, 3, false)),
        (b"PLTE", &table),
        (b"tRNS", &[255, 255, 255, 128]),
        (b"IDAT", &crafted::zlib_stored(&rows)),
        (b"IEND", b""),
    ]);
    let expected = RgbaImage::from_fn(width, height, |x, y| {
        image::Rgba(colors[usize::from(index(x, y))])
    });
    check("palette", &bytes, &expected.into());

    // One bit of grey: black and white columns of eight.
    let row: Vec<u8> = (0..=width.div_ceil(8))
        .map(|i| if i == 0 { 0 } else { 0xff * (i % 2) as u8 })
        .collect();
    let bytes = crafted::png(&[
        (b"IHDR", &crafted::ihdr(width, height, 1, 0, false)),
        (b"IDAT", &crafted::zlib_stored(&row.repeat(height as usize))),
        (b"IEND", b""),
    ]);
    let expected = ImageBuffer::from_fn(width, height, |x, _| {
        Luma([if x / 8 % 2 == 0 { 255u8 } else { 0 }])
    });
    check("one bit", &bytes, &DynamicImage::ImageLuma8(expected));
    server.assert_books_balance();
}

#[test]
fn every_kind_of_jpeg_is_read() {
    let server = spawn(&[]);
    let rgb = pictures::subject(200, 120);
    let size = (200, 120);
    let near = |what: &str, bytes: &[u8], expected: &RgbImage| {
        let error = pictures::error(&seen(&server, what, bytes).to_rgb8(), expected);
        assert!(error < 5.0, "{what}: {error}");
        assert_eq!(cut(&server, what, bytes).dimensions(), (200, 120), "{what}");
    };
    near(
        "baseline",
        &pictures::jpeg_of(&rgb, size, JpegColor::Rgb, 95, false),
        &rgb,
    );
    near(
        "progressive",
        &pictures::jpeg_of(&rgb, size, JpegColor::Rgb, 95, true),
        &rgb,
    );
    let grey = DynamicImage::from(rgb.clone()).to_luma8();
    let expected = DynamicImage::from(grey.clone()).to_rgb8();
    near(
        "grey",
        &pictures::jpeg_of(&grey, size, JpegColor::Luma, 95, false),
        &expected,
    );

    // Without black, CMYK without a profile is the complement of RGB.
    let ink: Vec<u8> = rgb
        .pixels()
        .flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0])
        .collect();
    for (what, color) in [("CMYK", JpegColor::Cmyk), ("YCCK", JpegColor::CmykAsYcck)] {
        near(what, &pictures::jpeg_of(&ink, size, color, 95, false), &rgb);
    }
    let black: Vec<u8> = [0, 0, 0, 255].repeat(200 * 120);
    let black = pictures::jpeg_of(&black, size, JpegColor::Cmyk, 95, false);
    let black = seen(&server, "black ink", &black).to_rgb8();
    assert!(black.iter().all(|v| *v < 8), "black ink is black");
}

#[test]
fn webp_and_the_formats_of_the_switch_are_read() {
    let server = spawn(&["--formats", "jpeg,png,webp,gif,bmp,tiff"]);
    let rgb = pictures::subject(160, 120);
    let all: DynamicImage = rgb.clone().into();
    assert!(seen(&server, "lossless", &pictures::webp_of(&all, None)).to_rgb8() == rgb);
    let lossy = seen(&server, "lossy", &pictures::webp_of(&all, Some(95.0))).to_rgb8();
    assert!(pictures::error(&lossy, &rgb) < 5.0);
    for format in [ImageFormat::Bmp, ImageFormat::Tiff] {
        let bytes = pictures::encoded(rgb.clone(), format);
        assert!(
            seen(&server, "exact", &bytes).to_rgb8() == rgb,
            "{format:?}"
        );
    }
    let gif = pictures::encoded(rgb.clone(), ImageFormat::Gif);
    let error = pictures::error(&seen(&server, "gif", &gif).to_rgb8(), &rgb);
    assert!(error < 12.0, "256 colours: {error}");
    let answer = cut(&server, "gif", &gif);
    assert_eq!(
        (answer.get_pixel(80, 62)[3], answer.get_pixel(3, 3)[3]),
        (255, 0)
    );
    server.assert_books_balance();
}

#[test]
fn the_same_picture_gives_the_same_bytes_whatever_goes_on_beside_it() {
    let server = spawn(&[]);
    let picture = pictures::jpeg(320, 240);
    let ask = || server.form(CUT, Form::of(&picture)).body;
    let first = ask();
    let other = pictures::encoded(pictures::noise(320, 240, 5), ImageFormat::Png);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            for _ in 0..4 {
                assert_eq!(server.form(CUT, Form::of(&other)).status, 200);
            }
        });
        for _ in 0..4 {
            assert!(ask() == first, "another answer");
        }
        beside.join().unwrap();
    });
    assert_eq!(pictures::decoded(&first).width(), 320);
}
