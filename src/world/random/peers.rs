//! What the others around the manager say to it, but for desired states.

use crate::limits::{CONSOLE_REQUEST_MAX, PAYLOAD_IN_MAX, TOPIC_IN_MAX};
use serde_json::{json, Value};

use super::Course;
use crate::world::actors::inventory_of;
use crate::world::seen::{text, topic, Seen};

/// Reads below which a message that is too large takes too many.
const READ_MAX: usize = 4096;

impl Course {
    pub(super) fn edge_says(&mut self, name: &str) {
        if self.is_twin && !self.is_edge_silent {
            let told = format!(r#"{{"deviceId":"ns:{name}","tenantId":"t","policyId":""}}"#);
            self.world.publish("edge/thing/response", told);
        }
    }

    pub(super) fn edge_speaks(&mut self) {
        self.is_edge_silent = false;
        self.edge_says("name");
    }

    /// The thing that the manager was last told to be, empty before.
    pub(super) fn thing(&self) -> String {
        let told = self.world.broker.seen.iter().rfind(|seen| seen.topic == "edge/thing/response");
        told.map_or(String::new(), |seen| text(&seen.json(), "deviceId").replace(':', "/"))
    }

    pub(super) fn request(&mut self, operation: &str, correlation: &str, value: &Value) {
        let request = json!({
            "topic": format!("{}/things/live/messages/{operation}", self.thing()),
            "headers": { "correlation-id": correlation, "response-required": self.random.percent(80) },
            "path": format!("/features/UpdateManager/inbox/messages/{operation}"),
            "value": value,
        });
        self.world.publish(&format!("command///req/r/{operation}"), request.to_string());
    }

    /// The owner answers the last question, now and then twice.
    pub(super) fn owner(&mut self) {
        let activity = self.world.accepted.borrow().last().cloned().unwrap_or_default();
        let status = self.random.of(&["APPROVED", "APPROVED", "DENIED", "PERHAPS"]);
        let times = if self.random.percent(15) { 2 } else { 1 };
        if !self.is_twin {
            return (0..times).for_each(|_| self.world.owner_says(&activity, status));
        }
        let asks = |seen: &&Seen| seen.topic == "e" && seen.path().ends_with("/consent");
        let question = self.world.broker.seen.iter().rfind(asks);
        let correlation =
            question.map_or(String::new(), |seen| text(&seen.json()["headers"], "correlation-id").to_owned());
        let value = json!({ "activityId": activity, "timestamp": 1, "ownerConsentFeedback": { "status": status } });
        (0..times).for_each(|_| self.request("consent", &correlation, &value));
    }

    /// Somebody is at the console. In a calm world nothing is cancelled there.
    pub(super) fn ask_console(&mut self) {
        let command = match self.random.below(100) {
            0..=44 => return self.want_any_at_console(),
            45..=54 => "approve",
            55..=57 => "deny",
            58..=64 if !self.is_calm() => "cancel",
            65..=79 => "history",
            80..=84 => "report",
            85..=89 => "watch",
            _ => "status",
        };
        let (force, json) = (self.random.percent(50), self.random.percent(50));
        let request = format!(r#"{{"command":"{command}","force":{force},"json":{json},"columns":80,"rows":24"#);
        let fill = CONSOLE_REQUEST_MAX - request.len() - r#","x":""}"#.len();
        let padding = if self.random.percent(5) { format!(r#","x":"{}""#, "x".repeat(fill)) } else { String::new() };
        let before = self.world.broker.seen.len();
        // One that comes at the wrong moment is not repeated.
        let answer = self.world.asks_unless_busy(&format!("{request}{padding}}}"), true);
        let is_cancelled = command == "cancel" && answer.as_ref().is_some_and(|(answer, _)| answer["exit"] == 0);
        if let Some(groups) = self.groups.as_mut().filter(|_| is_cancelled) {
            groups.cancels.push((before, self.world.broker.seen.len()));
        }
        assert!(answer.map_or(true, |(answer, _)| answer.is_object()));
    }

    /// What a peer may send but seldom does.
    pub(super) fn say_something_odd(&mut self) {
        match self.random.below(3) {
            0 => self.answer_an_old_round(),
            1 if self.is_twin => self.say_on_a_long_topic(),
            _ => self.say_too_much(),
        }
    }

    /// An agent answers a request for its inventory, perhaps long after it was over. To the
    /// manager that is a hello, if it has forgotten the request.
    fn answer_an_old_round(&mut self) {
        let domain = self.random.of(&self.domains);
        let asked = self.world.asked(domain);
        if asked.is_empty() || !self.loses(1) {
            return;
        }
        let round = &asked[self.random.below(asked.len() as u64) as usize];
        let wall = self.world.wall() - self.random.of(&[0, 0, 1_000_000]);
        let version = self.world.company.devices.get(domain).map_or("1", |device| device.borrow().version(wall));
        self.world.agent_has(domain, inventory_of(domain, round, wall, &[("app", version)]));
    }

    /// A request on a topic that is past its limit: the message comes in parts.
    fn say_on_a_long_topic(&mut self) {
        let operation = self.random.of(&["apply", "refresh", "consent"]);
        let id = "r".repeat(TOPIC_IN_MAX);
        let value = json!({ "activityId": "big", "timestamp": 1 });
        self.world.publish(&format!("command///req/{id}/{operation}"), value.to_string());
    }

    /// A message past its limit, on any topic. A desired state is refused, whatever else
    /// is ignored.
    fn say_too_much(&mut self) {
        if self.world.link.read_max < READ_MAX {
            return;
        }
        let domain = self.random.of(&self.domains);
        let place = match self.is_twin {
            true => self.random.of(&["edge/thing/response", "command///req/big/apply", "command///req/big/consent"]),
            false => self.random.of(&[
                "deviceupdate/desiredstate",
                "deviceupdate/desiredstate/command",
                "deviceupdate/currentstate/get",
                "deviceupdate/ownerconsentfeedback",
            ]),
        };
        let running = self.world.accepted.borrow().last().cloned().unwrap_or_default();
        let (place, activity) = match self.random.below(4) {
            0 => (topic(domain, "desiredstatefeedback"), running),
            1 => (topic(domain, "currentstate"), "nobody-asked".to_owned()),
            _ => (place.to_owned(), format!("big-{}", self.world.now())),
        };
        let fill = "x".repeat(PAYLOAD_IN_MAX + self.random.below(20_000) as usize);
        let payload = format!(r#"{{"status":"UPDATE_FAILURE","x":"{fill}"}}"#);
        let message = format!(r#"{{"activityId":"{activity}","timestamp":1,"payload":{payload}}}"#);
        self.world.publish(&place, message);
    }
}
