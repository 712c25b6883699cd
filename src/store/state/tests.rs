//! What is written is read again, also by another configuration.

use heapless::String;

use super::*;
use crate::engine::campaign::Gone;
use crate::engine::domain::{Ended, State};
use crate::engine::event::{Action, DesiredState, Part, Standing};
use crate::limits::{
    ACTIONS_MAX, ACTIVITY_ID_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, KEPT_MAX, POLICY_NAME_MAX, SAVED_STATE_MAX,
};
use crate::model::{ActivityKey, Cause, DomainIx, Limit, Run, Status};
use crate::store::format::{fields, open, seal, Kind, HEADER};

const SLOT: usize = 2 * SAVED_STATE_MAX;

fn names() -> Vec<std::string::String> {
    ["containers", "self-update", "idle"].map(str::to_owned).to_vec()
}

/// A campaign with something in every field.
fn campaign() -> Campaign {
    let mut campaign = Campaign::new();
    let id = |raw| Text::parse(raw).unwrap();
    let part = |raw, place| Part::new(id(raw), DomainIx::new(place));
    let parts = [part("containers", 0), part("self-update", 1), part("nobody", 99)];
    let key = ActivityKey { activity: id("a-\\u00e9"), timestamp: -5, crc: 77 };
    campaign.begin(&DesiredState { key, run: Run(3), parts: &parts, rollback: None, standing: Standing::default() });
    campaign.policy.push_str("by groups").unwrap();
    campaign.announced = Some(Status::Identifying);
    campaign.groups.committed.insert(Group::new(7).unwrap());
    campaign.phase = Phase::Update;
    campaign.consent.asking = Some(Phase::Activate);
    campaign.consent.counted.extend([7, -7, i64::MAX]);
    campaign.end.outcome = Some(Status::Incomplete);
    (campaign.end.cause, campaign.end.waited_ms) = (Some(Cause::ConsentLate), 1_800_000);
    let first = campaign.domain_mut(DomainIx::new(0).unwrap()).unwrap();
    first.state = State::Done(Ended::Completed);
    first.failure = Some(Reason::Silent(Some(Command::Update), 600_000));
    first.cleanup = Some(Reason::Status(Status::CleanupFailure));
    let second = campaign.domain_mut(DomainIx::new(1).unwrap()).unwrap();
    *second = Domain { fell_back: true, repeats: 2, ..Domain::owing(State::Working(Phase::Update)) };
    (second.group, second.furthest) = (Group::new(7).unwrap(), Some(Phase::Activate));
    second.failure = Some(Reason::Words(String::try_from(r#"no \"space\""#).unwrap()));
    let component = r#"{"id":"x"}"#;
    let action = |status, progress| Action { id: id("x"), component, status, progress, message: Text::default() };
    let domain = DomainIx::new(0).unwrap();
    campaign.actions.merge(domain, &action(Some(ActionStatus::Removing), 40)).unwrap();
    campaign
}

const TIMES: Times = Times { begun: 7, lasted_ms: 8 };

fn written(campaign: &Campaign, names: &[std::string::String], beside: &Beside) -> Vec<u8> {
    written_with(campaign, names, beside, &[])
}

fn written_with(campaign: &Campaign, names: &[std::string::String], beside: &Beside, parts: &[KeptPart]) -> Vec<u8> {
    let mut slot = vec![0; SLOT];
    let mut out = Fields::new(&mut slot);
    encode(campaign, names, beside, &mut out);
    encode_kept(campaign, names, parts, &mut out);
    encode_along(campaign, 8, TIMES, &mut out);
    let len = out.total().unwrap();
    let total = seal(&mut slot, Kind::State, 1, len).unwrap();
    slot.truncate(total);
    slot
}

fn resumed(slot: &[u8], names: &[std::string::String]) -> Option<Saved> {
    decode(&slot[HEADER..], names)
}

#[test]
fn what_is_saved_comes_back() {
    let (before, beside) =
        (campaign(), Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, [9; 16])) });
    let slot = written(&before, &names(), &beside);
    assert!(open(&slot, Kind::State).is_ok());
    let Saved { campaign: mut after, beside: found, progress, version, times, .. } = resumed(&slot, &names()).unwrap();
    assert_eq!((found, version, times), (beside, Some(8), Some(TIMES)));
    after.actions = before.actions.clone();
    after.actions.resume(&mut |_, _| Some((None, 0)));
    progress.apply(&mut after);
    assert_eq!(format!("{after:?}"), format!("{:?}", before.clone()));
}

/// The first version saves no course: what it has is led to where all are.
#[test]
fn a_course_is_saved_only_where_the_state_does_not_tell() {
    let working = |phase, furthest| Domain { furthest, ..Domain::owing(State::Working(phase)) };
    for (at, part, is_saved) in [
        (Phase::Update, working(Phase::Download, Some(Phase::Update)), false),
        (Phase::Update, working(Phase::Update, Some(Phase::Update)), false),
        (Phase::Update, working(Phase::Download, Some(Phase::Download)), true),
        (Phase::Cleanup, working(Phase::Download, Some(Phase::Download)), false),
        (Phase::Cleanup, working(Phase::Download, Some(Phase::Cleanup)), true),
        (Phase::Update, Domain::new(State::Ready(Phase::Download)), false),
    ] {
        let mut before = campaign();
        before.phase = at;
        before.domains[0] = Some(part.clone());
        before.domains[1] = None;
        let slot = written(&before, &names(), &Beside::default());
        let courses = fields(&slot[HEADER..]).filter(|(tag, _)| *tag == tag::COURSE).count();
        assert_eq!(courses, usize::from(is_saved), "{part:?} while all are at {at:?}");
        assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains[0], Some(part));
    }
}

/// The first version writes no code of it.
#[test]
fn a_limit_is_known_by_its_words_too() {
    for limit in [Limit::Actions, Limit::Component] {
        let mut before = campaign();
        before.domains[0].as_mut().unwrap().failure = Some(Reason::Limit(limit));
        let written = written(&before, &names(), &Beside::default());
        let mut slot = vec![0; SLOT];
        let mut out = Fields::new(&mut slot);
        let first = fields(&written[HEADER..]).filter(|(tag, _)| *tag != tag::LIMIT);
        first.for_each(|(tag, content)| out.put(tag, &[content]));
        assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains[0], before.domains[0]);
    }
}

#[test]
fn each_flag_of_an_obligation_is_saved_by_itself() {
    for (is_remembered, is_turning) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut before = campaign();
        let obligation = &mut before.domains[1].as_mut().unwrap().obligation;
        (obligation.course, obligation.is_remembered, obligation.is_turning) = (3, is_remembered, is_turning);
        let slot = written(&before, &names(), &Beside::default());
        assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains[1], before.domains[1]);
    }
}

#[test]
fn how_far_a_domain_is_with_a_boot_or_a_restore_comes_back() {
    for boot in Boot::ALL {
        for state in [State::Ready(Phase::Activate), State::Working(Phase::Identify)] {
            let mut before = campaign();
            before.boots = Boots { count: 1, seen: 3, is_due: true, is_late: false };
            before.domains[1] = Some(Domain { boot, ..Domain::owing(state) });
            let slot = written(&before, &names(), &Beside::default());
            let after = resumed(&slot, &names()).unwrap().campaign;
            assert_eq!((&after.domains[1], after.boots), (&before.domains[1], before.boots));
        }
    }
    for restore in Restore::ALL {
        let mut before = campaign();
        let part = before.domains[1].as_mut().unwrap();
        (part.restore, part.evidence) = (restore, Evidence::of_bits(0x155));
        let slot = written(&before, &names(), &Beside::default());
        assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains[1], before.domains[1]);
    }
}

/// Returns the state that a release reads of the domain which knows only the field `DOMAIN`.
fn shown_to_older(part: Domain, groups: impl FnOnce(&mut GroupSet)) -> State {
    let mut before = campaign();
    groups(&mut before.groups.committed);
    before.domains[1] = Some(part);
    let slot = written(&before, &names(), &Beside::default());
    let record = open(&slot, Kind::State).unwrap();
    let (_, content) = fields(record.fields).filter(|(tag, _)| *tag == tag::DOMAIN).nth(1).unwrap();
    assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains[1], before.domains[1]);
    State::of_code([content[0], content[1]]).unwrap()
}

/// The system to which a bootloader goes back has an older release: to it a domain that has
/// activated for a boot has not done so yet, so that it is started over.
#[test]
fn a_release_that_knows_of_no_boot_reads_of_one_that_has_not_answered_activate() {
    let [working, ready] = [State::Working(Phase::Activate), State::Ready(Phase::Activate)];
    let part = |boot| Domain { boot, ..Domain::owing(ready) };
    let halted = |boot| {
        let mut part = part(boot);
        part.obligation.is_halted = true;
        part
    };
    for boot in Boot::ALL {
        let expected = if boot == Boot::No { ready } else { working };
        assert_eq!(shown_to_older(part(boot), |_| ()), expected);
        assert_eq!(shown_to_older(part(boot), |committed| committed.insert(Group::default())), ready);
        assert_eq!(shown_to_older(halted(boot), |_| ()), ready);
    }
}

/// It waits for no answer of the activity in which the domain is restored: it takes the silence
/// for a sign that nothing was changed.
#[test]
fn a_release_that_does_not_restore_reads_of_a_domain_that_cleans_up() {
    for restore in Restore::ALL {
        for phase in Phase::ALL {
            let state = State::Working(phase);
            let expected = if restore.is_apart() { State::CleaningUp(Wait::STOPPED) } else { state };
            let part = Domain { restore, furthest: Some(Phase::Activate), ..Domain::owing(state) };
            assert_eq!(shown_to_older(part, |_| ()), expected);
        }
    }
}

#[test]
fn actions_are_found_by_name_and_those_of_which_nothing_is_known_are_left_out() {
    let mut before = campaign();
    let domain = DomainIx::new(1).unwrap();
    for n in 0..ACTIONS_MAX - 1 {
        let raw = format!("component-{n}");
        let component = format!(r#"{{"id":"{raw}"}}"#);
        let (id, progress) = (Text::parse(&raw).unwrap(), (n % 100) as u8);
        let action = Action { id, component: &component, status: None, progress, message: Text::EMPTY };
        before.actions.merge(domain, &action).unwrap();
    }
    let slot = written(&before, &names(), &Beside::default());
    let mut after = before.clone();
    resumed(&slot, &names()).unwrap().progress.apply(&mut after);
    assert!((50..ACTIONS_MAX).contains(&after.actions.len()), "{}", after.actions.len());
    for action in after.actions.iter().filter(|action| action.domain == domain) {
        let n: usize = action.id().as_json()["component-".len()..].parse().unwrap();
        assert_eq!(usize::from(action.progress), n % 100);
    }
}

/// Each action takes its identifier and four bytes, and its domain four once.
#[test]
fn progress_is_saved_up_to_the_last_byte_that_there_is_room_for() {
    let saved = |last: usize| {
        let mut before = campaign();
        before.actions.clear();
        // Ten of 102 bytes, and four for the domain.
        for n in 0..10 {
            let raw = format!("{n:0>width$}", width = if n == 9 { last } else { 98 });
            let (id, component) = (Text::parse(&raw).unwrap(), format!(r#"{{"id":"{raw}"}}"#));
            let action = Action { id, component: &component, status: None, progress: n, message: Text::EMPTY };
            before.actions.merge(DomainIx::new(0).unwrap(), &action).unwrap();
        }
        let slot = written(&before, &names(), &Beside::default());
        let size = fields(&slot[HEADER..]).filter(|(tag, _)| *tag == tag::PROGRESS).map(|(_, all)| 3 + all.len());
        let mut after = before.clone();
        resumed(&slot, &names()).unwrap().progress.apply(&mut after);
        (size.sum::<usize>(), after.actions.len())
    };
    assert_eq!(saved(98), (SAVED_PROGRESS_MAX, 10));
    assert_eq!(saved(99), (SAVED_PROGRESS_MAX - 102, 9));
}

#[test]
fn domains_share_the_bytes_of_their_words() {
    let saved = |speaking: usize| {
        let mut before = campaign();
        before.domains.clear();
        let names: Vec<_> = (0..speaking).map(|n| n.to_string()).collect();
        for place in 0..speaking {
            let mut part = Domain::new(State::Failed(Phase::Update));
            part.failure = Some(Reason::Words(String::try_from("w".repeat(512).as_str()).unwrap()));
            before.domains[place] = Some(part);
        }
        let after = resumed(&written(&before, &names, &Beside::default()), &names).unwrap().campaign;
        let words = |part: &Domain| match &part.failure {
            Some(Reason::Words(words)) => words.len(),
            other => panic!("{other:?}"),
        };
        after.domains.iter().flatten().map(words).collect::<Vec<_>>()
    };
    assert_eq!(saved(1), [128]);
    assert_eq!(saved(4), [128; 4]);
    assert_eq!(saved(5), [102; 5]);
    assert_eq!(saved(16), [32; 16]);
}

#[test]
fn domains_are_found_by_name_when_the_configuration_has_changed() {
    let slot = written(&campaign(), &names(), &Beside::default());
    let other = ["new", "self-update"].map(str::to_owned);
    let after = resumed(&slot, &other).unwrap().campaign;
    assert!(after.domains[0].is_none());
    assert_eq!(after.domains[1], campaign().domains[1]);
    // Whatever is not configured any more is kept, and comes back with its name.
    let gone = Gone { name: String::try_from("containers").unwrap(), part: campaign().domains[0].clone().unwrap() };
    assert_eq!(after.absent.gone, [gone]);
    assert!(after.has_failed());
    let again = resumed(&written(&after, &other, &Beside::default()), &names()).unwrap().campaign;
    assert_eq!((again.domains, again.absent.gone), (campaign().domains, Vec::new()));
}

#[test]
fn what_domains_are_committed_to_is_found_by_name_when_the_configuration_has_changed() {
    let parts = [("containers", 2), ("self-update", 3), ("idle", 2), ("long gone", 1)];
    let parts = parts.map(|(domain, run)| KeptPart::new(domain, Run(run), std::string::String::new()));
    let mut expected: Vec<_> = parts.iter().map(|part| (part.domain.clone(), part.run)).collect();
    expected.sort();
    let slot = written_with(&campaign(), &names(), &Beside::default(), &parts);
    let reordered = ["new", "self-update", "idle"].map(str::to_owned);
    for names in [&names()[..], &reordered] {
        let mut kept = resumed(&slot, names).unwrap().kept;
        kept.sort();
        assert_eq!(kept, expected);
    }
}

#[test]
fn what_a_newer_version_adds_is_skipped() {
    let mut slot = vec![0; SLOT];
    let mut out = Fields::new(&mut slot);
    out.put(250, &[&[1; 300]]);
    encode(&campaign(), &names(), &Beside::default(), &mut out);
    out.put(251, &[]);
    assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains, campaign().domains);
}

#[test]
fn no_bytes_do_harm() {
    let slot = written(&campaign(), &names(), &Beside::default());
    for at in HEADER..slot.len() {
        let _ = resumed(&slot[..at], &names());
        for flip in 0..8 {
            let mut other = slot.clone();
            other[at] ^= 1 << flip;
            let _ = resumed(&other, &names());
        }
    }
}

#[test]
fn of_a_damaged_state_it_is_known_whose_it_was_or_nothing() {
    let slot = written(&campaign(), &names(), &Beside::default());
    let mut known = 0;
    for at in 0..slot.len() {
        for flip in 0..8 {
            let (mut other, mut found) = (slot.clone(), Campaign::new());
            other[at] ^= 1 << flip;
            if decode_key(&other, &mut found) {
                known += 1;
                assert_eq!(
                    (&*found.identity.activity, found.identity.timestamp, found.identity.crc),
                    ("a-\\u00e9", -5, 77)
                );
            }
        }
    }
    let key_len = 4 * 3 + 8 + 8 + 4 + 4;
    assert_eq!(known, 8 * (slot.len() - key_len));
}

#[test]
fn a_state_with_sixteen_domains_failed_stays_within_its_budget() {
    let names: Vec<_> = (0..16).map(|n| format!("{n:0>32}")).collect();
    let parts: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| Part::new(Text::parse(name).unwrap(), DomainIx::new(place)))
        .collect();
    let mut campaign = Campaign::new();
    let activity = Text::parse("3f2504e0-4f89-41d3-9a0c-0305e82c3301").unwrap();
    campaign.begin(&DesiredState {
        key: ActivityKey { activity, timestamp: 1, crc: 1 },
        run: Run(1),
        parts: &parts,
        rollback: None,
        standing: Standing::default(),
    });
    for part in campaign.domains.iter_mut().flatten() {
        part.failure = Some(Reason::Words(String::try_from("w".repeat(512).as_str()).unwrap()));
    }
    let len = written(&campaign, &names, &Beside::default()).len();
    assert!(len <= 2048, "{len} bytes");
}

#[test]
fn a_state_with_every_domain_and_all_that_can_be_set_fits() {
    let names: Vec<_> = (0..DOMAINS_MAX).map(|n| format!("{n:0>DOMAIN_ID_MAX$}")).collect();
    let activity = "a".repeat(ACTIVITY_ID_MAX);
    let words = |n: usize| Some(Reason::Words(String::try_from("w".repeat(n).as_str()).unwrap()));
    let mut lens = Vec::new();
    let of_others: Vec<_> = (0..KEPT_MAX)
        .map(|n| KeptPart::new(&format!("{n:x>DOMAIN_ID_MAX$}"), Run(n as u64), std::string::String::new()))
        .collect();
    let silent = Some(Reason::Silent(Some(Command::Update), u64::MAX));
    for reason in [words(512), silent, Some(Reason::Limit(Limit::Component)), Some(Reason::Refused(u32::MAX))] {
        let mut campaign = campaign();
        campaign.reset();
        campaign.identity.activity = String::try_from(activity.as_str()).unwrap();
        (campaign.consent.asking, campaign.consent.approved) = (Some(Phase::Activate), Some(Phase::Activate));
        (campaign.end.outcome, campaign.end.cause) = (Some(Status::Incomplete), Some(Cause::ConsentLate));
        campaign.policy.push_str(&"p".repeat(POLICY_NAME_MAX)).unwrap();
        campaign.groups.committed.insert(Group::new(DOMAINS_MAX - 1).unwrap());
        campaign.groups.turned.insert(Group::new(0).unwrap());
        campaign.groups.rollback = Rollback::Baseline;
        campaign.groups.flaws.push_str(&"f".repeat(512)).unwrap();
        campaign.boots = Boots { count: 2, seen: 9, is_due: true, is_late: true };
        for place in 0..DOMAINS_MAX {
            let mut part = Domain::owing(State::Working(Phase::Update));
            (part.group, part.furthest) = (Group::new(place).unwrap(), Some(Phase::Activate));
            (part.failure, part.cleanup) = (reason.clone(), reason.clone());
            part.obligation.kept = reason.clone();
            (part.obligation.course, part.obligation.is_remembered) = (9, true);
            (0..ORDERS_MAX).for_each(|_| part.obligation.queue.push(Some(Command::Update), 9));
            (part.evidence, part.restore, part.boot) = (Evidence::of_bits(0x3ff), Restore::Leading, Boot::Over);
            campaign.domains[place] = Some(part);
        }
        for n in 0..ACTIONS_MAX {
            let (id, component) = (format!("{n}"), format!(r#"{{"id":"{n}"}}"#));
            let (id, message) = (Text::parse(&id).unwrap(), Text::default());
            let action = Action { id, component: &component, status: None, progress: 1, message };
            campaign.actions.merge(DomainIx::new(0).unwrap(), &action).unwrap();
        }
        let beside = Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, [9; 16])) };
        let slot = written_with(&campaign, &names, &beside, &of_others);
        let after = resumed(&slot, &names).unwrap();
        assert_eq!(after.campaign.domains.iter().flatten().count(), DOMAINS_MAX);
        assert_eq!(after.kept.len(), KEPT_MAX);
        lens.push(slot.len());
    }
    println!("{lens:?} bytes");
    let most = lens.into_iter().max().unwrap();
    assert!(most <= SAVED_STATE_MAX, "{most} bytes");
}
