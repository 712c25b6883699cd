//! The session that the broker keeps: its client ID, the filters that the manager has
//! subscribed to in it, and the thing that it was. The configuration may be another one
//! at the next start, and the broker does not say what it has kept; requests to the thing
//! that it has kept come before the connector has said which thing we are.

use super::format::{fields, Draft, Fields, Kind, HEADER};
use crate::limits::{CONFIG_VALUE_MAX, FILTERS_MAX, REQUEST_FILTER_MAX, TENANT_ID_MAX, THING_ID_MAX};

/// The client ID.
const ID: u8 = 1;
/// Stands there, empty, if the client ID was made at random.
const RANDOM: u8 = 2;
/// A filter.
const FILTER: u8 = 3;
/// The thing's identifier.
const THING: u8 = 4;
/// Its tenant's identifier, which follows the thing's.
const TENANT: u8 = 5;

/// A session that was saved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Session {
    /// The client ID, at most `CONFIG_VALUE_MAX` bytes; empty if there is none.
    pub client_id: String,
    /// Whether it was made at random, so that it is to be used again.
    pub is_random: bool,
    /// At most `FILTERS_MAX` filters of 1 to `REQUEST_FILTER_MAX` bytes.
    pub filters: Vec<String>,
    /// The identifier of the thing that it was, at most `THING_ID_MAX` bytes, and of its
    /// tenant, at most `TENANT_ID_MAX` bytes; none if it was not known.
    pub thing: Option<(String, String)>,
}

/// The record of a session with these filters, of which the first `FILTERS_MAX` count,
/// and this thing and tenant.
pub fn encode<'a>(
    client_id: &str,
    is_random: bool,
    filters: impl Iterator<Item = &'a str> + Clone,
    thing: Option<(&str, &str)>,
) -> Option<Draft> {
    let filters = filters.take(FILTERS_MAX);
    let ids = thing.map_or(0, |(thing, tenant)| 3 + thing.len() + 3 + tenant.len());
    let max = HEADER + 3 + client_id.len() + 3 + filters.clone().map(|filter| 3 + filter.len()).sum::<usize>() + ids;
    Draft::new(Kind::Session, max, |out: &mut Fields<'_>| {
        out.put(ID, &[client_id.as_bytes()]);
        if is_random {
            out.put(RANDOM, &[]);
        }
        filters.for_each(|filter| out.put(FILTER, &[filter.as_bytes()]));
        if let Some((thing, tenant)) = thing {
            out.put(THING, &[thing.as_bytes()]);
            out.put(TENANT, &[tenant.as_bytes()]);
        }
    })
}

/// What the fields hold; what cannot be read is left out.
pub fn decode(bytes: &[u8]) -> Session {
    let mut session = Session::default();
    for (tag, content) in fields(bytes) {
        let Ok(text) = core::str::from_utf8(content) else { continue };
        match tag {
            ID if text.len() <= CONFIG_VALUE_MAX => session.client_id = text.to_owned(),
            RANDOM => session.is_random = true,
            FILTER if (1..=REQUEST_FILTER_MAX).contains(&text.len()) && session.filters.len() < FILTERS_MAX => {
                session.filters.push(text.to_owned());
            }
            THING if text.len() <= THING_ID_MAX => session.thing = Some((text.to_owned(), String::new())),
            TENANT if text.len() <= TENANT_ID_MAX => {
                if let Some((_, tenant)) = &mut session.thing {
                    text.clone_into(tenant);
                }
            }
            _ => {}
        }
    }
    session
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(client_id: &str, is_random: bool, filters: &[&str]) -> Session {
        decode(&encode(client_id, is_random, filters.iter().copied(), None).unwrap().bytes[HEADER..])
    }

    #[test]
    fn a_session_comes_back() {
        let session = back("um1", true, &["a/b", "c//d/q/#"]);
        let filters = ["a/b", "c//d/q/#"].map(str::to_owned).to_vec();
        assert_eq!(session, Session { client_id: "um1".into(), is_random: true, filters, thing: None });
        let known = encode("um1", false, core::iter::empty(), Some(("ns:name", "t"))).unwrap();
        assert_eq!(decode(&known.bytes[HEADER..]).thing, Some(("ns:name".into(), "t".into())));
        assert!(!back("me", false, &[]).is_random);
        assert_eq!(decode(&[]), Session::default());
    }

    #[test]
    fn a_record_is_reckoned_to_the_byte() {
        let draft = encode("um1", true, ["a/b", "c"].into_iter(), Some(("ns:name", "t"))).unwrap();
        assert_eq!(draft.bytes.len(), HEADER + (3 + 3) + 3 + (3 + 3) + (3 + 1) + (3 + 7) + (3 + 1));
        assert_eq!(draft.bytes.capacity(), draft.bytes.len());
        let least = encode("", false, core::iter::empty(), None).unwrap();
        assert_eq!(least.bytes.len(), HEADER + 3);
    }

    #[test]
    fn the_identifiers_of_a_thing_are_read_up_to_their_limits() {
        let thing = |thing: usize, tenant: usize| {
            let (thing, tenant) = ("n".repeat(thing), "t".repeat(tenant));
            let draft = encode("um1", false, core::iter::empty(), Some((&thing, &tenant))).unwrap();
            decode(&draft.bytes[HEADER..]).thing.map(|(thing, tenant)| (thing.len(), tenant.len()))
        };
        assert_eq!(thing(THING_ID_MAX, TENANT_ID_MAX), Some((THING_ID_MAX, TENANT_ID_MAX)));
        assert_eq!(thing(THING_ID_MAX, TENANT_ID_MAX + 1), Some((THING_ID_MAX, 0)));
        assert_eq!(thing(THING_ID_MAX + 1, 1), None);
    }

    #[test]
    fn what_is_past_a_limit_is_left_out() {
        let (filter, long) = ("f".repeat(REQUEST_FILTER_MAX), "f".repeat(REQUEST_FILTER_MAX + 1));
        let filters: Vec<&str> = (0..=FILTERS_MAX).map(|_| filter.as_str()).collect();
        let session = back(&"i".repeat(CONFIG_VALUE_MAX), false, &filters);
        assert_eq!((session.client_id.len(), session.filters.len()), (CONFIG_VALUE_MAX, FILTERS_MAX));
        assert_eq!(back(&"i".repeat(CONFIG_VALUE_MAX + 1), false, &["", &long]), Session::default());
    }

    #[test]
    fn no_bytes_do_harm() {
        let bytes = encode("um1", true, ["a/b", "c/d"].into_iter(), None).unwrap().bytes;
        for at in HEADER..bytes.len() {
            let _ = decode(&bytes[HEADER..at]);
            for flip in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << flip;
                let _ = decode(&other[HEADER..]);
            }
        }
    }
}
