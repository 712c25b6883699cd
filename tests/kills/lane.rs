//! Goes through activities while processes are killed.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use update_manager::agent::{connection, Connection};

use crate::groups::{Patience, Turned};
use crate::link::envelope::{envelope, text, topic};
use crate::link::Client;
use crate::mosquitto::Broker;
use crate::processes::Process;
use crate::script::{name, Hit, Kind, Lane, Rollback, Script, Shape, Victim, ORDERS};
use crate::seen::{End, Seen};

/// How long a phase may take: much longer than a silent agent is busy.
const PHASE_TIMEOUT_S: u64 = 20;

/// How long the manager waits for an agent's answer that may be lost before it starts
/// the domain over: short, since most activities with a kill wait for it, and shorter
/// than half of the phase timeout, to which the manager would reduce it.
pub const RESUME_AFTER_MS: u64 = 2000;

/// How long CLEANUP and ROLLBACK may take: longer than a silent agent is busy. An agent
/// that has forgotten the activity does not answer at all, so this is waited for.
const CLEANUP_TIMEOUT_S: u64 = 8;

/// The same for who judges.
const WAITS: Patience = Patience { phase_ms: PHASE_TIMEOUT_S * 1000, cleanup_ms: CLEANUP_TIMEOUT_S * 1000 };

/// Past this an activity is lost. Its clocks allow as much: three phases in time, and one
/// with three repairs, each of which leads the domain through up to four phases anew.
const PATIENCE: Duration = Duration::from_secs((3 + 1 + 3 * 4) * PHASE_TIMEOUT_S);

/// How long those who start may take.
const START: Duration = Duration::from_secs(15);

/// After so long without a word the backend repeats itself, where the broker may
/// have lost it.
const REPEAT: Duration = Duration::from_secs(2);

pub struct Programs {
    pub manager: PathBuf,
    pub agent: PathBuf,
}

/// How an activity went.
pub struct Told {
    pub end: End,
    pub took: Duration,
    pub hits: Vec<Hit>,
    /// Desired states that the manager sent again to a domain.
    pub repairs: u32,
    /// Commands that it sent again after that.
    pub repeated: u32,
    pub turned: Turned,
}

pub struct World<'p> {
    lane: Lane,
    programs: &'p Programs,
    // Dropped in this order: those who talk before whom they talk to.
    client: Client,
    agents: Vec<Process>,
    manager: Process,
    broker: Broker,
    is_broker_down: bool,
    pub seen: Seen,
    probes: u32,
    /// Last inventories that came: their activities.
    inventories: Vec<(String, String)>,
}

impl<'p> World<'p> {
    pub fn start(lane: Lane, programs: &'p Programs) -> Result<World<'p>, String> {
        let broker = Broker::start();
        let address = format!("tcp://{}", broker.address());
        let connection = connection(&address)?;
        let connection = Connection { client_id: "backend".into(), clean_session: Some(false), ..connection };
        let mut client = Client::connect_with(connection).map_err(|error| error.to_string())?;
        let mut filters = vec!["deviceupdate/#".to_owned()];
        filters.extend((0..lane.domains).map(|domain| topic(name(domain), "#")));
        client.subscribe(&filters).map_err(|error| error.to_string())?;
        let folder = broker.folder.file("");
        let config = folder.join("config.json");
        fs::write(&config, configuration(&lane, &address, &broker).to_string()).map_err(|error| error.to_string())?;
        let arguments = vec!["--config-file".to_owned(), config.display().to_string()];
        let mut manager = Process::new("manager", &programs.manager, arguments, &folder);
        manager.start()?;
        Ok(World {
            lane,
            programs,
            client,
            agents: Vec::new(),
            manager,
            broker,
            is_broker_down: false,
            seen: Seen::new(RESUME_AFTER_MS, WAITS),
            probes: 0,
            inventories: Vec::new(),
        })
    }

    /// Goes through one activity.
    ///
    /// # Errors
    /// What must not be, in words.
    pub fn run(&mut self, id: &str, script: &Script) -> Result<Told, String> {
        self.settle()?;
        self.set_agents(script)?;
        if self.lane.has_groups {
            self.seen.groups.open(id, script.setup());
        }
        let desired = envelope(id, desired_state(&self.lane, script));
        self.client.publish("deviceupdate/desiredstate", &desired, false);
        let start = Instant::now();
        let mut pending: Vec<Hit> = script.hits.clone();
        let (mut done, mut ups): (Vec<Hit>, Vec<(Instant, Victim)>) = (Vec::new(), Vec::new());
        let mut repeat = start + REPEAT;
        let took = loop {
            let now = Instant::now();
            for up in take(&mut ups, |(at, _)| *at <= now) {
                self.up(up.1)?;
            }
            let has_ended = self.seen.ends.contains_key(id);
            let due = |hit: &Hit| start + Duration::from_millis(hit.at_ms) <= now || has_ended;
            for mut hit in take(&mut pending, due) {
                if has_ended && !script.is_hit_at_end || self.is_down(hit.victim) {
                    continue;
                }
                if has_ended {
                    hit.at_ms = now.duration_since(start).as_millis() as u64;
                }
                self.down(hit.victim);
                if !self.lane.keeps_session && !matches!(hit.victim, Victim::Agent(_)) {
                    self.seen.lose_session();
                }
                self.seen.note(&hit.to_string());
                ups.push((now + Duration::from_millis(hit.down_ms), hit.victim));
                done.push(hit);
            }
            if has_ended && ups.is_empty() {
                break start.elapsed();
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{id}: no final status in {} s", PATIENCE.as_secs()));
            }
            if !self.lane.keeps_session && !self.seen.is_told(id) && repeat <= now {
                repeat = now + REPEAT;
                self.client.publish("deviceupdate/desiredstate", &desired, false);
            }
            self.listen(Duration::from_millis(5))?;
        };
        self.settle()?;
        if script.is_redelivered {
            self.client.publish("deviceupdate/desiredstate", &desired, false);
            self.settle()?;
        }
        self.judge(id, script, took, done)
    }

    fn judge(&mut self, id: &str, script: &Script, took: Duration, hits: Vec<Hit>) -> Result<Told, String> {
        let end = self.seen.ends[id].clone();
        let kills = hits.iter().filter(|hit| hit.victim == Victim::Manager).count() as u32;
        let ((repairs, repeated), turned) = self.seen.close(id, kills.saturating_sub(end.repeats));
        if end.repeats > kills {
            return Err(format!("{id}: {} told {} times, with {kills} kills", end.status, 1 + end.repeats));
        }
        // Whether it has to be that is judged with the groups.
        let status = end.status.trim_end_matches(if self.lane.has_groups { "_INCONSISTENT" } else { "" });
        if status != script.outcome() {
            return Err(format!("{id}: {} instead of {}: {}", end.status, script.outcome(), end.message));
        }
        Ok(Told { end, took, hits, repairs, repeated, turned })
    }

    fn is_down(&self, victim: Victim) -> bool {
        match victim {
            Victim::Manager => self.manager.is_down(),
            Victim::Agent(domain) => self.agents[domain].is_down(),
            Victim::Broker => self.is_broker_down,
        }
    }

    fn down(&mut self, victim: Victim) {
        match victim {
            Victim::Manager => self.manager.kill(),
            Victim::Agent(domain) => self.agents[domain].kill(),
            Victim::Broker => {
                self.is_broker_down = true;
                self.broker.stop();
            }
        }
    }

    fn up(&mut self, victim: Victim) -> Result<(), String> {
        match victim {
            Victim::Manager => self.manager.start(),
            Victim::Agent(domain) => self.agents[domain].start(),
            Victim::Broker => {
                self.is_broker_down = false;
                self.broker.resume();
                Ok(())
            }
        }
    }

    /// Starts agents, or starts them anew, with what the script tells them.
    fn set_agents(&mut self, script: &Script) -> Result<(), String> {
        for domain in 0..self.lane.domains {
            let arguments = self.arguments(domain, script);
            if self.agents.get(domain).is_some_and(|agent| agent.arguments() == arguments) {
                continue;
            }
            let folder = self.broker.folder.file("");
            let mut agent = Process::new(name(domain), &self.programs.agent, arguments, &folder);
            match self.agents.get_mut(domain) {
                Some(place) => {
                    place.kill();
                    agent.start()?;
                    *place = agent;
                }
                None => {
                    agent.start()?;
                    self.agents.push(agent);
                }
            }
            self.inventories.clear();
            let topic = topic(name(domain), "currentstate");
            self.await_inventory("an agent's inventory", |(from, id)| *from == topic && id.starts_with("initial-"))?;
        }
        Ok(())
    }

    fn arguments(&self, domain: usize, script: &Script) -> Vec<String> {
        let mut words = vec!["--domain".to_owned(), name(domain).to_owned()];
        words.extend(["--broker".to_owned(), format!("tcp://{}", self.broker.address())]);
        words.extend(["--delay".to_owned(), script.delays_ms[domain].to_string()]);
        match script.shape {
            Shape::Fails(which, phase) if which == domain => words.extend(["--fail".to_owned(), phase.to_owned()]),
            Shape::NoActions(which) if which == domain => words.extend(["--actions".to_owned(), "0".to_owned()]),
            _ => {}
        }
        words.extend(["--like".to_owned(), script.kinds[domain].name().to_owned()]);
        if let (Kind::Silent, Some((phase, ms))) = (script.kinds[domain], script.busy) {
            words.extend(["--busy-in".to_owned(), phase.to_owned(), "--busy".to_owned(), ms.to_string()]);
        }
        if script.kinds[domain] == Kind::Tolerant {
            let file = self.broker.folder.file(&format!("{}.state", name(domain)));
            words.extend(["--state".to_owned(), file.display().to_string()]);
        }
        words
    }

    /// Waits until the manager has taken all that was sent to it before.
    fn settle(&mut self) -> Result<(), String> {
        let end = Instant::now() + START;
        self.probes += 1;
        let probe = format!("probe-{}", self.probes);
        loop {
            self.client.publish("deviceupdate/currentstate/get", &envelope(&probe, Value::Null), false);
            let next = Instant::now() + Duration::from_secs(1);
            while Instant::now() < next {
                self.listen(Duration::from_millis(20))?;
                if self.inventories.iter().any(|(topic, id)| topic == "deviceupdate/currentstate" && *id == probe) {
                    self.inventories.clear();
                    return Ok(());
                }
            }
            if Instant::now() > end {
                return Err(format!("the manager does not answer in {} s", START.as_secs()));
            }
        }
    }

    fn await_inventory(&mut self, what: &str, wanted: impl Fn(&(String, String)) -> bool) -> Result<(), String> {
        let end = Instant::now() + START;
        while !self.inventories.iter().any(&wanted) {
            if Instant::now() > end {
                return Err(format!("no {what} in {} s", START.as_secs()));
            }
            self.listen(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Takes in what comes within `time`.
    fn listen(&mut self, time: Duration) -> Result<(), String> {
        let mut wait = time;
        while let Some((topic, raw)) = self.client.next(wait) {
            wait = Duration::ZERO;
            if topic.ends_with("/currentstate") {
                let json: Value = serde_json::from_str(&raw).map_err(|error| format!("{topic}: {error}: {raw}"))?;
                self.inventories.push((topic.clone(), text(&json, "activityId").to_owned()));
            }
            self.seen.take(&topic, &raw)?;
        }
        self.manager.check()?;
        self.agents.iter_mut().try_for_each(Process::check)
    }

    /// What is to be known of a failure.
    pub fn report(&self) -> String {
        let keeps = if self.lane.keeps_session { "keeps" } else { "does not keep" };
        format!(
            "lane {}: the broker {keeps} the manager's session\n-- at the broker:\n{}\n-- the manager said:\n{}",
            self.lane.number,
            self.seen.tail(),
            self.manager.tail(80, |line| !line.contains("ING") && !line.contains(" probe-"))
        )
    }

    /// How often the manager logged an error.
    pub fn errors(&self) -> usize {
        self.manager.said("ERROR")
    }
}

/// Takes those out that are `wanted`.
fn take<T>(from: &mut Vec<T>, wanted: impl Fn(&T) -> bool) -> Vec<T> {
    let (taken, left) = std::mem::take(from).into_iter().partition(wanted);
    *from = left;
    taken
}

fn configuration(lane: &Lane, address: &str, broker: &Broker) -> Value {
    let agent = |domain: usize| match lane.has_groups {
        true => json!({ "readTimeout": "1s", "order": ORDERS[domain] }),
        false => json!({ "readTimeout": "1s" }),
    };
    let agents: Value = (0..lane.domains).map(|domain| (name(domain).to_owned(), agent(domain))).collect();
    json!({
        "log": { "logLevel": "DEBUG" },
        "connection": { "broker": address, "clientId": "manager", "cleanSession": !lane.keeps_session },
        "thingsEnabled": false,
        "rebootEnabled": false,
        "reportInconsistent": lane.has_groups,
        "agents": agents,
        "reportFeedbackInterval": "50ms",
        "currentStateDelay": "100ms",
        "phaseTimeout": format!("{PHASE_TIMEOUT_S}s"),
        "resumeAfter": format!("{RESUME_AFTER_MS}ms"),
        "cleanupTimeout": format!("{CLEANUP_TIMEOUT_S}s"),
        "stateDir": broker.folder.file("saved"),
        "consoleSocket": broker.folder.file("console.sock"),
    })
}

fn desired_state(lane: &Lane, script: &Script) -> Value {
    let components: Vec<Value> =
        (0..script.components).map(|i| json!({ "id": format!("c{i}"), "version": "1.0.0" })).collect();
    let domains: Vec<Value> =
        (0..lane.domains).map(|domain| json!({ "id": name(domain), "components": components })).collect();
    let Some(rollback) = &script.rollback else { return json!({ "domains": domains }) };
    let baselines = if let Rollback::Baseline(baselines) = rollback { baselines.as_slice() } else { &[] };
    let component = |&domain: &usize| format!("{}:c0", name(domain));
    let baseline = |(i, domains): (usize, &Vec<usize>)| {
        let components: Vec<String> = domains.iter().map(component).collect();
        json!({ "title": format!("baseline-{i}"), "components": components })
    };
    let baselines: Vec<Value> = baselines.iter().enumerate().map(baseline).collect();
    json!({ "domains": domains, "rollback": rollback.name(), "baselines": baselines })
}
