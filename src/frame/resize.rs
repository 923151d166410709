//! Resizing: the door to `fast_image_resize`.

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3, U8x4},
};

use super::Layout;

/// The filters that resizing offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// Nearest neighbour.
    Nearest,
    /// Area average when shrinking, nearest when growing.
    Box,
    /// Linear interpolation, with antialiasing when shrinking.
    Bilinear,
    /// Cubic convolution (Catmull-Rom, a = -0.5), with antialiasing when shrinking.
    Bicubic,
    /// Windowed sinc with three lobes.
    #[default]
    Lanczos3,
}

impl Filter {
    fn algorithm(self) -> ResizeAlg {
        match self {
            Self::Nearest => ResizeAlg::Nearest,
            Self::Box => ResizeAlg::Convolution(FilterType::Box),
            Self::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Self::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
            Self::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
        }
    }
}

/// The samples of a part (left, top, width, height) of a picture of the size `from` at the size
/// `to`. Colours are weighted with their
/// alpha where there is one.
pub(super) fn resize(
    samples: &[u8],
    from: (u32, u32),
    part: [f64; 4],
    to: (u32, u32),
    layout: Layout,
    filter: Filter,
) -> Vec<u8> {
    let mut out = vec![0; to.0 as usize * to.1 as usize * layout.channels()];
    // The crate's own choice by a run-time pixel type would build its code for all thirteen types.
    match layout {
        Layout::Gray => typed::<U8>(samples, from, part, &mut out, to, filter),
        Layout::Rgb => typed::<U8x3>(samples, from, part, &mut out, to, filter),
        Layout::Rgba => typed::<U8x4>(samples, from, part, &mut out, to, filter),
    }
    out
}

fn typed<P: PixelTrait>(
    samples: &[u8],
    from: (u32, u32),
    part: [f64; 4],
    out: &mut [u8],
    to: (u32, u32),
    filter: Filter,
) {
    let source = TypedImageRef::<P>::from_buffer(from.0, from.1, samples)
        .expect("`Frame` and `Mask` keep their buffers at the size of their shape");
    let mut target = TypedImage::<P>::from_buffer(to.0, to.1, out)
        .expect("the buffer was made for this very shape");
    let [left, top, width, height] = part;
    let (left, width) = inside(left, width, from.0);
    let (top, height) = inside(top, height, from.1);
    let options = ResizeOptions::new()
        .resize_alg(filter.algorithm())
        .crop(left, top, width, height);
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .expect("the part lies inside the picture");
}

/// A span that ends within `side`: what rounding puts outside by a hair would be refused.
fn inside(start: f64, length: f64, side: u32) -> (f64, f64) {
    let side = f64::from(side);
    let start = start.clamp(0.0, side - side * 1e-9);
    let mut length = length.min(side - start);
    while start + length > side {
        length = length.next_down();
    }
    (start, length)
}
