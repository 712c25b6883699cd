//! Groups of domains succeed or are turned back together, wherever the power is cut
//! (docs/whole-device.md).

use update_manager::world::whole::everywhere::{cancel_all, cut_all, cut_some, uncut_all};

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
    let most = std::env::var("CUTS").ok().and_then(|number| number.parse().ok()).unwrap_or(1_000_000);
    println!("{} shapes without a cut", uncut_all(1));
    println!("{} cancelled", cancel_all(1));
    assert!(cut_all(most) >= most.min(30_000));
}
