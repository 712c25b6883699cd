//! The configuration file: JSON, its keys in any letter case, as the reference
//! reads it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::duration::parse_decimal;
use super::keys::{AgentId, Id, Key, Kind, AGENT_KEYS, KEYS};
use super::values::{shown, AgentValues, Slot, Source, Values, Warnings};
use crate::limits::CONFIG_FILE_MAX;
use crate::model::text::Text;
use crate::nearest::{nearest, question};
use crate::wire::node::{self, Node};
use crate::wire::Malformed;

/// What is wrong with the file, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Bytes from the start.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Fault {
        Fault { at: malformed.offset as usize, what: format!("it {}", malformed.what) }
    }
}

/// Line and column of the byte `at`, both from 1; columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line as u32, column as u32)
}

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
        let (line, column) = line_and_column(&text, at);
        format!("the file {}, line {line} column {column}: {what}", shown(path))
    })?;
    let folder = Path::new(path).parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let of_agents = values.agents.iter_mut().flatten().map(|agent| &mut agent.slots[AgentId::Exec as usize]);
    let slots = of_agents.chain([&mut values.slots[Id::VerifyCommand as usize]]);
    slots.for_each(|slot| slot.text = executable(folder, &slot.text));
    Ok(())
}

/// The executable that a file in `folder` names: relative to that folder, wherever the
/// process works. A bare name that is not there is one of the system's.
fn executable(folder: &Path, exec: &str) -> String {
    let path = folder.join(exec.strip_prefix("./").unwrap_or(exec));
    match exec.is_empty() || !(exec.contains('/') || path.exists()) {
        true => exec.to_owned(),
        false => path.to_str().map_or_else(|| exec.to_owned(), String::from),
    }
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
    Reading { text, warnings }.take_section("", Node::document(text.as_bytes())?, values)
}

const TWICE: &str = "is given more than once; the last one counts";
const UNKNOWN: &str = "is no key of the configuration; it is ignored";

/// Paths are as the file spells them.
struct Reading<'a> {
    text: &'a str,
    warnings: &'a mut Warnings,
}

impl Reading<'_> {
    /// Takes a section, or the whole file, which is the section without a name.
    fn take_section(&mut self, section: &str, node: Node<'_>, values: &mut Values) -> Result<(), Fault> {
        for (path, name, node) in members(section, node)? {
            let is_here = |key: &Key| {
                let (of, key) = key.file.split_once('.').unwrap_or(("", key.file));
                !key.is_empty() && of.eq_ignore_ascii_case(section) && key.eq_ignore_ascii_case(&name)
            };
            let is_inside = |key: &Key| key.file.split_once('.').is_some_and(|(of, _)| of.eq_ignore_ascii_case(&path));
            if let Some(place) = KEYS.iter().position(is_here) {
                self.set(&mut values.slots[place], &KEYS[place], &path, node)?;
            } else if path.eq_ignore_ascii_case("agents") {
                self.take_agents(&path, node, values)?;
            } else if KEYS.iter().any(is_inside) {
                let mut inside = KEYS.iter().zip(&values.slots).filter(|(key, _)| is_inside(key));
                if inside.any(|(_, slot)| slot.source != Source::Default) {
                    self.warn(&path, node, TWICE);
                }
                self.take_section(&path, node, values)?;
            } else {
                let keys = KEYS.iter().map(|key| key.file).filter(|file| !file.is_empty());
                let sections = keys.clone().filter_map(|file| Some(file.split_once('.')?.0));
                self.warn_unknown(&path, &name, node, keys.chain(sections).chain(["agents"]).map(String::from));
            }
        }
        Ok(())
    }

    fn take_agents(&mut self, path: &str, node: Node<'_>, values: &mut Values) -> Result<(), Fault> {
        if values.agents_source != Source::Default {
            self.warn(path, node, TWICE);
        }
        let members = members(path, node)?;
        if node.kind() == node::Kind::Null {
            (values.agents, values.agents_source) = (None, Source::Default);
            return Ok(());
        }
        values.agents_source = self.source(node);
        let agents = values.agents.get_or_insert_with(Vec::new);
        for (path, domain, node) in members {
            let mut agent = AgentValues::new(&domain);
            self.take_agent(&path, node, &mut agent)?;
            match agents.iter_mut().find(|earlier| earlier.domain == domain) {
                // As Go: the later one stands alone.
                Some(earlier) => {
                    self.warn(&path, node, TWICE);
                    *earlier = agent;
                }
                None => agents.push(agent),
            }
        }
        Ok(())
    }

    fn take_agent(&mut self, agent_path: &str, node: Node<'_>, agent: &mut AgentValues) -> Result<(), Fault> {
        for (path, name, node) in members(agent_path, node)? {
            match AGENT_KEYS.iter().position(|key| key.file.eq_ignore_ascii_case(&name)) {
                Some(place) => self.set(&mut agent.slots[place], &AGENT_KEYS[place], &path, node)?,
                None => {
                    let keys = AGENT_KEYS.iter().map(|key| below(agent_path, key.file));
                    self.warn_unknown(&path, &name, node, keys);
                }
            }
        }
        Ok(())
    }

    /// Puts a value into its slot; null changes nothing, as in Go.
    fn set(&mut self, slot: &mut Slot, key: &Key, path: &str, node: Node<'_>) -> Result<(), Fault> {
        let wanted = match key.kind {
            Kind::Commands => "an array",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            _ => "a string",
        };
        if !is_given(path, node, wanted)? {
            return Ok(());
        }
        if slot.source != Source::Default {
            self.warn(path, node, TWICE);
        }
        let raw = node.raw();
        let text = match key.kind {
            Kind::Commands => commands(path, node)?,
            Kind::Bool => raw.to_string(),
            Kind::Number => match parse_decimal(raw) {
                Some(number) => number.to_string(),
                None => return Err(fault(path, node, &format!("a whole number, not {}", shown(raw)))),
            },
            _ => plain(node.string()?),
        };
        *slot = Slot { text, source: self.source(node) };
        Ok(())
    }

    fn source(&self, node: Node<'_>) -> Source {
        Source::File(line_and_column(self.text, node.span().start as usize).0)
    }

    /// Warns of the key `name` at `path`. Names the one that was meant: of those `known` there,
    /// or one that belongs elsewhere.
    fn warn_unknown(&mut self, path: &str, name: &str, node: Node<'_>, known: impl Iterator<Item = String>) {
        let meant = match name {
            // As the flag is called.
            "domains" => Some(String::from("agents")),
            name => nearest(path, known).or_else(|| elsewhere(name)).or_else(|| elsewhere(path)),
        };
        self.warn(path, node, &format!("{UNKNOWN}{}", question(meant.as_deref())));
    }

    fn warn(&mut self, path: &str, node: Node<'_>, reason: &str) {
        let (line, column) = line_and_column(self.text, node.span().start as usize);
        self.warnings.push(path.to_string(), format!("file line {line} column {column}"), reason.to_string());
    }
}

/// The path of what has this name in `path`.
fn below(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_string(),
        false => format!("{path}.{name}"),
    }
}

/// The path of the key that is called like `name` in whatever section.
fn elsewhere(name: &str) -> Option<String> {
    let of_agents = AGENT_KEYS.iter().map(|key| below("agents.<domain>", key.file));
    let paths: Vec<String> = KEYS.iter().map(|key| key.file.to_owned()).chain(of_agents).collect();
    let last = |path: &String| path.rsplit('.').next().unwrap_or_default().to_owned();
    let meant = nearest(name, paths.iter().map(last))?;
    paths.into_iter().find(|path| last(path) == meant)
}

fn fault(path: &str, node: Node<'_>, must_be: &str) -> Fault {
    let path = if path.is_empty() { "the configuration" } else { path };
    Fault { at: node.span().start as usize, what: format!("{} must be {must_be}", shown(path)) }
}

/// Whether it is not null.
///
/// # Errors
/// It is, but not `wanted`.
fn is_given(path: &str, node: Node<'_>, wanted: &str) -> Result<bool, Fault> {
    let found = match node.kind() {
        node::Kind::Null => return Ok(false),
        node::Kind::Boolean => "a boolean",
        node::Kind::Number => "a number",
        node::Kind::String => "a string",
        node::Kind::Array => "an array",
        node::Kind::Object => "an object",
    };
    match found == wanted {
        true => Ok(true),
        false => Err(fault(path, node, &format!("{wanted}, not {found}"))),
    }
}

/// The members of an object: path, name, value; null has none.
fn members<'a>(path: &'a str, node: Node<'a>) -> Result<impl Iterator<Item = (String, String, Node<'a>)> + 'a, Fault> {
    let members = is_given(path, node, "an object")?.then(|| node.members());
    Ok(members.into_iter().flatten().map(move |(name, node)| {
        let name = plain(name);
        (below(path, &name), name, node)
    }))
}

fn plain(text: Text<'_>) -> String {
    text.chars().collect()
}

/// The strings of the array `ownerConsentCommands`, with commas.
fn commands(path: &str, node: Node<'_>) -> Result<String, Fault> {
    let mut commands = String::new();
    for (place, node) in node.elements()?.enumerate() {
        if is_given(&below(path, &place.to_string()), node, "a string")? {
            if !commands.is_empty() {
                commands.push(',');
            }
            commands.push_str(&plain(node.string()?));
        }
    }
    Ok(commands)
}
