//! Tests of the wire as a whole: what is refused and how, what passes, limits,
//! agreement with another parser, and random damage.

use std::string::String;
use std::vec::Vec;

use super::things::Identity;
use super::{desired_state, encode, feedback, inventory, Envelope, Malformed};
use crate::engine::event::Action;
use crate::model::text::Text;

mod agreement;
mod consent;
mod console;
mod damage;
mod exchange;
mod find;
mod groups;
mod identity;
mod limits;
mod refusal;
mod request;
mod told;
mod versions;

/// An envelope around `payload`.
fn message(payload: &str) -> String {
    format!(r#"{{"activityId":"m","timestamp":1,"payload":{payload}}}"#)
}

fn desired_state_of(bytes: &[u8]) -> Result<desired_state::DesiredState, Malformed> {
    desired_state::decode(&Envelope::decode(bytes)?)
}

fn feedback_of(bytes: &[u8]) -> Result<(feedback::Head<'_>, Vec<Action<'_>>), Malformed> {
    let mut actions = heapless::Vec::new();
    let head = feedback::decode(&Envelope::decode(bytes)?, &mut actions)?;
    Ok((head, actions.to_vec()))
}

fn inventory_of(bytes: &[u8]) -> Result<inventory::Inventory<'_>, Malformed> {
    inventory::decode(&Envelope::decode(bytes)?, "containers")
}

/// The part of the domain in place `ix`.
fn part(bytes: &[u8], state: &desired_state::DesiredState, ix: usize) -> String {
    let mut out = String::new();
    desired_state::encode_part(bytes, state, ix, &mut out).unwrap();
    out
}

/// Who we are in the reference's traces.
fn identity() -> Identity {
    identity_of("test.ns:edge:device")
}

fn identity_of(device: &str) -> Identity {
    let message = format!(r#"{{"deviceId":{device:?},"tenantId":"t1","policyId":""}}"#);
    Identity::decode(message.as_bytes()).unwrap()
}

/// A whole message around a payload that `payload` writes.
fn enveloped(activity: &str, payload: impl Fn(&mut String)) -> String {
    let mut out = String::new();
    encode::head(&mut out, Text::parse(activity).unwrap(), 1).unwrap();
    payload(&mut out);
    out.push_str(encode::TAIL);
    out
}
