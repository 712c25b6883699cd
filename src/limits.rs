//! Every capacity of the program, each with its reason.
//!
//! Nothing in the program grows past what stands here: a message that would is
//! refused, and the refusal names the limit.

/// Domains (and so agents) that one manager serves. A set of them fits 64 bits.
pub const DOMAINS_MAX: usize = 64;

/// Bytes of a domain's identifier; it becomes part of topics.
pub const DOMAIN_ID_MAX: usize = 64;

/// Bytes of an activity's identifier, escaped as in JSON. Backends use UUIDs.
pub const ACTIVITY_ID_MAX: usize = 256;

/// Bytes of a message's payload. A desired state of 256 components with a few
/// configuration values each fits.
pub const PAYLOAD_IN_MAX: usize = 256 * 1024;

/// Bytes of a topic that is sent to us. Ours are far shorter; digital-twin
/// requests carry an id of the asker's.
pub const TOPIC_IN_MAX: usize = 1024;

/// Bytes of a packet that is sent to us: fixed header, topic, packet id, payload.
pub const PACKET_IN_MAX: usize = 5 + 2 + TOPIC_IN_MAX + 2 + PAYLOAD_IN_MAX;

/// Bytes of the buffer for packets that are sent to us. With room for one read
/// past the largest packet, the buffer never has to grow.
pub const RECEIVE_BUFFER: usize = PACKET_IN_MAX + READ_CHUNK;

/// Bytes asked from the socket at once, when much comes.
pub const READ_CHUNK: usize = 16 * 1024;

/// The same at first: commands and feedback fit, and what is never read into takes
/// no memory.
pub const READ_FIRST: usize = 2 * 1024;

/// Bytes handed to the socket at once; documents are encoded in pieces of this.
pub const WRITE_CHUNK: usize = 16 * 1024;

/// Bytes of a too large packet that are looked at per piece while it is skipped.
pub const SKIP_CHUNK: usize = READ_CHUNK;

/// Nesting of objects and arrays in a message. The deepest of the protocol is 9.
pub const DEPTH_MAX: usize = 32;

/// Components in one desired state, all domains together.
pub const COMPONENTS_MAX: usize = 256;

/// Actions of one activity, all domains together.
pub const ACTIONS_MAX: usize = 256;

/// Bytes of an action's component object as it stands in the message.
pub const ACTION_COMPONENT_MAX: usize = 384;

/// Bytes of an action's message, escaped as in JSON. The rest is cut off.
pub const ACTION_MESSAGE_MAX: usize = 512;

/// Bytes of a domain's own words about its failure, escaped. The rest is cut off.
pub const REASON_MAX: usize = 512;

/// Bytes of one domain's inventory.
pub const INVENTORY_MAX: usize = 64 * 1024;

/// Bytes of all domains' inventories together.
pub const INVENTORIES_MAX: usize = 512 * 1024;

/// Requests for the current state that are answered at the same time.
pub const ROUNDS_MAX: usize = 4;

/// Requests whose late answers are still known as such.
pub const RECENT_ROUNDS_MAX: usize = 8;

/// Activities that one such request is reported with, if more were asked for.
pub const ROUND_REPORTS_MAX: usize = 4;

/// `UPDATE`s sent again in one activity to a domain that went back to downloading.
pub const UPDATE_REPEATS_MAX: u8 = 2;

/// Finished activities that are remembered, to tell a redelivery from a new one.
pub const FINISHED_MAX: usize = 32;

/// Refused desired states that are remembered, to tell those that the broker delivers
/// once more. Few wait while something is saved.
pub const REFUSALS_MAX: usize = 16;

/// Bytes of messages that wait for the broker's acknowledgement. One feedback
/// with everything at its limit takes about 290 KiB; the rest is for commands.
pub const OUTBOUND_BYTES: usize = 512 * 1024;

/// Messages that wait for the broker's acknowledgement: for each domain a
/// request, a desired state, and commands; the reports of a few activities.
pub const OUTBOUND_MAX: usize = 8 * DOMAINS_MAX;

/// Bytes of such messages for one domain: its requests, desired state and command with
/// the longest topic and the longest activity identifier take 450 each.
const OUTBOUND_DOMAIN_BYTES: usize = (ROUNDS_MAX + 2) * 450;

/// Bytes of control packets (subscriptions, acknowledgements) that wait for the
/// link. All subscriptions of 64 domains with the longest names take 12 KiB, and at
/// the end as much again to take them back.
pub const CONTROL_BYTES: usize = 32 * 1024;

/// Bytes that must be free among the messages to the broker before a desired
/// state is looked at, so that a flood of bad ones cannot push out commands:
/// each gets an answer.
pub const ANSWER_ROOM: usize = DOMAINS_MAX * 1024;

/// The same in messages: what an activity needs at once, and some.
pub const ANSWER_ROOM_MESSAGES: usize = 4 * DOMAINS_MAX;

/// Bytes of a peer's text in one log line.
pub const LOGGED_MAX: usize = 512;

/// Milliseconds that a last report is waited for to be acknowledged when the
/// process is told to end. With the rest of the good-bye it stays below 2 s.
pub const DRAIN_MS: u64 = 1000;

/// Milliseconds for the broker to answer the good-bye.
pub const UNSUBSCRIBE_MS: u64 = 300;

/// Messages from the broker that are not yet acknowledged. Brokers keep far
/// fewer in flight; past it the manager reads on when it has acknowledged.
pub const INBOUND_MAX: usize = 256;

/// Effects of one event: for each domain two messages and a notice, and some; or
/// all that waited for a save.
pub const EFFECTS_MAX: usize = 4 * DOMAINS_MAX + 32 + HELD_MAX;

const _: () = {
    assert!(DOMAINS_MAX <= 64, "a set of domains is 64 bits");
    assert!(INVENTORY_MAX <= PAYLOAD_IN_MAX);
    assert!(INVENTORIES_MAX >= INVENTORY_MAX);
    assert!(
        ACTIONS_MAX * (ACTION_COMPONENT_MAX + ACTION_MESSAGE_MAX + 96)
            + DOMAINS_MAX * (REASON_MAX + DOMAIN_ID_MAX + 16)
            < OUTBOUND_BYTES - DOMAINS_MAX * OUTBOUND_DOMAIN_BYTES
    );
    assert!(OUTBOUND_MAX >= DOMAINS_MAX * (ROUNDS_MAX + 2) + 16);
    assert!(EFFECTS_MAX >= HELD_MAX + 4 * DOMAINS_MAX + 16);
    assert!(HELD_MAX >= (1 + 5) * DOMAINS_MAX + 64);
    assert!(ORDERS_MAX >= 1 + 2 * REPAIRS_MAX as usize + 1 + 2 * 2);
};

// wire

/// Keys and indices on the way to a place in a message. The longest of the
/// protocol is `value.desiredState.domains[0].components[0].config[0].key`.
pub const PATH_MAX: usize = 9;

/// Bytes of a domain's topic form: its identifier and `update`.
pub const TOPIC_FORM_MAX: usize = DOMAIN_ID_MAX + 6;

/// Bytes of a topic of ours: a topic form and at most `/ownerconsentfeedback`.
pub const TOPIC_OUT_MAX: usize = TOPIC_FORM_MAX + 24;
// config, logging

/// Bytes of the configuration file. All keys with 64 domains take 16 KiB.
pub const CONFIG_FILE_MAX: usize = 64 * 1024;

/// Bytes of one configured value. Tokens that serve as passwords take up to 2 KiB;
/// a string in MQTT ends at 65,535.
pub const CONFIG_VALUE_MAX: usize = 4096;

/// Bytes of the list of all domains, with the longest names and a comma after each.
pub const CONFIG_DOMAINS_MAX: usize = DOMAINS_MAX * (DOMAIN_ID_MAX + 1);

/// Hours of the longest duration; Go's durations end there, within the hour.
pub const CONFIG_DURATION_HOURS_MAX: u64 = 2_562_047;

/// Warnings about the configuration that are kept: more than there are keys besides
/// those of the agents.
pub const CONFIG_WARNINGS_MAX: usize = 64;

/// Bytes of a text from outside in a message about the configuration.
pub const CONFIG_SHOWN_MAX: usize = 256;

/// Lines that are said of arguments that cannot be taken. What is missing and how to
/// see the usage fit; an argument of many lines does not fill the console.
pub const CONFIG_SAID_LINES_MAX: usize = 8;

/// Milliseconds of the longest keep alive: 16 bits of seconds [MQTT-3.1.2.10].
pub const KEEP_ALIVE_MS_MAX: u64 = 65_535_000;

/// Bytes of a line in the log. A domain's own words and an activity's identifier
/// fit; the rest is cut off.
pub const LOG_LINE_MAX: usize = 2048;
// mqtt

/// Milliseconds of the first wait before a new attempt to connect, at most.
pub const BACKOFF_MIN_MS: u64 = 1_000;

/// Milliseconds of any such wait, at most: whoever mends the broker does not wait long.
pub const BACKOFF_MAX_MS: u64 = 30_000;

/// Milliseconds after which a link was a good one: the waits start anew. A shorter
/// one may be a broker that accepts everybody and then chokes on a message of ours,
/// or another client with our id; those must not be hammered.
pub const LINK_STEADY_MS: u64 = 5_000;

/// Received bytes that may lie unread: five PUBACKs, as many as we ask for at once in most
/// activities. A message for us has more, by its topic alone (3.3; protocol.md).
pub const UNREAD_MAX: usize = 5 * 4;

/// Milliseconds after which what is awaited is looked for if no more has come: far more
/// than a broker nearby takes, far less than anything waits for an acknowledgement.
pub const UNREAD_MS: u64 = 50;

/// Milliseconds that PINGRESP is waited for, at most, however long the keep-alive is.
pub const PING_ANSWER_MAX_MS: u64 = 30_000;

/// SUBSCRIBEs and UNSUBSCRIBEs that wait for their answers. One covers any
/// number of topics; a consent's topic comes and goes once per phase.
pub const REQUESTS_MAX: usize = 64;

const _: () = {
    // What follows the largest packet in one read fits behind it, and so does
    // the head of a PUBLISH with the longest topic there can be.
    assert!(RECEIVE_BUFFER >= PACKET_IN_MAX + READ_CHUNK);
    assert!(PACKET_IN_MAX > 5 + 2 + 65_535 + 2);
    assert!(SKIP_CHUNK <= PACKET_IN_MAX);
};

// saving

/// Effects that wait for a save. A flash that hangs holds up all that one activity
/// can decide: for each domain its part and five commands, each once however often they
/// are repeated; and some.
pub const HELD_MAX: usize = 32 * DOMAINS_MAX;

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

// record

/// Bytes of a piece of a text in a record: a field's length has 16 bits.
pub const RECORD_PIECE_MAX: usize = 32 * 1024;

/// Filters that the broker may have in our session: those of 64 domains and of a twin
/// take 133, and an earlier configuration had as many. Past it the oldest that are not
/// wanted any more are forgotten; they are taken back when a message comes by them.
pub const FILTERS_MAX: usize = 2 * (8 + 2 * DOMAINS_MAX);

/// Bytes of filters that are taken back at once. With all subscriptions they fit
/// `CONTROL_BYTES`.
pub const TAKEN_BACK_BYTES: usize = 2048;

/// Bytes of the saved session: its client ID and its filters.
pub const SAVED_SESSION_MAX: usize = 64 + CONFIG_VALUE_MAX + FILTERS_MAX * (3 + REQUEST_FILTER_MAX);

/// Bytes of a record that is read: a desired state and its frame.
pub const SAVED_RECORD_MAX: usize = PAYLOAD_IN_MAX + 1024;

/// Bytes of the saved actions' components. Those of a usual activity take a third.
pub const SAVED_ACTIONS_MAX: usize = 24 * 1024;

/// Bytes of the saved history: of `FINISHED_MAX` activities with the longest names
/// and reasons, and of the last events.
pub const SAVED_HISTORY_MAX: usize = 64
    + FINISHED_MAX * (ACTIVITY_ID_MAX + 16 + PAST_REASON_MAX + 19 + 12)
    + DOMAINS_MAX * (DOMAIN_ID_MAX + 3)
    + EVENTS_MAX * 11;

// journal, console

/// Events that are remembered for whoever asks what happened. An activity of two
/// domains has some 20.
pub const EVENTS_MAX: usize = 200;

/// Bytes of why an activity was not `COMPLETED`, escaped as in JSON, as it is
/// remembered. The rest is cut off.
pub const PAST_REASON_MAX: usize = 256;

/// Bytes of an agent's last words that are kept to be shown. The rest is cut off.
pub const HEARD_MAX: usize = 128;

/// Clients of the console at a time: a person, a script, and some more.
pub const CONSOLE_CLIENTS_MAX: usize = 4;

/// Descriptors that the loop waits for: signals, the console's socket and its clients,
/// and the link, which may be waited for in both directions.
pub const WAITING_MAX: usize = 2 + CONSOLE_CLIENTS_MAX + 2;

/// Bytes of a request: a desired state, and what stands around it.
pub const CONSOLE_REQUEST_MAX: usize = PAYLOAD_IN_MAX + 512;

/// Milliseconds that a client of the console has to ask, and to take its answer; and
/// those that our own client waits for the manager. It answers at once, unless a slow
/// disk or a busy machine holds it up.
pub const CONSOLE_CLIENT_MS: u64 = 10_000;

/// Milliseconds between two clients that are let in, and between two requests of one:
/// no person notices, and a flood costs next to nothing.
pub const CONSOLE_SPACING_MS: u64 = 20;

/// Milliseconds without new clients when the system has no room for one.
pub const CONSOLE_PAUSE_MS: u64 = 1000;

/// Clients that wait to be let in; whoever comes then waits outside.
pub const CONSOLE_QUEUE: i32 = 8;

/// Bytes taken from a client at once: a request without a desired state.
pub const CONSOLE_CHUNK: usize = 4096;

/// Milliseconds after which whoever follows an activity asks again: it looks live, and
/// a line of 115,200 baud carries it.
pub const CONSOLE_FOLLOW_MS: u64 = 200;

/// Levels of the inventory that are shown: past it the associations go in circles.
pub const CONSOLE_LEVELS_MAX: usize = 8;

/// Bytes of an answer that a client of the console takes: all inventories, and some.
pub const CONSOLE_ANSWER_MAX: usize = 2 * INVENTORIES_MAX;

/// Final reports of activities that wait for the broker's acknowledgement; past it no
/// desired state is taken.
pub const REPORTS_MAX: usize = 8;

/// Bytes of the actions in the saved reports of earlier activities. Status and words
/// are saved besides; with all else that an activity writes they stay below 64 KiB.
pub const SAVED_DETAILS_MAX: usize = 12 * 1024;

/// Bytes of a saved state: 256 for each domain, with the longest name and everything set,
/// and 4 KiB for all else.
pub const SAVED_STATE_MAX: usize = 4 * 1024 + DOMAINS_MAX * 256;

/// Bytes of how far the actions are in the saved state, which goes with each of its
/// writes: status and progress of some 60 actions with short names.
pub const SAVED_PROGRESS_MAX: usize = 1024;

/// Milliseconds until a write that failed is tried again, the first time. Each further
/// pause is twice as long.
pub const SAVE_RETRY_MIN_MS: u64 = 1_000;

/// The same at most: a disk that works again does not stay unused for long, and one that
/// does not is not worn out.
pub const SAVE_RETRY_MAX_MS: u64 = 300_000;

/// Bytes of a domain's own words about its failure in the saved state.
pub const SAVED_WORDS_MAX: usize = 128;

/// The same of all domains together, who share them. With 16 failed a state stays
/// below 2 KiB.
pub const SAVED_WORDS_ALL: usize = 512;

// wire::things

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

// logging, files

/// Old log files, also when the configuration sets no limit (0): with the default
/// size they take 2 GB, and finding the newest takes 8 KB.
pub const LOG_FILES_OLD_MAX: u64 = 1000;

/// Megabytes of a log file when the configuration says 0, as in the reference.
pub const LOG_FILE_MB_UNSET: u64 = 100;

/// Milliseconds until a log file that cannot be written is tried again.
pub const LOG_RETRY_MS: u64 = 10_000;

/// Milliseconds between two looks for log files that are too old: a day, the unit
/// of their age.
pub const LOG_PRUNE_MS: u64 = 86_400_000;

// reboot

/// Milliseconds that the broker has to take the final status before a reboot, if
/// that status is saved.
pub const REBOOT_DELIVERY_MS: u64 = 60_000;

/// Milliseconds that a reboot command has to bring the host down.
pub const REBOOT_COMMAND_MS: u64 = 60_000;

/// Milliseconds that `sync` may take before a reboot goes on without it.
pub const REBOOT_SYNC_MS: u64 = 10_000;

/// Milliseconds that the kernel has for its sync and for its remount.
pub const REBOOT_PAUSE_MS: u64 = 1000;

/// Milliseconds after which a reboot that was triggered has failed.
pub const REBOOT_FAILED_MS: u64 = 5000;

/// Milliseconds between two looks whether a reboot command or `sync` is over.
pub const REBOOT_LOOK_MS: u64 = 100;

// agent

/// Bytes of a message's payload that an agent's client takes. The whole aggregated
/// inventory fits; the rest of a longer one is cut off.
#[cfg(feature = "agent")]
pub const CLIENT_PAYLOAD_MAX: usize = 1024 * 1024;

/// Messages that wait for the client's caller. A manager sends an agent few before
/// it has an answer. Past it nothing is read.
#[cfg(feature = "agent")]
pub const CLIENT_INBOX_MAX: usize = 64;

/// Bytes of their payloads; one more message may go past it.
#[cfg(feature = "agent")]
pub const CLIENT_INBOX_BYTES: usize = CLIENT_PAYLOAD_MAX;

// shell::notify

/// Bytes of the line about the running activity that the service manager shows:
/// an activity's identifier and some words. The rest is cut off.
pub const ACTIVITY_TOLD_MAX: usize = ACTIVITY_ID_MAX + 64;

// validate

/// Findings that are shown of one desired state. Who has mended those checks again.
pub const FINDINGS_MAX: usize = 100;

/// Bytes that are read of a desired state's file: with blanks it may be larger than
/// a message.
pub const DESIRED_FILE_MAX: usize = 4 * PAYLOAD_IN_MAX;

// exec

/// Milliseconds of a call of the program unless another limit is given: below the
/// manager's for a phase, so that the agent is the one who says so.
#[cfg(feature = "exec")]
pub const EXEC_STEP_MS: u64 = 540_000;

/// The same of one that only looks: below the manager's patience for an inventory.
#[cfg(feature = "exec")]
pub const EXEC_LOOK_UP_MS: u64 = 30_000;

/// Milliseconds between the wish that the program ends, and its end.
#[cfg(feature = "exec")]
pub const EXEC_TERM_MS: u64 = 5000;

/// Milliseconds between two looks whether it has ended, once its outputs have.
#[cfg(feature = "exec")]
pub const EXEC_LOOK_MS: u64 = 5;

/// Milliseconds that what is left of an earlier program has to be gone.
#[cfg(feature = "exec")]
pub const EXEC_ORPHAN_MS: u64 = 10_000;

/// Milliseconds between two reports of progress.
#[cfg(feature = "exec")]
pub const EXEC_PROGRESS_MS: u64 = 1000;

/// Milliseconds without a report while the program works: below what a manager waits
/// for an agent that cleans up.
#[cfg(feature = "exec")]
pub const EXEC_BEAT_MS: u64 = 10_000;

/// Bytes of a line that the program prints.
#[cfg(feature = "exec")]
pub const EXEC_LINE_MAX: usize = 4096;

/// Bytes that one call may print on each output: thousands of lines of progress.
#[cfg(feature = "exec")]
pub const EXEC_OUTPUT_MAX: usize = 1024 * 1024;

/// Lines of one call that go into the log.
#[cfg(feature = "exec")]
pub const EXEC_LOGGED_MAX: u32 = 256;

/// Components of the program's inventory. A manager takes 64 KiB of it.
#[cfg(feature = "exec")]
pub const EXEC_INSTALLED_MAX: usize = 1024;

/// Milliseconds that the agent waits without anything to do: it only wakes to look.
#[cfg(feature = "exec")]
pub const EXEC_IDLE_MS: u64 = 10_000;

/// Milliseconds after which a report that found no room is tried again.
#[cfg(feature = "exec")]
pub const EXEC_AGAIN_MS: u64 = 500;

/// Milliseconds that its last reports may take; what is lost of them is asked for again.
#[cfg(feature = "exec")]
pub const EXEC_GOOD_BYE_MS: u64 = 1000;

// shell::tls

/// Bytes of the file with the authorities to trust. Debian's with all that there
/// are takes 220 KB.
pub const TLS_CA_FILE_MAX: usize = 512 * 1024;

/// Bytes of the file with our certificate, and of that with its key. What TLS
/// allows to be shown is less.
pub const TLS_OWN_FILE_MAX: usize = 64 * 1024;

/// Bytes that wait encrypted for the socket, but for a record's head and tail.
pub const TLS_OUT_MAX: usize = WRITE_CHUNK;

/// Names in a broker's certificate that are told if none of them is the broker's; the
/// rest is counted, so that the line fits the log.
pub const TLS_NAMES_TOLD_MAX: usize = 8;

// All together

/// Bytes of an action as it is kept: its texts, and where what stands in them.
pub const ACTION_BYTES: usize = ACTION_COMPONENT_MAX + ACTION_MESSAGE_MAX + 32;

/// Bytes of a domain's part in the activity: three reasons, where it is, and what it may
/// still answer.
pub const PART_BYTES: usize = 3 * (REASON_MAX + 24) + 256;

/// Bytes that are kept of a message to the broker besides its text.
pub const OUTBOUND_ENTRY_BYTES: usize = 96;

/// Bytes of an effect that waits, or that one event has.
pub const EFFECT_BYTES: usize = 16;

/// Bytes that a TLS connection holds: what was read and is not yet a whole record,
/// and what waits encrypted for the socket.
#[cfg(feature = "tls")]
const TLS_BYTES: usize = 36 * 1024 + TLS_OUT_MAX;

#[cfg(not(feature = "tls"))]
const TLS_BYTES: usize = 0;

/// What can grow, and to how many bytes. All of it is there from the start or with
/// the link; what is never filled takes no memory.
pub const BUFFERS: [(&str, usize); 12] = [
    ("messages from the broker", RECEIVE_BUFFER),
    ("messages to the broker", OUTBOUND_BYTES + OUTBOUND_MAX * OUTBOUND_ENTRY_BYTES),
    ("desired state", SAVED_RECORD_MAX),
    ("inventories", INVENTORIES_MAX),
    ("actions", ACTIONS_MAX * ACTION_BYTES),
    ("domains of the activity", DOMAINS_MAX * PART_BYTES),
    ("finished activities", FINISHED_MAX * (ACTIVITY_ID_MAX + PAST_REASON_MAX + 96)),
    ("decisions", (HELD_MAX + 2 * EFFECTS_MAX) * EFFECT_BYTES),
    ("acknowledgements, subscriptions", (1 << 16) / 8 + 8 * INBOUND_MAX + 16 * REQUESTS_MAX + CONTROL_BYTES),
    ("subscriptions that the broker keeps", FILTERS_MAX * REQUEST_FILTER_MAX),
    ("socket and TLS", WRITE_CHUNK + TLS_BYTES),
    ("saving", SAVED_RECORD_MAX + SAVED_ACTIONS_MAX + SAVED_HISTORY_MAX + 6 * SAVED_STATE_MAX + SAVED_SESSION_MAX),
];
