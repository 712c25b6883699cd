//! Inventories, and the requests for them.

use super::PAYLOAD_IN_MAX;

/// Bytes of one domain's inventory.
pub const INVENTORY_MAX: usize = 64 * 1024;

/// Bytes of all domains' inventories together.
pub const INVENTORIES_MAX: usize = 512 * 1024;

/// Requests for the current state that are answered at the same time.
pub const ROUNDS_MAX: usize = 4;

/// Requests whose late answers are still known as such.
pub const RECENT_ROUNDS_MAX: usize = 8;

/// Activities that one such request is reported with, if more were asked for.
pub const ROUND_REPORTS_MAX: usize = 4;

const _: () = {
    assert!(INVENTORY_MAX <= PAYLOAD_IN_MAX);
    assert!(INVENTORIES_MAX >= INVENTORY_MAX);
};
