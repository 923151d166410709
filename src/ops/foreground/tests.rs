use super::*;

/// A red disc on green, mixed by the alpha that is also the matte, with an edge `soft` wide.
fn disc(size: u32, soft: f32) -> (Frame, Mask) {
    let c = size as f32 / 2.0;
    let matte: Vec<u8> = (0..size * size)
        .map(|i| {
            let (x, y) = ((i % size) as f32 + 0.5 - c, (i / size) as f32 + 0.5 - c);
            let inside = (c * 0.6 - x.hypot(y)) / soft + 0.5;
            (inside.clamp(0.0, 1.0) * 255.0).round() as u8
        })
        .collect();
    let data = matte.iter().flat_map(|&a| [a, 255 - a, 0]).collect();
    (
        Frame::new(size, size, Layout::Rgb, data),
        Mask::new(size, size, matte),
    )
}

#[test]
fn no_green_is_left_of_the_ground_and_plain_cutting_leaves_it() {
    for (size, soft) in [(90, 4.0), (90, 12.0), (900, 3.0), (900, 40.0)] {
        let (frame, matte) = disc(size, soft);
        let green = |cutout: &Frame| {
            let (pixels, _) = cutout.data().as_chunks::<4>();
            let (sum, n) = pixels
                .iter()
                .filter(|p| p[3] > 20 && p[3] < 255)
                .fold((0, 0), |(s, n), p| (s + u32::from(p[1]), n + 1));
            sum as f32 / n as f32
        };
        let (plain, estimated) = (
            green(&cut(&frame, &matte)),
            green(&estimate(&frame, &matte)),
        );
        assert!(plain > 100.0, "{plain}");
        assert!(estimated < 15.0, "{size}, {soft}: {estimated}");
    }
}

#[test]
fn solid_pixels_keep_their_colours_and_invisible_ones_have_none() {
    let (frame, matte) = disc(300, 20.0);
    for cutout in [cut(&frame, &matte), estimate(&frame, &matte)] {
        let (pixels, _) = cutout.data().as_chunks::<4>();
        let (colors, _) = frame.data().as_chunks::<3>();
        for ((px, color), &a) in pixels.iter().zip(colors).zip(matte.data()) {
            match a {
                0 => assert_eq!(*px, [0; 4]),
                255 => assert_eq!(*px, [color[0], color[1], color[2], 255]),
                _ => assert_eq!(px[3], a),
            }
        }
    }
}

#[test]
fn a_ground_of_the_subjects_colour_changes_nothing() {
    let frame = Frame::filled(70, 50, Layout::Rgb, [120, 60, 200, 0]);
    let matte = Mask::new(70, 50, (0..3500).map(|i| (i % 256) as u8).collect());
    let cutout = estimate(&frame, &matte);
    let (pixels, _) = cutout.data().as_chunks::<4>();
    for px in pixels.iter().filter(|p| p[3] > 0) {
        assert!(
            px[0].abs_diff(120) < 2 && px[1].abs_diff(60) < 2 && px[2].abs_diff(200) < 2,
            "{px:?}"
        );
    }
}

#[test]
fn rows_come_out_the_same_in_whatever_bands() {
    let (frame, matte) = disc(300, 20.0);
    let guesses = Guesses::gather::<3>(&frame, &matte).unwrap();
    let whole = estimate(&frame, &matte);
    for height in [1, 7, 64] {
        let mut data = vec![0; 4 * frame.pixels()];
        let bands = data.chunks_mut(height * 4 * 300).enumerate();
        for (i, rows) in bands {
            cut_rows::<3>(&frame, &matte, Some(&guesses), i * height, rows);
        }
        assert!(data == whole.data(), "bands of {height} rows");
    }
}

#[test]
fn any_layout_and_size_is_taken() {
    for (w, h) in [(1, 1), (1, 40), (3, 33), (641, 2), (31, 1300)] {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
            let frame = Frame::filled(w, h, layout, [50, 100, 150, 99]);
            for value in [0, 1, 128, 254, 255] {
                let matte = Mask::new(w, h, vec![value; (w * h) as usize]);
                let cutout = estimate(&frame, &matte);
                assert_eq!(
                    (cutout.width(), cutout.height(), cutout.layout()),
                    (w, h, Layout::Rgba)
                );
                assert!(cutout.data().chunks(4).all(|p| p[3] == value));
            }
        }
    }
}
