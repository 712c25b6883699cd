//! Leads through shapes, and cuts the power at every moment of them.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::world::actors::Owner;
use crate::world::checks::Says;
use crate::world::cuts::{each_cut, is_order, sent, tears, Case, Cut, Variant, CLEAN, HOST, LONG, PROCESS, SHORT};
use crate::world::disk::Fate;
use crate::world::power::Outage;
use crate::world::scenario::World;
use crate::world::seen::{topic, Report, RESTORE};
use crate::world::whole::expected::Expected;
use crate::world::whole::rebooting;
use crate::world::whole::setup::Setup;
use crate::world::whole::shape::{Does, Member, Shape, ACTIVITY, EARLIER};
use crate::world::whole::shapes;
use crate::world::whole::truth::{Device, Truthful};
use crate::world::whole::{broken, inconsistent, whole_or_named, Found};

/// How the host reboots.
const BOOT: Outage = Outage { fate: Fate::Lost, down_ms: 3_000, boots: true, agents_too: true };

const DESIRED: &str = "deviceupdate/desiredstate";

/// What a shape is without a cut.
pub struct Uncut {
    pub before: [usize; 4],
    pub counts: [usize; 4],
    /// When something happened, in milliseconds after it began.
    pub times: Vec<u64>,
}

impl Shape {
    /// The world before the activity.
    fn begin(&self, variant: Variant, prepare: impl FnOnce(&mut World)) -> World {
        let mut world = World::saved(&self.configuration(variant.clean));
        for member in &self.members {
            let agent = member.kind.agent(member.domain, member.manner());
            let agent = Truthful::new(member.kind, agent, member.domain, member.quirks());
            world = agent.moody(member.moods()).join(world);
        }
        if self.is_kept {
            self.lead_before(&mut world);
        }
        if let Some(answer) = self.consent.and_then(|(_, answer)| answer) {
            world = world.joined_by(Owner { answer, after_ms: 500 });
        }
        let (shape, mut calls) = (self.clone(), 0);
        let devices = world.company.devices.clone();
        world.judged_by(move |arguments| {
            calls += 1;
            let runs_new = |domain: &String| devices.get(&**domain).is_some_and(|it| it.borrow().has_booted_new());
            match shape.host {
                Some(host) if host.is_bad && arguments.iter().any(runs_new) => Says::Bad("the camera is dark"),
                _ => shape.verdict(&arguments[1..], calls),
            }
        });
        if self.host.is_some_and(|host| host.reboots) {
            world.power.on_reboot = Some(BOOT);
        }
        world.run_for(1_000);
        prepare(&mut world);
        world
    }

    /// The activity before, in which all is well.
    fn lead_before(&self, world: &mut World) {
        world.run_for(1_000);
        world.publish(DESIRED, self.desired_before());
        let mut answered = 0;
        while world.ends().is_empty() {
            if world.sent_to("deviceupdate/ownerconsent").len() > answered {
                answered += 1;
                world.owner_says(EARLIER, "APPROVED");
            }
            world.run_for(1_000);
        }
        assert_eq!(world.last(EARLIER).status, "COMPLETED");
        // A clean-up that is not waited for comes to its end.
        world.run_for(60_000);
    }

    /// The activity, until it is over and a while past it; what is known of it then.
    fn lead(&self, world: &mut World) -> Setup {
        let mut setup = self.setup();
        world.publish(DESIRED, self.desired());
        if let Some(after_ms) = self.host.and_then(|host| host.other_after) {
            world.run_for(after_ms);
            world.reboot_host(BOOT);
        }
        if let Some(after_ms) = self.cancel_after {
            world.run_for(after_ms);
            while world.is_off() {
                world.run_for(100);
            }
            let before = world.broker.seen.len();
            let is_taken = world.commanded("cancel")["exit"] == 0;
            // The power may be cut after that was saved, and before it is answered.
            let is_open = !is_taken && !world.power.cuts.is_empty();
            let known = if is_open { usize::MAX } else { world.broker.seen.len() };
            setup.cancelled = (is_taken || is_open).then_some((before, known));
        }
        for _ in 0..2_000 {
            if !ends(world).is_empty() {
                break;
            }
            world.run_for(3_000);
            if world.reports(ACTIVITY).is_empty() && world.config.connection.is_clean(true) {
                world.publish(DESIRED, self.desired());
            }
        }
        world.run_for(40_000);
        // The broker has kept it, say.
        let said = sent(world).len();
        world.publish(DESIRED, self.desired());
        world.run_for(10_000);
        let again = sent(world)[said..].iter().any(|seen| is_order(seen));
        assert!(!again, "a redelivered desired state commands nothing");
        setup
    }

    fn suits(&self, variant: Variant) -> bool {
        self.members.iter().all(|member| variant.suits(member.kind))
    }
}

/// The final statuses of the activity.
fn ends(world: &World) -> Vec<Report> {
    world.ends().into_iter().filter(|end| end.activity != EARLIER).collect()
}

/// What must be, whatever was cut.
fn check(shape: &Shape, world: &World, setup: &Setup) -> Expected {
    let expected = shape.expected();
    let ends = ends(world);
    assert!(!ends.is_empty(), "it ends");
    assert!(ends.len() <= 1 + world.mere_cuts(), "{ends:?}");
    assert!(ends.iter().all(|end| end.activity == ACTIVITY && end.status == ends[0].status), "{ends:?}");
    let end = &ends[0];
    let is_expected = match (setup.cancelled, expected.end) {
        _ if shape.host.is_some() => true,
        (Some((_, usize::MAX)), expected) if end.status == expected => true,
        (Some(_), _) => end.status.starts_with("INCOMPLETE"),
        (None, "INCOMPLETE" | "INCOMPLETE_INCONSISTENT") => end.status.starts_with("INCOMPLETE"),
        (None, expected) => end.status == expected,
    };
    assert!(is_expected, "{} {:?}, expected {expected:?}", end.status, end.message);
    let found: Vec<Found> = world.company.devices.iter().map(|(domain, device)| found(world, domain, device)).collect();
    if let Some(rule) = broken(world, setup).or_else(|| whole_or_named(setup, end, &found)) {
        panic!("{rule}");
    }
    if let Some(host) = &shape.host {
        rebooting::check(shape, host, world, setup, end);
    } else {
        assert!(world.reboots.is_empty(), "nobody needs a reboot");
    }
    let reports = world.reports(ACTIVITY);
    let mut actions = reports.iter().flat_map(|report| &report.actions);
    let other = actions.find(|action| action["component"]["version"] != "2");
    assert_eq!(other, None, "no action is of what a domain is restored to");
    expected
}

fn found(world: &World, domain: &'static str, device: &RefCell<Device>) -> Found {
    let device = device.borrow();
    Found { domain, before: device.first(), after: device.truth(world.wall()) }
}

/// What must be if nothing was cut or cancelled.
fn check_exactly(shape: &Shape, world: &World, expected: &Expected) {
    let Some(end) = ends(world).first().cloned() else { return };
    let Report { status, message, .. } = &end;
    let mut named = inconsistent(&end);
    let mut inconsistent = expected.inconsistent.clone();
    if expected.uncertain.is_empty() {
        assert_eq!(status, expected.end, "{message:?}, expected {expected:?}");
    }
    named.retain(|domain| !expected.uncertain.contains(&**domain));
    inconsistent.retain(|domain| !expected.uncertain.contains(domain));
    assert!(named.iter().eq(inconsistent.iter()), "{message:?}, expected {expected:?}");
    let unnamed = expected.failed.iter().find(|domain| !message.contains(&format!("[{domain}]")));
    assert_eq!(unnamed, None, "who failed is named in {message:?}");
    let says = message.contains("rolled back");
    let is_bound = shape.setup().has_groups() && inconsistent.is_empty() && expected.uncertain.is_empty();
    assert!(!is_bound || says != expected.undone.is_empty(), "{message:?}, expected {expected:?}");
    for member in shape.members.iter().filter(|member| !expected.uncertain.contains(member.domain)) {
        let mut told = told(world, member.domain, ACTIVITY);
        // CLEANUP alone may be told twice.
        let mut known = Vec::new();
        told.retain(|order| {
            !known.contains(order) && {
                known.push(*order);
                true
            }
        });
        if expected.optional.contains(member.domain) {
            told.retain(|order| *order != "CLEANUP");
        }
        assert_eq!(told, expected.orders[member.domain], "what [{}] is told", member.domain);
        check_restored(world, member, expected, shape.setup().has_groups());
    }
}

/// What a domain is told of an activity, `IDENTIFY` for the desired state.
fn told<'w>(world: &'w World, domain: &str, activity: &str) -> Vec<&'w str> {
    let topics = [topic(domain, "desiredstate"), topic(domain, "desiredstate/command")];
    let sent = world.sent().filter(|seen| topics.contains(&seen.topic) && seen.activity() == activity);
    sent.map(|seen| if seen.topic == topics[0] { "IDENTIFY" } else { seen.command() }).collect()
}

/// It is restored as it must be, and what is undone is told so.
fn check_restored(world: &World, member: &Member, expected: &Expected, has_groups: bool) {
    let domain = member.domain;
    let restoring = expected.restoring.get(domain).cloned().unwrap_or_default();
    let mut told = told(world, domain, &format!("{ACTIVITY}{RESTORE}"));
    if restoring.is_free {
        told.retain(|order| *order != "CLEANUP");
    }
    assert_eq!(told, restoring.orders, "what [{domain}] is told to be restored");
    if !expected.undone.contains(domain) || !has_groups {
        return;
    }
    let reports = world.reports(ACTIVITY);
    let end = reports.iter().find(|report| report.is_final());
    let actions = end.map(Report::actions).unwrap_or_default();
    let other =
        actions.iter().find(|(id, status)| id.starts_with(&format!("{domain}:")) && *status != "UPDATE_FAILURE");
    assert_eq!(other, None, "[{domain}] is old again");
}

pub fn uncut(shape: &Shape, variant: Variant) -> Uncut {
    let _case = Case(shape.name());
    let mut world = shape.begin(variant, |_| {});
    let (before, begun, seen) = (world.power.moments.counts, world.now(), world.broker.seen.len());
    let setup = shape.lead(&mut world);
    let end = ends(&world).first().map_or(0, |end| end.at);
    let expected = check(shape, &world, &setup);
    if shape.cancel_after.is_none() && shape.host.is_none() {
        check_exactly(shape, &world, &expected);
    }
    let mut times: Vec<u64> = world.broker.seen[seen..].iter().map(|seen| seen.at).filter(|at| *at <= end).collect();
    times.dedup();
    Uncut { before, counts: world.power.moments.counts, times: times.into_iter().map(|at| at - begun).collect() }
}

/// One cut; the world when all is over.
pub fn cut_at(shape: &Shape, variant: Variant, cut: Cut) -> World {
    let Variant { down_ms, boots, agents_too, .. } = variant;
    let Cut { moment, nth, fate } = cut;
    let _case = Case(format!("{}: {cut:?} {variant:?}", shape.name()));
    let outage = Outage { fate, down_ms, boots, agents_too };
    let mut world = shape.begin(variant, |world| world.power.moments.cut = Some((moment, nth, outage)));
    let setup = shape.lead(&mut world);
    assert_eq!(world.mere_cuts(), 1, "the power was cut");
    check(shape, &world, &setup);
    world
}

/// Cuts at every `step`th moment of a shape; how many there are.
pub fn cut_shape(shape: &Shape, variant: Variant, fates: &[Fate], step: usize) -> usize {
    if !shape.suits(variant) {
        return 0;
    }
    let uncut = uncut(shape, variant);
    let cuts = each_cut(&uncut.before, &uncut.counts, fates);
    cuts.iter().step_by(step).map(|cut| drop(cut_at(shape, variant, *cut))).count()
}

/// The shape, cancelled at each moment at which something happens in it.
fn cancelled(shape: &Shape) -> Vec<Shape> {
    let mut times = uncut(shape, PROCESS).times;
    times.extend(times.clone().iter().map(|at| at + 1));
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(|at| Shape { cancel_after: Some(at), ..shape.clone() }).collect()
}

/// Those that are worth a cancellation at each moment: one of ten.
pub fn cancelled_shapes(all: &[Shape]) -> Vec<Shape> {
    // One that commits by itself while it identifies cannot be told in time.
    let is_early = |shape: &&Shape| shape.members.iter().any(|member| member.does == Does::Early("IDENTIFY"));
    let some = all.iter().step_by(10).filter(|shape| shape.setup().has_groups() && !is_early(shape));
    some.flat_map(cancelled).collect()
}

/// Leads each shape to its end without a cut; how many that were.
pub fn uncut_all(step: usize) -> usize {
    shapes::shapes().iter().step_by(step).map(|shape| drop(uncut(shape, PROCESS))).count()
}

/// Cancels every `step`th of the shapes that are worth it at each moment; how many that were.
pub fn cancel_all(step: usize) -> usize {
    let all: Vec<Shape> = shapes::shapes().into_iter().step_by(step).collect();
    cancelled_shapes(&all).iter().map(|shape| drop(uncut(shape, PROCESS))).count()
}

/// Cuts the power at some moments of some shapes; returns how many cuts that were.
pub fn cut_some(shapes_step: usize, step: usize) -> usize {
    let fates = [Fate::Lost, Fate::Head(500), Fate::Whole];
    let all = shapes::shapes();
    let some = all.iter().enumerate().step_by(shapes_step);
    some.map(|(place, shape)| cut_shape(shape, variant_of(place, shape), &fates, step)).sum()
}

/// One that suits the shape, another for the next.
pub fn variant_of(place: usize, shape: &Shape) -> Variant {
    let all = [HOST, PROCESS, LONG, CLEAN, SHORT];
    let mut from_here = (0..all.len()).map(|n| all[(place + n) % all.len()]);
    from_here.find(|variant| shape.suits(*variant)).unwrap_or(HOST)
}

/// Cuts the power at every moment of every shape, those that are cancelled at each moment
/// included, until there were so many cuts; returns how many that were.
pub fn cut_all(most: usize) -> usize {
    let mut all = shapes::shapes();
    all.extend(cancelled_shapes(&all));
    let (next, cuts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let number = all.len();
    // Neighbours are alike: those of a part of them are spread.
    let order: Vec<usize> = (0..number).map(|place| place * STRIDE % number).collect();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| loop {
                let turn = next.fetch_add(1, Relaxed);
                let Some(place) = order.get(turn).filter(|_| cuts.load(Relaxed) < most) else { return };
                let shape = &all[*place];
                cuts.fetch_add(cut_shape(shape, variant_of(turn, shape), &tears(2), 1), Relaxed);
                if turn % 100 == 99 {
                    println!("{:>8} cuts, {} of {number} shapes", cuts.load(Relaxed), turn + 1);
                }
            });
        }
    });
    let cuts = cuts.into_inner();
    println!("{cuts} cuts of {} shapes", next.into_inner().min(number));
    cuts
}

/// A prime that leaves no shape out.
const STRIDE: usize = 7_919;
