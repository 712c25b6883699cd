//! The one table of keys: file, environment, flags, help and `check-config`
//! all work from it (docs/configuration.md, "All keys").

/// What values a key takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text; never shown.
    Secret,
    /// A whole number from 0.
    Number,
    /// True or false.
    Bool,
    /// A duration; an empty one means the default.
    Duration,
    /// A duration; an empty one means 0.
    Interval,
    /// A level of the log.
    Level,
    /// The broker's address.
    Broker,
    /// Commands that need the owner's consent: an array in the file, otherwise a
    /// list with commas.
    Commands,
    /// Domains, a list with commas.
    Domains,
}

/// A key under all its names. A name that it does not have is empty.
#[derive(Debug)]
pub struct Key {
    /// Its path in the file.
    pub file: &'static str,
    /// Its flag, without dashes. Of a domain's keys: what follows `<domain>-`.
    pub flag: &'static str,
    /// Its environment variable. Of a domain's keys: what follows `<DOMAIN>_`.
    pub env: &'static str,
    /// Its default, as it would be written.
    pub default: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What it is, for `--help`.
    pub help: &'static str,
}

macro_rules! keys {
    ($table:ident, $id:ident: $($name:ident, $kind:ident, $file:literal, $flag:literal, $env:literal,
        $default:literal, $help:literal;)*) => {
        #[doc = concat!("A key, by its place in [`", stringify!($table), "`].")]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $id { $(#[doc = $help] $name),* }

        #[doc = concat!("The keys of [`", stringify!($id), "`], in that order.")]
        pub static $table: &[Key] = &[$(Key {
            file: $file, flag: $flag, env: $env, default: $default, kind: Kind::$kind, help: $help,
        }),*];
    };
}

keys! { KEYS, Id:
    ConfigFile, Text, "", "config-file", "", "", "the configuration file";
    LogLevel, Level, "log.logLevel", "log-level", "LOG_LEVEL", "INFO", "ERROR, WARN, INFO, DEBUG or TRACE";
    LogFile, Text, "log.logFile", "log-file", "LOG_FILE", "", "where to log; empty: standard error";
    LogFileSize, Number, "log.logFileSize", "log-file-size", "LOG_FILE_SIZE", "2", "megabytes of a log file";
    LogFileCount, Number, "log.logFileCount", "log-file-count", "LOG_FILE_COUNT", "5", "old log files that are kept";
    LogFileMaxAge, Number, "log.logFileMaxAge", "log-file-max-age", "LOG_FILE_MAX_AGE", "28",
        "days that old log files are kept";
    Broker, Broker, "connection.broker", "mqtt-conn-broker", "MQTT_CONN_BROKER", "tcp://localhost:1883",
        "the broker, as scheme://host:port or unix:///path";
    KeepAlive, Duration, "connection.keepAlive", "mqtt-conn-keep-alive", "MQTT_CONN_KEEP_ALIVE", "20s",
        "longest silence towards the broker";
    DisconnectTimeout, Duration, "connection.disconnectTimeout", "mqtt-conn-disconnect-timeout",
        "MQTT_CONN_DISCONNECT_TIMEOUT", "250ms", "how long to wait at the end for what is unsent";
    Username, Text, "connection.username", "mqtt-conn-username", "MQTT_CONN_USERNAME", "", "user name at the broker";
    Password, Secret, "connection.password", "mqtt-conn-password", "MQTT_CONN_PASSWORD", "", "password at the broker";
    ConnectTimeout, Duration, "connection.connectTimeout", "mqtt-conn-connect-timeout", "MQTT_CONN_CONNECT_TIMEOUT",
        "30s", "how long to wait for a connection";
    AckTimeout, Duration, "connection.acknowledgeTimeout", "mqtt-conn-ack-timeout", "MQTT_CONN_ACK_TIMEOUT", "15s",
        "how long to wait for an acknowledgement";
    SubscribeTimeout, Duration, "connection.subscribeTimeout", "mqtt-conn-sub-timeout", "MQTT_CONN_SUB_TIMEOUT",
        "15s", "how long to wait for a subscription";
    UnsubscribeTimeout, Duration, "connection.unsubscribeTimeout", "mqtt-conn-unsub-timeout",
        "MQTT_CONN_UNSUB_TIMEOUT", "5s", "how long to wait for the end of a subscription";
    CaCert, Text, "connection.caCert", "mqtt-conn-ca-cert", "MQTT_CONN_CA_CERT", "", "certificates to trust, PEM";
    Cert, Text, "connection.cert", "mqtt-conn-cert", "MQTT_CONN_CERT", "", "the client's certificate, PEM";
    PrivateKey, Text, "connection.key", "mqtt-conn-key", "MQTT_CONN_KEY", "", "the client's private key, PEM";
    ClientId, Text, "connection.clientId", "mqtt-conn-client-id", "MQTT_CONN_CLIENT_ID", "",
        "client ID at the broker; empty: of this device, or random";
    CleanSession, Bool, "connection.cleanSession", "mqtt-conn-clean-session", "MQTT_CONN_CLEAN_SESSION", "",
        "whether the broker forgets us; default: unless stateDir lasts";
    Retain, Bool, "connection.retain", "mqtt-conn-retain", "MQTT_CONN_RETAIN", "true",
        "whether anything is published retained";
    StatusTopic, Text, "connection.statusTopic", "mqtt-conn-status-topic", "MQTT_CONN_STATUS_TOPIC", "",
        "topic of the last will; empty: none";
    Domain, Text, "domain", "domain", "DOMAIN", "device", "the manager's own domain";
    ThingsEnabled, Bool, "thingsEnabled", "things-enabled", "THINGS_ENABLED", "true",
        "whether to act as a digital twin";
    Domains, Domains, "", "domains", "DOMAINS", "containers",
        "the domains that have an agent, with commas; default: the file's agents";
    RebootEnabled, Bool, "rebootEnabled", "reboot-enabled", "REBOOT_ENABLED", "true",
        "whether to reboot after an update that requires it";
    RebootAfter, Duration, "rebootAfter", "reboot-after", "REBOOT_AFTER", "30s", "how long to wait before a reboot";
    RebootCommand, Text, "rebootCommand", "reboot-command", "REBOOT_COMMAND", "",
        "run first to reboot; empty: none";
    ReportFeedbackInterval, Interval, "reportFeedbackInterval", "report-feedback-interval",
        "REPORT_FEEDBACK_INTERVAL", "1m", "least time between reports of progress; 0: no such reports";
    CurrentStateDelay, Interval, "currentStateDelay", "current-state-delay", "CURRENT_STATE_DELAY", "30s",
        "how long to collect changes of the current state";
    PhaseTimeout, Duration, "phaseTimeout", "phase-timeout", "PHASE_TIMEOUT", "10m",
        "how long a phase of an activity may take";
    PhaseTimeoutMax, Duration, "phaseTimeoutMax", "phase-timeout-max", "PHASE_TIMEOUT_MAX", "10m",
        "the same for a domain that shows progress; default: phaseTimeout";
    ResumeAfter, Duration, "resumeAfter", "resume-after", "RESUME_AFTER", "1m",
        "wait before a domain that may have lost a message is started over";
    CleanupTimeout, Duration, "cleanupTimeout", "cleanup-timeout", "CLEANUP_TIMEOUT", "30s",
        "longest silence of an agent while it rolls back or cleans up";
    OwnerConsentCommands, Commands, "ownerConsentCommands", "owner-consent-commands", "", "",
        "ask the owner before these, with commas: download, update, activate";
    OwnerConsentTimeout, Duration, "ownerConsentTimeout", "owner-consent-timeout", "OWNER_CONSENT_TIMEOUT", "30m",
        "how long to wait for the owner's consent";
    Rollback, Text, "rollback", "rollback", "ROLLBACK", "none",
        "domains that are turned back together: none, baseline or device";
    ReportInconsistent, Bool, "reportInconsistent", "report-inconsistent", "REPORT_INCONSISTENT", "false",
        "whether an inconsistent end is reported as INCOMPLETE_INCONSISTENT";
    CommitAfterReboot, Bool, "commitAfterReboot", "commit-after-reboot", "COMMIT_AFTER_REBOOT", "false",
        "whether a reboot that an update requires comes before its commit";
    VerifyCommand, Text, "verifyCommand", "verify-command", "VERIFY_COMMAND", "",
        "the executable that verifies an update before its commit; empty: none";
    VerifyStableTime, Duration, "verifyStableTime", "verify-stable-time", "VERIFY_STABLE_TIME", "0s",
        "how long all checks have to hold without a break";
    VerifyTimeout, Duration, "verifyTimeout", "verify-timeout", "VERIFY_TIMEOUT", "5m",
        "how long the verification may take; longer than verifyStableTime";
    StateDir, Text, "stateDir", "state-dir", "STATE_DIR", "/var/lib/update-manager",
        "where the running activity is saved; empty: nowhere";
    ConsoleSocket, Text, "consoleSocket", "console-socket", "CONSOLE_SOCKET", "/run/update-manager/console.sock",
        "the console's socket; empty: none";
    ConsoleGroup, Text, "consoleGroup", "console-group", "CONSOLE_GROUP", "",
        "group that may use the console; empty: only the owner";
    ConsoleControl, Bool, "consoleControl", "console-control", "CONSOLE_CONTROL", "true",
        "whether the console may do more than look";
}

keys! { AGENT_KEYS, AgentId:
    RebootRequired, Bool, "rebootRequired", "reboot-required", "REBOOT_REQUIRED", "false",
        "whether an update of the domain needs a reboot";
    ReadTimeout, Duration, "readTimeout", "read-timeout", "READ_TIMEOUT", "1m",
        "how long to wait for the domain's current state";
    Exec, Text, "exec", "", "", "", "the executable that serves the domain in a standalone apply";
    Order, Number, "order", "order", "ORDER", "50",
        "1 to 100: lower ones of a group are activated first, and undone last";
    FailsAlone, Bool, "failsAlone", "fails-alone", "FAILS_ALONE", "false",
        "whether a failure of the domain leaves the others of its group as they are";
    VerifyInventory, Text, "verifyInventory", "verify-inventory", "VERIFY_INVENTORY", "never",
        "whether its inventory has to show the update: never, always, afterReboot";
    RollbackUntil, Text, "rollbackUntil", "rollback-until", "ROLLBACK_UNTIL", "commit",
        "how long the agent can roll back: commit, or activate";
}
