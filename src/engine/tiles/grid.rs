//! Where the tiles of a picture are: as few pixels as possible are read twice, within the area that a
//! model's card states.

use crate::{
    engine::manifest::{Entry, Resize},
    frame::Rect,
};

/// One tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// What is written.
    pub core: Rect,
    /// What is read: the core and what is around it.
    pub source: Rect,
    /// The size of the input, which the source is filled up to.
    pub input: (u32, u32),
}

impl Tile {
    /// The tile that writes `core` of a picture of this size.
    ///
    /// It is read with at least `entry.overlap` more pixels on each side, as far as the picture goes.
    /// The overlap is so large that no more than a level or two of a core depend on where the tile
    /// was cut (the model's card says how many), and there is no seam to blend.
    pub fn new(core: Rect, (width, height): (u32, u32), entry: &Entry) -> Self {
        let (x, column, wide) = span(core.x, core.width, width, entry);
        let (y, row, high) = span(core.y, core.height, height, entry);
        Self {
            core,
            source: Rect {
                x,
                y,
                width: column,
                height: row,
            },
            input: (wide, high),
        }
    }

    /// Where the core begins in the source.
    pub fn corner(&self) -> (u32, u32) {
        (self.core.x - self.source.x, self.core.y - self.source.y)
    }

    /// The pixels of the input.
    pub fn area(&self) -> u64 {
        u64::from(self.input.0) * u64::from(self.input.1)
    }

    /// Whether one of the two reads what the other writes.
    pub fn touches(&self, other: &Self) -> bool {
        meet(self.source, other.core) || meet(self.core, other.source)
    }
}

fn meet(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

/// Along one side: where the source begins, how long it is, and how long the input.
fn span(start: u32, length: u32, side: u32, entry: &Entry) -> (u32, u32, u32) {
    let end = (start + length + entry.overlap).min(side);
    let near = start.saturating_sub(entry.overlap);
    match entry.fixed_side() {
        // What would be filled up is read from the picture, where it goes on.
        Some(_) => {
            let input = (end - near).next_multiple_of(entry.multiple_of);
            match input <= side {
                true => (near.min(side - input), input, input),
                false => (near, end - near, input),
            }
        }
        // These see the picture as they would see the whole of it only from multiples on.
        None => {
            let from = near - near % entry.multiple_of;
            let input = (end - from).next_multiple_of(entry.multiple_of);
            (from, input.min(side - from), input)
        }
    }
}

/// The tiles of a picture, row by row; one for models that take it whole.
pub fn tiles(width: u32, height: u32, entry: &Entry) -> Vec<Tile> {
    let (w, h) = steps(width, height, entry);
    let starts = |side: u32, step: u32| (0..side).step_by(step as usize);
    let corners = starts(height, h).flat_map(|y| starts(width, w).map(move |x| (x, y)));
    let tile = |(x, y)| {
        let core = Rect {
            x,
            y,
            width: w.min(width - x),
            height: h.min(height - y),
        };
        Tile::new(core, (width, height), entry)
    };
    corners.map(tile).collect()
}

/// Width and height of the cores.
///
/// Squares of `entry.size` leave a narrow rest of most pictures, read with the whole overlap. So
/// the sides are divided evenly, into as many parts as give the fewest pixels to compute, with no
/// input larger than that of such a square.
fn steps(width: u32, height: u32, entry: &Entry) -> (u32, u32) {
    let square = match entry.resize {
        Resize::Whole => (width.max(height), width.max(height)),
        _ => (entry.size, entry.size),
    };
    if entry.resize == Resize::Whole || entry.fixed_side().is_some() {
        return square;
    }
    let columns = divisions(width, entry);
    let rows = divisions(height, entry);
    let most = u64::from((entry.size + 2 * entry.overlap).next_multiple_of(entry.multiple_of));
    let pairs = columns
        .iter()
        .flat_map(|column| rows.iter().map(move |row| (column, row)));
    pairs
        .filter(|(column, row)| column.longest * row.longest <= most * most)
        .min_by_key(|(column, row)| {
            let last_alone = match column.count * row.count {
                // Two are done at a time: who waits for the last one counts a quarter.
                count if count > 1 && count % 2 == 1 => column.longest * row.longest / 4,
                _ => 0,
            };
            column.sum * row.sum + last_alone
        })
        .map_or(square, |(column, row)| (column.step, row.step))
}

/// A side in even parts, and the inputs that they need.
struct Division {
    step: u32,
    count: u64,
    longest: u64,
    sum: u64,
}

fn divisions(side: u32, entry: &Entry) -> Vec<Division> {
    let divided = |parts| {
        let step = side.div_ceil(parts).next_multiple_of(entry.multiple_of);
        let starts = (0..side).step_by(step as usize);
        let inputs = starts.map(|start| span(start, step.min(side - start), side, entry).2);
        let inputs: Vec<_> = inputs.map(u64::from).collect();
        Division {
            step,
            count: inputs.len() as u64,
            longest: inputs.iter().copied().max().unwrap_or(0),
            sum: inputs.iter().sum(),
        }
    };
    // One more than squares would need: rounded up, the step of that many may be too long.
    (1..=side.div_ceil(entry.size) + 1).map(divided).collect()
}

/// Whether a picture is worked on in more than one tile.
pub fn is_divided(width: u32, height: u32, entry: &Entry) -> bool {
    let (w, h) = steps(width, height, entry);
    width > w || height > h
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::catalogue;

    fn entry(name: &str) -> Entry {
        let mut all = catalogue().into_iter();
        all.find(|entry| entry.name == name).unwrap()
    }

    #[test]
    fn tiles_cover_every_pixel_once_and_stay_inside() {
        let mut entry = entry("restore");
        for (size, overlap, multiple_of) in [(16, 6, 2), (40, 12, 64), (256, 24, 16), (20, 3, 8)] {
            (entry.size, entry.overlap, entry.multiple_of) = (size, overlap, multiple_of);
            for (width, height) in [(1, 1), (67, 45), (64, 300), (513, 20)] {
                let mut seen = vec![0; (width * height) as usize];
                let all = tiles(width, height, &entry);
                assert_eq!(all.len() > 1, is_divided(width, height, &entry));
                for tile in all {
                    let Tile {
                        core,
                        source,
                        input,
                    } = tile;
                    assert!(source.x + source.width <= width && source.y + source.height <= height);
                    assert!(input.0 % multiple_of == 0 && input.1 % multiple_of == 0);
                    assert!(input.0 >= source.width && input.1 >= source.height);
                    if entry.fixed_side().is_none() {
                        assert!(source.x % multiple_of == 0 && source.y % multiple_of == 0);
                    }
                    let (left, top) = tile.corner();
                    assert!(left + core.width <= source.width);
                    assert!(top + core.height <= source.height);
                    assert!(left >= overlap.min(core.x) && top >= overlap.min(core.y));
                    let (right, bottom) = (core.x + core.width, core.y + core.height);
                    assert!(source.x + source.width >= width.min(right + overlap));
                    assert!(source.y + source.height >= height.min(bottom + overlap));
                    for y in core.y..bottom {
                        for x in core.x..right {
                            seen[(y * width + x) as usize] += 1;
                        }
                    }
                }
                assert!(seen.iter().all(|&n| n == 1), "{size}: {width} x {height}");
            }
        }
    }

    #[test]
    fn no_input_is_larger_than_what_the_card_states_memory_for() {
        for entry in catalogue()
            .iter()
            .filter(|entry| entry.resize == Resize::Tile)
        {
            let side = (entry.size + 2 * entry.overlap).next_multiple_of(entry.multiple_of);
            for (width, height) in [
                (1152, 864),
                (864, 1152),
                (609, 3),
                (4000, 3000),
                (30_000, 90),
            ] {
                let most = tiles(width, height, entry).iter().map(Tile::area).max();
                assert!(
                    most <= Some(u64::from(side).pow(2)),
                    "{}: {width} x {height}",
                    entry.name
                );
            }
        }
    }

    #[test]
    fn a_picture_is_divided_evenly_and_little_is_read_twice() {
        let entry = entry("restore");
        let all = tiles(1152, 864, &entry);
        let areas: Vec<_> = all.iter().map(Tile::area).collect();
        assert_eq!(areas, [664 * 520; 4], "squares of 512 take 1.56 MP");
        assert_eq!(tiles(600, 600, &entry).len(), 1, "what fits is not divided");
        assert_eq!(tiles(1536, 512, &entry).len() % 2, 0, "two at a time");
    }
}
