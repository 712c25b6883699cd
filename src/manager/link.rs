//! The transport to the broker, handed through to the session.
//!
//! In: the state of the transport, and received bytes. Out: bytes to send, and wishes for
//! the transport.
//!
//! Invariant: received bytes have no effect before `handle_events`.
//!
//! Deliberately absent: state of its own.

use super::documents::Documents;
use super::outside::Outside;
use super::Manager;
use crate::model::time::Now;
use crate::mqtt::LinkWish;

impl Manager {
    /// Returns what is to be done about the transport. Call it after everything else.
    pub fn poll_link(&mut self, now: Now) -> LinkWish {
        self.outside.session.poll_link(now.tick)
    }

    /// Handles a transport that has been opened.
    pub fn handle_link_up(&mut self, now: Now) {
        self.outside.session.handle_link_up(now.tick);
    }

    /// Handles a transport that was lost or could not be opened.
    pub fn handle_link_down(&mut self, now: Now) {
        self.outside.session.handle_link_down(now.tick);
        self.handle_events(now);
        self.ending.handle_link_down(&self.outside);
    }

    /// Returns the buffer to read into; empty: do not read now.
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.outside.session.receive_buffer()
    }

    /// Handles `n` bytes that were read into the buffer.
    pub fn handle_received(&mut self, now: Now, n: usize) {
        self.outside.session.handle_received(now.tick, n);
    }

    /// Returns whether events may be left that need something to be sent first; see
    /// [`Session::is_behind`](crate::mqtt::Session::is_behind).
    pub fn is_behind(&self) -> bool {
        self.outside.session.is_behind()
    }

    /// Writes the next bytes for the transport; returns how many, 0: none for now.
    pub fn poll_transmit(&mut self, now: Now, out: &mut [u8]) -> usize {
        let Manager { outside, agents, inventory, .. } = self;
        let Outside { session, store, names, .. } = outside;
        let documents = Documents { agents, inventory, store, names };
        session.poll_transmit(now.tick, &documents, out)
    }
}
