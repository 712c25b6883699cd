//! The configuration file: JSON, its keys in any letter case, as the reference
//! reads it.

use std::fs::File;
use std::io::Read;

use super::duration::parse_decimal;
use super::json::{self, Fault, Value};
use super::keys::{Id, Key, Kind, AGENT_KEYS, KEYS};
use super::values::{shown, AgentValues, Slot, Source, Values, Warnings};
use crate::limits::CONFIG_FILE_MAX;

/// Reads the file at `path` into `values`.
///
/// # Errors
/// If it cannot be read, is larger than [`CONFIG_FILE_MAX`], is no JSON, or a
/// value is of another type than its key's; the message names file and place.
pub fn load(path: &str, values: &mut Values, warnings: &mut Warnings) -> Result<(), String> {
    let bytes = read_bounded(path).map_err(|e| format!("cannot read the file {}: {e}", shown(path)))?;
    if bytes.len() > CONFIG_FILE_MAX {
        return Err(format!("the file {} is larger than {CONFIG_FILE_MAX} bytes", shown(path)));
    }
    let text = String::from_utf8_lossy(&bytes);
    if let Err(e) = core::str::from_utf8(&bytes) {
        let reason = format!("is not UTF-8 from byte {} on; what is not is replaced by U+FFFD", e.valid_up_to());
        warnings.push(path.to_string(), String::from("file"), reason);
    }
    apply(&text, values, warnings).map_err(|Fault { at, what }| {
        let (line, column) = json::line_and_column(&text, at);
        format!("the file {}, line {line} column {column}: {what}", shown(path))
    })
}

fn read_bounded(path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(CONFIG_FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the file's text into `values`.
///
/// # Errors
/// As [`load`].
pub fn apply(text: &str, values: &mut Values, warnings: &mut Warnings) -> Result<(), Fault> {
    if text.starts_with('\u{feff}') {
        return Err(Fault { at: 0, what: String::from("the file begins with a byte order mark, which JSON has not") });
    }
    let mut filling = Filling { text, values, warnings, seen: Vec::new() };
    json::read(text, &mut |path, at, value| filling.take(path, at, value))
}

struct Filling<'a> {
    text: &'a str,
    values: &'a mut Values,
    warnings: &'a mut Warnings,
    /// Paths of keys that have been given, their fixed parts in lower case.
    seen: Vec<String>,
}

impl Filling<'_> {
    /// Takes one value. Whether what it holds is wanted.
    fn take(&mut self, path: &[String], at: usize, value: Value<'_>) -> Result<bool, Fault> {
        let Some((first, rest)) = path.split_first() else {
            return container(path, at, value, Value::Object);
        };
        if first.eq_ignore_ascii_case("agents") {
            return self.take_agents(rest, path, at, value);
        }
        if let Some(place) = KEYS.iter().position(|key| is_path_of(key, path)) {
            self.note(path, at, path.join(".").to_ascii_lowercase());
            let slot = &mut self.values.slots[place];
            return set(slot, &KEYS[place], path, at, line(self.text, at), value);
        }
        let is_section = |key: &Key| key.file.split_once('.').is_some_and(|(name, _)| name.eq_ignore_ascii_case(first));
        if rest.is_empty() && KEYS.iter().any(is_section) {
            self.note(path, at, first.to_ascii_lowercase());
            return container(path, at, value, Value::Object);
        }
        let commands = &KEYS[Id::OwnerConsentCommands as usize];
        if is_path_of(commands, core::slice::from_ref(first)) {
            return add_command(self.values.get_mut(Id::OwnerConsentCommands), path, at, value);
        }
        self.warn_unknown(path, at);
        Ok(false)
    }

    /// Takes a value of or below `agents`; `rest` is its path from there.
    fn take_agents(&mut self, rest: &[String], path: &[String], at: usize, value: Value<'_>) -> Result<bool, Fault> {
        let line = line(self.text, at);
        match rest {
            [] => {
                self.note(path, at, String::from("agents"));
                let null = value == Value::Null;
                let inside = container(path, at, value, Value::Object)?;
                self.values.agents_source = if null { Source::Default } else { Source::File(line) };
                match null {
                    true => self.values.agents = None,
                    false => drop(self.values.agents.get_or_insert_with(Vec::new)),
                }
                Ok(inside)
            }
            [domain] => {
                self.note(path, at, format!("agents.{domain}"));
                let inside = container(path, at, value, Value::Object)?;
                let fresh = AgentValues::new(domain);
                let agents = self.values.agents.get_or_insert_with(Vec::new);
                match agents.iter_mut().find(|agent| agent.domain == *domain) {
                    // As Go: the later one stands alone.
                    Some(agent) => *agent = fresh,
                    None => agents.push(fresh),
                }
                Ok(inside)
            }
            [domain, key] => {
                let Some(place) = AGENT_KEYS.iter().position(|k| k.file.eq_ignore_ascii_case(key)) else {
                    self.warn_unknown(path, at);
                    return Ok(false);
                };
                self.note(path, at, format!("agents.{domain}.{}", AGENT_KEYS[place].file));
                let agents = self.values.agents.get_or_insert_with(Vec::new);
                match agents.iter_mut().find(|agent| agent.domain == *domain) {
                    Some(agent) => set(&mut agent.slots[place], &AGENT_KEYS[place], path, at, line, value),
                    None => Ok(false),
                }
            }
            _ => Ok(false),
        }
    }

    /// Remembers that a known key was given, and warns if it was before.
    fn note(&mut self, path: &[String], at: usize, plain: String) {
        // A domain that is given anew brings all its keys anew.
        if self.seen.contains(&plain) {
            let below = format!("{plain}.");
            self.seen.retain(|seen| !(plain.starts_with("agents.") && seen.starts_with(&below)));
            self.warn(path, at, "is given more than once; the last one counts");
        } else {
            self.seen.push(plain);
        }
    }

    fn warn_unknown(&mut self, path: &[String], at: usize) {
        self.warn(path, at, "is no key of the configuration; it is ignored");
    }

    fn warn(&mut self, path: &[String], at: usize, reason: &str) {
        let (line, column) = json::line_and_column(self.text, at);
        self.warnings.push(path.join("."), format!("file line {line} column {column}"), reason.to_string());
    }
}

fn line(text: &str, at: usize) -> u32 {
    json::line_and_column(text, at).0
}

fn is_path_of(key: &Key, path: &[String]) -> bool {
    let mut parts = key.file.split('.');
    !key.file.is_empty()
        && path.iter().all(|name| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(name)))
        && parts.next().is_none()
}

fn wrong_type(path: &[String], at: usize, value: &Value<'_>, expected: &str) -> Fault {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::Object => "an object",
        Value::Array => "an array",
    };
    let path = if path.is_empty() { String::from("the configuration") } else { path.join(".") };
    Fault { at, what: format!("{} must be {expected}, not {found}", shown(&path)) }
}

/// Accepts a value of the wanted kind, and null as if it were not there.
fn container(path: &[String], at: usize, value: Value<'_>, wanted: Value<'_>) -> Result<bool, Fault> {
    let expected = if wanted == Value::Array { "an array" } else { "an object" };
    match value {
        Value::Null => Ok(false),
        value if value == wanted => Ok(true),
        value => Err(wrong_type(path, at, &value, expected)),
    }
}

/// Puts a value into its slot; null changes nothing, as in Go.
fn set(slot: &mut Slot, key: &Key, path: &[String], at: usize, line: u32, value: Value<'_>) -> Result<bool, Fault> {
    let text = match (key.kind, value) {
        (_, Value::Null) => return Ok(false),
        (Kind::Commands, value) => {
            container(path, at, value, Value::Array)?;
            String::new()
        }
        (Kind::Bool, Value::Bool(value)) => value.to_string(),
        (Kind::Bool, value) => return Err(wrong_type(path, at, &value, "a boolean")),
        (Kind::Number, Value::Number(digits)) => match parse_decimal(digits) {
            Some(number) => number.to_string(),
            None => return Err(Fault { at, what: format!("{} must be a whole number, not {digits}", path.join(".")) }),
        },
        (Kind::Number, value) => return Err(wrong_type(path, at, &value, "a number")),
        (_, Value::Text(text)) => text,
        (_, value) => return Err(wrong_type(path, at, &value, "a string")),
    };
    *slot = Slot { text, source: Source::File(line) };
    Ok(key.kind == Kind::Commands)
}

/// Adds an element of the array `ownerConsentCommands`.
fn add_command(slot: &mut Slot, path: &[String], at: usize, value: Value<'_>) -> Result<bool, Fault> {
    match value {
        Value::Null => {}
        Value::Text(text) => {
            if !slot.text.is_empty() {
                slot.text.push(',');
            }
            slot.text.push_str(&text);
        }
        value => return Err(wrong_type(path, at, &value, "a string")),
    }
    Ok(false)
}
