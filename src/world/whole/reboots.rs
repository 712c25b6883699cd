//! Shapes with a reboot before the commit (docs/whole-device.md, "Across a reboot").

use crate::model::Rollback;
use crate::world::kind::Kind;
use crate::world::whole::loader::{AfterBoot, Trial};
use crate::world::whole::shape::{Check, Does, Host, Shape};

/// An agent, and what it does when the new version runs.
type Agent = (Kind, AfterBoot);

/// Who serves the domain that takes effect with the boot, and the others.
const TEAMS: [[Agent; 3]; 6] = [
    [(Kind::Tolerant, AfterBoot::Remembers); 3],
    [
        (Kind::Tolerant, AfterBoot::Remembers),
        (Kind::Strict, AfterBoot::BeginsAnew),
        (Kind::Forgetful, AfterBoot::Content),
    ],
    [
        (Kind::SelfUpdate, AfterBoot::Content),
        (Kind::Strict, AfterBoot::BeginsAnew),
        (Kind::Tolerant, AfterBoot::Remembers),
    ],
    [
        (Kind::SelfUpdate, AfterBoot::Content),
        (Kind::Strict, AfterBoot::Content),
        (Kind::Forgetful, AfterBoot::BeginsAnew),
    ],
    [
        (Kind::Strict, AfterBoot::BeginsAnew),
        (Kind::Tolerant, AfterBoot::Remembers),
        (Kind::SelfUpdate, AfterBoot::Content),
    ],
    [
        (Kind::Forgetful, AfterBoot::BeginsAnew),
        (Kind::Tolerant, AfterBoot::Content),
        (Kind::Strict, AfterBoot::Content),
    ],
];

/// The groups of the domains: in the last layouts one of them owes no boot.
const LAYOUTS: [(Rollback, &[usize]); 4] = [
    (Rollback::Device, &[0]),
    (Rollback::Device, &[0, 0]),
    (Rollback::Baseline, &[0, 1]),
    (Rollback::Baseline, &[0, 1, 0]),
];

/// It reboots, and all is well.
pub const WELL: Host = Host { reboots: true, is_bad: false, verifies: false, other_after: None };

/// What becomes of the reboot, and of what boots.
const HOSTS: [(Host, Trial, Option<u64>); 8] = [
    (WELL, Trial::GOOD, None),
    (WELL, Trial::ONCE, None),
    (WELL, Trial::FALLS_BACK, None),
    (Host { is_bad: true, ..WELL }, Trial::GOOD, None),
    (Host { reboots: false, ..WELL }, Trial::GOOD, None),
    (Host { other_after: Some(1_500), ..WELL }, Trial::GOOD, None),
    (Host { other_after: Some(1_500), ..WELL }, Trial::FALLS_BACK, None),
    // It is cancelled while it waits for the reboot.
    (WELL, Trial::GOOD, Some(1_500)),
];

/// All of them.
pub fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (rollback, groups) in LAYOUTS {
        for team in TEAMS {
            for (host, trial, cancel_after) in HOSTS {
                let number = shapes.len();
                let agents: Vec<(Kind, Does)> =
                    team[..groups.len()].iter().map(|(kind, _)| (*kind, Does::All)).collect();
                let mut shape = Shape { rollback, host: Some(host), cancel_after, ..Shape::of_one_group(&agents) };
                for (place, member) in shape.members.iter_mut().enumerate() {
                    (member.group, member.after_boot) = (groups[place], team[place].1);
                    member.order = if place == 0 { 90 } else { 10 };
                }
                shape.members[0].boots = Some(trial);
                let is_self_update = shape.members[0].kind == Kind::SelfUpdate;
                shape.host = Some(Host { verifies: !is_self_update && number % 3 == 0, ..host });
                if host.is_bad || number % 2 == 1 {
                    shape.check = Check::Command(None);
                }
                if number % 5 == 0 {
                    shape.consent = Some(("ACTIVATE", Some("APPROVED")));
                }
                shapes.push(shape);
            }
        }
    }
    shapes.extend(two_groups());
    shapes
}

/// Two groups that each owe the boot: one reboot is for both.
fn two_groups() -> Vec<Shape> {
    let trials = [(Trial::GOOD, Trial::GOOD), (Trial::GOOD, Trial::FALLS_BACK)];
    let with = |team: &[Agent; 3]| {
        trials.map(|(one, two)| {
            let agents = [team[0], team[1]];
            let mut shape = Shape {
                rollback: Rollback::Baseline,
                host: Some(WELL),
                ..Shape::of_one_group(&agents.map(|(kind, _)| (kind, Does::All)))
            };
            for (place, (member, (_, after_boot))) in shape.members.iter_mut().zip(agents).enumerate() {
                (member.group, member.after_boot) = (place, after_boot);
            }
            (shape.members[0].boots, shape.members[1].boots) = (Some(one), Some(two));
            shape
        })
    };
    TEAMS.iter().flat_map(with).collect()
}
