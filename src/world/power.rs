//! The power that is cut, and the disk that outlives it.

use crate::manager::Manager;
use crate::model::time::Now;

use crate::world::disk::{Disk, Fate, Step};
use crate::world::heap;
use crate::world::scenario::World;

/// Moments at which the power can be cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// A write to the disk runs.
    Write,
    /// A packet was received, and nothing was sent or written since.
    Received,
    /// A packet was sent.
    Sent,
    /// A timer ran off, and nothing was sent or written since.
    Timer,
}

impl Moment {
    pub const ALL: [Moment; 4] = [Moment::Write, Moment::Received, Moment::Sent, Moment::Timer];
}

/// How the power is cut.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// What becomes of the write that runs.
    pub fate: Fate,
    /// How long it lasts, in milliseconds.
    pub down_ms: u64,
    /// Whether the host boots; if not, just the process has ended.
    pub boots: bool,
    /// Whether the agents are gone as well, and all that they did not write down.
    pub agents_too: bool,
}

/// How often each moment was there, and the one at which the power is cut.
#[derive(Default)]
pub struct Moments {
    pub counts: [usize; 4],
    pub cut: Option<(Moment, usize, Outage)>,
}

/// What the world knows of the power.
#[derive(Default)]
pub struct Power {
    pub moments: Moments,
    /// When it was cut.
    pub cuts: Vec<u64>,
    /// How the host goes down when a reboot is triggered; none: it stays up.
    pub on_reboot: Option<Outage>,
    /// How many of the cuts are reboots of the host, whoever caused them.
    pub reboots: usize,
    pub boot: u8,
    /// Saving has failed, and not all is saved since.
    pub is_unsaved: bool,
    /// Bytes of the record that was newest when it was cut.
    pub hurt_len: usize,
    /// Until when there is none.
    pub off_until: Option<u64>,
}

impl World {
    /// A manager that saves its activities, connected.
    pub fn saved(config: &str) -> World {
        let mut world = World::begin(config, Some(Disk::default()));
        world.settle();
        world.await_link();
        world
    }

    /// Whether saving has failed, and not all is saved since.
    pub fn is_unsaved(&self) -> bool {
        self.power.is_unsaved
    }

    /// Each write takes so many milliseconds from now on.
    pub fn slow_disk(&mut self, ms: u64) {
        let Some(disk) = &mut self.disk else { panic!("there is no disk") };
        disk.slow_ms = ms;
    }

    /// The power is cut now.
    pub fn power_cut(&mut self, outage: Outage) {
        let Some(disk) = &mut self.disk else { panic!("a power cut needs a disk") };
        disk.cut(outage.fate);
        self.power.hurt_len = disk.newest_len();
        self.power.cuts.push(self.now());
        self.power.boot += u8::from(outage.boots);
        self.power.off_until = Some(self.now() + outage.down_ms);
        self.fall_off();
        self.company.checks.fall_off();
        if outage.boots {
            let wall = self.wall();
            self.company.devices.values().for_each(|device| device.borrow_mut().boot(wall));
        }
        if outage.agents_too {
            self.company.fall_off(&self.clock);
        }
        self.power_up_if_due();
    }

    /// The host reboots now.
    pub fn reboot_host(&mut self, outage: Outage) {
        self.power.reboots += 1;
        self.power_cut(outage);
    }

    /// Cuts of the power that are no reboots.
    pub fn mere_cuts(&self) -> usize {
        self.power.cuts.len() - self.power.reboots
    }

    /// Whether there is no power at this moment.
    pub fn is_off(&self) -> bool {
        self.power.off_until.is_some()
    }

    /// A new process starts from what is on the disk; whether it did.
    pub fn power_up_if_due(&mut self) -> bool {
        let (Some(disk), true) = (&mut self.disk, self.power.off_until.is_some_and(|at| at <= self.clock.elapsed))
        else {
            return false;
        };
        let found = disk.load();
        self.power.off_until = None;
        let now = self.clock.now();
        self.manager = self.start(now);
        let boot = [self.power.boot; 16];
        self.manager.resume(now, boot, &found, false);
        true
    }

    /// The power is cut if it is to be cut at this moment; whether it was.
    pub fn pass(&mut self, moment: Moment) -> bool {
        let count = &mut self.power.moments.counts[moment as usize];
        *count += 1;
        let count = *count;
        let wanted = self.power.moments.cut.filter(|(kind, nth, _)| (*kind, *nth) == (moment, count));
        let Some((_, _, outage)) = wanted else { return false };
        self.power_cut(outage);
        true
    }

    /// Gives the disk something to do and takes its answers; whether there was any.
    pub fn drive_disk(&mut self) -> bool {
        let Some(disk) = &mut self.disk else { return false };
        if disk.is_idle() {
            let now = self.clock.now();
            let before = heap::so_far();
            if let Some(job) = heap::of_manager(|| self.manager.poll_write(now)) {
                // What is saved goes to another thread: two lists, and each record.
                assert!(heap::so_far().calls - before.calls <= 2 + job.writes.len() as u64);
                disk.begin(self.clock.elapsed, job);
            }
        }
        let done = match disk.poll(self.clock.elapsed) {
            Step::Idle => return false,
            Step::Due if self.pass(Moment::Write) => None,
            Step::Due => self.disk.as_mut().and_then(|disk| disk.write(self.clock.elapsed)),
            Step::Done(result) => Some(result),
        };
        if let Some(result) = done {
            let now = self.clock.now();
            heap::of_manager(|| self.manager.handle_written(now, result));
            let fails = self.manager.failure().is_some();
            self.power.is_unsaved = fails || self.power.is_unsaved && !self.manager.is_saved();
        }
        true
    }

    fn start(&self, now: Now) -> Manager {
        crate::world::settings::manager(&self.config, &self.accepted, self.disk.is_some(), now)
    }
}
