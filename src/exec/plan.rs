//! What has to change, as the difference of what is wanted and what is installed.

use std::fmt::Write;

use crate::agent::{Action, DesiredState};

/// A component that is installed: identifier and version.
pub type Installed = (String, String);

/// What becomes of a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is installed, in place of another version or anew.
    Install,
    /// It stays as it is.
    Keep,
    /// It is not wanted any more.
    Remove,
}

impl Change {
    /// As it is called in the plan.
    pub fn name(self) -> &'static str {
        match self {
            Change::Install => "install",
            Change::Keep => "keep",
            Change::Remove => "remove",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Change> {
        [Change::Install, Change::Keep, Change::Remove].into_iter().find(|change| change.name() == name)
    }
}

/// A component, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// What becomes of it.
    pub change: Change,
    /// The component, and how far its change is.
    pub action: Action,
}

/// Plans what makes `desired` of `installed`: the wanted components in their order,
/// then those to be removed.
///
/// # Errors
/// A name that a line of the plan cannot hold.
pub fn compare(desired: &DesiredState, installed: &[Installed]) -> Result<Vec<Planned>, String> {
    let mut plan = Vec::new();
    for wanted in &desired.components {
        let keys = wanted.config.iter().map(|(key, _)| key);
        if let Some(name) = [&wanted.id, &wanted.version].into_iter().chain(keys).find(|name| !is_plain(name)) {
            return Err(format!("{:?} has a control character", name.as_str()));
        }
        let is_there = installed.iter().any(|(id, version)| *id == wanted.id && *version == wanted.version);
        let change = if is_there { Change::Keep } else { Change::Install };
        plan.push(Planned { change, action: Action::new(&wanted.id, &wanted.version) });
    }
    for (id, version) in installed {
        if desired.components.iter().all(|wanted| wanted.id != *id) {
            plan.push(Planned { change: Change::Remove, action: Action::new(id, version) });
        }
    }
    Ok(plan)
}

/// Whether it fits into a field of a line.
pub fn is_plain(name: &str) -> bool {
    !name.chars().any(char::is_control)
}

/// Whether anything changes.
pub fn is_change(planned: &&Planned) -> bool {
    planned.change != Change::Keep
}

/// What is installed when all has changed.
pub fn outcome(plan: &[Planned]) -> Vec<Installed> {
    let stays = plan.iter().filter(|planned| planned.change != Change::Remove);
    stays.map(|planned| (planned.action.id.clone(), planned.action.version.clone())).collect()
}

/// The plan as the program reads it: a line for each component, the fields apart by
/// tabs, and behind it one for each of its keys and values.
pub fn text(plan: &[Planned], desired: &DesiredState) -> String {
    let mut text = String::new();
    for Planned { change, action } in plan {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}\t{}\t{}", change.name(), action.id, action.version);
        let wanted = desired.components.iter().find(|wanted| wanted.id == action.id);
        for (key, value) in wanted.iter().flat_map(|wanted| &wanted.config) {
            let _ = writeln!(text, "config\t{}\t{key}\t{}", action.id, escaped(value));
        }
    }
    for (key, value) in desired.config.iter().filter(|(key, _)| is_plain(key)) {
        let _ = writeln!(text, "option\t{key}\t{}", escaped(value));
    }
    text
}

/// As `printf %b` reads it.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_ascii_control() => drop(write!(text, "\\0{:03o}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::part;

    fn desired(components: &str) -> DesiredState {
        let json =
            format!(r#"{{"domains":[{{"id":"d","config":[{{"key":"o","value":"p q"}}],"components":{components}}}]}}"#);
        part(&json, "d").unwrap()
    }

    fn installed(list: &[(&str, &str)]) -> Vec<Installed> {
        list.iter().map(|(id, version)| (id.to_string(), version.to_string())).collect()
    }

    #[test]
    fn the_plan_is_the_difference_of_what_is_wanted_and_what_is_installed() {
        let desired = desired(
            r#"[{"id":"new","version":"1","config":[{"key":"url","value":"a\tb\n\\c\u0001"}]},
                {"id":"same","version":"1"},{"id":"other","version":"2"}]"#,
        );
        let plan = compare(&desired, &installed(&[("same", "1"), ("other", "1"), ("old", "3")])).unwrap();
        let expected = "install\tnew\t1\nconfig\tnew\turl\ta\\tb\\n\\\\c\\0001\nkeep\tsame\t1\n\
                        install\tother\t2\nremove\told\t3\noption\to\tp q\n";
        assert_eq!(text(&plan, &desired), expected);
        assert_eq!(outcome(&plan), installed(&[("new", "1"), ("same", "1"), ("other", "2")]));
        assert_eq!(plan.iter().filter(is_change).count(), 3);
    }

    #[test]
    fn a_name_that_a_line_cannot_hold_is_refused() {
        for bad in
            [r#""id":"a\nb""#, r#""id":"a","version":"1\t2""#, r#""id":"a","config":[{"key":"\u0007","value":""}]"#]
        {
            let plan = compare(&desired(&format!("[{{{bad}}}]")), &[]);
            assert!(plan.unwrap_err().ends_with(" has a control character"), "{bad}");
        }
    }
}
