//! The desired state itself: domains, components, baselines.

use super::spelling::Spelling;
use super::{within, Checker, Described};
use crate::limits::{COMPONENTS_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, NEAREST_CHARS_MAX};
use crate::model::text::Text;
use crate::model::Rollback;
use crate::nearest::nearest;
use crate::wire::malformed::Key;
use crate::wire::node::Node;

/// A component that the domains have.
type Known<'a> = (Text<'a>, String);

const CONFIG: &str = "write [{\"key\": \"...\", \"value\": \"...\"}]";

impl<'a> Checker<'a> {
    pub(super) fn payload(&mut self, node: Node<'a>) {
        if node.raw().starts_with('"') {
            let instead = "write the object itself, without quotes around it and backslashes in it";
            return self.error(&node, "is a string, not an object", instead);
        }
        let is_inner = |name: Text<'_>| name.eq_str(Key::Payload.name()) || name.eq_str(Key::DesiredState.name());
        if let Some((name, inner)) =
            node.object().ok().and_then(|node| node.members().find(|(name, _)| is_inner(*name)))
        {
            let what = format!("the desired state is nested once too deep in {}", within(&node, name));
            let instead = format!("write its content in place of {{\"{name}\": ...}}");
            self.put(true, self.place(name), what, &instead);
            let key = if name.eq_str(Key::Payload.name()) { Key::Payload } else { Key::DesiredState };
            return self.desired(inner.named(key));
        }
        self.desired(node);
    }

    fn desired(&mut self, node: Node<'a>) {
        let keys = [Key::Baselines, Key::Domains, Key::Rollback];
        let Some([baselines, domains, rollback]) = self.fields(node, keys, &Spelling::PAYLOAD) else { return };
        if let Some(rollback) = rollback {
            self.rollback(rollback);
        }
        let mut known: Vec<Known<'a>> = Vec::new();
        let mut named: Vec<Text<'a>> = Vec::new();
        let mut is_served = false;
        for domain in self.elements(domains, "write [{\"id\": ..., \"components\": [...]}]") {
            self.report.domains += 1;
            if self.report.domains == DOMAINS_MAX + 1 {
                self.error(&domain, &format!("is one too many: at most {DOMAINS_MAX} domains are taken"), "");
            }
            is_served |= self.domain(domain, &mut named, &mut known);
        }
        if self.report.domains == 0 {
            let at = domains.unwrap_or(node);
            self.error(
                &at,
                "names no domain: nothing would be done",
                "write \"domains\": [{\"id\": ..., \"components\": [...]}]",
            );
        } else if !is_served && !named.is_empty() {
            let at = domains.unwrap_or(node);
            self.error(&at, "has no domain with an agent: nothing would be done", &self.served());
        }
        let mut titles: Vec<Text<'a>> = Vec::new();
        for baseline in self.elements(baselines, "write [{\"title\": ..., \"components\": [...]}]") {
            self.report.baselines += 1;
            self.baseline(baseline, &mut titles, &named, &known);
        }
        self.connections(node, rollback);
    }

    /// What the desired state says for itself of what is rolled back together.
    fn rollback(&mut self, node: Node<'a>) {
        let Some(word) = self.string(node) else { return };
        let known = Rollback::of_name(word);
        if known.is_none() {
            let plain: String = word.chars().take(NEAREST_CHARS_MAX).collect();
            let (names, all) = (Rollback::ALL.map(Rollback::name), "none, baseline, device");
            let near = nearest(&plain, names);
            let instead = near.map_or_else(|| format!("write one of these: {all}"), written);
            self.error(&node, &format!("is none of {all}"), &instead);
        }
        self.report.rollback = known.or(self.report.rollback);
    }

    /// Whether there is a baseline to connect domains, if baselines are what counts. `node` is
    /// the desired state, `rollback` what it says for itself.
    fn connections(&mut self, node: Node<'a>, rollback: Option<Node<'a>>) {
        if self.report.rollback != Some(Rollback::Baseline) || self.report.baselines > 0 {
            return;
        }
        let instead = "write \"rollback\": \"device\", or name in \"baselines\" what belongs together";
        let alone = "and there are no baselines: each domain would be rolled back by itself";
        match rollback {
            Some(rollback) => self.warn(&rollback, &format!("is baseline, {alone}"), instead),
            None if self.report.domains > 1 => {
                self.warn(&node, &format!("is for a device with rollback baseline, {alone}"), instead);
            }
            None => {}
        }
    }

    /// Whether it has an agent.
    fn domain(&mut self, node: Node<'a>, named: &mut Vec<Text<'a>>, known: &mut Vec<Known<'a>>) -> bool {
        let keys = [Key::Id, Key::Config, Key::Components];
        let Some([id, config, components]) = self.fields(node, keys, &Spelling::DOMAIN) else { return false };
        let name = self.name(&node, id, "write \"id\": \"...\", the domain's name");
        let is_served = name.zip(id).is_some_and(|(name, id)| self.domain_name(&id, name, named));
        self.config(config, None);
        let mut ids: Vec<Text<'a>> = Vec::new();
        for component in self.elements(components, "write [{\"id\": ..., \"version\": ...}]") {
            self.report.components += 1;
            if self.report.components == COMPONENTS_MAX + 1 {
                self.error(&component, &format!("is one too many: at most {COMPONENTS_MAX} components are taken"), "");
            }
            if let Some(id) = self.component(component, name, &mut ids) {
                known.extend(name.filter(|_| known.len() < COMPONENTS_MAX).map(|name| (name, id)));
            }
        }
        is_served
    }

    fn domain_name(&mut self, id: &Node<'a>, name: Text<'a>, named: &mut Vec<Text<'a>>) -> bool {
        if name.as_json().len() > DOMAIN_ID_MAX {
            self.error(id, &format!("is longer than {DOMAIN_ID_MAX} bytes"), &self.served());
        } else if named.contains(&name) {
            self.error(id, &format!("repeats the domain {name}"), "put its components into one entry");
        }
        if named.len() <= DOMAINS_MAX {
            named.push(name);
        }
        let is_served = self.domains.iter().any(|domain| name.eq_str(domain));
        if !is_served {
            let plain: String = name.chars().take(DOMAIN_ID_MAX).collect();
            let of_topic = plain.strip_suffix("update").unwrap_or(&plain);
            let near = nearest(&plain, self.domains).or_else(|| nearest(of_topic, self.domains));
            let instead = near.map_or_else(|| self.served(), |domain| written(domain));
            let what = format!("is {name}, for which there is no agent");
            match self.report.rollback {
                None | Some(Rollback::None) => self.warn(id, &format!("{what}: it would be left out"), &instead),
                Some(rollback) => {
                    let what = format!("{what}: with rollback {} the activity would fail", rollback.name());
                    self.error(id, &what, &instead);
                }
            }
        }
        is_served
    }

    fn component(&mut self, node: Node<'a>, domain: Option<Text<'a>>, ids: &mut Vec<Text<'a>>) -> Option<String> {
        let keys = [Key::Id, Key::Version, Key::Config];
        let [id, version, config] = self.fields(node, keys, &Spelling::COMPONENT)?;
        let name = self.name(&node, id, "write \"id\": \"...\", the component's name");
        match version {
            None => self.warn(&node, "has no version", "write \"version\": \"...\""),
            Some(version) => {
                if self.string(version).is_some_and(|text| text.is_empty()) {
                    self.warn(&version, "is empty", "write the version");
                }
            }
        }
        self.config(config, domain);
        let (name, id) = name.zip(id)?;
        if ids.contains(&name) {
            self.warn(&id, &format!("repeats the component {name}"), "leave out one of the two");
        } else if ids.len() < COMPONENTS_MAX {
            ids.push(name);
        }
        let rest = domain.and_then(|domain| without_domain(name, domain));
        if let Some(rest) = &rest {
            self.warn(&id, "begins with its domain", &written(rest));
        }
        Some(rest.unwrap_or_else(|| name.chars().collect()))
    }

    /// An identifier that has to be there.
    fn name(&mut self, owner: &Node<'a>, id: Option<Node<'a>>, instead: &str) -> Option<Text<'a>> {
        let Some(id) = id else {
            self.error(owner, "has no id", instead);
            return None;
        };
        let name = self.string(id)?;
        if name.is_empty() {
            self.error(&id, "is empty", instead);
            return None;
        }
        Some(name)
    }

    /// The configuration of a component in a domain, or of a domain.
    fn config(&mut self, config: Option<Node<'a>>, domain: Option<Text<'a>>) {
        let mut described = self.described.iter();
        let described = domain.and_then(|domain| described.find(|described| domain.eq_str(&described.domain)));
        for entry in self.elements(config, CONFIG) {
            let Some([key, value]) = self.fields(entry, [Key::Key, Key::Value], &Spelling::ENTRY) else { continue };
            value.map(|value| self.string(value));
            let Some(node) = key else {
                self.warn(&entry, "has no key", Spelling::ENTRY.example);
                continue;
            };
            let Some(key) = self.string(node) else { continue };
            if key.is_empty() {
                self.warn(&entry, "has no key", Spelling::ENTRY.example);
            } else if let Some(Described { domain, keys }) = described {
                self.config_key(&node, key, domain, keys);
            }
        }
    }

    /// Whether the agent of the domain knows the key.
    fn config_key(&mut self, node: &Node<'a>, key: Text<'a>, domain: &str, keys: &[String]) {
        if keys.iter().any(|known| key.eq_str(known)) {
            return;
        }
        let plain: String = key.chars().take(NEAREST_CHARS_MAX).collect();
        let known: Vec<&str> = keys.iter().map(String::as_str).collect();
        let near = nearest(&plain, known.iter().copied()).map(written);
        let instead = near.unwrap_or_else(|| format!("write one of these: {}", known.join(", ")));
        self.warn(node, &format!("is {key}, which the agent of {domain} does not know"), &instead);
    }

    fn baseline(&mut self, node: Node<'a>, titles: &mut Vec<Text<'a>>, named: &[Text<'a>], known: &[Known<'a>]) {
        let keys = [Key::Title, Key::Description, Key::Preconditions, Key::Components];
        let Some([title, description, preconditions, components]) = self.fields(node, keys, &Spelling::BASELINE) else {
            return;
        };
        [description, preconditions].into_iter().flatten().for_each(|text| {
            let _ = self.string(text);
        });
        let text = title.map(|title| self.string(title));
        match text {
            None => self.warn(&node, "has no title", "write \"title\": \"...\""),
            Some(Some(text)) if text.is_empty() => self.warn(&node, "has no title", "write \"title\": \"...\""),
            Some(Some(text)) if titles.contains(&text) => {
                let title = title.unwrap_or(node);
                self.warn(&title, &format!("repeats the baseline {text}"), "write another title");
            }
            Some(text) => titles.extend(text.filter(|_| titles.len() < COMPONENTS_MAX)),
        }
        let mut members: Vec<Text<'a>> = Vec::new();
        for component in self.elements(components, "write [\"domain:component\"]") {
            let Some(name) = self.string(component) else { continue };
            if members.contains(&name) {
                self.warn(&component, &format!("repeats {name}"), "leave out one of the two");
                continue;
            }
            if members.len() < COMPONENTS_MAX {
                members.push(name);
            }
            self.member(&component, name, named, known);
        }
        if members.is_empty() && components.map_or(true, |node| node.elements().is_ok()) {
            self.warn(&node, "has no component", "write \"components\": [\"domain:component\"]");
        }
    }

    /// A component of a baseline: `domain:component`, as one of the domains has it.
    fn member(&mut self, node: &Node<'a>, name: Text<'a>, named: &[Text<'a>], known: &[Known<'a>]) {
        let is = |(domain, id): &&Known<'a>| without_domain(name, *domain).is_some_and(|rest| *id == rest);
        if known.iter().any(|one| is(&one)) {
            return;
        }
        let what = format!("is {name}, which no domain here has");
        let bare = known.iter().find(|(_, id)| name.eq_str(id));
        let plain: String = name.chars().take(512).collect();
        let whole = |(domain, id): &Known<'a>| format!("{domain}:{id}");
        let meant = bare.map(whole).or_else(|| nearest(&plain, known.iter().map(whole)));
        let instead = match meant {
            Some(meant) => written(&meant),
            None if named.iter().any(|domain| without_domain(name, *domain).is_some()) => {
                "add the component to its domain, or leave it out here".to_owned()
            }
            None => "write \"domain:component\", both as they stand in \"domains\"".to_owned(),
        };
        self.warn(node, &what, &instead);
    }

    fn served(&self) -> String {
        match self.domains {
            [] => "name it in the configuration's \"agents\"".to_owned(),
            domains => {
                format!("write one of these, or name it in the configuration's \"agents\": {}", domains.join(", "))
            }
        }
    }
}

/// Says to write this.
fn written(text: &str) -> String {
    format!("write \"{text}\"")
}

/// What follows the domain and its colon in `name`.
fn without_domain(name: Text<'_>, domain: Text<'_>) -> Option<String> {
    let mut rest = name.chars();
    let is_prefix = domain.chars().all(|c| rest.next() == Some(c)) && rest.next() == Some(':');
    is_prefix.then(|| rest.collect())
}
