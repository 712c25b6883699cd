//! The course of an activity.

use super::{ACTIVITY_ID_MAX, DOMAINS_MAX, HELD_MAX};

/// Components in one desired state, all domains together.
pub const COMPONENTS_MAX: usize = 256;

/// Actions of one activity, all domains together.
pub const ACTIONS_MAX: usize = 256;

/// Bytes of an action's component object as it stands in the message.
pub const ACTION_COMPONENT_MAX: usize = 384;

/// Bytes of an action's message, escaped as in JSON. The rest is cut off.
pub const ACTION_MESSAGE_MAX: usize = 512;

/// Bytes of an action as it is kept: its texts, and where what stands in them.
pub const ACTION_BYTES: usize = ACTION_COMPONENT_MAX + ACTION_MESSAGE_MAX + 32;

/// Bytes of a domain's own words about its failure, escaped. The rest is cut off.
pub const REASON_MAX: usize = 512;

/// The last place in the order of activation: a hundred are more than there are domains.
pub const ORDER_MAX: u8 = 100;

/// The place of a domain in the order of activation that names none: the middle.
pub const ORDER_DEFAULT: u8 = 50;

/// Milliseconds for a group to be verified, unless it is configured: a host whose network
/// and services come up takes a few minutes.
pub const VERIFY_TIMEOUT_MS: u64 = 300_000;

/// Bytes that are kept of what a call of the verification command prints: of each output the
/// line that comes and the last one, and the reason. None is longer than a reason.
pub const VERIFY_PRINTED_MAX: usize = 5 * REASON_MAX;

/// Bytes of the id of an activity to which the manager adds a word of its own towards agents:
/// `#restore`, or `#boot` and a number.
pub const EXTENDED_ID_MAX: usize = ACTIVITY_ID_MAX - 8;

/// Reboots in the middle of an activity: one to put its update into use, one to undo that.
pub const REBOOTS_MAX: u8 = 2;

/// Milliseconds after which a check that is not good yet is asked again for the first time,
/// and one that is good while it has to stay so.
pub const VERIFY_AGAIN_MS: u64 = 1_000;

/// The same after many times, and for an agent that does not answer.
pub const VERIFY_AGAIN_MAX_MS: u64 = 10_000;

/// Bytes of a domain's part in the activity: three reasons, where it is, and what it may
/// still answer.
pub const PART_BYTES: usize = 3 * (REASON_MAX + 24) + 256;

/// `UPDATE`s sent again in one course to a domain that went back to downloading.
pub const UPDATE_REPEATS_MAX: u8 = 2;

/// How often an activity is taken up while a domain owes something, without any feedback
/// in between: a record that ends the process each time must not do so for ever.
pub const STARTS_MAX: u8 = 10;

/// How often a domain is started over in one phase of the others. An agent that has not
/// answered the desired state by then does not answer it at all.
pub const REPAIRS_MAX: u8 = 3;

/// Milliseconds after a connection in which the broker delivers what it has kept, before
/// anybody is judged by what is missing.
pub const SETTLE_MS: u64 = 5_000;

/// Messages that a domain may still answer. The queue of an agent that answers nothing in
/// a phase is the longest: a command, three repairs with a repeat after each, the second
/// `UPDATE`, and `ROLLBACK` and `CLEANUP` twice. Past it the oldest is forgotten.
pub const ORDERS_MAX: usize = 12;

/// Questions to the owner that are approved in one activity: `DOWNLOAD`, `UPDATE` and
/// `ACTIVATE` can each be asked about.
pub const QUESTIONS_MAX: usize = 3;

/// Bytes of a policy's name.
pub const POLICY_NAME_MAX: usize = 32;

/// Effects of one event: for each domain two messages and a notice, and some; or
/// all that waited for a save.
pub const EFFECTS_MAX: usize = 4 * DOMAINS_MAX + 32 + HELD_MAX;

/// Bytes of an effect that waits, or that one event has.
pub const EFFECT_BYTES: usize = 16;

/// Milliseconds that the broker has to take the final status before a reboot, if
/// that status is saved.
pub const REBOOT_DELIVERY_MS: u64 = 60_000;

const _: () = {
    assert!(ORDERS_MAX >= 1 + 2 * REPAIRS_MAX as usize + 1 + 2 * 2);
    assert!(EFFECTS_MAX >= HELD_MAX + 4 * DOMAINS_MAX + 16);
};
