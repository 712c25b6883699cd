//! The power is cut at every moment of every shape of an activity: at each write to
//! the disk, each packet received or sent, each timer. Whatever is lost with it,
//! the backend has one final status, the right one, and nothing follows it.
//!
//! `tests/sim --cuts` runs all of them, the gate some.

use crate::world::actors::{desired_state, Owner};
use crate::world::disk::{Fate, Hurt};
use crate::world::kind::Kind;
use crate::world::plan::{Does, Model, Plan};
use crate::world::power::{Moment, Outage};
use crate::world::scenario::World;
use crate::world::seen::{topic, From, Report, Seen};

/// One course of an activity.
pub struct Shape {
    name: &'static str,
    plan: Plan,
    expected: Model,
    /// More of the configuration file.
    more: &'static str,
}

const PACE_MS: u64 = 20;

const ONE: &[&str] = &["one"];
const BOTH: &[&str] = &["one", "two"];

fn shape(name: &'static str, domains: &'static [&'static str], agents: &'static [(&'static str, Does)]) -> Shape {
    Shape { name, plan: Plan { domains, agents, consent: None }, expected: Plan::in_lockstep, more: "" }
}

fn asking(name: &'static str, domains: &'static [&'static str], answer: Option<&'static str>) -> Shape {
    let more = r#""ownerConsentCommands": ["update"], "#;
    Shape {
        name,
        plan: Plan { domains, agents: WELL, consent: Some(("UPDATE", answer)) },
        expected: Plan::in_lockstep,
        more,
    }
}

const WELL: &[(&str, Does)] = &[("one", Does::All), ("two", Does::All)];

/// All shapes, of which come what `expected` says.
pub fn shapes(expected: Model) -> Vec<Shape> {
    let mut shapes = vec![
        shape("one domain, all well", ONE, WELL),
        shape("two domains, all well", BOTH, WELL),
        shape("one of two fails in DOWNLOAD", BOTH, &[("one", Does::All), ("two", Does::AllBut("DOWNLOAD"))]),
        shape("one of two fails in UPDATE", BOTH, &[("one", Does::AllBut("UPDATE")), ("two", Does::All)]),
        shape("one of two fails in ACTIVATE", BOTH, &[("one", Does::AllBut("ACTIVATE")), ("two", Does::All)]),
        shape("identification fails", BOTH, &[("one", Does::All), ("two", Does::AllBut("IDENTIFY"))]),
        shape("nothing to do", ONE, &[("one", Does::Nothing), ("two", Does::All)]),
        shape("nothing to do for one of two", BOTH, &[("one", Does::Nothing), ("two", Does::All)]),
        asking("consent, approved", BOTH, Some("APPROVED")),
        asking("consent, denied", BOTH, Some("DENIED")),
        asking("consent, no answer", ONE, None),
        shape("one of two is silent in DOWNLOAD", BOTH, &[("one", Does::All), ("two", Does::SilentAt("DOWNLOAD"))]),
        shape("no answer to CLEANUP", ONE, &[("one", Does::SilentAt("CLEANUP")), ("two", Does::All)]),
        shape("a domain that nobody serves", &["nobody"], WELL),
        shape("a reboot afterwards", &["reboot"], &[("reboot", Does::All)]),
    ];
    shapes.iter_mut().for_each(|shape| shape.expected = expected);
    shapes
}

impl Shape {
    fn is_reboot(&self) -> bool {
        self.plan.domains.contains(&"reboot")
    }

    fn end(&self) -> &'static str {
        (self.expected)(&self.plan).end
    }

    fn desired(&self) -> String {
        let state = desired_state(self.plan.domains);
        format!(r#"{{"activityId":"a-1","timestamp":1700000000001,"payload":{state}}}"#)
    }

    /// The world before the activity. A consent is waited for 20 s, a phase 2 min.
    pub fn begin(&self, kind: Kind, clean: bool, prepare: impl FnOnce(&mut World)) -> World {
        let agents = match self.is_reboot() {
            true => r#""reboot": {"rebootRequired": true}"#,
            false => r#""one": {}, "two": {}"#,
        };
        let more = self.more;
        // The silent agent cleans up for long, too.
        let cleanup = if kind == Kind::Silent { "30s" } else { "5s" };
        let config = format!(
            r#"{{"thingsEnabled": false, "agents": {{{agents}}}, {more}"phaseTimeout": "2m", "resumeAfter": "10s",
            "ownerConsentTimeout": "20s", "cleanupTimeout": "{cleanup}", "connection": {{"clientId": "um", "cleanSession": {clean}}}}}"#
        );
        let mut world = World::saved(&config);
        for (domain, does) in self.plan.agents {
            let mut manner = kind.paced(PACE_MS);
            match does {
                Does::All => {}
                Does::Nothing => manner.is_content = true,
                Does::AllBut(command) => manner.fails_at = command,
                Does::SilentAt(command) => manner.silent_at = command,
            }
            world = kind.join(world, domain, manner);
        }
        if let Some(answer) = self.plan.consent.and_then(|(_, answer)| answer) {
            world = world.joined_by(Owner { answer, after_ms: 500 });
        }
        world.run_for(1_000);
        prepare(&mut world);
        world
    }

    /// The activity, until it is over and a while past it. A backend says it again
    /// when nothing came of it.
    pub fn lead(&self, world: &mut World) {
        world.publish("deviceupdate/desiredstate", self.desired());
        for _ in 0..2_000 {
            world.run_for(3_000);
            if world.reports("a-1").is_empty() && world.now() > 8_000 && world.config.connection.is_clean(true) {
                world.publish("deviceupdate/desiredstate", self.desired());
            }
            if !ends(world).is_empty() {
                break;
            }
        }
        world.run_for(40_000);
        // The broker has kept it, say.
        let said = sent(world).len();
        world.publish("deviceupdate/desiredstate", self.desired());
        world.run_for(10_000);
        let again = sent(world)[said..].iter().any(|seen| is_order(seen));
        assert!(!again, "a redelivered desired state commands nothing");
    }
}

/// All that the manager has sent, what it had to send again as well.
pub fn sent(world: &World) -> Vec<&Seen> {
    world.broker.seen.iter().filter(|seen| seen.from == From::Manager).collect()
}

pub fn is_order(seen: &Seen) -> bool {
    seen.topic.ends_with("/desiredstate") || seen.topic.ends_with("/desiredstate/command")
}

pub fn ends(world: &World) -> Vec<Report> {
    sent(world).into_iter().filter_map(Seen::end).collect()
}

/// The domain is told what it has to be told, in that order, and nothing else. How
/// often what leads forward is told is a rule of every world (`forward`); CLEANUP and
/// ROLLBACK are told at most `most` times. Whoever finds nothing to do may be told to
/// clean up, which is not waited for.
fn check_orders(world: &World, domain: &str, does: Does, expected: &[&str], most: usize) {
    let (state, command) = (topic(domain, "desiredstate"), topic(domain, "desiredstate/command"));
    let mut told: Vec<(&str, usize)> = Vec::new();
    for seen in sent(world).into_iter().filter(|seen| !seen.again && (seen.topic == state || seen.topic == command)) {
        let order = if seen.topic == state { "IDENTIFY" } else { seen.command() };
        match told.iter_mut().find(|(known, _)| *known == order) {
            Some((_, times)) => *times += 1,
            None => told.push((order, 1)),
        }
    }
    let is_awaited = |order: &&str| does != Does::Nothing || *order != "CLEANUP";
    let orders: Vec<&str> = told.iter().map(|(order, _)| *order).filter(is_awaited).collect();
    assert_eq!(orders, expected, "what [{domain}] is told");
    let mut last = told.iter().filter(|(order, _)| matches!(*order, "CLEANUP" | "ROLLBACK"));
    assert!(last.all(|(_, times)| *times <= most), "[{domain}] {told:?}, at most {most} times");
}

/// What must be, wherever the power was cut: no agent is told to clean up more often
/// than it or the manager has started.
fn check(shape: &Shape, world: &World, uncut: &Uncut, starts: usize) {
    let ends = ends(world);
    let statuses: Vec<&str> = ends.iter().map(|end| end.status.as_str()).collect();
    let expected = (shape.expected)(&shape.plan);
    assert!(!ends.is_empty(), "it ends");
    assert!(statuses.iter().all(|status| *status == expected.end), "{statuses:?}, not {}", expected.end);
    for (domain, does) in shape.plan.agents {
        check_orders(world, domain, *does, &expected.orders[domain], starts);
    }
    assert!(ends.iter().all(|end| end.activity == "a-1"));
    assert!(ends.len() <= 1 + world.power.cuts.len(), "{statuses:?}");
    let sent = sent(world);
    let end = sent.iter().position(|seen| seen.end().is_some()).unwrap();
    let after = sent[end..].iter().find(|seen| is_order(seen));
    assert!(after.is_none(), "after the end: {after:?}");
    let is_led = sent.iter().any(|seen| seen.command() == "DOWNLOAD");
    let is_told = sent.iter().filter_map(|seen| seen.report()).any(|report| report.status == "IDENTIFIED");
    assert!(!is_led || is_told, "the backend is told that all have identified");
    if !shape.is_reboot() {
        return assert!(world.reboots.is_empty());
    }
    assert!(world.reboots.len() <= 1, "{:?}", world.reboots);
    // The host has booted once it was cut past the end, or was told to.
    let cut = world.power.cuts.first().copied().unwrap_or(0);
    let excused = match world.power.boot {
        0 => cut >= uncut.reboot,
        _ => cut >= uncut.end,
    };
    assert!(!world.reboots.is_empty() || excused, "the host reboots");
}

/// The same without a cut.
#[derive(Clone, Copy, Default)]
struct Uncut {
    counts: [usize; 4],
    before: [usize; 4],
    end: u64,
    reboot: u64,
}

/// How cuts differ but for their moment.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub down_ms: u64,
    pub boots: bool,
    pub agents_too: bool,
    pub clean: bool,
}

impl Variant {
    /// Whether this kind of agent can come to the right end: the self-update agent does
    /// not repeat an answer that was lost with a clean session.
    pub fn suits(self, kind: Kind) -> bool {
        kind != Kind::SelfUpdate || !self.clean
    }
}

pub const HOST: Variant = Variant { down_ms: 300, boots: true, agents_too: true, clean: false };
pub const PROCESS: Variant = Variant { down_ms: 0, boots: false, agents_too: false, clean: false };
pub const CLEAN: Variant = Variant { clean: true, ..PROCESS };
pub const LONG: Variant = Variant { down_ms: 90_000, boots: true, agents_too: true, clean: false };
pub const SHORT: Variant = Variant { down_ms: 300, boots: false, agents_too: false, clean: true };

/// Says which case has failed.
pub struct Case(pub String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("cut: {}", self.0);
        }
    }
}

fn uncut(shape: &Shape, kind: Kind, variant: Variant) -> Uncut {
    let mut uncut = Uncut::default();
    let _case = Case(format!("{}: {kind:?}", shape.name));
    let mut world = shape.begin(kind, variant.clean, |_| {});
    uncut.before = world.power.moments.counts;
    shape.lead(&mut world);
    uncut.end = ends(&world)[0].at;
    uncut.reboot = world.reboots.first().copied().unwrap_or(0);
    uncut.counts = world.power.moments.counts;
    check(shape, &world, &uncut, 1);
    uncut
}

/// One cut: when, and what becomes of the write that runs.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub moment: Moment,
    pub nth: usize,
    pub fate: Fate,
}

fn cut_at(shape: &Shape, kind: Kind, variant: Variant, uncut: &Uncut, cut: Cut) {
    let Variant { down_ms, boots, agents_too, clean } = variant;
    let Cut { moment, nth, fate } = cut;
    let _case = Case(format!("{}: {kind:?}, {moment:?} {nth} {fate:?} {variant:?}", shape.name));
    let outage = Outage { fate, down_ms, boots, agents_too };
    let mut world = shape.begin(kind, clean, |world| world.power.moments.cut = Some((moment, nth, outage)));
    shape.lead(&mut world);
    assert_eq!(world.power.cuts.len(), 1, "the power was cut");
    check(shape, &world, uncut, 2 + usize::from(agents_too));
}

/// Cuts at every moment of a shape; how many there are.
fn cut_shape(shape: &Shape, kind: Kind, variant: Variant, fates: &[Fate]) -> usize {
    let mut cuts = 0;
    if !variant.suits(kind) {
        return 0;
    }
    let uncut = uncut(shape, kind, variant);
    for cut in each_cut(&uncut.before, &uncut.counts, fates) {
        cut_at(shape, kind, variant, &uncut, cut);
        cuts += 1;
    }
    cuts
}

/// A cut at each moment past those that were `before`, a write with each of these fates.
pub fn each_cut(before: &[usize; 4], counts: &[usize; 4], fates: &[Fate]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for moment in Moment::ALL {
        let fates = if moment == Moment::Write { fates } else { &[Fate::Lost] };
        for nth in before[moment as usize] + 1..=counts[moment as usize] {
            cuts.extend(fates.iter().map(|fate| Cut { moment, nth, fate: *fate }));
        }
    }
    cuts
}

/// Each thousandth part that a tear may leave, in so many steps.
pub fn tears(steps: usize) -> Vec<Fate> {
    let mut fates = vec![Fate::Lost, Fate::Whole];
    for step in 1..steps {
        fates.extend([Fate::Head(step * 1_000 / steps), Fate::Tail(step * 1_000 / steps)]);
    }
    fates
}

/// After each write the power is cut and the record that it left is hurt at one of
/// its bytes, at every `step`th; how many that were.
pub fn hurt_all(shape: &Shape, step: usize) -> usize {
    let mut hurts = 0;
    let writes = uncut(shape, Kind::Tolerant, PROCESS).counts[Moment::Write as usize];
    for nth in 1..=writes {
        let mut byte = nth % step;
        loop {
            let mut len = 0;
            for hurt in [Hurt::Flip, Hurt::Cut] {
                let _case = Case(format!("{}: write {nth}, {hurt:?} at byte {byte}", shape.name));
                let outage = Outage { fate: Fate::Whole, down_ms: 0, boots: false, agents_too: false };
                let mut world = shape.begin(Kind::Tolerant, false, |world| {
                    world.power.moments.cut = Some((Moment::Write, nth, outage));
                    world.disk.as_mut().unwrap().hurt = Some((byte, hurt));
                    world.expects_error("cannot be read");
                    world.expects_error("is moved aside");
                });
                shape.lead(&mut world);
                len = world.power.hurt_len;
                check_hurt(shape, &world);
                hurts += 1;
            }
            byte += step;
            if byte >= len {
                break;
            }
        }
    }
    hurts
}

/// The right end, or that what was saved cannot be read.
fn check_hurt(shape: &Shape, world: &World) {
    let ends = ends(world);
    let is_unreadable = |end: &Report| end.status == "INCOMPLETE" && end.message.contains("unreadable");
    assert!(!ends.is_empty(), "it ends");
    assert!(ends.iter().all(|end| end.status == shape.end() || is_unreadable(end)), "{ends:?}");
    assert!(ends.iter().all(|end| end.status == ends[0].status), "one end: {ends:?}");
    assert!(ends.iter().all(|end| end.activity == "a-1"), "{ends:?}");
}

/// Leads each shape with each kind of agent to its end, without a cut.
pub fn uncut_all(expected: Model) {
    for (shape, kind) in shapes(expected).iter().flat_map(|shape| Kind::ALL.map(|kind| (shape, kind))) {
        for variant in [PROCESS, CLEAN].into_iter().filter(|variant| variant.suits(kind)) {
            uncut(shape, kind, variant);
        }
    }
}

/// Cuts the power at every moment of each shape, with a few kinds of agents; returns how
/// many cuts that were.
pub fn cut_some(expected: Model) -> usize {
    let fates = [Fate::Lost, Fate::Head(500), Fate::Whole];
    let mut cuts = 0;
    for (place, shape) in shapes(expected).iter().enumerate() {
        // Each shape with a few kinds of agents, each kind with a few shapes.
        let [of_host, of_process] = [Kind::ALL[place % 5], Kind::ALL[(place + 2) % 5]];
        cuts += cut_shape(shape, of_host, HOST, &fates) + cut_shape(shape, of_process, PROCESS, &fates);
    }
    cuts
}

/// Cuts the power at every moment of each shape with every kind of agent, for a moment and
/// for long, of the process and of the host; returns how many cuts that were.
pub fn cut_all(expected: Model) -> usize {
    let mut all = 0;
    for shape in shapes(expected) {
        for kind in Kind::ALL {
            let of_variant = |variant: Variant| cut_shape(&shape, kind, variant, &tears(5));
            let cuts: usize = [HOST, PROCESS, CLEAN, LONG, SHORT].into_iter().map(of_variant).sum();
            println!("{cuts:>6} cuts: {}: {kind:?}", shape.name);
            all += cuts;
        }
    }
    println!("{all} cuts");
    all
}

/// Has the disk fail from each write of each shape on.
pub fn fail_everywhere(expected: Model) {
    for shape in shapes(expected) {
        for why in ["No space left on device (os error 28)", "Input/output error (os error 5)"] {
            let writes = uncut(&shape, Kind::Tolerant, PROCESS).counts[Moment::Write as usize];
            (0..writes).for_each(|from| fail_from(&shape, why, from, writes));
        }
    }
}

fn fail_from(shape: &Shape, why: &'static str, from: usize, writes: usize) {
    let _case = Case(format!("{}: {why} from write {from} on", shape.name));
    let mut world = shape.begin(Kind::Tolerant, false, |world| {
        world.expects_error("the activity could not be saved and goes on in memory");
        let disk = world.disk.as_mut().unwrap();
        disk.fails = Some((from, why));
    });
    shape.lead(&mut world);
    let ends = ends(&world);
    assert_eq!(ends.len(), 1, "one end");
    assert_eq!(ends[0].status, shape.end());
    // What fails when the end is told already cannot be told any more.
    let is_told = ends[0].message.contains("could not be saved");
    assert!(is_told || from + 4 > writes, "{:?}", ends[0].message);
    let lines = crate::world::journal::lines();
    let said = lines.iter().filter(|(_, line)| line.contains("goes on in memory")).count();
    assert_eq!(said, 1, "it is logged once");
}
