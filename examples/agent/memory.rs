//! What the agent remembers over a restart: a file, replaced in one go.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{json, Value};
use update_manager::agent::{Action, ActionStatus, Baseline, Command};
use update_manager::model::text::Text;
use update_manager::wire::status::action_status;

use crate::activity::{Activity, Installed, Planned};
use crate::slots::Slots;

/// What an agent has and does.
#[derive(Default)]
pub struct Memory {
    pub installed: Vec<Installed>,
    pub activity: Option<Activity>,
    /// If its updates take effect with a boot.
    pub slots: Option<Slots>,
}

impl Memory {
    /// What is in use.
    pub fn in_use(&self) -> &[Installed] {
        self.slots.as_ref().map_or(&self.installed, |slots| &slots.running)
    }

    /// An activity has ended: what it has activated stays.
    pub fn end(&mut self, activity: &Activity) {
        if activity.activated {
            self.installed = activity.wanted();
        }
        if let Some(slots) = &mut self.slots {
            slots.next = self.installed.clone();
        }
    }
}

/// Writes it, so that a power cut does not lose it; a failure ends the agent, which would
/// break its promise otherwise.
pub fn save(path: &Path, memory: &Memory) {
    let Memory { installed, activity, slots } = memory;
    let slots = slots.as_ref().map(|slots| json!([slots.boot, slots.running, slots.next]));
    let document = json!({ "installed": installed, "activity": activity.as_ref().map(encode), "slots": slots });
    if let Err(error) = replace(path, document.to_string().as_bytes()) {
        eprintln!("{}: {error}", path.display());
        std::process::exit(1);
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// What was saved; nothing if nothing was, or it cannot be read.
pub fn load(path: &Path) -> Memory {
    let document = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(document) = document else { return Memory::default() };
    let slots = serde_json::from_value(document["slots"].clone()).ok();
    Memory {
        installed: serde_json::from_value(document["installed"].clone()).unwrap_or_default(),
        activity: decode(&document["activity"]),
        slots: slots.map(|(boot, running, next)| Slots { boot, running, next }),
    }
}

fn encode(activity: &Activity) -> Value {
    let planned = |planned: &Planned| {
        let Planned { action, removes } = planned;
        json!([action.id, action.version, action.status.name(), action.progress, removes])
    };
    let running = activity.running().map(|(command, baseline)| json!([command.name(), baseline]));
    json!({
        "id": activity.id,
        "planned": activity.planned.iter().map(planned).collect::<Vec<_>>(),
        "baselines": activity.baselines.iter().map(|b| json!([b.title, b.components])).collect::<Vec<_>>(),
        "reached": activity.reached.map(Command::name),
        "activated": activity.activated,
        "running": running,
    })
}

fn decode(value: &Value) -> Option<Activity> {
    let planned = value["planned"].as_array()?.iter().map(decode_planned).collect::<Option<_>>()?;
    let mut activity = Activity {
        id: value["id"].as_str()?.to_owned(),
        planned,
        baselines: value["baselines"].as_array()?.iter().map(decode_baseline).collect::<Option<_>>()?,
        running: None,
        reached: value["reached"].as_str().and_then(named),
        activated: value["activated"].as_bool()?,
    };
    if let (Some(name), Some(baseline)) = (value["running"][0].as_str(), value["running"][1].as_str()) {
        activity.start(named(name)?, baseline.to_owned(), false);
    }
    Some(activity)
}

fn decode_planned(value: &Value) -> Option<Planned> {
    let mut action = Action::new(value[0].as_str()?, value[1].as_str()?);
    action.status = status_named(value[2].as_str()?)?;
    action.progress = value[3].as_u64()?.min(100) as u8;
    Some(Planned { action, removes: value[4].as_bool()? })
}

fn decode_baseline(value: &Value) -> Option<Baseline> {
    let components = value[1].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(Baseline { title: value[0].as_str()?.to_owned(), components, ..Baseline::default() })
}

fn named(name: &str) -> Option<Command> {
    Command::of_name(Text::parse(name)?)
}

fn status_named(name: &str) -> Option<ActionStatus> {
    action_status(Text::parse(name)?)
}
