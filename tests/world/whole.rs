//! Groups of domains succeed or are turned back together, wherever the power is cut
//! (docs/whole-device.md).

use update_manager::world::cuts::{CLEAN, HOST, PROCESS};
use update_manager::world::disk::Fate;
use update_manager::world::kind::Kind;
use update_manager::world::whole::everywhere::{cancel_all, cut_all, cut_shape, cut_some, uncut, uncut_all};
use update_manager::world::whole::shape::{Check, Does, Shape};

#[test]
fn without_a_cut_each_shape_in_groups_comes_to_its_end() {
    let shapes = uncut_all(7);
    assert!(shapes > 200, "{shapes}");
}

#[test]
fn whenever_it_is_cancelled_each_group_is_whole() {
    let cancelled = cancel_all(20);
    assert!(cancelled > 100, "{cancelled}");
}

#[test]
fn wherever_the_power_is_cut_each_group_is_whole_or_its_domain_is_named() {
    let cuts = cut_some(40, 5);
    assert!(cuts > 1_000, "{cuts}");
}

#[test]
#[ignore = "tests/sim --whole runs it"]
fn all_cuts_of_groups() {
    let most = std::env::var("CUTS").ok().and_then(|number| number.parse().ok()).unwrap_or(100_000);
    println!("{} shapes without a cut", uncut_all(1));
    println!("{} cancelled", cancel_all(1));
    assert!(cut_all(most) >= most.min(30_000));
}

/// Section 3.5: each domain of the group that got a command, and no CLEANUP yet, gets it.
#[test]
fn one_that_has_committed_by_itself_is_cleaned_up_when_its_group_is_turned_back() {
    let early = (Kind::Tolerant, Does::Early("DOWNLOAD"));
    uncut(&Shape::of_one_group(&[early, (Kind::Tolerant, Does::Fails("DOWNLOAD"))]), PROCESS);
}

/// Section 3, "What holds always": a start in between does not let it forget that one which
/// has committed by itself had actions.
#[test]
fn one_that_has_committed_by_itself_is_named_after_a_cut() {
    let early = (Kind::Strict, Does::Early("IDENTIFY"));
    let shape = Shape::of_one_group(&[(Kind::Tolerant, Does::Fails("UPDATE")), early]);
    assert!(cut_shape(&shape, HOST, &[Fate::Lost], 1) > 20);
}

/// `INCOMPLETE_INCONSISTENT` where it is configured and a domain is named, whatever has turned
/// the group back (section 3, the table).
#[test]
fn a_refusal_before_download_is_inconsistent_when_one_has_committed_by_itself() {
    let agents = [(Kind::Tolerant, Does::Early("IDENTIFY")), (Kind::Tolerant, Does::All)];
    let consent = Some(("DOWNLOAD", Some("DENIED")));
    uncut(&Shape { consent, ..Shape::of_one_group(&agents) }, PROCESS);
}

/// The failure that has turned the group back, and comes once more, answers no ROLLBACK.
#[test]
fn a_failure_that_is_delivered_again_is_no_answer_to_rollback() {
    let shape = Shape::of_one_group(&[(Kind::Tolerant, Does::Fails("UPDATE"))]);
    assert!(cut_shape(&shape, PROCESS, &[Fate::Lost, Fate::Whole], 1) > 20);
}

/// `COMPLETED` that answers CLEANUP commits nothing.
#[test]
fn one_that_was_rolled_back_is_old_whatever_it_says_of_its_clean_up() {
    let shape = Shape::of_one_group(&[(Kind::Tolerant, Does::Fails("UPDATE"))]);
    assert!(cut_shape(&shape, CLEAN, &[Fate::Lost], 1) > 20);
}

/// A domain that is led again has not left its activation (docs/agent-api.md, "When something may have been lost"): nothing
/// is verified meanwhile.
#[test]
fn nothing_is_verified_while_a_domain_is_led_again() {
    let agents = [(Kind::Forgetful, Does::Pretends), (Kind::Silent, Does::All)];
    let shape = Shape { check: Check::Inventories, ..Shape::of_one_group(&agents) };
    assert!(cut_shape(&shape, PROCESS, &[Fate::Whole], 1) > 20);
}
