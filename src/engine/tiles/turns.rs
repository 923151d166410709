//! Whose turn it is: tiles in their order, for whoever has time, where one may have to wait for others.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands out the numbers from 0 on, each once.
pub struct Turns {
    /// What must be finished before this one begins; nothing for those beyond its end.
    after: Vec<Vec<usize>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    tiles: Vec<Tile>,
    /// All before this one are taken.
    first: usize,
    finished: usize,
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tile {
    Waiting,
    Taken,
    Finished,
}

impl Turns {
    /// So many turns; `after` says what each waits for, all of it lower numbers.
    pub fn new(count: usize, after: Vec<Vec<usize>>) -> Self {
        Self {
            after,
            state: Mutex::new(State {
                tiles: vec![Tile::Waiting; count],
                first: 0,
                finished: 0,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// The first turn that nothing stands before; waits for one where that will come. None where
    /// all are taken, or one was given up.
    pub fn take(&self) -> Option<Turn<'_>> {
        let mut state = self.lock();
        loop {
            let State { tiles, first, .. } = &mut *state;
            *first += tiles[*first..]
                .iter()
                .take_while(|tile| **tile != Tile::Waiting)
                .count();
            let free = |i: &usize| {
                let mut after = self.after.get(*i).into_iter().flatten();
                tiles[*i] == Tile::Waiting && after.all(|before| tiles[*before] == Tile::Finished)
            };
            let next = (*first..tiles.len()).find(free);
            match next {
                _ if state.stopped || state.first == state.tiles.len() => return None,
                Some(index) => {
                    state.tiles[index] = Tile::Taken;
                    return Some(Turn { turns: self, index });
                }
                None => {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that was taken. Dropped before it is finished, by an error or a panic, it ends all others
/// that have not begun.
pub struct Turn<'a> {
    turns: &'a Turns,
    index: usize,
}

impl Turn<'_> {
    /// Its number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// It is done; says which share of all is.
    pub fn finish(self) -> f32 {
        let mut state = self.turns.lock();
        state.tiles[self.index] = Tile::Finished;
        state.finished += 1;
        state.finished as f32 / state.tiles.len() as f32
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.stopped |= state.tiles[self.index] != Tile::Finished;
        drop(state);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_another_is_passed_until_that_is_finished() {
        let turns = Turns::new(4, vec![vec![], vec![0], vec![], vec![1, 2]]);
        let [first, third] = [(); 2].map(|()| turns.take().unwrap());
        assert_eq!((first.index(), third.index()), (0, 2));
        assert!((first.finish() - 0.25).abs() < 1e-6);
        let second = turns.take().unwrap();
        assert_eq!(second.index(), 1);
        third.finish();
        std::thread::scope(|scope| {
            let last = scope.spawn(|| turns.take().map(|turn| turn.index()));
            second.finish();
            assert_eq!(last.join().unwrap(), Some(3));
        });
        assert!(turns.take().is_none());
    }

    #[test]
    fn one_that_is_given_up_ends_all_and_nobody_waits_for_it() {
        let turns = Turns::new(2, vec![vec![], vec![0]]);
        let first = turns.take().unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| turns.take().is_none());
            drop(first);
            assert!(other.join().unwrap());
        });
    }
}
