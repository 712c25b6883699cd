//! The floor: the same hops through the same broker, with a bare client in the
//! manager's place that does nothing but pass them on, or also reports as the manager.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::agents::enveloped;
use crate::bare::Bare;
use crate::link::envelope::topic;

/// A client that leads activities of the domains `domains` as the manager does.
pub struct Floor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const COMMANDS: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

impl Floor {
    pub fn start(port: u16, device: &str, domains: &[&str], is_reporting: bool) -> Floor {
        let stop = Arc::new(AtomicBool::new(false));
        let mut bare = Bare::connect(port, &format!("floor-{device}"));
        let mut filters = vec![topic(device, "desiredstate")];
        filters.extend(domains.iter().map(|domain| topic(domain, "desiredstatefeedback")));
        bare.subscribe(&filters);
        let (is_done, device) = (Arc::clone(&stop), device.to_owned());
        let domains: Vec<String> = domains.iter().map(|domain| (*domain).to_owned()).collect();
        let thread = std::thread::spawn(move || lead(bare, &device, &domains, is_reporting, &is_done));
        Floor { stop, thread: Some(thread) }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn lead(mut bare: Bare, device: &str, domains: &[String], is_reporting: bool, stop: &AtomicBool) {
    let desired = topic(device, "desiredstate");
    // Before it commands, and the end that its backend waits for.
    let report = |bare: &mut Bare, activity: &str, statuses: &[&str]| {
        for status in statuses {
            let text = enveloped(activity, &format!(r#"{{"status":"{status}","actions":[]}}"#));
            bare.publish(&topic(device, "desiredstatefeedback"), text.as_bytes());
        }
    };
    let (mut activity, mut answers) = (String::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = bare.next(Duration::from_millis(200)) else { continue };
        if message.topic == desired {
            activity = message.field("activityId").to_owned();
            answers = 0;
            if is_reporting {
                report(&mut bare, &activity, &["IDENTIFYING"]);
            }
            for domain in domains {
                bare.publish(&topic(domain, "desiredstate"), &message.payload);
            }
            continue;
        }
        answers += 1;
        if answers % domains.len() != 0 {
            continue;
        }
        match COMMANDS.get(answers / domains.len() - 1) {
            Some(command) => {
                if is_reporting && *command == COMMANDS[0] {
                    report(&mut bare, &activity, &["IDENTIFIED", "RUNNING"]);
                }
                let text = enveloped(&activity, &format!(r#"{{"command":"{command}"}}"#));
                domains.iter().for_each(|d| bare.publish(&topic(d, "desiredstate/command"), text.as_bytes()));
            }
            None => report(&mut bare, &activity, &["COMPLETED"]),
        }
    }
}
