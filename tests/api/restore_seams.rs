//! Where a tile begins cannot be seen: the same pixels come out of a part of the picture, which is
//! cut into other tiles.

use image::{GrayImage, ImageFormat, RgbImage, imageops};

use super::restore_steps::{pixels, png, scene, scratched};
use crate::common::{Form, Server, pictures, spawn};

/// A part of a picture: left, top, width, height.
type Part = (u32, u32, u32, u32);

fn part(picture: &RgbImage, (left, top, width, height): Part) -> RgbImage {
    imageops::crop_imm(picture, left, top, width, height).to_image()
}

/// What the results of the whole and of the part say differently: the most that a sample is apart,
/// and how many pixels are. Within `border` of its edges the part's net sees less than the whole's.
fn apart(whole: &RgbImage, own: &RgbImage, (left, top, ..): Part, border: u32) -> (u8, u32) {
    let (width, height) = own.dimensions();
    let (mut most, mut count) = (0, 0);
    for y in border..height - border {
        for x in border..width - border {
            let (a, b) = (whole.get_pixel(x + left, y + top), own.get_pixel(x, y));
            let apart = (0..3).map(|c| a[c].abs_diff(b[c])).max().unwrap();
            most = most.max(apart);
            count += u32::from(apart > 0);
        }
    }
    println!("at most {most} apart, {count} of {}", width * height);
    (most, count)
}

/// The mean of what the two say differently over any square of so many pixels, at most.
fn step(whole: &RgbImage, own: &RgbImage, (left, top, ..): Part, border: u32, side: u32) -> f64 {
    let (width, height) = own.dimensions();
    let within = |length: u32| (border..length - border - side).step_by(side as usize);
    let squares = within(height).flat_map(|y| within(width).map(move |x| (x, y)));
    let mean = |(x, y): (u32, u32)| {
        let sum = |picture: &RgbImage, x, y| {
            let square = imageops::crop_imm(picture, x, y, side, side).to_image();
            square.iter().map(|v| f64::from(*v)).sum::<f64>()
        };
        let apart = sum(whole, x + left, y + top) - sum(own, x, y);
        apart.abs() / f64::from(3 * side * side)
    };
    squares.map(mean).fold(0.0, f64::max)
}

/// The net computes in 8 bits, and rounds a tile that was cut elsewhere otherwise: single pixels
/// differ, by two at most (6 of tiles that overlap by 32 px). What could be seen is an edge, along
/// which they differ alike: the mean of any 16 x 16 is the same within a quarter of a level.
#[test]
fn tiles_of_denoising_leave_no_seam() {
    let server = spawn(&[]);
    let whole = pictures::noisy(&scene(1180, 700), 12.0, 9);
    // The net looks at blocks of 8.
    let at = (152, 88, 904, 560);
    let query = "steps=denoise";
    let all = pixels(&server, query, &whole);
    let own = pixels(&server, query, &part(&whole, at));
    let (most, count) = apart(&all, &own, at, 88);
    assert!(most <= 2 && count < at.2 * at.3 / 4, "{most}, {count}");
    let step = step(&all, &own, at, 88, 16);
    println!("{step:.3} in the mean");
    assert!(step < 0.25, "{step}");
    server.assert_books_balance();
}

/// No pixel differs; of tiles that overlap by half as much, 12 in a hundred thousand do.
#[test]
fn tiles_of_enlarging_leave_no_seam() {
    let server = spawn(&[]);
    let whole = pictures::noisy(&scene(620, 430), 12.0, 9);
    let at @ (left, top, width, height) = (100, 60, 420, 310);
    let query = "steps=upscale&scale=2";
    let all = pixels(&server, query, &whole);
    let own = pixels(&server, query, &part(&whole, at));
    let at = (2 * left, 2 * top, 2 * width, 2 * height);
    let (most, count) = apart(&all, &own, at, 48);
    assert!(
        most <= 1 && count <= at.2 * at.3 / 50_000,
        "{most}, {count}"
    );
    server.assert_books_balance();
}

/// Each tile is filled with its neighbours' fillings in sight, and the part's tiles come in another
/// order: of the holes' pixels 3 in 100 are one to three apart. Of tiles that overlap by half as much
/// it is 9 in 100.
#[test]
fn tiles_of_filling_leave_no_seam() {
    let server = spawn(&[]);
    let (old, mask) = scratched(&pictures::noisy(&scene(1200, 600), 6.0, 9));
    // The net looks at blocks of 32.
    let at @ (left, top, width, height) = (96, 64, 1000, 480);
    let all = filled(&server, &old, &mask);
    let own_mask = imageops::crop_imm(&mask, left, top, width, height).to_image();
    let own = filled(&server, &part(&old, at), &own_mask);
    let (most, count) = apart(&all, &own, at, 48);
    let holes = own_mask.pixels().filter(|p| p[0] > 0).count() as u32;
    assert!(holes > 2000, "{holes}");
    assert!(
        most <= 4 && count < holes / 16,
        "{most}, {count} of {holes}"
    );
    server.assert_books_balance();
}

fn filled(server: &Server, picture: &RgbImage, mask: &GrayImage) -> RgbImage {
    let shown = pictures::encoded(mask.clone(), ImageFormat::Png);
    let form = Form::of(&png(picture)).file("mask_file", "m", &shown);
    let answer = server.form("/v1/restore?format=png&steps=scratches", form);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-model"), Some("inpaint"));
    answer.picture().to_rgb8()
}
