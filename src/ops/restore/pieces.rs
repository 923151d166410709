//! The pieces of a guess at damage: what touches is one piece, and is taken or left as a whole.
//!
//! Scratches, cracks and dust are thin or small, and the net is sure of most of them. What it takes
//! for damage by mistake - ears, braid, the rims of petals - it is less sure of; bows, buttons and
//! the tips of collars it is sure of, and they are compact.

use crate::frame::Mask;

/// From this probability (0.6, in 255ths) on a pixel may belong to a piece.
const MAYBE: u8 = 153;
/// A piece has a pixel of at least this (0.98: of an eye that the net takes for damage it is less sure) ..
const SURE: u8 = 250;
/// .. and this mean (0.75).
const MEAN: f64 = 191.0;
/// Smaller pieces, in pixels, are grain.
const LEAST: u32 = 4;
/// The side in pixels of the square from which on a compact piece is no dust ..
const LARGE: f64 = 6.5;
/// .. and that in a large picture, as a share of its shorter side.
const LARGE_SHARE: f64 = 0.01;
/// What is this many times as long as wide is no compact piece (a cigarette is 4.1) ..
const LONG: f64 = 4.5;
/// .. nor is what fills less than this of the rectangle with its spread: a hair, a net of cracks.
const SPARSE: f64 = 0.5;

/// Pixels of one row that touch.
#[derive(Debug, Clone, Copy)]
struct Run {
    row: u32,
    start: u32,
    /// One beyond the last.
    end: u32,
    /// A run of the same piece that came before, or this one.
    parent: u32,
}

/// Sums over a piece.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    most: u8,
    area: u32,
    sum: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

/// Bytes of the lists for a picture of so many pixels: see [`most_runs`].
pub fn peak_bytes(pixels: u64) -> u64 {
    let run = size_of::<Run>() + size_of::<Piece>();
    most_runs(pixels as usize) as u64 * run as u64
}

/// A picture with more runs than this is damaged all over, or of another kind.
const fn most_runs(pixels: usize) -> usize {
    pixels / 64 + (1 << 12)
}

/// Leaves 255 where a piece is that is taken for damage, and 0 elsewhere.
pub fn keep_damage(guess: &mut Mask) {
    let width = guess.width() as usize;
    let large = f64::from(guess.width().min(guess.height())) * LARGE_SHARE;
    let Some(runs) = runs(guess, most_runs(guess.data().len())) else {
        let sure = |v: &mut u8| *v = if *v >= SURE { 255 } else { 0 };
        guess.data_mut().iter_mut().for_each(sure);
        return;
    };
    let mut pieces = vec![Piece::default(); runs.len()];
    for run in &runs {
        let row = &guess.row(run.row)[run.start as usize..run.end as usize];
        pieces[run.parent as usize].add(run, row);
    }
    guess.data_mut().fill(0);
    for run in &runs {
        if pieces[run.parent as usize].is_damage(large.max(LARGE)) {
            let at = run.row as usize * width;
            guess.data_mut()[at + run.start as usize..at + run.end as usize].fill(255);
        }
    }
}

/// The runs of what may be damage, each with the first of its piece as its parent; `None` where
/// there are more than `most`.
fn runs(guess: &Mask, most: usize) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut above, mut own) = (0..0, 0);
    for y in 0..guess.height() {
        let row = guess.row(y);
        let mut x = 0;
        while let Some(start) = row[x..].iter().position(|&v| v >= MAYBE).map(|by| x + by) {
            let length = row[start..].iter().position(|&v| v < MAYBE);
            x = length.map_or(row.len(), |length| start + length);
            if runs.len() == most {
                return None;
            }
            if runs.capacity() == runs.len() {
                // Never more than what was reserved.
                runs.reserve_exact((runs.len().max(1 << 10)).min(most - runs.len()));
            }
            let parent = runs.len() as u32;
            runs.push(Run {
                row: y,
                start: start as u32,
                end: x as u32,
                parent,
            });
        }
        join(&mut runs, above, own);
        above = own..runs.len();
        own = runs.len();
    }
    for i in 0..runs.len() {
        // Parents come before, so theirs are roots already.
        runs[i].parent = runs[runs[i].parent as usize].parent;
    }
    Some(runs)
}

/// Joins the runs from `own` on with those of the row above that they touch, corners included.
fn join(runs: &mut [Run], above: std::ops::Range<usize>, own: usize) {
    let mut first = above.start;
    for i in own..runs.len() {
        while first < above.end && runs[first].end < runs[i].start {
            first += 1;
        }
        let mut over = first;
        while over < above.end && runs[over].start <= runs[i].end {
            if runs[over].row + 1 == runs[i].row {
                let (a, b) = (root(runs, i), root(runs, over));
                runs[a.max(b)].parent = a.min(b) as u32;
            }
            over += 1;
        }
    }
}

/// The first run of a piece; the way to it becomes shorter.
fn root(runs: &mut [Run], mut i: usize) -> usize {
    while runs[i].parent as usize != i {
        runs[i].parent = runs[runs[i].parent as usize].parent;
        i = runs[i].parent as usize;
    }
    i
}

impl Piece {
    fn add(&mut self, run: &Run, values: &[u8]) {
        let y = f64::from(run.row);
        for (x, &v) in (run.start..).zip(values) {
            let x = f64::from(x);
            self.most = self.most.max(v);
            self.sum += f64::from(v);
            self.x += x;
            self.xx += x * x;
            self.xy += x * y;
        }
        let count = values.len() as f64;
        self.area += values.len() as u32;
        self.y += count * y;
        self.yy += count * y * y;
    }

    fn is_damage(&self, large: f64) -> bool {
        self.area >= LEAST
            && self.most >= SURE
            && self.sum >= MEAN * f64::from(self.area)
            && !self.is_compact(large)
    }

    /// Whether it is as a bow or a button is.
    fn is_compact(&self, large: f64) -> bool {
        let n = f64::from(self.area);
        if n.sqrt() <= large {
            return false;
        }
        // The rectangle with these second moments; those of a pixel are a twelfth.
        let (x, y) = (self.x / n, self.y / n);
        let (xx, yy) = (
            self.xx / n - x * x + 1.0 / 12.0,
            self.yy / n - y * y + 1.0 / 12.0,
        );
        let xy = self.xy / n - x * y;
        let apart = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt();
        let long = (xx + yy + apart) / 2.0;
        let short = ((xx + yy - apart) / 2.0).max(1.0 / 12.0);
        (long / short).sqrt() < LONG && n > SPARSE * 12.0 * (long * short).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 120;

    /// A mask with `value` where `inside` says so.
    fn mask(value: impl Fn(u32, u32) -> u8) -> Mask {
        let data = (0..SIDE * SIDE).map(|i| value(i % SIDE, i / SIDE));
        Mask::new(SIDE, SIDE, data.collect())
    }

    fn kept(value: impl Fn(u32, u32) -> u8) -> usize {
        let mut guess = mask(value);
        keep_damage(&mut guess);
        assert!(guess.data().iter().all(|&v| v == 0 || v == 255));
        guess.data().iter().filter(|&&v| v == 255).count()
    }

    /// A cigarette, and a flake of nearly its length.
    #[test]
    fn a_bar_is_damage_from_four_and_a_half_times_its_width_on() {
        let bar = |length: u32| {
            move |x: u32, y: u32| match (40..49).contains(&x) && (20..20 + length).contains(&y) {
                true => 255,
                false => 0,
            }
        };
        assert_eq!(kept(bar(37)), 0);
        assert_eq!(kept(bar(45)), 9 * 45);
    }

    #[test]
    fn a_scratch_is_kept_whole_where_a_part_of_it_is_sure() {
        let scratch = |faint: u8| {
            move |x: u32, y: u32| match (x == 20 + y / 3, y > 90) {
                (true, true) => faint,
                (true, false) => 252,
                _ => 30,
            }
        };
        assert_eq!(kept(scratch(160)), 120, "its corners touch");
        assert_eq!(kept(scratch(150)), 91);
        let nowhere_sure = |x: u32, _: u32| if x == 20 { 249 } else { 0 };
        assert_eq!(kept(nowhere_sure), 0);
        let hardly = |x: u32, y: u32| match x == 20 {
            true => 160 + 92 * u8::from(y < 20),
            false => 0,
        };
        assert_eq!(kept(hardly), 0, "the mean is too low");
    }

    #[test]
    fn dust_and_cracks_are_kept_and_compact_things_are_not() {
        let square = |side: u32| {
            let inside = 10..10 + side;
            move |x: u32, y: u32| match inside.contains(&x) && inside.contains(&y) {
                true => 250,
                false => 0,
            }
        };
        assert_eq!(kept(square(1)), 0, "grain");
        assert_eq!(kept(square(3)), 9, "dust");
        assert_eq!(kept(square(12)), 0, "a button");
        // A net of cracks spreads as far in both directions, and is thin.
        let cracks = |x: u32, y: u32| if x == y || x + y == 119 { 250 } else { 0 };
        assert_eq!(kept(cracks), 240);
        let fold = |x: u32, _: u32| if (50..58).contains(&x) { 250 } else { 0 };
        assert_eq!(kept(fold), 8 * 120);
        // A button apart from a scratch does not take it along.
        let both = |x: u32, y: u32| if x == 100 { 250 } else { square(12)(x, y) };
        assert_eq!(kept(both), 120);
    }

    #[test]
    fn branches_that_meet_later_are_one_piece() {
        // Two arms of a V, one of them nowhere sure, and a W that joins four.
        let v = |x: u32, y: u32| match (x == 10 + y, x + y == 110) {
            (true, _) if y <= 50 => 250,
            (_, true) if y <= 50 => 200,
            _ => 0,
        };
        assert_eq!(kept(v), 101);
    }

    #[test]
    fn a_picture_of_nothing_but_specks_takes_what_is_sure_by_itself() {
        let checks = |x: u32, y: u32| {
            if (x + y).is_multiple_of(2) {
                200 + 40 * u8::from(y < 4)
            } else {
                0
            }
        };
        let guess = mask(checks);
        assert!(runs(&guess, 200).is_none());
        let mut dense = Mask::new(
            2000,
            300,
            (0..600_000).map(|i| 252 * u8::from(i % 2 == 0)).collect(),
        );
        keep_damage(&mut dense);
        assert_eq!(dense.data().iter().filter(|&&v| v == 255).count(), 300_000);
        assert!(peak_bytes(40_000_000) < 60_000_000);
    }
}
