//! Messages and topics.

use super::{DOMAIN_ID_MAX, TOPIC_IN_MAX};

/// Nesting of objects and arrays in a message. The deepest of the protocol is 9.
pub const DEPTH_MAX: usize = 32;

/// Keys and indices on the way to a place in a message. The longest of the
/// protocol is `value.desiredState.domains[0].components[0].config[0].key`.
pub const PATH_MAX: usize = 9;

/// Bytes of a domain's topic form: its identifier and `update`.
pub const TOPIC_FORM_MAX: usize = DOMAIN_ID_MAX + 6;

/// Bytes of a topic of ours: a topic form and at most `/ownerconsentfeedback`.
pub const TOPIC_OUT_MAX: usize = TOPIC_FORM_MAX + 24;

/// Bytes of a thing's identifier. Ditto allows 256 characters, which in practice
/// are ASCII.
pub const THING_ID_MAX: usize = 256;

/// Bytes of a tenant's identifier. Hono's are UUIDs and short names.
pub const TENANT_ID_MAX: usize = 256;

/// Bytes of a request's correlation id, escaped as in JSON. It goes into the
/// answer; backends use UUIDs.
pub const CORRELATION_ID_MAX: usize = 512;

/// Bytes of a filter for requests: `command//<thing id>/req/#`.
pub const REQUEST_FILTER_MAX: usize = 9 + THING_ID_MAX + 6;

/// Bytes of the topic of an answer: as the request's, with a status of three
/// digits in place of the operation, which may have none.
pub const ANSWER_TOPIC_MAX: usize = TOPIC_IN_MAX + 3;
