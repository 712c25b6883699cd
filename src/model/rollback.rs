//! What is turned back together when one domain fails.

use super::table::table;

table! {
    /// Which domains succeed or are turned back together (docs/whole-device.md, "Groups").
    #[derive(Default)]
    pub enum Rollback {
        /// Each domain by itself.
        #[default]
        None = 1 "none",
        /// The domains that baselines of the desired state connect.
        Baseline = 2 "baseline",
        /// All domains of the activity.
        Device = 3 "device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_written() {
        Rollback::check_table();
    }
}
