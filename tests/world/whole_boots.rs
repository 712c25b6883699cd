//! Groups that are committed only after a boot of the host, wherever the power is cut
//! (docs/whole-device.md, "Across a reboot").

use update_manager::world::cuts::{HOST, LONG, PROCESS};
use update_manager::world::disk::Fate;
use update_manager::world::kind::Kind;
use update_manager::world::whole::everywhere::{cut_shape, uncut};
use update_manager::world::whole::loader::{AfterBoot, Trial};
use update_manager::world::whole::reboots::{shapes, WELL};
use update_manager::world::whole::shape::{Does, Host, Shape};

const FATES: [Fate; 2] = [Fate::Lost, Fate::Whole];

#[test]
fn without_a_cut_each_group_is_committed_after_its_boot_or_turned_back() {
    let shapes = shapes();
    shapes.iter().for_each(|shape| drop(uncut(shape, PROCESS)));
    assert!(shapes.len() > 150, "{}", shapes.len());
}

#[test]
fn wherever_the_manager_is_started_anew_a_group_is_whole_after_its_boot() {
    let cut = |shape: &Shape| cut_shape(shape, PROCESS, &FATES, 5);
    let cuts: usize = shapes().iter().step_by(11).map(cut).sum();
    assert!(cuts > 300, "{cuts}");
}

#[test]
#[ignore = "all cuts take minutes"]
fn all_cuts_around_a_boot() {
    for variant in [PROCESS, HOST, LONG] {
        let cuts: usize = shapes().iter().map(|shape| cut_shape(shape, variant, &FATES, 1)).sum();
        println!("{cuts} cuts, {variant:?}");
        assert!(cuts > 10_000, "{cuts}");
    }
}

/// One domain, which takes effect with a boot.
fn alone(kind: Kind, after_boot: AfterBoot, trial: Trial) -> Shape {
    let mut shape = Shape { host: Some(WELL), ..Shape::of_one_group(&[(kind, Does::All)]) };
    (shape.members[0].boots, shape.members[0].after_boot) = (Some(trial), after_boot);
    shape
}

/// Section 2: if all is shown, a later course does not ask again. The self-update agent would not
/// answer.
#[test]
fn what_has_shown_what_is_wanted_since_the_boot_is_not_asked_again() {
    let shape = alone(Kind::SelfUpdate, AfterBoot::Content, Trial::GOOD);
    uncut(&Shape { host: Some(Host { verifies: true, ..WELL }), ..shape }, PROCESS);
}

/// Section 2: between the boot and the commit a further boot is as the first.
#[test]
fn a_boot_after_the_confirmation_is_as_the_first() {
    let shape = alone(Kind::Tolerant, AfterBoot::Remembers, Trial::GOOD);
    assert!(cut_shape(&shape, HOST, &FATES, 1) > 20);
}

/// Section 2: an agent that answers with `COMPLETED` gets no command, and is waited for no longer.
#[test]
fn completed_in_place_of_the_inventory_does_not_stop_the_activity() {
    let shape = alone(Kind::SelfUpdate, AfterBoot::Content, Trial::GOOD);
    assert!(cut_shape(&shape, HOST, &FATES, 1) > 20);
}

/// Section 2: only an answer that was asked for since this boot counts.
#[test]
fn an_inventory_from_before_a_further_boot_shows_nothing() {
    let shape = alone(Kind::Tolerant, AfterBoot::Remembers, Trial::ONCE);
    assert!(cut_shape(&shape, HOST, &FATES, 1) > 20);
}

/// Section 2: one that is led on after the boot is asked again after a further one.
#[test]
fn one_that_is_led_on_is_asked_what_has_booted_after_a_further_boot() {
    let shape = alone(Kind::Forgetful, AfterBoot::BeginsAnew, Trial::ONCE);
    assert!(cut_shape(&shape, HOST, &FATES, 1) > 20);
}
