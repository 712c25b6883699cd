//! Every state that the engine can reach meets every event. `tests/sim --states` goes
//! through all that three domains can reach, the gate's unit tests through fewer.

use update_manager::world::states::{reach, take_up_everywhere, Plan, Reach};

#[test]
fn every_state_that_two_domains_can_reach_meets_every_event() {
    let Reach { states, transitions } = reach(Plan { domains: 2, consent: false, restarts: false });
    assert!(states > 1_000 && transitions > 100_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_a_domain_can_reach_meets_every_start_anew() {
    let Reach { states, transitions } = reach(Plan { domains: 1, consent: false, restarts: true });
    assert!(states > 1_000 && transitions > 60_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_a_domain_can_reach_meets_every_answer_of_the_owner_and_start_anew() {
    let Reach { states, transitions } = reach(Plan { domains: 1, consent: true, restarts: true });
    assert!(states > 3_700 && transitions > 220_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_three_domains_can_reach_meets_every_event() {
    let Reach { states, transitions } = reach(Plan { domains: 3, consent: false, restarts: false });
    assert!(states > 16_000 && transitions > 2_500_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_three_domains_can_reach_meets_every_answer_of_the_owner() {
    let Reach { states, transitions } = reach(Plan { domains: 3, consent: true, restarts: false });
    assert!(states > 29_000 && transitions > 4_500_000, "{states} states, {transitions} transitions");
}

#[test]
fn an_activity_ends_wherever_it_is_taken_up() {
    let taken_up = take_up_everywhere();
    assert!(taken_up > 800, "{taken_up}");
}
