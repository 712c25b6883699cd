//! One course of an activity in groups.

use serde_json::{json, Value};

use crate::model::Rollback;
use crate::world::cast::Manner;
use crate::world::checks::Says;
use crate::world::kind::Kind;
use crate::world::seen::RESTORE;
use crate::world::whole::loader::{AfterBoot, Trial};
use crate::world::whole::setup::{Kept, Part, Setup};
use crate::world::whole::truth::{Moods, Quirks};

pub const ACTIVITY: &str = "a-1";

/// The one before, if there is one.
pub const EARLIER: &str = "a-0";

pub const DOMAINS: [&str; 4] = ["one", "two", "three", "four"];

/// What an agent does with what it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// All of it, well.
    All,
    /// It finds nothing to do.
    Nothing,
    /// It says `COMPLETED` in answer to this, `IDENTIFY` for the desired state.
    Early(&'static str),
    /// This fails.
    Fails(&'static str),
    /// It does these and never answers them.
    Mute(&'static [&'static str]),
    /// All of it, it says, but what it activates is not what is wanted.
    Pretends,
}

/// A domain, and who serves it.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub domain: &'static str,
    /// The number of the group that baselines make of it and others.
    pub group: usize,
    pub order: u8,
    pub is_alone: bool,
    pub kind: Kind,
    pub does: Does,
    /// The same when it is restored.
    pub restores: Does,
    /// No ROLLBACK helps once it was given ACTIVATE.
    pub is_for_good: bool,
    /// It takes effect with a boot.
    pub boots: Option<Trial>,
    pub after_boot: AfterBoot,
}

/// How a group is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    None,
    /// The command is asked; it is bad for the group of this number, if there is one.
    Command(Option<usize>),
    /// The command never says more than "not yet" for the group of this number.
    Never(usize),
    /// The command does not come to an end for the group of this number.
    Hangs(usize),
    /// Each inventory has to show what is wanted.
    Inventories,
}

#[derive(Clone, Debug)]
pub struct Shape {
    pub rollback: Rollback,
    /// The desired state says it for itself.
    pub is_asked_for: bool,
    pub members: Vec<Member>,
    /// A domain is named that nobody serves.
    pub is_unserved: bool,
    /// The command before which the owner is asked, and the answer, if there is one.
    pub consent: Option<(&'static str, Option<&'static str>)>,
    pub check: Check,
    pub reports_inconsistent: bool,
    /// All was committed before, to other versions.
    pub is_kept: bool,
    /// Milliseconds after which the activity is cancelled.
    pub cancel_after: Option<u64>,
    /// What becomes of a reboot before the commit; none: it is not configured.
    pub host: Option<Host>,
}

/// What becomes of a reboot before the commit.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// It goes down when that is triggered.
    pub reboots: bool,
    /// The verification command finds the new system bad.
    pub is_bad: bool,
    /// `verifyInventory` is configured for what boots.
    pub verifies: bool,
    /// Somebody else reboots it, so many milliseconds after the activity began.
    pub other_after: Option<u64>,
}

const PACE_MS: u64 = 20;

impl Member {
    /// How its agent works.
    pub fn manner(&self) -> Manner {
        self.kind.paced(PACE_MS)
    }

    /// How its agent is in each activity.
    pub fn moods(&self) -> Moods {
        let Member { does, restores, after_boot, .. } = *self;
        Box::new(move |activity| match activity {
            EARLIER if does == Does::Nothing => does.quirks(),
            EARLIER => Quirks::default(),
            _ if activity.ends_with(RESTORE) => restores.quirks(),
            _ => Quirks { after_boot, ..does.quirks() },
        })
    }

    /// How it is before the first.
    pub fn quirks(&self) -> Quirks {
        Quirks { boots: self.boots, ..self.does.quirks() }
    }
}

impl Does {
    pub fn quirks(self) -> Quirks {
        let mut quirks = Quirks::default();
        match self {
            Does::All => {}
            Does::Nothing => quirks.is_content = true,
            Does::Fails(command) => quirks.fails_at = command,
            Does::Early(command) => quirks.completes_at = command,
            Does::Mute(commands) => quirks.mute_at = commands,
            Does::Pretends => quirks.pretends = true,
        }
        quirks
    }
}

impl Shape {
    /// One group, of these agents in turn.
    pub fn of_one_group(agents: &[(Kind, Does)]) -> Shape {
        let member = |(place, (kind, does)): (usize, &(Kind, Does))| Member {
            domain: DOMAINS[place],
            group: 0,
            order: 50,
            is_alone: false,
            kind: *kind,
            does: *does,
            restores: Does::All,
            is_for_good: false,
            boots: None,
            after_boot: AfterBoot::BeginsAnew,
        };
        Shape {
            rollback: Rollback::Device,
            is_asked_for: false,
            members: agents.iter().enumerate().map(member).collect(),
            is_unserved: false,
            consent: None,
            check: Check::None,
            reports_inconsistent: true,
            is_kept: false,
            cancel_after: None,
            host: None,
        }
    }

    pub fn name(&self) -> String {
        let member = |member: &Member| {
            let Member { domain, group, order, is_alone, kind, does, restores, is_for_good, .. } = member;
            let alone = if *is_alone { " alone" } else { "" };
            let for_good = if *is_for_good { " for good" } else { "" };
            let restores = if self.is_kept { format!(", restores {restores:?}") } else { String::new() };
            let boots = member.boots.map(|trial| format!(", boots {trial:?}")).unwrap_or_default();
            let after = self.host.map(|_| format!(", {:?}", member.after_boot)).unwrap_or_default();
            format!("[{domain} in {group} at {order}{alone}{for_good}: {kind:?} {does:?}{restores}{boots}{after}]")
        };
        let members: Vec<String> = self.members.iter().map(member).collect();
        let Shape { rollback, consent, check, is_unserved, cancel_after, .. } = self;
        let host = self.host.map(|host| format!(", {host:?}")).unwrap_or_default();
        let unserved = if *is_unserved { ", one that nobody serves" } else { "" };
        format!(
            "{rollback:?} {}{unserved}, consent {consent:?}, check {check:?}, cancel {cancel_after:?}{host}",
            members.join(" ")
        )
    }

    /// The number of a member's group.
    pub fn group_of(&self, member: &Member) -> usize {
        if self.rollback == Rollback::Baseline {
            member.group
        } else {
            0
        }
    }

    pub fn setup(&self) -> Setup {
        let part = |member: &Member| Part {
            domain: member.domain,
            group: self.group_of(member),
            order: member.order,
            is_alone: member.is_alone,
            is_orderly: true,
            has_slots: member.kind == Kind::SelfUpdate,
            is_for_good: member.is_for_good,
            boots: member.boots.is_some(),
            kept: if self.is_kept { Kept::Surely } else { Kept::No },
        };
        Setup {
            activity: ACTIVITY.to_owned(),
            rollback: self.rollback,
            parts: self.members.iter().map(part).collect(),
            asked: self.consent.iter().map(|(command, _)| *command).collect(),
            may_be_refused: false,
            reports_inconsistent: self.reports_inconsistent,
            is_checked: self.has_command(),
            cancelled: None,
        }
    }

    /// What the verification command says of these domains, called for the `nth` time.
    pub fn verdict(&self, domains: &[String], nth: usize) -> Says {
        let is_of = |group: usize| {
            let mut of_group = self.members.iter().filter(|member| self.group_of(member) == group);
            of_group.any(|member| domains.iter().any(|domain| domain == member.domain))
        };
        match self.check {
            Check::Command(Some(bad)) if is_of(bad) => Says::Bad("the camera is dark"),
            Check::Never(bad) if is_of(bad) => Says::NotYet,
            Check::Hangs(bad) if is_of(bad) => Says::Nothing,
            // Neither is the first thing that it says in most cases.
            Check::Command(None) if nth % 2 == 1 => Says::NotYet,
            _ => Says::Good,
        }
    }

    /// Whether the command is asked.
    fn has_command(&self) -> bool {
        matches!(self.check, Check::Command(_) | Check::Never(_) | Check::Hangs(_))
    }

    /// The configuration file. A consent is waited for 20 s, a phase 2 min.
    pub fn configuration(&self, is_clean: bool) -> String {
        let mut agents = json!({});
        for member in &self.members {
            let mut agent = json!({ "order": member.order, "failsAlone": member.is_alone });
            if member.is_for_good {
                agent["rollbackUntil"] = "activate".into();
            }
            if self.check == Check::Inventories && member.kind != Kind::SelfUpdate {
                agent["verifyInventory"] = "always".into();
            }
            if member.boots.is_some() {
                agent["rebootRequired"] = true.into();
            }
            if member.boots.is_some() && self.host.is_some_and(|host| host.verifies) {
                agent["verifyInventory"] = "afterReboot".into();
            }
            agents[member.domain] = agent;
        }
        // The silent agent cleans up for long, too.
        let is_slow = self.members.iter().any(|member| member.kind == Kind::Silent);
        let mut config = json!({
            "thingsEnabled": false,
            "agents": agents,
            "rollback": if self.is_asked_for { Rollback::None.name() } else { self.rollback.name() },
            "reportInconsistent": self.reports_inconsistent,
            "phaseTimeout": "2m",
            "resumeAfter": "10s",
            "ownerConsentTimeout": "20s",
            "cleanupTimeout": if is_slow { "30s" } else { "5s" },
            "verifyTimeout": "40s",
            "connection": { "clientId": "um", "cleanSession": is_clean },
        });
        if self.host.is_some() {
            (config["commitAfterReboot"], config["rebootAfter"]) = (true.into(), "2s".into());
        }
        if self.has_command() {
            config["verifyCommand"] = "/bin/verify".into();
        }
        if let Some((command, _)) = self.consent {
            config["ownerConsentCommands"] = json!([command]);
        }
        config.to_string()
    }

    /// The backend's message.
    pub fn desired(&self) -> String {
        let unserved = if self.is_unserved { Some("nobody") } else { None };
        let named = self.members.iter().map(|member| (member.domain, "2")).chain(unserved.map(|domain| (domain, "2")));
        self.message(ACTIVITY, 1, named)
    }

    /// The same of the activity before. A domain that has nothing to do was new then.
    pub fn desired_before(&self) -> String {
        let version = |member: &Member| if member.does == Does::Nothing { "2" } else { "1" };
        self.message(EARLIER, 0, self.members.iter().map(|member| (member.domain, version(member))))
    }

    fn message<'s>(&self, activity: &str, at: u64, domains: impl Iterator<Item = (&'s str, &'s str)>) -> String {
        let domain =
            |(id, version): (&str, &str)| json!({ "id": id, "components": [{ "id": "app", "version": version }] });
        let domains: Vec<Value> = domains.map(domain).collect();
        let mut payload = json!({ "domains": domains, "baselines": self.baselines() });
        if self.is_asked_for {
            payload["rollback"] = self.rollback.name().into();
        }
        json!({ "activityId": activity, "timestamp": 1_700_000_000_000 + at, "payload": payload }).to_string()
    }

    /// Each connects two domains of a group; a domain that is alone in its group is in none.
    fn baselines(&self) -> Value {
        let mut baselines = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            let next = self.members[place + 1..].iter().find(|other| other.group == member.group);
            if let Some(next) = next {
                let components = [member, next].map(|member| format!("{}:app", member.domain));
                baselines.push(json!({ "title": format!("b-{place}"), "components": components }));
            }
        }
        baselines.into()
    }
}
