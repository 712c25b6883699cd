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

#[cfg(test)]
mod tests {
    use super::super::format::HEADER;
    use super::*;
    use crate::model::Run;

    /// Bytes of a record without actions: the frame, whose they are, and the run.
    const EMPTY: usize = HEADER + (3 + 8 + 4) + (3 + 8);

    /// A campaign whose components have so many bytes each.
    fn campaign(lens: &[usize]) -> Campaign {
        let mut campaign = Campaign::new();
        (campaign.identity.run, campaign.identity.timestamp, campaign.identity.crc) = (Run(7), -5, 77);
        for (n, len) in lens.iter().enumerate() {
            let id = format!("{n:0>3}");
            let component = format!(r#"{{"id":"{id}","x":"{}"}}"#, "x".repeat(len - 19));
            let id = Text::from_checked(&id);
            let action = Action { id, component: &component, status: None, progress: 0, message: Text::EMPTY };
            campaign.actions.merge(DomainIx::new(0).unwrap(), &action).unwrap();
        }
        campaign
    }

    /// Bytes of the record, and how many actions come back.
    fn saved(campaign: &Campaign) -> (usize, usize) {
        let names = ["one".to_owned()];
        let bytes = encode(campaign, &names, b"").unwrap().bytes;
        let mut back = self::campaign(&[]);
        assert!(decode(&bytes[HEADER..], &names, &mut back));
        (bytes.len(), back.actions.len())
    }

    #[test]
    fn each_action_takes_its_domain_and_its_component_and_four_bytes() {
        assert_eq!(saved(&campaign(&[])), (EMPTY, 0));
        assert_eq!(saved(&campaign(&[19, 40])), (EMPTY + 2 * (4 + 3) + 19 + 40, 2));
    }

    #[test]
    fn actions_are_saved_up_to_the_last_byte_that_there_is_room_for() {
        // Each takes 300 bytes, and the last one what is left.
        let room = SAVED_ACTIONS_MAX - EMPTY;
        let mut lens = vec![300 - 7; room / 300];
        lens.push(room % 300 - 7);
        assert_eq!(saved(&campaign(&lens)), (SAVED_ACTIONS_MAX, lens.len()));
        if let Some(last) = lens.last_mut() {
            *last += 1;
        }
        let (len, count) = saved(&campaign(&lens));
        assert!(len < SAVED_ACTIONS_MAX && count == lens.len() - 1, "{len} bytes, {count} actions");
    }

    #[test]
    fn actions_of_another_activity_are_left_out() {
        let names = ["one".to_owned()];
        let bytes = encode(&campaign(&[19]), &names, b"").unwrap().bytes;
        let mut other = campaign(&[]);
        other.identity.run = Run(8);
        assert!(!decode(&bytes[HEADER..], &names, &mut other));
        assert!(other.actions.is_empty());
    }
}
