//! The link between the manager and the broker, and what goes over it.

use crate::model::time::Now;
use crate::mqtt::{LinkWish, Reason};

use crate::world::heap;
use crate::world::power::Moment;
use crate::world::scenario::World;

/// Bytes of a read below which it is one piece of a packet.
const PIECE: usize = 1_000;

/// How the link is.
pub struct Link {
    pub is_up: bool,
    /// Those that the manager lost.
    pub losses: u32,
    /// Most bytes that one read takes.
    pub read_max: usize,
    /// Where the manager writes; made once.
    out: Vec<u8>,
}

impl Default for Link {
    // None yet.
    fn default() -> Link {
        Link { is_up: false, losses: 0, read_max: usize::MAX, out: vec![0; 4096] }
    }
}

impl Link {}

impl World {
    /// Makes or ends the link as the manager wants; whether it did.
    pub fn follow_wish(&mut self) -> bool {
        let now = self.clock.now();
        match self.manager.poll_link(now) {
            LinkWish::Open if self.broker.reachable => {
                self.link.is_up = true;
                heap::of_manager(|| self.manager.handle_link_up(now));
                true
            }
            LinkWish::Open => {
                self.manager.handle_link_down(now);
                true
            }
            LinkWish::Close(_) if !self.link.is_up => false,
            LinkWish::Close(reason) => {
                // What the shell does with it.
                if reason != Reason::Disconnected {
                    log::warn!("connection closed: {reason}");
                }
                self.lose();
                true
            }
            LinkWish::Wait(_) | LinkWish::Keep => false,
        }
    }

    /// The link breaks, if there is one.
    pub fn lose(&mut self) {
        if self.link.is_up {
            self.link.is_up = false;
            self.link.losses += 1;
            self.broker.handle_link_down();
            let now = self.clock.now();
            heap::of_manager(|| self.manager.handle_link_down(now));
        }
    }

    /// The manager is gone, and its link with it.
    pub fn fall_off(&mut self) {
        self.link.losses += u32::from(core::mem::take(&mut self.link.is_up));
        self.broker.handle_link_down();
    }

    /// Carries to and fro what there is; whether there was anything.
    pub fn exchange(&mut self) -> bool {
        let now = self.clock.now();
        let mut moved = false;
        while self.read(now) {
            moved = true;
            // Of pieces as many as make a packet: each alone changes nothing.
            if heap::of_manager(|| self.manager.handle_events(now)) || self.link.read_max >= PIECE {
                break;
            }
        }
        moved |= heap::of_manager(|| self.manager.handle_events(now));
        if moved && self.pass(Moment::Received) {
            return true;
        }
        while self.link.is_up {
            let n = heap::of_manager(|| self.manager.poll_transmit(now, &mut self.link.out));
            if n == 0 {
                break;
            }
            let sent = self.link.out[..n].to_vec();
            for packet in self.broker.packets(&sent) {
                let taken = self.broker.taken.len();
                self.broker.handle(self.clock.elapsed, packet);
                if self.broker.takes_end() {
                    self.lose();
                    return true;
                }
                if self.broker.taken.len() > taken {
                    heap::of_world(|| self.nothing_is_acknowledged_whose_save_is_lost());
                }
                if self.pass(Moment::Sent) {
                    return true;
                }
            }
            moved = true;
        }
        moved
    }

    /// Reads once; whether there was anything.
    fn read(&mut self, now: Now) -> bool {
        if !self.link.is_up {
            return false;
        }
        let room = heap::of_manager(|| self.manager.receive_buffer());
        let packet = if self.disk.is_some() { self.broker.packet() } else { usize::MAX };
        let len = room.len().min(self.link.read_max).min(packet);
        let read = self.broker.read(&mut room[..len]);
        heap::of_manager(|| self.manager.handle_received(now, read));
        read > 0
    }
}
