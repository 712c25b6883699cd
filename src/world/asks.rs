//! What a world's console is asked.

use serde_json::Value;

use super::scenario::World;
use crate::console::view::Host;
use crate::manager::Reply;

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
        let (mut answer, mut from) = (String::new(), None);
        let mut tries = 0;
        loop {
            let mut piece = String::new();
            let reply = self.manager.handle_console(self.clock.now(), &host, request.as_bytes(), from, &mut piece);
            answer.push_str(&piece);
            match reply {
                Reply::Whole => break,
                Reply::Piece(place) => from = Some(place),
                Reply::Cut => panic!("{request}: nothing has changed meanwhile"),
                // What it says is saved first.
                Reply::Later if tries < 20_000 => self.run_for(20),
                Reply::Later => return None,
            }
            tries += 1;
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
