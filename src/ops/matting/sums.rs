//! Sums over square windows, row by row: each row is read once, and no more rows are kept than a
//! window is high (Crow's summed-area tables, without the table).

use std::ops::{AddAssign, SubAssign};

/// Sums of `K` values over windows of `2 * radius + 1` pixels a side, clipped to the picture.
///
/// A pixel costs `4 K` additions, whatever the radius. Memory: `width * (2 * radius + 3) * K`
/// values. Sums of floats collect rounding errors; keep those that decide in whole numbers.
pub struct Sums<T, const K: usize> {
    height: usize,
    radius: usize,
    /// The row whose sums come next.
    y: usize,
    /// The rows of the current windows; row `y` lies at `y % (2 * radius + 1)`.
    kept: Vec<Vec<[T; K]>>,
    /// Sums down the columns of the kept rows.
    columns: Vec<[T; K]>,
    sums: Vec<[T; K]>,
}

impl<T: Copy + Default + AddAssign + SubAssign, const K: usize> Sums<T, K> {
    /// Sums over a picture of `width x height`, neither of which is 0.
    pub fn new(width: usize, height: usize, radius: usize) -> Self {
        let row = vec![[T::default(); K]; width];
        // A picture lower than a window needs no more rows than it has.
        let kept = vec![row.clone(); (2 * radius + 1).min(height)];
        Self {
            height,
            radius,
            y: 0,
            kept,
            columns: row.clone(),
            sums: row,
        }
    }

    /// The sums of the next row, from the top. `load(y, row)` is asked for each row of values once
    /// and in order, as soon as a window reaches it.
    ///
    /// # Panics
    /// If there are no more rows.
    pub fn advance(&mut self, mut load: impl FnMut(usize, &mut [[T; K]])) -> &[[T; K]] {
        let (y, r) = (self.y, self.radius);
        assert!(y < self.height, "one call for each row");
        self.y += 1;
        if y > r {
            let at = (y - r - 1) % self.kept.len();
            for (column, row) in self.columns.iter_mut().zip(&self.kept[at]) {
                change(column, row, T::sub_assign);
            }
        }
        let first = if y == 0 { 0 } else { y + r };
        for next in first..(y + r + 1).min(self.height) {
            let at = next % self.kept.len();
            load(next, &mut self.kept[at]);
            for (column, row) in self.columns.iter_mut().zip(&self.kept[at]) {
                change(column, row, T::add_assign);
            }
        }
        self.slide();
        &self.sums
    }

    /// Sums across: windows slide over the columns.
    fn slide(&mut self) {
        let (columns, r) = (&self.columns, self.radius);
        let mut sum = [T::default(); K];
        for column in columns.iter().take(r) {
            change(&mut sum, column, T::add_assign);
        }
        for (x, out) in self.sums.iter_mut().enumerate() {
            if let Some(column) = columns.get(x + r) {
                change(&mut sum, column, T::add_assign);
            }
            if x > r {
                change(&mut sum, &columns[x - r - 1], T::sub_assign);
            }
            *out = sum;
        }
    }
}

fn change<T: Copy, const K: usize>(sum: &mut [T; K], by: &[T; K], how: impl Fn(&mut T, T)) {
    for k in 0..K {
        how(&mut sum[k], by[k]);
    }
}

/// Pixels of a window around `at` that lie inside the picture, along one side.
pub fn window(at: usize, length: usize, radius: usize) -> usize {
    (at + radius).min(length - 1) - at.saturating_sub(radius) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_plain_definition() {
        for (w, h) in [(1, 1), (1, 6), (5, 1), (3, 4), (9, 13)] {
            for r in [0, 1, 2, 5, 20] {
                let value = |x: usize, y: usize| [(x * 7 + y * 13 + 1) as u32 % 11, x as u32];
                let mut sums = Sums::<u32, 2>::new(w, h, r);
                for y in 0..h {
                    let row = sums.advance(|y, row| {
                        for (x, v) in row.iter_mut().enumerate() {
                            *v = value(x, y);
                        }
                    });
                    for (x, got) in row.iter().enumerate() {
                        let mut want = [0, 0];
                        for yy in y.saturating_sub(r)..(y + r + 1).min(h) {
                            for xx in x.saturating_sub(r)..(x + r + 1).min(w) {
                                want[0] += value(xx, yy)[0];
                                want[1] += value(xx, yy)[1];
                            }
                        }
                        assert_eq!(*got, want, "{w} x {h}, radius {r}, at {x}, {y}");
                    }
                }
            }
        }
    }
}
