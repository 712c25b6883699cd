//! How far the reboot after an activity is.

use super::table::table;

table! {
    /// How far the reboot is. What it does stands in `engine::reboot`.
    #[derive(Default)]
    pub enum Reboot {
        /// None is due.
        #[default]
        None = 1 "none",
        /// The final status and the inventory are not yet at the broker.
        Delivering = 2 "delivering",
        /// It follows when the timer runs off.
        Waiting = 3 "waiting",
        /// The host should be going down.
        Triggered = 4 "triggered",
        /// Somebody at the console holds it.
        Held = 5 "held",
    }
}

impl Reboot {
    /// Whether one is due.
    pub fn is_pending(self) -> bool {
        self != Reboot::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_written() {
        Reboot::check_table();
    }
}
