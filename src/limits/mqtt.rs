//! The MQTT session and its buffers.

use super::{
    ACTIONS_MAX, ACTION_COMPONENT_MAX, ACTION_MESSAGE_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, REASON_MAX, ROUNDS_MAX,
};

/// Bytes of a message's payload. A desired state of 256 components with a few
/// configuration values each fits.
pub const PAYLOAD_IN_MAX: usize = 256 * 1024;

/// Bytes of a topic that is sent to us. Ours are far shorter; digital-twin
/// requests carry an id of the asker's.
pub const TOPIC_IN_MAX: usize = 1024;

/// Bytes of a packet that is sent to us: fixed header, topic, packet id, payload.
pub const PACKET_IN_MAX: usize = 5 + 2 + TOPIC_IN_MAX + 2 + PAYLOAD_IN_MAX;

/// Bytes asked from the socket at once, when much comes.
pub const READ_CHUNK: usize = 16 * 1024;

/// The same at first: commands and feedback fit, and what is never read into takes
/// no memory.
pub const READ_FIRST: usize = 2 * 1024;

/// Bytes of the buffer for packets that are sent to us. With room for one read
/// past the largest packet, the buffer never has to grow.
pub const RECEIVE_BUFFER: usize = PACKET_IN_MAX + READ_CHUNK;

/// Bytes of a too large packet that are looked at per piece while it is skipped.
pub const SKIP_CHUNK: usize = READ_CHUNK;

/// Bytes handed to the socket at once; documents are encoded in pieces of this.
pub const WRITE_CHUNK: usize = 16 * 1024;

/// Bytes of messages that wait for the broker's acknowledgement. One feedback
/// with everything at its limit takes about 290 KiB; the rest is for commands.
pub const OUTBOUND_BYTES: usize = 512 * 1024;

/// Messages that wait for the broker's acknowledgement: for each domain a
/// request, a desired state, and commands; the reports of a few activities.
pub const OUTBOUND_MAX: usize = 8 * DOMAINS_MAX;

/// Bytes of such messages for one domain: its requests, desired state and command with
/// the longest topic and the longest activity identifier take 450 each.
const OUTBOUND_DOMAIN_BYTES: usize = (ROUNDS_MAX + 2) * 450;

/// Bytes that are kept of a message to the broker besides its text.
pub const OUTBOUND_ENTRY_BYTES: usize = 96;

/// Bytes of control packets (subscriptions, acknowledgements) that wait for the
/// link. All subscriptions of 64 domains with the longest names take 12 KiB, and at
/// the end as much again to take them back.
pub const CONTROL_BYTES: usize = 32 * 1024;

/// Messages from the broker that are not yet acknowledged. Brokers keep far
/// fewer in flight; past it the manager reads on when it has acknowledged.
pub const INBOUND_MAX: usize = 256;

/// SUBSCRIBEs and UNSUBSCRIBEs that wait for their answers. One covers any
/// number of topics; a consent's topic comes and goes once per phase.
pub const REQUESTS_MAX: usize = 64;

/// Milliseconds of the first wait before a new attempt to connect, at most.
pub const BACKOFF_MIN_MS: u64 = 1_000;

/// Milliseconds of any such wait, at most: whoever mends the broker does not wait long.
pub const BACKOFF_MAX_MS: u64 = 30_000;

/// Milliseconds after which a link was a good one: the waits start anew. A shorter
/// one may be a broker that accepts everybody and then chokes on a message of ours,
/// or another client with our id; those must not be hammered.
pub const LINK_STEADY_MS: u64 = 5_000;

/// Connections in a row that end right after a message before it is put on trial. It is
/// held back then, which one or two chance breaks are not worth.
pub const UNSENDABLE_LINKS: u8 = 3;

/// Trials in a row that end the connection before a message counts as refused for good. On a
/// line that breaks within `UNSENDABLE_WITHIN_MS` once in ten times, and takes as long to
/// acknowledge, all of this happens once in a million times.
pub const UNSENDABLE_TRIALS: u8 = 3;

/// Milliseconds after a message was begun or handed out within which the broker ends the
/// connection if it refuses it. What ends later ends for another reason.
pub const UNSENDABLE_WITHIN_MS: u64 = 5_000;

/// Milliseconds that a connection has to stand before the trials: most lines that break
/// often do not.
pub const UNSENDABLE_TRIAL_AFTER_MS: u64 = 20_000;

/// Milliseconds for which is kept what a broker refuses: to learn it again costs a few
/// connections, which nobody minds once a day.
pub const UNSENDABLE_FORGET_MS: u64 = 24 * 3600 * 1000;

/// Topics that are under suspicion at the same time, and topics of which is kept what is
/// refused: with a small limit of the broker's, the desired state of each domain.
pub const UNSENDABLE_MAX: usize = DOMAINS_MAX;

/// Milliseconds of the first pause before a refused subscription is asked for again:
/// rights that are being changed are soon there.
pub const RESUBSCRIBE_MIN_MS: u64 = 5_000;

/// Milliseconds of any such pause, at most: whoever mends the rights does not wait long,
/// and the broker answers a fleet without effort.
pub const RESUBSCRIBE_MAX_MS: u64 = 300_000;

/// Milliseconds that PINGRESP is waited for, at most, however long the keep-alive is.
pub const PING_ANSWER_MAX_MS: u64 = 30_000;

const _: () = {
    // What follows the largest packet in one read fits behind it, and so does
    // the head of a PUBLISH with the longest topic there can be.
    assert!(RECEIVE_BUFFER >= PACKET_IN_MAX + READ_CHUNK);
    assert!(PACKET_IN_MAX > 5 + 2 + 65_535 + 2);
    assert!(SKIP_CHUNK <= PACKET_IN_MAX);
    assert!(OUTBOUND_MAX >= DOMAINS_MAX * (ROUNDS_MAX + 2) + 16);
    // The largest feedback fits beside the commands.
    assert!(
        ACTIONS_MAX * (ACTION_COMPONENT_MAX + ACTION_MESSAGE_MAX + 96)
            + DOMAINS_MAX * (REASON_MAX + DOMAIN_ID_MAX + 16)
            < OUTBOUND_BYTES - DOMAINS_MAX * OUTBOUND_DOMAIN_BYTES
    );
};
