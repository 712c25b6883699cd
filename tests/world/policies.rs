//! Policies of others go through the same worlds, power cuts and states as ours.

use update_manager::engine::group::Group;
use update_manager::engine::policy::view::Verification;
use update_manager::engine::policy::{finish, identify, lead, turn_back, Act, Lockstep, Policy, Stand, Step, View};
use update_manager::engine::Policies;
use update_manager::model::{DomainIx, DomainSet, Phase, Status};
use update_manager::world::actors::{desired_state, Obedient, Owner};
use update_manager::world::cuts::{cut_all, cut_some, fail_everywhere, uncut_all};
use update_manager::world::plan::Model;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::settings::led_by;
use update_manager::world::sim::{random_worlds, replay};
use update_manager::world::states::{reach, take_up_everywhere, Plan};

#[allow(dead_code)]
#[path = "../../examples/canary.rs"]
mod canary;
mod models;
#[allow(dead_code)]
#[path = "../../examples/one_by_one.rs"]
mod one_by_one;

const BOTH: [&str; 2] = ["one", "two"];

fn one_by_one() -> Policies {
    Policies::only(one_by_one::OneByOne)
}

/// The first domain is the canary.
fn canary() -> Policies {
    let first = DomainIx::new(0).unwrap();
    Policies::new(vec![Box::new(canary::Canary { first }), Box::new(Lockstep)])
}

/// All or none: nobody gets CLEANUP before all have activated, and are verified and
/// committed. As soon as one fails, all are turned back.
struct AllOrNone;

impl Policy for AllOrNone {
    fn name(&self) -> &'static str {
        "all-or-none"
    }

    fn next(&self, view: &View<'_>) -> Step {
        turn_back(view).or_else(|| identify(view)).or_else(|| back(view)).unwrap_or_else(|| all(view))
    }
}

/// The next step to turn all domains back, if one has failed.
fn back(view: &View<'_>) -> Option<Step> {
    if !view.has_failed() || view.is_committed(Group::default()) {
        return None;
    }
    let is_led = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Did(Act::Forward(_), _));
    let led = view.domains_that(is_led);
    let begun: DomainSet = led.iter().filter(|domain| view.has_begun(*domain)).collect();
    if !begun.is_empty() {
        return Some(Step::Do(Act::Rollback, begun));
    }
    let undone = view.domains_that(|stand| matches!(stand, Stand::Did(Act::Rollback, _)));
    if !undone.is_empty() {
        return Some(Step::Do(Act::Cleanup, undone));
    }
    Some(finish(view))
}

fn all(view: &View<'_>) -> Step {
    let group = Group::default();
    if let Some(step) = lead(view, view.domains()) {
        return step;
    }
    let is_activated = view.any(|stand| stand.left() == Some(Phase::Activate));
    match view.verification(group) {
        _ if !is_activated || view.is_committed(group) => finish(view),
        Verification::Good => Step::Commit(group),
        _ => Step::Verify(group),
    }
}

fn all_or_none() -> Policies {
    Policies::only(AllOrNone)
}

/// Each with what it makes of a plan.
const OTHERS: [(fn() -> Policies, Model); 3] =
    [(one_by_one, models::one_by_one), (canary, models::canary), (all_or_none, models::all_or_none)];

/// The commands of all domains, in the order in which they went out, each with its domain.
fn told(world: &World) -> Vec<String> {
    let of = |domain: &'static str| {
        let commands = world.commands_at(domain).into_iter();
        commands.map(move |(at, command)| (at, format!("{domain} {command}")))
    };
    let mut all: Vec<_> = BOTH.into_iter().flat_map(of).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, told)| told).collect()
}

fn world(agents: [Obedient; 2]) -> World {
    let mut world = World::plain(&BOTH);
    for agent in agents {
        world = world.joined_by(agent);
    }
    world.backend_applies("a-1", &desired_state(&BOTH));
    world.run_for(60_000);
    world
}

fn paced() -> [Obedient; 2] {
    BOTH.map(|domain| Obedient::paced(domain, 100))
}

#[test]
fn one_domain_after_the_other_goes_through_all_its_phases() {
    let world = led_by(one_by_one(), || world(paced()));
    let all = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
    let wanted: Vec<_> = BOTH.iter().flat_map(|domain| all.map(|command| format!("{domain} {command}"))).collect();
    assert_eq!(told(&world), wanted);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn none_begins_after_one_that_failed() {
    let [one, two] = paced();
    let world = led_by(one_by_one(), || world([one.failing_at("UPDATE"), two]));
    assert_eq!(told(&world), ["one DOWNLOAD", "one UPDATE", "one CLEANUP", "two CLEANUP"]);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn the_canary_activates_first_and_the_others_follow() {
    let world = led_by(canary(), || world(paced()));
    let first = ["one DOWNLOAD", "one UPDATE", "one ACTIVATE"];
    let then = ["two DOWNLOAD", "two UPDATE", "two ACTIVATE", "one CLEANUP", "two CLEANUP"];
    assert_eq!(told(&world), [&first[..], &then].concat());
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn a_canary_that_fails_leaves_the_others_untouched() {
    let [one, two] = paced();
    let world = led_by(canary(), || world([one.failing_at("ACTIVATE"), two]));
    let wanted = ["one DOWNLOAD", "one UPDATE", "one ACTIVATE", "one CLEANUP", "two CLEANUP"];
    assert_eq!(told(&world), wanted);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn all_are_turned_back_if_one_fails_before_the_commit() {
    let [one, two] = paced();
    let world = led_by(all_or_none(), || world([one, two.failing_at("ACTIVATE")]));
    for domain in BOTH {
        assert_eq!(world.commands(domain), ["DOWNLOAD", "UPDATE", "ACTIVATE", "ROLLBACK", "CLEANUP"], "{domain}");
    }
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn nobody_is_turned_back_after_the_commit() {
    let [one, two] = paced();
    let world = led_by(all_or_none(), || world([one, two.failing_at("CLEANUP")]));
    for domain in BOTH {
        assert_eq!(world.commands(domain), ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"], "{domain}");
    }
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

/// The canary is a group of its own, which is committed before the others begin.
struct CommittedCanary;

impl Policy for CommittedCanary {
    fn name(&self) -> &'static str {
        "committed-canary"
    }

    fn group(&self, _view: &View<'_>, domain: DomainIx) -> Group {
        Group::new(domain.place()).unwrap()
    }

    fn next(&self, view: &View<'_>) -> Step {
        let first = DomainIx::new(0).unwrap();
        let group = Group::default();
        let is_activated = view.stand(first).and_then(Stand::left) == Some(Phase::Activate);
        let commit = || match view.verification(group) {
            _ if !is_activated || view.is_committed(group) => None,
            Verification::Good => Some(Step::Commit(group)),
            _ => Some(Step::Verify(group)),
        };
        turn_back(view)
            .or_else(|| identify(view))
            .or_else(|| lead(view, first.into()))
            .or_else(commit)
            .or_else(|| lead(view, view.domains()))
            .unwrap_or_else(|| finish(view))
    }
}

#[test]
fn a_committed_group_is_not_turned_back_with_the_others() {
    led_by(Policies::only(CommittedCanary), || {
        let agents = [Obedient::paced("one", 100), Obedient::paced("two", 100).silent_at("DOWNLOAD")];
        let mut world = world(agents);
        assert_eq!(told(&world), ["one DOWNLOAD", "one UPDATE", "one ACTIVATE", "two DOWNLOAD"]);
        assert_eq!(world.commanded("cancel")["exit"], 0);
        world.run_for(60_000);
        assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
        assert_eq!(world.commands("two"), ["DOWNLOAD", "ROLLBACK", "CLEANUP"]);
        assert_eq!(world.last("a-1").status, "INCOMPLETE");
    });
}

#[test]
fn a_cancellation_asks_whether_a_domain_is_being_activated_now() {
    led_by(one_by_one(), || {
        let mut world = world([Obedient::paced("one", 100), Obedient::paced("two", 100).silent_at("DOWNLOAD")]);
        let status = world.asks(r#"{"command":"status"}"#).1;
        assert!(status.contains("DOWNLOAD"), "of the second domain: {status}");
        assert_eq!(world.commanded("cancel")["exit"], 0, "the first one has long been activated");
    });
}

#[test]
fn the_report_names_the_phase_in_which_a_domain_failed() {
    led_by(one_by_one(), || {
        let [one, two] = paced();
        let mut world = world([one, two.failing_at("DOWNLOAD")]);
        let report = world.asks(r#"{"command":"report"}"#).1;
        let of = |what: &str| report.lines().filter(|line| line.contains(what)).count();
        assert_eq!(of("has done its part of IDENTIFY [two]"), 1, "{report}");
        assert_eq!(of("failed in DOWNLOAD [two]"), 1, "{report}");
    });
}

#[test]
fn the_owner_is_not_asked_any_more_when_the_first_domain_is_gone() {
    for policies in [one_by_one(), canary()] {
        led_by(policies, || {
            let mut world = World::with(&BOTH, r#""ownerConsentCommands": ["DOWNLOAD"]"#);
            for agent in paced() {
                world = world.joined_by(agent);
            }
            world.backend_applies("a-1", &desired_state(&BOTH));
            world.run_for(5_000);
            assert_eq!(world.sent_to("deviceupdate/ownerconsent").len(), 1);
            let words = r#"{"activityId":"a-1","timestamp":1,"payload":{"status":"INCOMPLETE"}}"#;
            world.publish("oneupdate/desiredstatefeedback", words);
            world.run_for(10_000);
            assert_eq!(told(&world), ["two CLEANUP"]);
            assert_eq!(world.last("a-1").status, "INCOMPLETE");
        });
    }
}

#[test]
fn the_owner_is_asked_once_for_each_phase_whatever_the_policy() {
    for (policies, _) in OTHERS {
        led_by(policies(), || {
            let more = r#""ownerConsentCommands": ["DOWNLOAD", "ACTIVATE"]"#;
            let mut world = World::with(&BOTH, more).joined_by(Owner { answer: "APPROVED", after_ms: 100 });
            for agent in paced() {
                world = world.joined_by(agent);
            }
            world.backend_applies("a-1", &desired_state(&BOTH));
            world.run_for(60_000);
            assert_eq!(world.last("a-1").status, "COMPLETED");
            assert_eq!(world.sent_to("deviceupdate/ownerconsent").len(), 2);
        });
    }
}

#[test]
fn an_activity_whose_policy_is_gone_is_turned_back_and_ends() {
    let mut world = led_by(one_by_one(), || {
        let agents = [Obedient::paced("one", 100).silent_at("UPDATE"), Obedient::paced("two", 100)];
        let mut world = World::saved(&configuration(&BOTH, ""));
        for agent in agents {
            world = world.joined_by(agent);
        }
        world.backend_applies("a-1", &desired_state(&BOTH));
        world.run_for(10_000);
        world
    });
    world.power_cut(update_manager::world::power::Outage {
        fate: update_manager::world::disk::Fate::Whole,
        down_ms: 1_000,
        boots: false,
        agents_too: false,
    });
    world.run_for(60_000);
    let end = world.last("a-1");
    assert_eq!(end.status, "INCOMPLETE");
    assert!(end.message.contains("there is no policy to lead the activity"), "{}", end.message);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]);
    assert_eq!(world.commands("two"), ["CLEANUP"]);
}

/// Wants the same twice.
struct Stubborn;

impl Policy for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn next(&self, view: &View<'_>) -> Step {
        match view.announced() {
            None => Step::Announce(Status::Identifying),
            Some(_) => Step::Do(Act::Forward(Phase::Identify), view.domains()),
        }
    }
}

#[test]
#[should_panic = "the policy takes no step that makes no sense"]
fn a_policy_that_wants_what_makes_no_sense_is_found_out() {
    led_by(Policies::only(Stubborn), || world(paced()));
}

#[test]
fn policies_of_others_come_to_the_right_end_with_each_kind_of_agent() {
    OTHERS.into_iter().for_each(|(policies, model)| led_by(policies(), || uncut_all(model)));
}

#[test]
fn policies_of_others_survive_power_cuts() {
    for (policies, model) in OTHERS {
        let cuts = led_by(policies(), || cut_some(model));
        assert!(cuts > 2_500, "{cuts}");
    }
}

#[test]
fn policies_of_others_survive_failing_disks() {
    OTHERS.into_iter().for_each(|(policies, model)| led_by(policies(), || fail_everywhere(model)));
}

#[test]
fn policies_of_others_lead_through_random_worlds() {
    for (policies, _) in OTHERS {
        led_by(policies(), || {
            for seed in 1..=25 {
                replay(seed);
            }
        });
    }
}

#[test]
fn policies_of_others_meet_every_event_in_every_state_of_two_domains() {
    for (policies, _) in OTHERS {
        let reached = led_by(policies(), || reach(Plan { domains: 2, consent: false, restarts: false }));
        assert!(reached.states > 500 && reached.transitions > 50_000, "{reached:?}");
    }
}

#[test]
#[ignore = "tests/sim --policies runs it"]
fn policies_of_others_everywhere() {
    let worlds = std::env::var("WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(20_000);
    for (policies, model) in OTHERS {
        println!("{:?}", policies());
        random_worlds(policies, 1, worlds);
        led_by(policies(), || {
            assert!(cut_all(model) > 10_000);
            take_up_everywhere();
            reach(Plan { domains: 1, consent: true, restarts: true });
            reach(Plan { domains: 3, consent: false, restarts: false });
            reach(Plan { domains: 2, consent: true, restarts: false });
        });
    }
}
