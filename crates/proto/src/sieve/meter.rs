//! What a run may still cost. Counted, never timed: a script ends at the same place on every machine.

use super::limits::COST_MAX;

/// A run has cost all it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

/// One unit is about a comparison of short texts, some 50 ns.
#[derive(Debug)]
pub(super) struct Meter {
    left: u64,
}

impl Meter {
    pub(super) const fn new() -> Self {
        Self { left: COST_MAX }
    }

    /// # Errors
    /// Nothing is left.
    pub(super) fn spend(&mut self, units: usize) -> Result<(), Spent> {
        match self.left.checked_sub(units as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Spent),
        }
    }

    /// What was spent.
    pub(super) const fn cost(&self) -> u64 {
        COST_MAX - self.left
    }
}
