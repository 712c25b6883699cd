//! The transport to the broker, handed through to the session.
//!
//! In: that the transport is there or gone, and bytes. Out: bytes, and what is to be done
//! about the transport.
//!
//! Invariant: what comes in is dealt with only by `handle_events`.
//!
//! Deliberately absent: any state.

use super::documents::Documents;
use super::Manager;
use crate::model::time::Now;
use crate::mqtt::LinkWish;

impl Manager {
    /// What is to be done about the transport. Ask after everything else.
    pub fn poll_link(&mut self, now: Now) -> LinkWish {
        self.outside.session.poll_link(now.tick)
    }

    /// The transport is there.
    pub fn handle_link_up(&mut self, now: Now) {
        self.outside.session.handle_link_up(now.tick);
    }

    /// The transport is gone or could not be made.
    pub fn handle_link_down(&mut self, now: Now) {
        self.outside.session.handle_link_down(now.tick);
        self.handle_events(now);
        self.ending.handle_link_down(&self.outside);
    }

    /// Where to read into; empty: do not read now.
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.outside.session.receive_buffer()
    }

    /// So many bytes were read.
    pub fn handle_received(&mut self, now: Now, n: usize) {
        self.outside.session.handle_received(now.tick, n);
    }

    /// Whether anything is to come from the broker by itself; see
    /// [`Session::is_awaiting`](crate::mqtt::Session::is_awaiting).
    pub fn is_awaiting(&self) -> bool {
        self.outside.session.is_awaiting()
    }

    /// Whether the broker has accepted us and answered all subscriptions.
    pub fn is_settled(&self) -> bool {
        self.outside.session.is_settled()
    }

    /// Whether events may be left that need something to be sent first; see
    /// [`Session::is_behind`](crate::mqtt::Session::is_behind).
    pub fn is_behind(&self) -> bool {
        self.outside.session.is_behind()
    }

    /// The next bytes for the transport; 0: none for now.
    pub fn poll_transmit(&mut self, now: Now, out: &mut [u8]) -> usize {
        let Manager { outside, agents, inventory, .. } = self;
        let documents = Documents { agents, inventory, manager: &outside.names.manager };
        outside.session.poll_transmit(now.tick, &documents, out)
    }
}
