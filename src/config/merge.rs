//! From values as text to the configuration. Where the reference warns and takes
//! the default, so does this; the values are left as they are in effect.

use log::LevelFilter;

use super::broker::{parse_address, without_user_info};
use super::duration::{parse_duration_ms, BadDuration, DURATION_MS_MAX};
use super::keys::{AgentId, Id, Key, Kind, AGENT_KEYS, KEYS};
use super::values::{shown, AgentValues, Names, Slot, Source, Values, Warnings};
use super::{Agent, Broker, Config, Connection, Groups, VerifyInventory};
use crate::limits::{CONFIG_DOMAINS_MAX, CONFIG_VALUE_MAX, DOMAINS_MAX, ORDER_DEFAULT, ORDER_MAX, VERIFY_TIMEOUT_MS};
use crate::logging;
use crate::model::time::Duration;
use crate::model::{Phase, PhaseSet, Rollback};
use crate::wire::topic::Topics;

/// Settles which domains have an agent: those of the list if there is one,
/// otherwise those of the file, otherwise the default.
///
/// # Errors
/// If there are more than [`DOMAINS_MAX`], or one cannot be part of a topic, or
/// two would have the same topics.
pub fn settle_domains(values: &mut Values) -> Result<(), String> {
    let list = values.get(Id::Domains).clone();
    let given = matches!(list.source, Source::Env | Source::Flag);
    let mut names: Vec<&str> = Vec::new();
    for name in list.text.split(',').map(str::trim).filter(|name| given && !name.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut of_file = values.agents.take();
    let agents = if !names.is_empty() {
        let mut known = of_file.unwrap_or_default();
        let mut take = |name: &&str| match known.iter().position(|agent| agent.domain == **name) {
            Some(place) => known.swap_remove(place),
            None => AgentValues::new(name),
        };
        // One past the limit is enough to refuse them.
        names.iter().take(DOMAINS_MAX + 1).map(&mut take).collect()
    } else {
        // An empty list is as good as none.
        values.get_mut(Id::Domains).source = values.agents_source;
        of_file.take().unwrap_or_else(|| vec![AgentValues::new(KEYS[Id::Domains as usize].default)])
    };
    let count = names.len().max(agents.len());
    if count > DOMAINS_MAX {
        return Err(format!("there are {count} domains; at most {DOMAINS_MAX} are served"));
    }
    let names: Vec<&str> = agents.iter().map(|agent| agent.domain.as_str()).collect();
    let topics = Topics::new(&values.get(Id::Domain).text, &names);
    topics.map_err(|error| shown(&error.to_string()).to_string())?;
    values.get_mut(Id::Domains).text = names.join(",");
    values.agents = Some(agents);
    Ok(())
}

/// Builds the configuration. Afterwards `values` are what is in effect.
///
/// # Errors
/// If a value is too long or has a NUL, or the broker's address is wrong.
pub fn resolve(values: &mut Values, warnings: &mut Warnings) -> Result<Config, String> {
    check_texts(values)?;
    let agents = values.agents.iter_mut().flatten().map(|agent| resolve_agent(agent, warnings)).collect();
    let broker = resolve_broker(values)?;
    // Once more: what is escaped in the address is seen only now.
    check_texts(values)?;
    let mut all = Resolving { values, warnings };
    Ok(Config {
        log: logging::Settings {
            level: all.level(),
            file: all.text(Id::LogFile),
            file_size_mb: all.number(Id::LogFileSize),
            file_count: all.number(Id::LogFileCount),
            file_max_age_days: all.number(Id::LogFileMaxAge),
        },
        connection: all.connection(broker),
        domain: all.text(Id::Domain),
        things_enabled: all.is_true(Id::ThingsEnabled),
        agents,
        reboot_enabled: all.is_true(Id::RebootEnabled),
        reboot_after_ms: all.duration(Id::RebootAfter),
        reboot_command: all.text(Id::RebootCommand),
        report_feedback_interval_ms: all.duration(Id::ReportFeedbackInterval),
        current_state_delay_ms: all.duration(Id::CurrentStateDelay),
        phase_timeout_ms: all.duration(Id::PhaseTimeout),
        phase_timeout_max_ms: all.phase_timeout_max(),
        resume_after_ms: all.resume_after(),
        cleanup_timeout_ms: all.duration(Id::CleanupTimeout),
        owner_consent_commands: all.commands(),
        owner_consent_timeout_ms: all.duration(Id::OwnerConsentTimeout),
        groups: all.groups(),
        state_dir: all.text(Id::StateDir),
        console_socket: all.text(Id::ConsoleSocket),
        console_group: all.text(Id::ConsoleGroup),
        console_control: all.is_true(Id::ConsoleControl),
    })
}

/// Refuses values that are too long, or that no string in MQTT and no path can have.
fn check_texts(values: &Values) -> Result<(), String> {
    let check = |names: Names<'_>, slot: &Slot, max: usize| {
        let wrong = if slot.text.contains('\0') {
            String::from("has a NUL in it")
        } else if slot.text.len() > max {
            format!("is longer than {max} bytes")
        } else {
            return Ok(());
        };
        Err(format!("{} ({}) {wrong}", shown(&names.path()), names.source(slot.source)))
    };
    for (place, (key, slot)) in KEYS.iter().zip(&values.slots).enumerate() {
        let max = if place == Id::Domains as usize { CONFIG_DOMAINS_MAX } else { CONFIG_VALUE_MAX };
        check(Names { key, domain: None }, slot, max)?;
    }
    for agent in values.agents.iter().flatten() {
        for (key, slot) in AGENT_KEYS.iter().zip(&agent.slots) {
            check(Names { key, domain: Some(&agent.domain) }, slot, CONFIG_VALUE_MAX)?;
        }
    }
    let topic = values.get(Id::StatusTopic);
    match topic.text.contains(['+', '#']) {
        true => Err(format!("connection.statusTopic {:?} has a wildcard", shown(&topic.text))),
        false => Ok(()),
    }
}

/// Reads the broker's address. What it says of user and password goes before
/// their keys, as in the reference's MQTT library.
fn resolve_broker(values: &mut Values) -> Result<Broker, String> {
    let slot = values.get_mut(Id::Broker);
    let address = parse_address(&slot.text).map_err(|reason| {
        let names = Names { key: &KEYS[Id::Broker as usize], domain: None };
        let text = shown(without_user_info(&slot.text));
        format!("connection.broker ({}), {text:?}: {reason}", names.source(slot.source))
    })?;
    slot.text = address.broker.to_string();
    for (id, text) in [(Id::Username, &address.username), (Id::Password, &address.password)] {
        if let (Some(text), true) = (text, address.username.is_some()) {
            *values.get_mut(id) = Slot { text: text.clone(), source: Source::Address };
        }
    }
    Ok(address.broker)
}

fn resolve_agent(agent: &mut AgentValues, warnings: &mut Warnings) -> Agent {
    let AgentValues { domain, slots } = agent;
    let names = |id: AgentId| Names { key: &AGENT_KEYS[id as usize], domain: Some(domain) };
    let (id, words) = (AgentId::VerifyInventory, VerifyInventory::ALL.map(|one| (one.name(), one)));
    let verify_inventory = resolve_word(names(id), &mut slots[id as usize], warnings, &words);
    let (id, words) = (AgentId::RollbackUntil, [("commit", false), ("activate", true)]);
    let rolls_back_until_activate = resolve_word(names(id), &mut slots[id as usize], warnings, &words);
    let id = AgentId::ReadTimeout;
    let read_timeout_ms = resolve_duration(names(id), &mut slots[id as usize], warnings);
    let id = AgentId::Order;
    let order = resolve_order(names(id), &mut slots[id as usize], warnings);
    Agent {
        domain: agent.domain.clone(),
        reboot_required: agent.get(AgentId::RebootRequired).text == "true",
        read_timeout_ms,
        exec: agent.get(AgentId::Exec).text.clone(),
        order,
        fails_alone: agent.get(AgentId::FailsAlone).text == "true",
        verify_inventory,
        rolls_back_until_activate,
    }
}

/// The place in the order of activation; its default, with a warning, if it is out of range.
fn resolve_order(names: Names<'_>, slot: &mut Slot, warnings: &mut Warnings) -> u8 {
    let order = slot.text.parse().ok().filter(|order| (1..=ORDER_MAX).contains(order));
    order.unwrap_or_else(|| {
        let what = format!("{} is not 1 to {ORDER_MAX}", shown(&slot.text));
        fall_back(names, slot, warnings, &what);
        ORDER_DEFAULT
    })
}

/// The value that one of these words, in any case, stands for; the default, with a warning,
/// if it is none of them.
fn resolve_word<T: Copy + Default>(
    names: Names<'_>,
    slot: &mut Slot,
    warnings: &mut Warnings,
    words: &[(&str, T)],
) -> T {
    if let Some((word, value)) = words.iter().find(|(word, _)| slot.text.eq_ignore_ascii_case(word)) {
        slot.text = String::from(*word);
        return *value;
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let what = format!("{:?} is none of {}", shown(&slot.text), known.join(", "));
    fall_back(names, slot, warnings, &what);
    T::default()
}

/// The default of `key`, for a value that is wrong.
fn fall_back(names: Names<'_>, slot: &mut Slot, warnings: &mut Warnings, what: &str) {
    warnings.of_key(names, slot.source, format!("{what}; {} is taken", names.key.default));
    *slot = Slot { text: names.key.default.to_string(), source: Source::Default };
}

/// Milliseconds of a duration; its default, with a warning, if it is wrong.
fn resolve_duration(names: Names<'_>, slot: &mut Slot, warnings: &mut Warnings) -> u64 {
    let ms = match parse_duration_ms(&slot.text) {
        Ok(ms) => ms,
        Err(BadDuration::Empty) if names.key.kind == Kind::Interval => {
            warnings.of_key(names, slot.source, String::from("is empty; 0s is taken"));
            0
        }
        Err(bad) => {
            let value = if slot.text.is_empty() { String::new() } else { format!("{:?} ", shown(&slot.text)) };
            fall_back(names, slot, warnings, &format!("{value}{}", bad.reason()));
            parse_duration_ms(names.key.default).unwrap_or(0)
        }
    };
    slot.text = Duration(ms).to_string();
    ms
}

/// The phases before which an owner may be asked.
const ASKED: [Phase; 3] = [Phase::Download, Phase::Update, Phase::Activate];

struct Resolving<'a> {
    values: &'a mut Values,
    warnings: &'a mut Warnings,
}

impl Resolving<'_> {
    fn names(id: Id) -> Names<'static> {
        let key: &'static Key = &KEYS[id as usize];
        Names { key, domain: None }
    }

    fn text(&self, id: Id) -> String {
        self.values.get(id).text.clone()
    }

    fn is_true(&self, id: Id) -> bool {
        self.values.get(id).text == "true"
    }

    fn is_true_if_given(&self, id: Id) -> Option<bool> {
        let text = &self.values.get(id).text;
        (!text.is_empty()).then_some(text == "true")
    }

    fn duration(&mut self, id: Id) -> u64 {
        resolve_duration(Self::names(id), self.values.get_mut(id), self.warnings)
    }

    fn number(&mut self, id: Id) -> u32 {
        let names = Self::names(id);
        let slot = self.values.get_mut(id);
        slot.text.parse().unwrap_or_else(|_| {
            let what = format!("{} is not 0 to {}", shown(&slot.text), u32::MAX);
            fall_back(names, slot, self.warnings, &what);
            names.key.default.parse().unwrap_or(0)
        })
    }

    fn level(&mut self) -> LevelFilter {
        let slot = self.values.get_mut(Id::LogLevel);
        slot.text.make_ascii_uppercase();
        match slot.text.as_str() {
            "ERROR" => LevelFilter::Error,
            "WARN" => LevelFilter::Warn,
            "INFO" => LevelFilter::Info,
            "DEBUG" => LevelFilter::Debug,
            "TRACE" => LevelFilter::Trace,
            text => {
                let what = format!("{:?} is no level (ERROR, WARN, INFO, DEBUG, TRACE)", shown(text));
                fall_back(Self::names(Id::LogLevel), slot, self.warnings, &what);
                LevelFilter::Info
            }
        }
    }

    fn commands(&mut self) -> PhaseSet {
        let id = Id::OwnerConsentCommands;
        let mut set = PhaseSet::default();
        let slot = self.values.get_mut(id);
        let given = slot.text.to_ascii_lowercase();
        for name in given.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match ASKED.into_iter().find(|phase| phase.name().eq_ignore_ascii_case(name)) {
                Some(phase) => set.insert(phase),
                None => {
                    let reason = format!("{:?} is none of download, update, activate; it is ignored", shown(name));
                    self.warnings.of_key(Self::names(id), slot.source, reason);
                }
            }
        }
        let in_effect = ASKED.into_iter().filter(|phase| set.contains(*phase));
        let in_effect: Vec<String> = in_effect.map(|phase| phase.name().to_ascii_lowercase()).collect();
        slot.text = in_effect.join(",");
        set
    }

    /// In 16 bits of seconds, as MQTT counts it [MQTT-3.1.2.10]: a part of one is rounded up,
    /// since 0 turns it off.
    fn keep_alive_s(&mut self) -> u16 {
        let given_ms = self.duration(Id::KeepAlive);
        let seconds = u16::try_from(given_ms.div_ceil(1000)).unwrap_or(u16::MAX);
        let taken_ms = u64::from(seconds) * 1000;
        if taken_ms == given_ms {
            return seconds;
        }
        let taken = Duration(taken_ms).to_string();
        let why = match given_ms > taken_ms {
            true => "is longer than MQTT allows",
            false => "is rounded up to whole seconds, as MQTT counts it",
        };
        let slot = self.values.get_mut(Id::KeepAlive);
        self.warnings.of_key(Self::names(Id::KeepAlive), slot.source, format!("{why}; {taken} is taken"));
        slot.text = taken;
        seconds
    }

    /// At least the phase timeout, which is resolved before, and that if nobody says more.
    fn phase_timeout_max(&mut self) -> u64 {
        let least = self.values.get(Id::PhaseTimeout).text.clone();
        let least_ms = parse_duration_ms(&least).unwrap_or(0);
        let slot = self.values.get_mut(Id::PhaseTimeoutMax);
        let wrong = match parse_duration_ms(&slot.text) {
            _ if slot.source == Source::Default => None,
            Ok(ms) if ms >= least_ms => {
                slot.text = Duration(ms).to_string();
                return ms;
            }
            Ok(_) => Some(String::from("is shorter than phaseTimeout")),
            Err(BadDuration::Empty) => Some(String::from(BadDuration::Empty.reason())),
            Err(bad) => Some(format!("{:?} {}", shown(&slot.text), bad.reason())),
        };
        if let Some(wrong) = wrong {
            let reason = format!("{wrong}; {least} is taken");
            self.warnings.of_key(Self::names(Id::PhaseTimeoutMax), slot.source, reason);
        }
        *slot = Slot { text: least, source: Source::Default };
        least_ms
    }

    fn groups(&mut self) -> Groups {
        let names = Self::names(Id::Rollback);
        let words = Rollback::ALL.map(|one| (one.name(), one));
        let verify_stable_ms = self.duration(Id::VerifyStableTime);
        Groups {
            rollback: resolve_word(names, self.values.get_mut(Id::Rollback), self.warnings, &words),
            commits_after_reboot: self.is_true(Id::CommitAfterReboot),
            reports_inconsistent: self.is_true(Id::ReportInconsistent),
            verify_command: self.text(Id::VerifyCommand),
            verify_stable_ms,
            verify_timeout_ms: self.verify_timeout(verify_stable_ms),
        }
    }

    /// Longer than the time for which all checks have to hold.
    fn verify_timeout(&mut self, stable_ms: u64) -> u64 {
        let ms = self.duration(Id::VerifyTimeout);
        if ms > stable_ms || ms >= DURATION_MS_MAX {
            return ms;
        }
        let raised = stable_ms.saturating_add(VERIFY_TIMEOUT_MS).min(DURATION_MS_MAX);
        let taken = Duration(raised).to_string();
        let slot = self.values.get_mut(Id::VerifyTimeout);
        let reason = format!("is not longer than verifyStableTime; {taken} is taken");
        self.warnings.of_key(Self::names(Id::VerifyTimeout), slot.source, reason);
        slot.text = taken;
        raised
    }

    /// At most half of the phase timeout, which is resolved before. The default gives
    /// way without a word.
    fn resume_after(&mut self) -> u64 {
        let ms = self.duration(Id::ResumeAfter);
        // It is in effect already, so it can be read.
        let most = parse_duration_ms(&self.values.get(Id::PhaseTimeout).text).unwrap_or(0) / 2;
        if ms <= most {
            return ms;
        }
        let taken = Duration(most).to_string();
        let slot = self.values.get_mut(Id::ResumeAfter);
        if slot.source != Source::Default {
            let reason = format!("is longer than half of phaseTimeout; {taken} is taken");
            self.warnings.of_key(Self::names(Id::ResumeAfter), slot.source, reason);
        }
        slot.text = taken;
        most
    }

    fn connection(&mut self, broker: Broker) -> Connection {
        Connection {
            broker,
            keep_alive_s: self.keep_alive_s(),
            disconnect_timeout_ms: self.duration(Id::DisconnectTimeout),
            username: self.text(Id::Username),
            password: self.text(Id::Password),
            connect_timeout_ms: self.duration(Id::ConnectTimeout),
            ack_timeout_ms: self.duration(Id::AckTimeout),
            subscribe_timeout_ms: self.duration(Id::SubscribeTimeout),
            unsubscribe_timeout_ms: self.duration(Id::UnsubscribeTimeout),
            ca_cert: self.text(Id::CaCert),
            cert: self.text(Id::Cert),
            key: self.text(Id::PrivateKey),
            client_id: self.text(Id::ClientId),
            clean_session: self.is_true_if_given(Id::CleanSession),
            retain: self.is_true(Id::Retain),
            status_topic: self.text(Id::StatusTopic),
        }
    }
}
