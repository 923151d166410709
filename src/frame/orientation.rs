//! How a camera held the picture: what makes it upright.

/// The eight ways in which a camera stores a picture (EXIF 2.32, tag 0x0112), named by what
/// must be done to see it upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Orientation {
    /// Nothing (1).
    #[default]
    Upright = 1,
    /// Mirror left and right (2).
    FlipH = 2,
    /// Half a turn (3).
    Rotate180 = 3,
    /// Mirror top and bottom (4).
    FlipV = 4,
    /// Mirror along the main diagonal (5).
    Transpose = 5,
    /// A quarter turn clockwise (6).
    Rotate90 = 6,
    /// Mirror along the other diagonal (7).
    Transverse = 7,
    /// A quarter turn counter-clockwise (8).
    Rotate270 = 8,
}

impl Orientation {
    /// The orientation of an EXIF value; anything outside 1..=8 counts as upright.
    pub fn from_exif(value: u16) -> Self {
        match value {
            2 => Self::FlipH,
            3 => Self::Rotate180,
            4 => Self::FlipV,
            5 => Self::Transpose,
            6 => Self::Rotate90,
            7 => Self::Transverse,
            8 => Self::Rotate270,
            _ => Self::Upright,
        }
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        self as u8 >= 5
    }
}
