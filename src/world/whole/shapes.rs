//! All shapes: each layout of domains and groups, with each thing that may come in between.

use crate::model::Rollback;
use crate::world::kind::Kind;
use crate::world::whole::loader::AfterBoot;
use crate::world::whole::shape::{Check, Does, Member, Shape, DOMAINS};

/// A group, an order, and whether it fails alone, for each domain.
type Layout = (Rollback, &'static [(usize, u8, bool)]);

const LAYOUTS: [Layout; 12] = [
    (Rollback::Device, &[(0, 50, false)]),
    (Rollback::Baseline, &[(0, 50, false), (0, 50, false)]),
    (Rollback::Device, &[(0, 10, false), (0, 20, false)]),
    (Rollback::Baseline, &[(0, 20, false), (1, 10, false)]),
    (Rollback::Device, &[(0, 50, true), (0, 50, false)]),
    (Rollback::Baseline, &[(0, 20, false), (0, 10, true), (1, 50, false)]),
    (Rollback::Baseline, &[(0, 10, false), (1, 50, false), (0, 20, false)]),
    (Rollback::Device, &[(0, 10, false), (0, 10, false), (0, 20, false)]),
    (Rollback::Baseline, &[(0, 20, false), (0, 10, false), (1, 50, true), (2, 50, false)]),
    (Rollback::Device, &[(0, 30, false), (0, 20, false), (0, 20, true), (0, 10, false)]),
    (Rollback::None, &[(0, 10, false), (0, 20, false)]),
    (Rollback::None, &[(0, 60, false), (0, 50, false), (0, 50, true)]),
];

/// What the one that the shape is about does.
const CAUSES: [Does; 15] = [
    Does::All,
    Does::Nothing,
    Does::Early("IDENTIFY"),
    Does::Early("UPDATE"),
    Does::Fails("IDENTIFY"),
    Does::Fails("DOWNLOAD"),
    Does::Fails("UPDATE"),
    Does::Fails("ACTIVATE"),
    Does::Fails("CLEANUP"),
    Does::Mute(&["IDENTIFY"]),
    Does::Mute(&["DOWNLOAD"]),
    Does::Mute(&["UPDATE"]),
    Does::Mute(&["UPDATE", "ROLLBACK"]),
    Does::Mute(&["ACTIVATE"]),
    Does::Mute(&["CLEANUP"]),
];

/// What another one does meanwhile.
const OTHERS: [Does; 8] = [
    Does::All,
    Does::Fails("ROLLBACK"),
    Does::Mute(&["ROLLBACK"]),
    Does::Nothing,
    Does::Early("DOWNLOAD"),
    Does::Early("ACTIVATE"),
    Does::Fails("UPDATE"),
    Does::Mute(&["ACTIVATE", "ROLLBACK"]),
];

/// What a domain does that is not undone by ROLLBACK, the kind of its agent, and whether it
/// is known that ROLLBACK does not help past ACTIVATE.
const LOST: [(Does, Option<Kind>, bool); 9] = [
    (Does::Fails("ROLLBACK"), Some(Kind::Tolerant), false),
    (Does::Mute(&["ROLLBACK"]), Some(Kind::SelfUpdate), false),
    (Does::Mute(&["ACTIVATE", "ROLLBACK"]), None, false),
    (Does::Mute(&["UPDATE", "ROLLBACK"]), None, false),
    (Does::Fails("UPDATE"), Some(Kind::Strict), false),
    (Does::Fails("ACTIVATE"), None, true),
    (Does::All, None, true),
    (Does::Early("IDENTIFY"), None, false),
    (Does::Early("UPDATE"), None, false),
];

/// What it does when it is restored.
const RESTORES: [Does; 13] = [
    Does::All,
    Does::Nothing,
    Does::Early("UPDATE"),
    Does::Fails("IDENTIFY"),
    Does::Fails("DOWNLOAD"),
    Does::Fails("UPDATE"),
    Does::Fails("ACTIVATE"),
    Does::Fails("CLEANUP"),
    Does::Mute(&["IDENTIFY"]),
    Does::Mute(&["DOWNLOAD"]),
    Does::Mute(&["UPDATE"]),
    Does::Mute(&["ACTIVATE"]),
    Does::Mute(&["CLEANUP"]),
];

/// What turns the group back if another domain does it.
const CULPRITS: [Does; 4] =
    [Does::Fails("ACTIVATE"), Does::Mute(&["UPDATE"]), Does::Fails("UPDATE"), Does::Fails("DOWNLOAD")];

/// Shapes in which the same is done that is not undone.
const RESTORED: usize = 3;

/// Each by number, so that kinds of agents and the like are spread over them.
struct Shapes(Vec<Shape>);

/// All shapes.
pub fn shapes() -> Vec<Shape> {
    let mut shapes = Shapes(Vec::new());
    for layout in LAYOUTS {
        shapes.with_causes(layout);
        shapes.with_questions(layout);
        shapes.with_checks(layout);
    }
    let nobody = Shape { is_unserved: true, ..shapes.next(LAYOUTS[1]) };
    shapes.0.push(nobody);
    LAYOUTS.into_iter().for_each(|layout| shapes.with_restores(layout));
    shapes.0
}

impl Shapes {
    /// All goes well, with other agents each time.
    fn next(&self, (rollback, members): Layout) -> Shape {
        let number = self.0.len();
        let member = |(place, (group, order, is_alone)): (usize, &(usize, u8, bool))| Member {
            domain: DOMAINS[place],
            group: *group,
            order: *order,
            is_alone: *is_alone,
            kind: Kind::ALL[(number + 2 * place) % Kind::ALL.len()],
            does: Does::All,
            restores: Does::All,
            is_for_good: false,
            boots: None,
            after_boot: AfterBoot::BeginsAnew,
        };
        Shape {
            rollback,
            is_asked_for: number % 4 == 3,
            members: members.iter().enumerate().map(member).collect(),
            is_unserved: false,
            consent: None,
            check: Check::None,
            reports_inconsistent: number % 3 == 1,
            is_kept: false,
            cancel_after: None,
            host: None,
        }
    }

    fn with_causes(&mut self, layout: Layout) {
        let last = layout.1.len() - 1;
        for cause in CAUSES {
            for victim in if last == 0 { vec![0] } else { vec![0, last] } {
                for other in if last == 0 { &OTHERS[..1] } else { &OTHERS } {
                    let mut shape = self.next(layout);
                    shape.members[victim].does = cause;
                    if last > 0 {
                        shape.members[(victim + 1) % (last + 1)].does = *other;
                    }
                    self.0.push(shape);
                }
            }
        }
    }

    /// All was committed before, and a domain is not undone.
    fn with_restores(&mut self, layout: Layout) {
        for (does, kind, is_for_good) in LOST {
            for turn in 0..RESTORED {
                let shape = Shape { is_kept: true, ..self.next(layout) };
                self.with_lost(shape, does, kind, is_for_good, turn);
            }
        }
        for (command, answer) in [("UPDATE", "APPROVED"), ("UPDATE", "DENIED"), ("ACTIVATE", "DENIED")] {
            let consent = Some((command, Some(answer)));
            let mut shape = Shape { is_kept: true, consent, ..self.next(layout) };
            let slow = shape.members.iter_mut().filter(|member| member.kind == Kind::Silent);
            slow.for_each(|member| member.kind = Kind::Strict);
            self.with_lost(shape, Does::Fails("ROLLBACK"), None, false, 0);
        }
    }

    fn with_lost(&mut self, mut shape: Shape, does: Does, kind: Option<Kind>, is_for_good: bool, turn: usize) {
        let number = self.0.len();
        let place = turn % shape.members.len();
        for (nth, member) in shape.members.iter_mut().enumerate() {
            member.restores = RESTORES[(number + nth * RESTORED) % RESTORES.len()];
        }
        let lost = &mut shape.members[place];
        (lost.does, lost.is_for_good, lost.kind) = (does, is_for_good, kind.unwrap_or(lost.kind));
        // The self-update agent takes nothing more when it was cleaned up in the middle of its
        // update.
        if lost.is_alone && lost.kind == Kind::SelfUpdate {
            lost.kind = Kind::Forgetful;
        }
        let (domain, group) = (lost.domain, lost.group);
        let is_other = |member: &&mut Member| member.domain != domain && member.group == group && !member.is_alone;
        match shape.members.iter_mut().find(is_other) {
            Some(other) => other.does = CULPRITS[number % CULPRITS.len()],
            None => shape.check = Check::Command(Some(group)),
        }
        self.0.push(shape);
    }

    fn with_questions(&mut self, layout: Layout) {
        for command in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
            for answer in [Some("APPROVED"), Some("DENIED"), None] {
                let others = [Does::Fails("DOWNLOAD"), Does::Fails("ROLLBACK"), Does::Nothing, Does::Early("IDENTIFY")];
                for does in [Does::All].into_iter().chain(others) {
                    let mut shape = self.next(layout);
                    shape.consent = Some((command, answer));
                    shape.members[0].does = does;
                    // Of groups with a pace of their own nobody knows which is asked first.
                    let slow = shape.members.iter_mut().filter(|member| member.kind == Kind::Silent);
                    slow.for_each(|member| member.kind = Kind::Strict);
                    self.0.push(shape);
                }
            }
        }
    }

    fn with_checks(&mut self, layout: Layout) {
        let inventories = [(Check::Inventories, Does::All), (Check::Inventories, Does::Pretends)];
        let commands = [Check::Command(None), Check::Command(Some(0)), Check::Never(0), Check::Hangs(0)];
        let others = [Does::All, Does::Fails("ROLLBACK"), Does::Mute(&["ROLLBACK"]), Does::Fails("UPDATE")];
        let commands = commands.into_iter().flat_map(|check| others.map(|does| (check, does)));
        for (check, does) in inventories.into_iter().chain(commands) {
            let mut shape = self.next(layout);
            shape.check = check;
            shape.members[0].does = does;
            if shape.members[0].kind == Kind::SelfUpdate {
                // It is not asked while it takes part.
                shape.members[0].kind = Kind::Forgetful;
            }
            self.0.push(shape);
        }
    }
}
