//! Runs random worlds, as many at once as there are processors, and says how to replay one
//! that went wrong.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use super::random::run;
use super::settings::led_by;
use crate::engine::Policies;

/// How often in one run it is told how far it is.
const TOLD: u64 = 20;

static IS_BAD: AtomicBool = AtomicBool::new(false);

/// Says how to replay what failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            IS_BAD.store(true, Relaxed);
            println!("replay with: tests/sim --seed {}", self.0);
        }
    }
}

/// Goes through so many random worlds from this seed on, led by these policies.
pub fn random_worlds(policies: fn() -> Policies, first: u64, number: u64) {
    Worlds::new(first, number).run(policies);
}

/// Several worlds at once, each in one thread.
struct Worlds {
    next: AtomicU64,
    end: u64,
    done: AtomicU64,
    digest: AtomicU64,
    begun: Instant,
}

impl Worlds {
    fn new(first: u64, number: u64) -> Worlds {
        let [done, digest] = [0, 0].map(AtomicU64::new);
        Worlds { next: AtomicU64::new(first), end: first + number, done, digest, begun: Instant::now() }
    }

    /// Until there are no more, or one went wrong.
    fn run(&self, policies: fn() -> Policies) {
        let number = self.end - self.next.load(Relaxed);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
                scope.spawn(|| led_by(policies(), || self.run_in_turn(number.div_ceil(TOLD))));
            }
        });
        println!("{}, digest {:016x}", self.progress(self.done.load(Relaxed)), self.digest.load(Relaxed));
    }

    fn run_in_turn(&self, told_after: u64) {
        while !IS_BAD.load(Relaxed) {
            let seed = self.next.fetch_add(1, Relaxed);
            if seed >= self.end {
                return;
            }
            let digest = replay(seed);
            self.digest.fetch_add(digest ^ seed, Relaxed);
            let done = self.done.fetch_add(1, Relaxed) + 1;
            if done % told_after == 0 {
                println!("{}", self.progress(done));
            }
        }
    }

    fn progress(&self, done: u64) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        format!("{done:>9} worlds in {seconds:.0} s, {:.0}/s", done as f64 / seconds)
    }
}

/// Goes through the world of this seed; returns all that went over the wire in one number.
pub fn replay(seed: u64) -> u64 {
    let _seed = Seed(seed);
    run(seed)
}
