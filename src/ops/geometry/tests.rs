//! Sizes and places, to the pixel.

use super::*;

/// Red is the column, green the row.
fn numbered(width: u32, height: u32, layout: Layout) -> Frame {
    let pixel = |i: u32| [(i % width) as u8, (i / width) as u8, 7, 255];
    let n = layout.channels();
    let data = (0..width * height)
        .flat_map(|i| pixel(i)[..n].to_vec())
        .collect();
    Frame::new(width, height, layout, data)
}

#[test]
fn covering_cuts_the_middle_out() {
    let covered = cover(numbered(10, 4, Layout::Rgb), 4, 4);
    assert_eq!((covered.width(), covered.height()), (4, 4));
    assert_eq!(covered.row(1), [3, 1, 7, 4, 1, 7, 5, 1, 7, 6, 1, 7]);
    let covered = cover(numbered(4, 10, Layout::Rgb), 4, 2);
    assert_eq!((covered.row(0)[1], covered.row(1)[1]), (4, 5));
    for (w, h) in [(1, 1), (1, 50), (300, 2), (33, 33)] {
        for (out_w, out_h) in [(1, 1), (64, 3), (3, 64)] {
            let covered = cover(numbered(w, h, Layout::Rgba), out_w, out_h);
            assert_eq!((covered.width(), covered.height()), (out_w, out_h));
        }
    }
}

#[test]
fn the_centred_part_never_leaves_the_picture() {
    assert_eq!(
        centred(10, 8, 4, 4),
        Rect {
            x: 3,
            y: 2,
            width: 4,
            height: 4
        }
    );
    assert_eq!(
        centred(3, 8, 40, 0),
        Rect {
            x: 0,
            y: 3,
            width: 3,
            height: 1
        }
    );
}

#[test]
fn margins_count_from_the_subject_and_may_leave_the_picture() {
    let subject = Rect {
        x: 10,
        y: 20,
        width: 40,
        height: 20,
    };
    let margin = Margin {
        top: Length::Percent(50.0),
        right: Length::Percent(50.0),
        bottom: Length::Px(3.0),
        left: Length::Px(15.0),
    };
    let canvas = crop_box(subject, margin, (60, 60));
    assert_eq!(
        canvas,
        Canvas {
            x: -5,
            y: 10,
            width: 75,
            height: 33
        }
    );
    let eaten = Margin {
        left: Length::Px(-1e9),
        right: Length::Px(-1e9),
        ..Margin::default()
    };
    assert_eq!(crop_box(subject, eaten, (60, 60)).width, 1);
}

#[test]
fn outside_the_picture_a_crop_is_transparent() {
    let crop = crop_to(
        numbered(4, 3, Layout::Rgb),
        Canvas {
            x: -1,
            y: 2,
            width: 3,
            height: 2,
        },
    );
    assert_eq!(crop.layout(), Layout::Rgba);
    assert_eq!(crop.row(0), [0, 0, 0, 0, 0, 2, 7, 255, 1, 2, 7, 255]);
    assert_eq!(crop.row(1), [0; 12]);
    let inside = crop_to(
        numbered(4, 3, Layout::Rgb),
        Canvas {
            x: 1,
            y: 1,
            width: 2,
            height: 1,
        },
    );
    assert_eq!(
        (inside.layout(), inside.row(0)),
        (Layout::Rgb, &[1, 1, 7, 2, 1, 7][..])
    );
    let far = Canvas {
        x: i64::from(u32::MAX),
        y: -5000,
        width: 2,
        height: 2,
    };
    assert_eq!(crop_to(numbered(4, 3, Layout::Rgba), far).data(), [0; 16]);
}

#[test]
fn a_subject_is_placed_where_and_as_large_as_asked() {
    let (w, h) = (100, 50);
    let subject = Rect {
        x: 10,
        y: 20,
        width: 10,
        height: 10,
    };
    let mut cutout = Frame::filled(w, h, Layout::Rgba, [0; 4]);
    for y in 20..30 {
        cutout.data_mut()[(y * 100 + 10) * 4..][..40].fill(255);
    }
    let bounds = |frame: &Frame| frame.alpha().and_then(|a| a.bounds(128));
    let same = place(cutout.clone(), subject, None, Position::Original);
    assert!(same == cutout);
    let corner = place(
        cutout.clone(),
        subject,
        None,
        Position::At { x: 1.0, y: 0.0 },
    );
    assert_eq!(
        bounds(&corner),
        Some(Rect {
            x: 90,
            y: 0,
            width: 10,
            height: 10
        })
    );
    // Relative to the canvas the height is the larger side.
    let scaled = place(
        cutout.clone(),
        subject,
        Some(0.8),
        Position::At { x: 0.5, y: 0.5 },
    );
    assert_eq!(
        bounds(&scaled),
        Some(Rect {
            x: 30,
            y: 5,
            width: 40,
            height: 40
        })
    );
    // As near to its old centre, (15, 25), as 40 x 40 pixels fit.
    let kept = place(cutout.clone(), subject, Some(0.8), Position::Original);
    assert_eq!(
        bounds(&kept),
        Some(Rect {
            x: 0,
            y: 5,
            width: 40,
            height: 40
        })
    );
    let full = place(cutout, subject, Some(1.0), Position::At { x: 0.0, y: 1.0 });
    assert_eq!(
        bounds(&full),
        Some(Rect {
            x: 0,
            y: 0,
            width: 50,
            height: 50
        })
    );
    let dot = Frame::filled(1, 1, Layout::Rgba, [9; 4]);
    let all = Rect {
        x: 0,
        y: 0,
        width: 1,
        height: 1,
    };
    assert!(
        place(
            dot.clone(),
            all,
            Some(0.1),
            Position::At {
                x: f32::NAN,
                y: 7.0
            }
        ) == dot
    );
}
