//! What a world's console is asked.

use serde_json::Value;

use super::scenario::World;
use crate::console::view::Host;

impl World {
    /// Asks at the console: the answer, and the text of it.
    pub fn asks(&mut self, request: &str) -> (Value, String) {
        self.asks_with(request, true)
    }

    pub fn asks_with(&mut self, request: &str, may_control: bool) -> (Value, String) {
        self.asks_unless_busy(request, may_control).unwrap_or_else(|| panic!("{request}"))
    }

    /// The same; none if it cannot be answered at this moment.
    pub fn asks_unless_busy(&mut self, request: &str, may_control: bool) -> Option<(Value, String)> {
        let host = Host {
            broker: &"tcp://broker:1883",
            may_control,
            resident_kib: || 700,
            link_error: "",
            configuration: &|| String::from("domain = device (default)\n"),
        };
        let mut answer = String::new();
        // What it says is saved first.
        let mut tries = 0;
        while !self.manager.handle_console(self.clock.now(), &host, request.as_bytes(), &mut answer) {
            tries += 1;
            if tries > 20_000 {
                return None;
            }
            self.run_for(20);
        }
        assert!(answer.ends_with("}\n") && answer.matches('\n').count() == 1, "{answer}");
        self.settle();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let text = answer["text"].as_str().unwrap_or_default().to_owned();
        Some((answer, text))
    }

    /// Asks for a command without arguments: the answer.
    pub fn commanded(&mut self, command: &str) -> Value {
        self.asks(&format!(r#"{{"command":"{command}"}}"#)).0
    }

    /// Applies a desired state: the answer.
    pub fn applies(&mut self, activity: &str, payload: &str) -> Value {
        let wall = self.wall();
        let request = r#"{"command":"apply","activityId""#;
        self.asks(&format!(r#"{request}:"{activity}","timestamp":{wall},"payload":{payload}}}"#)).0
    }
}
