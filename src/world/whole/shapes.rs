//! All shapes: each layout of domains and groups, with each thing that may come in between.

use crate::model::Rollback;
use crate::world::kind::Kind;
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
        };
        Shape {
            rollback,
            is_asked_for: number % 4 == 3,
            members: members.iter().enumerate().map(member).collect(),
            is_unserved: false,
            consent: None,
            check: Check::None,
            reports_inconsistent: number % 3 == 1,
            cancel_after: None,
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
