//! Runs random worlds, few in the gate's unit tests, many with `tests/sim N`;
//! `tests/sim --seed S` replays one.

use update_manager::engine::Policies;
use update_manager::world::sim::{random_worlds, replay};

#[test]
fn in_random_worlds_each_activity_ends_once() {
    (1..=25).for_each(|seed| {
        replay(seed);
    });
}

#[test]
#[ignore = "as many as tests/sim wants"]
fn sim() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => println!("seed {seed}: digest {:016x}", replay(seed)),
        None => random_worlds(Policies::default, number("FIRST").unwrap_or(1), number("WORLDS").unwrap_or(1_000)),
    }
}
