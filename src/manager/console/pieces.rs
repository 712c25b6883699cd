//! The answer with the inventory, in pieces: it would take as much memory as all inventories.
//!
//! In: the place where a piece begins. Out: the piece, encoded anew.
//!
//! Invariant: all pieces of an answer are of the same inventory; if that changes, there is
//! none more.
//!
//! Deliberately absent: the order of the pieces. The shell asks for the next one when its
//! client has taken the one before.

use super::{say, Reply};
use crate::exit;
use crate::limits::CONSOLE_PIECE;
use crate::manager::inventory::Inventory;
use crate::mqtt::Window;

/// Where the next piece of an answer begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The revision of the inventory that is being sent.
    revision: u64,
    /// Bytes of the pieces before.
    sent: usize,
}

/// Writes the piece from this place on to `out`; the first one without a place. `manager` is
/// the manager's domain.
pub(in crate::manager) fn show_inventory(
    inventory: &Inventory,
    manager: &str,
    from: Option<Place>,
    out: &mut String,
) -> Reply {
    let revision = inventory.revision();
    let Place { revision: sending, sent } = from.unwrap_or(Place { revision, sent: 0 });
    if sending != revision {
        return Reply::Cut;
    }
    let mut bytes = vec![0; CONSOLE_PIECE];
    let mut window = Window::new(sent, &mut bytes);
    let write = say(&mut window, true, Some(exit::DONE), "", &mut |out| inventory.write(manager, out));
    let filled = window.seen().saturating_sub(sent);
    bytes.truncate(filled);
    // The last character may be cut: it begins the next piece.
    let whole = core::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
    bytes.truncate(whole);
    *out = String::from_utf8(bytes).unwrap_or_default();
    match write {
        Ok(()) => Reply::Whole,
        Err(_) => Reply::Piece(Place { revision, sent: sent + whole }),
    }
}
