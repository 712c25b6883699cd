//! What the agent remembers over a restart: a file, replaced in one go.

use std::fs;
use std::path::Path;

use serde_json::{json, Value};
use update_manager::agent::{Action, ActionStatus, Baseline, Command};
use update_manager::model::text::Text;
use update_manager::wire::status::action_status;

use crate::activity::{Activity, Installed, Planned};

/// Writes what is installed and the activity that runs; a failure ends the agent,
/// which would break its promise otherwise.
pub fn save(path: &Path, installed: &[Installed], activity: Option<&Activity>) {
    let document = json!({ "installed": installed, "activity": activity.map(encode) });
    let new = path.with_extension("new");
    let written = fs::write(&new, document.to_string()).and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        eprintln!("{}: {error}", path.display());
        std::process::exit(1);
    }
}

/// What was saved; nothing if nothing was, or it cannot be read.
pub fn load(path: &Path) -> (Vec<Installed>, Option<Activity>) {
    let document = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(document) = document else { return (Vec::new(), None) };
    let installed = serde_json::from_value(document["installed"].clone()).unwrap_or_default();
    (installed, decode(&document["activity"]))
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
