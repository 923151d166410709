//! Coarse grids of colours: how unknown ones are filled in, and how a picture reads them.
//!
//! Filling in is push-pull over a pyramid:
//! Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996. Averages of
//! the known colours go up the pyramid; on the way down a cell takes from the level above what it
//! does not know itself. Linear in the cells, and there is no radius to choose.

/// A colour times its weight, then the weight: `[w r, w g, w b, w]`, with `w` in 0..=1. A weight
/// of 0 is "not known", of 1 is "fully known".
pub type Weighted = [f32; 4];

/// Turns a grid of `width x height` weighted colours into plain ones, those not known filled in
/// from their surroundings; the fourth sample stays. If nothing is known everything is black.
///
/// Beyond the grid: a third of its memory.
pub fn fill(grid: &mut [Weighted], width: usize, height: usize) {
    assert_eq!(grid.len(), width * height);
    if width == 1 && height == 1 {
        let [r, g, b, w] = grid[0];
        let scale = if w > 0.0 { 1.0 / w } else { 0.0 };
        grid[0] = [r * scale, g * scale, b * scale, w];
        return;
    }
    let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
    let mut above = push(grid, width, height);
    fill(&mut above, half_w, half_h);
    pull(grid, width, &above, half_w, half_h);
}

/// The next level: sums of 2 x 2 cells, whose weight saturates at 1.
fn push(grid: &[Weighted], width: usize, height: usize) -> Vec<Weighted> {
    let half_w = width.div_ceil(2);
    let mut above = vec![[0.0; 4]; half_w * height.div_ceil(2)];
    for (rows, target) in grid.chunks(2 * width).zip(above.chunks_exact_mut(half_w)) {
        for row in rows.chunks_exact(width) {
            for (cells, sum) in row.chunks(2).zip(target.iter_mut()) {
                for cell in cells {
                    for k in 0..4 {
                        sum[k] += cell[k];
                    }
                }
            }
        }
        for sum in target {
            if sum[3] > 1.0 {
                *sum = sum.map(|v| v / sum[3]);
            }
        }
    }
    above
}

/// Turns `grid` into plain colours: its own as far as their weight goes, the rest from `above`.
fn pull(grid: &mut [Weighted], width: usize, above: &[Weighted], half_w: usize, half_h: usize) {
    for (y, row) in grid.chunks_exact_mut(width).enumerate() {
        // The two rows above that are nearest to the centre of this one, as 3 : 1.
        let near = y / 2;
        let far = if y % 2 == 0 {
            near.saturating_sub(1)
        } else {
            (near + 1).min(half_h - 1)
        };
        let near = &above[near * half_w..][..half_w];
        let far = &above[far * half_w..][..half_w];
        for (x, cell) in row.iter_mut().enumerate() {
            let w = cell[3];
            if w >= 1.0 {
                continue;
            }
            let i = x / 2;
            let j = if x % 2 == 0 {
                i.saturating_sub(1)
            } else {
                (i + 1).min(half_w - 1)
            };
            for k in 0..3 {
                let up = (9.0 * near[i][k] + 3.0 * (near[j][k] + far[i][k]) + far[j][k]) / 16.0;
                cell[k] += (1.0 - w) * up;
            }
        }
    }
}

/// Where the centre of a pixel lies between two cells of a coarser grid, along one side.
#[derive(Clone, Copy)]
pub struct Place {
    /// The cell before it: at most the last but one, so that there is one after it, unless the
    /// grid has only one.
    pub before: usize,
    /// The share of the cell after it, 0..=1.
    pub share: f32,
}

impl Place {
    /// The places of `pixels` pixels between `cells` cells of `size` pixels each. Before the
    /// centre of the first cell and behind that of the last, that cell alone counts.
    pub fn all(pixels: usize, cells: usize, size: f32) -> Vec<Self> {
        let place = |i: usize| {
            let at = ((i as f32 + 0.5) / size - 0.5).clamp(0.0, (cells - 1) as f32);
            let before = (at as usize).min(cells.saturating_sub(2));
            Self {
                before,
                share: at - before as f32,
            }
        };
        (0..pixels).map(place).collect()
    }

    /// The two rows of a grid of `width` cells a row that this place lies between.
    pub fn rows<'a, T>(&self, grid: &'a [T], width: usize) -> [&'a [T]; 2] {
        let upper = self.before * width;
        let lower = (upper + width).min(grid.len() - width);
        [&grid[upper..upper + width], &grid[lower..lower + width]]
    }

    /// One row between two, for [`Self::sample`]: `row` is one longer, and repeats the last cell.
    pub fn mix(&self, [upper, lower]: [&[Weighted]; 2], row: &mut [Weighted]) {
        for ((cell, a), b) in row.iter_mut().zip(upper).zip(lower) {
            for k in 0..4 {
                cell[k] = a[k] + self.share * (b[k] - a[k]);
            }
        }
        if let [.., last, extra] = row {
            *extra = *last;
        }
    }

    /// The value at this place of a row made by [`Self::mix`].
    #[inline]
    pub fn sample(&self, row: &[Weighted]) -> Weighted {
        let (a, b) = (&row[self.before], &row[self.before + 1]);
        std::array::from_fn(|k| a[k] + self.share * (b[k] - a[k]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_cell_colours_the_whole_grid() {
        for (w, h) in [(1, 1), (1, 7), (3, 5), (64, 33), (2, 1)] {
            for at in [0, w * h / 2, w * h - 1] {
                let mut grid = vec![[0.0; 4]; w * h];
                grid[at] = [10.0, 20.0, 30.0, 1.0];
                fill(&mut grid, w, h);
                for cell in &grid {
                    for (got, want) in cell.iter().zip([10.0f32, 20.0, 30.0]) {
                        assert!((got - want).abs() < 0.01, "{w} x {h}: {cell:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn known_cells_keep_their_colour_and_nothing_known_is_black() {
        let mut grid = vec![[1.0, 2.0, 3.0, 1.0], [0.0; 4], [7.0, 8.0, 9.0, 1.0]];
        fill(&mut grid, 3, 1);
        assert_eq!(
            (grid[0][..3].to_vec(), grid[2][..3].to_vec()),
            (vec![1.0, 2.0, 3.0], vec![7.0, 8.0, 9.0])
        );
        let mut grid = vec![[0.0; 4]; 6];
        fill(&mut grid, 2, 3);
        assert!(grid.iter().all(|c| *c == [0.0; 4]));
    }
}
