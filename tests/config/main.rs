//! The real binary's configuration, against docs/configuration.md, "All keys".

#![allow(clippy::unwrap_used)]

mod arguments;
mod files;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A key of docs/configuration.md: its three names, its default, another value as it is
/// written in the file, as text, and as it is then shown.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    Row("log.logLevel", "log-level", "LOG_LEVEL", "INFO", r#""debug""#, "debug", "DEBUG"),
    Row("log.logFile", "log-file", "LOG_FILE", "", r#""/x/y.log""#, "/x/y.log", "/x/y.log"),
    Row("log.logFileSize", "log-file-size", "LOG_FILE_SIZE", "2", "3", "3", "3"),
    Row("log.logFileCount", "log-file-count", "LOG_FILE_COUNT", "5", "6", "6", "6"),
    Row("log.logFileMaxAge", "log-file-max-age", "LOG_FILE_MAX_AGE", "28", "0", "0", "0"),
    Row(
        "connection.broker",
        "mqtt-conn-broker",
        "MQTT_CONN_BROKER",
        "tcp://localhost:1883",
        r#""mqtt://host:99""#,
        "mqtt://host:99",
        "tcp://host:99",
    ),
    Row("connection.keepAlive", "mqtt-conn-keep-alive", "MQTT_CONN_KEEP_ALIVE", "20s", r#""90s""#, "90s", "1m30s"),
    Row(
        "connection.disconnectTimeout",
        "mqtt-conn-disconnect-timeout",
        "MQTT_CONN_DISCONNECT_TIMEOUT",
        "250ms",
        r#""0.5s""#,
        "0.5s",
        "500ms",
    ),
    Row("connection.username", "mqtt-conn-username", "MQTT_CONN_USERNAME", "", r#""me \u00e9""#, "me é", "me é"),
    Row("connection.password", "mqtt-conn-password", "MQTT_CONN_PASSWORD", "", r#""hunter2""#, "hunter2", "***"),
    Row(
        "connection.connectTimeout",
        "mqtt-conn-connect-timeout",
        "MQTT_CONN_CONNECT_TIMEOUT",
        "30s",
        r#""1h""#,
        "1h",
        "1h",
    ),
    Row(
        "connection.acknowledgeTimeout",
        "mqtt-conn-ack-timeout",
        "MQTT_CONN_ACK_TIMEOUT",
        "15s",
        r#""1m""#,
        "1m",
        "1m",
    ),
    Row("connection.subscribeTimeout", "mqtt-conn-sub-timeout", "MQTT_CONN_SUB_TIMEOUT", "15s", r#""2m""#, "2m", "2m"),
    Row(
        "connection.unsubscribeTimeout",
        "mqtt-conn-unsub-timeout",
        "MQTT_CONN_UNSUB_TIMEOUT",
        "5s",
        r#""3m""#,
        "3m",
        "3m",
    ),
    Row("connection.caCert", "mqtt-conn-ca-cert", "MQTT_CONN_CA_CERT", "", r#""/ca.pem""#, "/ca.pem", "/ca.pem"),
    Row("connection.cert", "mqtt-conn-cert", "MQTT_CONN_CERT", "", r#""/cert.pem""#, "/cert.pem", "/cert.pem"),
    Row("connection.key", "mqtt-conn-key", "MQTT_CONN_KEY", "", r#""/key.pem""#, "/key.pem", "/key.pem"),
    Row("domain", "domain", "DOMAIN", "device", r#""gateway""#, "gateway", "gateway"),
    Row("thingsEnabled", "things-enabled", "THINGS_ENABLED", "true", "false", "0", "false"),
    Row("rebootEnabled", "reboot-enabled", "REBOOT_ENABLED", "true", "false", "F", "false"),
    Row("rebootAfter", "reboot-after", "REBOOT_AFTER", "30s", r#""1m""#, "1m", "1m"),
    Row("reportFeedbackInterval", "report-feedback-interval", "REPORT_FEEDBACK_INTERVAL", "1m", r#""0s""#, "0", "0s"),
    Row("currentStateDelay", "current-state-delay", "CURRENT_STATE_DELAY", "30s", r#""1ms""#, "1ms", "1ms"),
    Row("phaseTimeout", "phase-timeout", "PHASE_TIMEOUT", "10m", r#""1h2m3.5s""#, "1h2m3.5s", "1h2m3s500ms"),
    Row("phaseTimeoutMax", "phase-timeout-max", "PHASE_TIMEOUT_MAX", "10m", r#""2h""#, "2h", "2h"),
    Row("rollback", "rollback", "ROLLBACK", "none", r#""DEVICE""#, "Device", "device"),
    Row("reportInconsistent", "report-inconsistent", "REPORT_INCONSISTENT", "false", "true", "t", "true"),
    Row("commitAfterReboot", "commit-after-reboot", "COMMIT_AFTER_REBOOT", "false", "true", "1", "true"),
    Row("verifyCommand", "verify-command", "VERIFY_COMMAND", "", r#""/bin/check""#, "/bin/check", "/bin/check"),
    Row("verifyStableTime", "verify-stable-time", "VERIFY_STABLE_TIME", "0s", r#""1m""#, "60s", "1m"),
    Row("verifyTimeout", "verify-timeout", "VERIFY_TIMEOUT", "5m", r#""1h""#, "60m", "1h"),
    Row(
        "ownerConsentCommands",
        "owner-consent-commands",
        "",
        "",
        r#"["UPDATE", "download"]"#,
        "Update,download",
        "download,update",
    ),
    Row("ownerConsentTimeout", "owner-consent-timeout", "OWNER_CONSENT_TIMEOUT", "30m", r#""4m""#, "4m", "4m"),
    Row("cleanupTimeout", "cleanup-timeout", "CLEANUP_TIMEOUT", "30s", r#""5s""#, "5s", "5s"),
    Row("resumeAfter", "resume-after", "RESUME_AFTER", "1m", r#""20s""#, "20s", "20s"),
    Row(
        "rebootCommand",
        "reboot-command",
        "REBOOT_COMMAND",
        "",
        r#""systemctl reboot""#,
        "systemctl reboot",
        "systemctl reboot",
    ),
    Row("stateDir", "state-dir", "STATE_DIR", "/var/lib/update-manager", r#""""#, "", ""),
    Row("consoleSocket", "console-socket", "CONSOLE_SOCKET", "/run/update-manager/console.sock", r#""/c""#, "/c", "/c"),
    Row("consoleGroup", "console-group", "CONSOLE_GROUP", "", r#""adm""#, "adm", "adm"),
    Row("consoleControl", "console-control", "CONSOLE_CONTROL", "true", "false", "false", "false"),
    Row("connection.clientId", "mqtt-conn-client-id", "MQTT_CONN_CLIENT_ID", "", r#""gw-1""#, "gw-1", "gw-1"),
    Row(
        "connection.cleanSession",
        "mqtt-conn-clean-session",
        "MQTT_CONN_CLEAN_SESSION",
        "as below",
        "false",
        "FALSE",
        "false",
    ),
    Row("connection.retain", "mqtt-conn-retain", "MQTT_CONN_RETAIN", "true", "false", "0", "false"),
    Row(
        "connection.statusTopic",
        "mqtt-conn-status-topic",
        "MQTT_CONN_STATUS_TOPIC",
        "",
        r#""um/status""#,
        "um/status",
        "um/status",
    ),
    Row("agents.my-os.rebootRequired", "my-os-reboot-required", "MY_OS_REBOOT_REQUIRED", "false", "true", "1", "true"),
    Row("agents.my-os.readTimeout", "my-os-read-timeout", "MY_OS_READ_TIMEOUT", "1m", r#""9s""#, "9s", "9s"),
    Row("agents.my-os.order", "my-os-order", "MY_OS_ORDER", "50", "100", "100", "100"),
    Row("agents.my-os.failsAlone", "my-os-fails-alone", "MY_OS_FAILS_ALONE", "false", "true", "True", "true"),
    Row(
        "agents.my-os.verifyInventory",
        "my-os-verify-inventory",
        "MY_OS_VERIFY_INVENTORY",
        "never",
        r#""afterReboot""#,
        "AFTERREBOOT",
        "afterReboot",
    ),
    Row("agents.my-os.exec", "", "", "", r#""/usr/bin/agent""#, "", "/usr/bin/agent"),
];

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(env: &[(&str, &str)], args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_update-manager"))
        .env_clear()
        .envs(env.iter().copied())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What `--check-config` says; the twin is off, so that nothing else is wrong.
fn check(env: &[(&str, &str)], args: &[&str]) -> Ran {
    run(env, &[&["--check-config", "--things-enabled=false"], args].concat())
}

/// A file that is there as long as this is.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &[u8]) -> File {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.json", std::process::id()));
        std::fs::write(&path, content).unwrap();
        File(path)
    }

    fn flag(&self) -> String {
        format!("--config-file={}", self.0.display())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn shown(text: &str) -> &str {
    if text.is_empty() {
        "\"\""
    } else {
        text
    }
}

/// The file with just this key.
fn file_with(key: &str, value: &str) -> String {
    key.rsplit('.').fold(value.to_string(), |inside, name| format!("{{\"{name}\": {inside}}}"))
}

fn assert_line(ran: &Ran, line: &str) {
    assert!(ran.out.lines().any(|l| l == line), "no line {line:?} in:\n{}{}", ran.out, ran.err);
}

/// Whether the session is clean by default, with the default state folder.
fn default_session() -> &'static str {
    let noted = check(&[], &[]).out.lines().any(|line| line.starts_with("note: stateDir"));
    if noted {
        "true"
    } else {
        "false"
    }
}

#[test]
fn the_session_is_kept_by_default_where_the_state_folder_lasts() {
    for (folder, clean) in [("", "true"), ("/dev/null/um", "true"), ("/dev/shm/um-of-no-test", "true")] {
        let ran = check(&[], &[&format!("--state-dir={folder}")]);
        assert_line(&ran, &format!("connection.cleanSession = {clean} (default)"));
        assert_eq!(ran.code, 0);
    }
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/um-of-no-test");
    let ran = check(&[], &[&format!("--state-dir={folder}")]);
    // A target folder may lie in memory, too.
    let clean = ran.out.contains("note: stateDir");
    assert_line(&ran, &format!("connection.cleanSession = {clean} (default)"));
}

#[test]
fn every_key_has_its_default_and_is_taken_from_file_environment_and_flag() {
    let domains = ("DOMAINS", "my-os");
    let defaults = run(&[domains], &["--check-config"]);
    for &Row(key, flag, env, default, in_file, text, effective) in ROWS {
        let file = File::new(&format!("row-{key}"), file_with(key, in_file).as_bytes());
        let effective = shown(effective);
        // That of the session depends on the state folder.
        let default = if default == "as below" { default_session() } else { default };
        assert_line(&defaults, &format!("{key} = {} (default)", shown(default)));

        let ran = run(&[domains], &["--check-config", &file.flag()]);
        assert_line(&ran, &format!("{key} = {effective} (file line 1)"));
        assert!(!ran.out.contains("warning"), "{key}: {}", ran.out);

        // Whatever the file says, the environment wins over it, and the flag over both.
        if !env.is_empty() {
            let ran = run(&[domains, (env, text)], &["--check-config", &file.flag()]);
            assert_line(&ran, &format!("{key} = {effective} (environment {env})"));
            assert!(!ran.out.contains("warning"), "{key}: {}", ran.out);
        }
        if !flag.is_empty() {
            let other = if default.is_empty() { "other" } else { default };
            let variables = [domains, (env, other)];
            let variables = if env.is_empty() { &variables[..1] } else { &variables };
            let ran = run(variables, &["--check-config", &file.flag(), &format!("-{flag}={text}")]);
            assert_line(&ran, &format!("{key} = {effective} (flag --{flag})"));
            assert!(!ran.out.contains("warning"), "{key}: {}", ran.out);
        }
    }
}

#[test]
fn the_bounds_of_memory_are_told_with_their_sum() {
    let ran = run(&[], &["--check-config"]);
    let bytes_of = |line: &str| -> usize {
        let (_, rest) = line.split_once(": at most ").unwrap();
        rest.trim_end_matches(" bytes").parse().unwrap()
    };
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("memory for ")).collect();
    let (last, parts) = lines.split_last().unwrap();
    assert!(last.starts_with("memory for all of these: "));
    assert_eq!(bytes_of(last), parts.iter().map(|line| bytes_of(line)).sum::<usize>());
    assert!(parts.contains(&"memory for inventories: at most 524288 bytes"), "{parts:?}");
    assert!(bytes_of(last) < 4_450_000, "{last}");
}

#[test]
fn the_configuration_of_an_installed_system_is_accepted() {
    let file = File::new(
        "installed",
        br#"{"log": {"logLevel": "DEBUG"}, "domain": "device", "thingsEnabled": false,
        "agents": {"self-update": {"rebootRequired": false, "readTimeout": "20s"}, "containers": {"readTimeout": "30s"}}}"#,
    );
    let ran = run(&[], &["-check-config", "-config-file", file.0.to_str().unwrap()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_line(&ran, "domains = self-update,containers (file line 2)");
    assert_line(&ran, "agents.self-update.readTimeout = 20s (file line 2)");
}

#[test]
fn bad_values_are_warned_about_with_key_source_and_reason() {
    for (env, args, warning) in [
        (("PHASE_TIMEOUT", "5"), "", "phaseTimeout (environment PHASE_TIMEOUT): \"5\" is no duration"),
        (("PHASE_TIMEOUT", "-5s"), "", "phaseTimeout (environment PHASE_TIMEOUT): \"-5s\" is negative; 10m"),
        (
            ("RESUME_AFTER", "10m"),
            "",
            "resumeAfter (environment RESUME_AFTER): is longer than half of phaseTimeout; 5m",
        ),
        (("RESUME_AFTER", "x"), "--phase-timeout=1m", "resumeAfter (environment RESUME_AFTER): \"x\" is no duration"),
        (("ROLLBACK", "all"), "", "rollback (environment ROLLBACK): \"all\" is none of none, baseline, device; none"),
        (("PHASE_TIMEOUT_MAX", "1m"), "", "phaseTimeoutMax (environment PHASE_TIMEOUT_MAX): is shorter than"),
        (("VERIFY_TIMEOUT", "0"), "", "verifyTimeout (environment VERIFY_TIMEOUT): is not longer than"),
        (("CONTAINERS_ORDER", "101"), "", "agents.containers.order (environment CONTAINERS_ORDER): 101 is not 1 to"),
        (("REBOOT_AFTER", ""), "", "rebootAfter (environment REBOOT_AFTER): is empty; 30s is taken"),
        (("CURRENT_STATE_DELAY", ""), "", "currentStateDelay (environment CURRENT_STATE_DELAY): is empty; 0s"),
        (("LOG_FILE_SIZE", "big"), "", "log.logFileSize (environment LOG_FILE_SIZE): \"big\" is no whole number; 2"),
        (("REBOOT_ENABLED", ""), "", "rebootEnabled (environment REBOOT_ENABLED): \"\" is no boolean; true"),
        (("LOG_LEVEL", "loud\n"), "", "log.logLevel (environment LOG_LEVEL): \"LOUD\\n\" is no level"),
        (("A", ""), "--owner-consent-commands=jump", "ownerConsentCommands (flag --owner-consent-commands): \"jump\""),
        (("CONTAINERS_READ_TIMEOUT", "x"), "", "agents.containers.readTimeout (environment CONTAINERS_READ_TIMEOUT)"),
    ] {
        let args: Vec<&str> = Some(args).filter(|arg| !arg.is_empty()).into_iter().collect();
        let ran = check(&[env], &args);
        assert_eq!(ran.code, 1, "{env:?}");
        let found = ran.out.lines().any(|line| line.starts_with(&format!("warning: {warning}")));
        assert!(found, "no {warning:?} in:\n{}", ran.out);
    }
}

#[test]
fn without_a_complaint_the_check_succeeds() {
    let ran = check(&[], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!ran.out.contains("warning") && !ran.out.contains("error"));
    assert_eq!(run(&[("THINGS_ENABLED", "false")], &["check-config"]).code, 0);
}

#[test]
fn what_stops_the_reference_stops_us_with_its_exit_code() {
    let deep = format!("{{\"x\": {}", "[".repeat(65_000));
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "line 1 column 1"),
        ("half", b"{\"domain\": ", "it ends too early"),
        ("mark", b"\xef\xbb\xbf{}", "byte order mark"),
        ("type", b"{\n\"phaseTimeout\": 5}", "line 2 column 17: phaseTimeout must be a string"),
        ("large", &[b' '; 65_537], "larger than 65536 bytes"),
        ("deep", deep.as_bytes(), "more than 32 levels"),
    ];
    for (name, content, part) in cases {
        let file = File::new(name, content);
        let ran = check(&[], &[&file.flag()]);
        assert!(ran.code == 1 && ran.err.contains(part) && ran.err.contains(name), "{name}: {}", ran.err);
    }
    for path in ["/nowhere/config.json", "/"] {
        let ran = check(&[], &["--config-file", path]);
        assert!(ran.code == 1 && ran.err.contains("cannot read the file"), "{}", ran.err);
    }
    let nowhere = "--config-file=/nowhere";
    for args in [
        &["--nonsense"][..],
        &["-phase-timeout"],
        &["-log-file-size=x"],
        &["--reboot-enabled=x"],
        &["frob"],
        &[nowhere, "frob"],
        &[nowhere, "--", "frob"],
        &["help", "frob"],
    ] {
        let ran = run(&[], args);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains("--help"), "{args:?}: {}", ran.err);
    }
    for broker in ["ws://host:80", "wss://host", "http://host", "tcp://", "tcp://host:x"] {
        let ran = check(&[("MQTT_CONN_BROKER", broker)], &[]);
        assert!(ran.code == 1 && ran.err.contains("connection.broker"), "{broker}: {}", ran.err);
    }
}

#[test]
fn what_is_not_utf_8_is_replaced_with_a_warning() {
    let file = File::new("latin", b"{\"domain\": \"caf\xe9\"}");
    let ran = check(&[], &[&file.flag()]);
    assert_line(&ran, "domain = caf\u{fffd} (file line 1)");
    assert!(ran.code == 1 && ran.out.contains("is not UTF-8 from byte 15 on"), "{}", ran.out);
}

#[test]
fn sixty_four_domains_are_served_and_sixty_five_refused() {
    // With the longest names, and all that an agent may have.
    let name = |i: usize| format!("d{i:0>63}");
    let agent = |i: usize| {
        let exec = format!("/usr/libexec/update-manager/agent-{i}");
        let values = r#""order": 100, "failsAlone": true, "verifyInventory": "afterReboot""#;
        format!(r#""{}": {{"rebootRequired": true, "readTimeout": "1m0s", "exec": "{exec}", {values}}}"#, name(i))
    };
    let file = |n: usize| {
        let agents: Vec<String> = (0..n).map(agent).collect();
        File::new(&format!("agents-{n}"), format!("{{\"agents\": {{{}}}}}", agents.join(",")).as_bytes())
    };
    let served = file(64);
    let ran = check(&[], &[&served.flag()]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let names: Vec<String> = (0..64).map(name).collect();
    assert_line(&ran, &format!("domains = {} (file line 1)", names.join(",")));
    assert_eq!(check(&[("DOMAINS", &names.join(","))], &[]).code, 0, "the list may be longer than other values");
    let refused = file(65);
    let ran = check(&[], &[&refused.flag()]);
    assert!(ran.code == 1 && ran.err.contains("there are 65 domains; at most 64 are served"), "{}", ran.err);
    assert_eq!(check(&[("DOMAINS", &name(3))], &[&refused.flag()]).code, 0);
}

#[test]
fn secrets_are_never_printed() {
    let file = File::new("secret", br#"{"connection": {"password": "hunter2", "broker": "tcp://me:hunter2@h"}}"#);
    let broker = "tcp://me:hunter2@host:x";
    let flag = file.flag();
    for (env, args) in [
        (&[("MQTT_CONN_PASSWORD", "hunter2")][..], &["--check-config"][..]),
        (&[], &["--check-config", &flag]),
        (&[], &["--check-config", "--mqtt-conn-password", "hunter2"]),
        (&[], &["--check-config", "--mqtt-conn-password=hunter2", "--nonsense"]),
        (&[("MQTT_CONN_BROKER", broker)], &["--check-config"]),
        (&[("LOG_LEVEL", "TRACE"), UNUSABLE[0], UNUSABLE[1]], &[&flag]),
    ] {
        let ran = run(env, args);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{args:?}: {}{}", ran.out, ran.err);
    }
    let ran = check(&[], &[&flag]);
    assert_line(&ran, "connection.password = *** (the address of the broker)");
    assert_line(&ran, "connection.broker = tcp://h:1883 (file line 1)");
}

/// Ends every run at once, after the start of the log.
const UNUSABLE: [(&str, &str); 2] = [("MQTT_CONN_CLEAN_SESSION", "false"), ("STATE_DIR", "")];

#[test]
fn what_cannot_be_run_ends_the_run_with_a_clear_line() {
    let ran = run(&UNUSABLE, &[]);
    assert_eq!(ran.code, 1);
    let line = ran.err.lines().next().unwrap();
    assert!(line.contains("Z ERROR connection.cleanSession"), "{line}");
    let ran = run(&UNUSABLE, &["--check-config"]);
    assert!(ran.code == 1 && ran.out.contains("error: connection.cleanSession"), "{}", ran.out);
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named_and_is_no_fault() {
    for (folder, words) in [
        ("/dev/null/um", "(os error 13); an activity does not survive a restart"),
        ("/dev/shm/um-of-no-test", "lies in memory or on an overlay: an activity may not survive a power cut"),
    ] {
        let ran = check(&[], &["--domain=device", &format!("--state-dir={folder}")]);
        let note = ran.out.lines().find(|line| line.starts_with("note: ")).unwrap_or_default();
        assert!(note.starts_with(&format!("note: stateDir {folder}")) && note.contains(words), "{}", ran.out);
        assert_eq!(ran.code, 0);
    }
    let ran = check(&[], &["--state-dir="]);
    assert!(ran.code == 0 && !ran.out.contains("note: "), "{}", ran.out);
    assert!(!PathBuf::from("/dev/shm/um-of-no-test").exists());
}

#[test]
fn the_level_of_the_log_is_the_configured_one_whatever_rust_log_says() {
    let lines = |level| {
        let ran =
            run(&[&UNUSABLE[..], &[("PHASE_TIMEOUT", "x"), ("LOG_LEVEL", level), ("RUST_LOG", "off")]].concat(), &[]);
        (ran.err.contains(" WARN  phaseTimeout"), ran.err.contains(" ERROR connection.cleanSession"))
    };
    assert_eq!(lines("INFO"), (true, true));
    assert_eq!(lines("error"), (false, true));
}

#[test]
fn output_that_cannot_be_written_ends_in_an_exit_code_not_a_panic() {
    for (args, redirection) in [
        ("--help", ">/dev/full"),
        ("--check-config", ">/dev/full"),
        ("--check-config", ">/dev/full 2>/dev/full"),
        ("", "2>&-"),
        ("", "2>/dev/full"),
    ] {
        let command = format!("exec \"$0\" {args} {redirection}");
        let status = Command::new("/bin/sh")
            .env_clear()
            .envs(UNUSABLE)
            .args(["-c", &command, env!("CARGO_BIN_EXE_update-manager")])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "{command}");
    }
}
