//! The components of an activity's actions as they are saved: once, when all
//! domains have identified. Their status and progress stand in the state.

use super::format::{fields, Draft, Fields, Kind};
use crate::engine::event::Action;
use crate::engine::Campaign;
use crate::limits::SAVED_ACTIONS_MAX;
use crate::model::text::Text;
use crate::model::DomainIx;
use crate::wire::feedback::component_id;

/// Timestamp and checksum of the desired state, by which 0.1.0 knows whose they are.
const OF: u8 = 1;
const ACTION: u8 = 2;
/// Whose they are.
const RUN: u8 = 3;

/// The record of the campaign's actions, as many as fit `SAVED_ACTIONS_MAX` bytes, with
/// the activity's state if that is not empty.
pub fn encode(campaign: &Campaign, names: &[String], state: &[u8]) -> Option<Draft> {
    Draft::carrying(Kind::Actions, SAVED_ACTIONS_MAX, state, |out: &mut Fields<'_>| {
        out.put(OF, &[&campaign.identity.timestamp.to_le_bytes(), &campaign.identity.crc.to_le_bytes()]);
        out.put(RUN, &[&campaign.identity.run.0.to_le_bytes()]);
        for action in campaign.actions.in_order_of_arrival() {
            let Some(name) = names.get(action.domain.place()) else { continue };
            let (name, component) = (name.as_bytes(), action.component().as_bytes());
            if out.has_room(1 + name.len() + component.len()) {
                out.put(ACTION, &[&[name.len() as u8], name, component]);
            }
        }
    })
}

/// Puts the actions into the campaign if they are its own, and returns whether they are.
pub fn decode(bytes: &[u8], names: &[String], campaign: &mut Campaign) -> bool {
    let mut is_of = false;
    for (tag, content) in fields(bytes) {
        match tag {
            OF => {
                let of =
                    [&campaign.identity.timestamp.to_le_bytes()[..], &campaign.identity.crc.to_le_bytes()].concat();
                is_of = content == of;
            }
            RUN => is_of = content == campaign.identity.run.0.to_le_bytes(),
            ACTION if is_of => drop(decode_one(content, names, campaign)),
            _ => {}
        }
    }
    is_of
}

fn decode_one(content: &[u8], names: &[String], campaign: &mut Campaign) -> Option<()> {
    let (len, rest) = content.split_first()?;
    let name = rest.get(..usize::from(*len))?;
    let component = core::str::from_utf8(rest.get(usize::from(*len)..)?).ok()?;
    let domain = names.iter().position(|known| known.as_bytes() == name).and_then(DomainIx::new)?;
    let id = component_id(component)?;
    let action = Action { id, component, status: None, progress: 0, message: Text::EMPTY };
    campaign.actions.merge(domain, &action).ok().map(drop)
}
