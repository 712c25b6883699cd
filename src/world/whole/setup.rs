//! What is known of the groups of an activity before it begins.

use crate::model::Rollback;

/// The groups of an activity.
#[derive(Clone, Debug)]
pub struct Setup {
    pub activity: String,
    pub rollback: Rollback,
    /// Those that the desired state names and an agent serves.
    pub parts: Vec<Part>,
    /// The commands before which the owner is asked.
    pub asked: Vec<&'static str>,
    /// The owner may refuse, unseen.
    pub may_be_refused: bool,
    /// `INCOMPLETE_INCONSISTENT` is told.
    pub reports_inconsistent: bool,
    /// The verification command is asked about each group.
    pub is_checked: bool,
    /// Messages that the broker had seen when it was cancelled, and when that was confirmed.
    pub cancelled: Option<(usize, usize)>,
}

/// A domain of an activity.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub domain: &'static str,
    /// The number of its group; with `none` all are one.
    pub group: usize,
    pub order: u8,
    /// Its failure does not turn its group back.
    pub is_alone: bool,
    /// Its agent says each thing once and in turn.
    pub is_orderly: bool,
    /// Its agent answers no ROLLBACK.
    pub has_slots: bool,
    /// No ROLLBACK helps once it was given ACTIVATE.
    pub is_for_good: bool,
    /// It takes effect with a boot.
    pub boots: bool,
    pub kept: Kept,
}

/// Whether the manager has what the domain was committed to before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    No,
    Perhaps,
    Surely,
}

impl Setup {
    /// Whether groups are turned back as one.
    pub fn has_groups(&self) -> bool {
        self.rollback != Rollback::None
    }

    /// The numbers of the groups.
    pub fn groups(&self) -> Vec<usize> {
        let mut groups: Vec<usize> = self.parts.iter().map(|part| part.group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}
