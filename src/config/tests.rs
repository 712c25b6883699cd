use std::ffi::OsString;

use log::LevelFilter;

use super::values::{Values, Warnings};
use super::*;
use crate::model::Phase;

/// What file text, environment and arguments make together.
pub(super) fn gathered(file: &str, env: &[(&str, &str)], args: &[&str]) -> Result<Loaded, Error> {
    let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
    let arguments = args::parse(args).map_err(Error::Usage)?;
    let (mut values, mut warnings) = (Values::new(), Warnings::default());
    arguments.warn(&mut warnings);
    file::apply(file, &mut values, &mut warnings).map_err(|fault| {
        let (line, column) = file::line_and_column(file, fault.at);
        Error::Config(format!("{line}:{column} {}", fault.what))
    })?;
    gather_over(values, warnings, &arguments, &lookup)
}

pub(super) fn warnings(file: &str, env: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    gathered(file, env, args).unwrap().warnings.iter().map(Warning::to_string).collect()
}

fn domains(file: &str, env: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    gathered(file, env, args).unwrap().config.agents.into_iter().map(|agent| agent.domain).collect()
}

pub(super) fn error(file: &str, env: &[(&str, &str)], args: &[&str]) -> String {
    match gathered(file, env, args).unwrap_err() {
        Error::Config(message) => message,
        Error::Usage(message) => format!("usage: {message}"),
    }
}

#[test]
fn every_default_is_as_the_key_would_take_it() {
    let loaded = gathered("{}", &[], &[]).unwrap();
    assert_eq!(loaded.warnings, []);
    for (key, slot) in keys::KEYS.iter().zip(&loaded.values.slots) {
        assert_eq!((slot.text.as_str(), slot.source), (key.default, values::Source::Default), "{}", key.flag);
    }
}

#[test]
fn names_of_keys_are_unique_and_variables_named_like_flags() {
    for (place, key) in keys::KEYS.iter().enumerate() {
        for other in &keys::KEYS[..place] {
            assert_ne!(key.flag, other.flag);
            assert!(key.file.is_empty() || key.file != other.file, "{}", key.file);
        }
        assert!(key.env.is_empty() || key.env == key.flag.to_uppercase().replace('-', "_"), "{}", key.env);
    }
}

#[test]
fn the_later_source_wins() {
    let file = r#"{"phaseTimeout": "1m", "log": {"logFileSize": 3}}"#;
    let env = [("PHASE_TIMEOUT", "2m"), ("LOG_FILE_SIZE", "4")];
    let args = ["-phase-timeout", "3m", "--log-file-size=0x5"];
    for (env, args, phase, size) in
        [(&env[..0], &args[..0], 60_000, 3), (&env, &args[..0], 120_000, 4), (&env, &args, 180_000, 5)]
    {
        let config = gathered(file, env, args).unwrap().config;
        assert_eq!((config.phase_timeout_ms, config.log.file_size_mb), (phase, size));
    }
}

#[test]
fn a_bad_number_or_boolean_of_the_environment_leaves_what_is_below() {
    let file = "{\"rebootEnabled\": false,\n\"log\": {\"logFileCount\": 9}}";
    let env = [("REBOOT_ENABLED", "yes"), ("LOG_FILE_COUNT", "0x1")];
    let loaded = gathered(file, &env, &[]).unwrap();
    assert_eq!((loaded.config.reboot_enabled, loaded.config.log.file_count), (false, 9));
    assert_eq!(
        warnings(file, &env, &[]),
        [
            "log.logFileCount (environment LOG_FILE_COUNT): \"0x1\" is no whole number; 9 (file line 2) is taken",
            "rebootEnabled (environment REBOOT_ENABLED): \"yes\" is no boolean; false (file line 1) is taken",
        ]
    );
}

#[test]
fn a_bad_duration_takes_the_default_whatever_is_below() {
    let file = r#"{"phaseTimeout": "1m", "agents": {"a-b": {"readTimeout": "2s"}}}"#;
    let env = [("PHASE_TIMEOUT", "soon"), ("A_B_READ_TIMEOUT", "-1s")];
    let loaded = gathered(file, &env, &["-reboot-after="]).unwrap();
    let config = &loaded.config;
    assert_eq!((config.phase_timeout_ms, config.agents[0].read_timeout_ms), (600_000, 60_000));
    assert_eq!(config.reboot_after_ms, 30_000);
    assert_eq!(
        warnings(file, &env, &["-reboot-after="]),
        [
            "agents.a-b.readTimeout (environment A_B_READ_TIMEOUT): \"-1s\" is negative; 1m is taken",
            "rebootAfter (flag --reboot-after): is empty; 30s is taken",
            "phaseTimeout (environment PHASE_TIMEOUT): \"soon\" is no duration (such as 90s, 1m30s, 250ms); \
             10m is taken",
        ]
    );
}

#[test]
fn resume_after_is_at_most_half_of_the_phase_timeout() {
    for (env, resume_after_ms, warning) in [
        (&[("PHASE_TIMEOUT", "2m")][..], 60_000, None),
        (&[("PHASE_TIMEOUT", "15ms")], 7, None),
        (&[("PHASE_TIMEOUT", "0")], 0, None),
        (&[("RESUME_AFTER", "0")], 0, None),
        (&[("RESUME_AFTER", "5m")], 300_000, None),
        (&[("RESUME_AFTER", "301s")], 300_000, Some("is longer than half of phaseTimeout; 5m is taken")),
        (&[("RESUME_AFTER", "1m"), ("PHASE_TIMEOUT", "1m")], 30_000, Some("is longer than half of phaseTimeout; 30s")),
        (&[("RESUME_AFTER", ""), ("PHASE_TIMEOUT", "1m")], 30_000, Some("is empty; 1m is taken")),
    ] {
        let loaded = gathered("{}", env, &[]).unwrap();
        assert_eq!(loaded.config.resume_after_ms, resume_after_ms, "{env:?}");
        let said = warnings("{}", env, &[]);
        assert_eq!(said.len(), usize::from(warning.is_some()), "{said:?}");
        let start = warning.map(|warning| format!("resumeAfter (environment RESUME_AFTER): {warning}"));
        assert!(said.iter().zip(start).all(|(said, start)| said.starts_with(&start)), "{said:?}");
    }
}

#[test]
fn an_empty_interval_is_zero_and_a_bad_one_the_default() {
    for (value, interval, delay) in [("", 0, 0), ("0s", 0, 0), ("x", 60_000, 30_000)] {
        let env = [("REPORT_FEEDBACK_INTERVAL", value), ("CURRENT_STATE_DELAY", value)];
        let config = gathered("{}", &env, &[]).unwrap().config;
        assert_eq!((config.report_feedback_interval_ms, config.current_state_delay_ms), (interval, delay));
    }
}

#[test]
fn levels_and_commands_are_taken_in_any_case_and_unknown_ones_warned_about() {
    let args = ["--log-level=dEbUg", "--owner-consent-commands", " Update, ,DOWNLOAD,reboot,rollback"];
    let config = gathered("{}", &[], &args).unwrap().config;
    assert_eq!(config.log.level, LevelFilter::Debug);
    let commands = config.owner_consent_commands;
    assert!(commands.contains(Phase::Download) && commands.contains(Phase::Update));
    assert!(!commands.contains(Phase::Activate) && !commands.contains(Phase::Cleanup));
    assert_eq!(warnings("{}", &[], &args).len(), 2);
    let loaded = gathered(r#"{"log": {"logLevel": "loud"}, "ownerConsentCommands": ["x", null]}"#, &[], &[]).unwrap();
    assert_eq!((loaded.config.log.level, loaded.config.owner_consent_commands.is_empty()), (LevelFilter::Info, true));
    assert_eq!(loaded.warnings.len(), 2);
}

#[test]
fn an_empty_flag_for_commands_counts_as_not_given() {
    let file = r#"{"ownerConsentCommands": ["activate"]}"#;
    for (flag, asked) in [("-owner-consent-commands=", true), ("-owner-consent-commands=,", false)] {
        let config = gathered(file, &[], &[flag]).unwrap().config;
        assert_eq!(config.owner_consent_commands.contains(Phase::Activate), asked, "{flag}");
    }
}

#[test]
fn the_list_of_domains_decides_which_agents_there_are_and_their_order() {
    let file = r#"{"agents": {"b": {"readTimeout": "2s"}, "a": {}, "c": null}}"#;
    assert_eq!(domains(file, &[], &[]), ["b", "a", "c"]);
    assert_eq!(domains("{}", &[], &[]), ["containers"]);
    assert_eq!(domains(r#"{"agents": null}"#, &[], &[]), ["containers"]);
    assert!(domains(r#"{"agents": {}}"#, &[], &[]).is_empty());
    assert_eq!(domains(r#"{"agents": {}}"#, &[("DOMAINS", "x")], &[]), ["x"]);
    assert_eq!(domains(file, &[("DOMAINS", " ,")], &[]), ["b", "a", "c"]);
    assert_eq!(domains(file, &[("DOMAINS", "x")], &["-domains="]), ["b", "a", "c"]);
    let loaded = gathered(file, &[("DOMAINS", "z")], &["--domains", " d , b,,d "]).unwrap();
    let agents: Vec<_> = loaded.config.agents.iter().map(|a| (a.domain.as_str(), a.read_timeout_ms)).collect();
    assert_eq!(agents, [("d", 60_000), ("b", 2_000)]);
    assert_eq!(loaded.values.get(keys::Id::Domains).source, values::Source::Flag);
}

#[test]
fn domains_past_the_limit_or_unfit_for_topics_are_refused_by_name() {
    let list = |n: usize| (0..n).map(|i| format!("d{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(domains("{}", &[("DOMAINS", &list(64))], &[]).len(), 64);
    assert_eq!(error("{}", &[("DOMAINS", &list(65))], &[]), "there are 65 domains; at most 64 are served");
    let long = "x".repeat(65);
    let unfit = "no topic may have";
    for (domain, part) in [("a/b", unfit), ("a+", unfit), ("#", unfit), (long.as_str(), "longer than 64 bytes")] {
        for message in [error("{}", &[], &["--domains", domain]), error("{}", &[("DOMAIN", domain)], &[])] {
            assert!(message.contains(domain) && message.contains(part), "{message}");
        }
    }
    assert_eq!(domains("{}", &[], &["--domains", &long[..64]]).len(), 1);
    assert!(error(r#"{"agents": {"": {}}}"#, &[], &[]).contains("is empty"));
    for (escaped, shown) in [("\\u0000", "\\0"), ("\\u0010", "\\u{10}"), ("\\t", "\\t"), ("\\u0085", "\\u{85}")] {
        let message = error(&format!(r#"{{"agents": {{"a{escaped}": {{}}}}}}"#), &[], &[]);
        assert!(message.contains(shown), "{message}");
    }
    assert!(error("{}", &[], &["--domains=self-update,self"])
        .contains(r#"domains "self-update" and "self" have the same topics"#));
    assert!(error("{}", &[], &["--domains=device"]).contains(r#"domains "device" and "device" have the same topics"#));
}

#[test]
fn keys_of_the_file_match_in_any_case_and_the_last_one_counts() {
    let file = "{\"PHASETIMEOUT\": \"1m\", \"LOG\": {\"loglevel\": \"WARN\"},\n \"phaseTimeout\": \"2m\",\
        \"Agents\": {\"A\": {\"READTIMEOUT\": \"3s\", \"rebootRequired\": true}, \"A\": {\"readTimeout\": \"4s\"}}}";
    let loaded = gathered(file, &[], &[]).unwrap();
    assert_eq!((loaded.config.phase_timeout_ms, loaded.config.log.level), (120_000, LevelFilter::Warn));
    let agent = &loaded.config.agents[0];
    assert_eq!((agent.domain.as_str(), agent.read_timeout_ms, agent.reboot_required), ("A", 4_000, false));
    let shown: Vec<_> = loaded.warnings.iter().map(|w| (w.key.as_str(), w.source.as_str())).collect();
    assert_eq!(shown, [("phaseTimeout", "file line 2 column 18"), ("Agents.A", "file line 2 column 91")]);
}

#[test]
fn unknown_keys_are_warned_about_once_with_their_path_and_place() {
    let file =
        "{\"x\": {\"y\": {\"z\": 1}},\n\"connection\": {\"port\": [1]},\n\"agents\": {\"a\": {\"name\": 2}},\"\": 1}";
    let loaded = gathered(file, &[], &[]).unwrap();
    let shown: Vec<_> = loaded.warnings.iter().map(|w| (w.key.as_str(), w.source.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("x", "file line 1 column 7"),
            ("connection.port", "file line 2 column 24"),
            ("agents.a.name", "file line 3 column 26"),
            ("", "file line 3 column 34"),
        ]
    );
    let many: Vec<_> = (0..500).map(|i| format!("\"k{i}\": 0")).collect();
    assert_eq!(gathered(&format!("{{{}}}", many.join(",")), &[], &[]).unwrap().warnings.len(), 65);
}

#[test]
fn the_key_that_a_misspelt_one_was_meant_to_be_is_named() {
    for (file, warning) in [
        (r#"{"conection": {}}"#, "conection (file line 1 column 15): is no key of the configuration; it is ignored; did you mean `connection`?"),
        (r#"{"phase_timout": "1m"}"#, "; did you mean `phaseTimeout`?"),
        (r#"{"agnets": {}}"#, "; did you mean `agents`?"),
        (r#"{"domains": {}}"#, "; did you mean `agents`?"),
        (r#"{"log": {"level": "INFO"}}"#, "; did you mean `log.logLevel`?"),
        (r#"{"log": {"depth": 1}}"#, "it is ignored"),
        (r#"{"LOG": {"logLevl": "INFO"}}"#, "; did you mean `log.logLevel`?"),
        (r#"{"connection": {"cacert ": ""}}"#, "; did you mean `connection.caCert`?"),
        (r#"{"agents": {"a": {"readTimout": "1s"}}}"#, "; did you mean `agents.a.readTimeout`?"),
        (r#"{"agents": {"a": {"reboot-required": true}}}"#, "; did you mean `agents.a.rebootRequired`?"),
        // The right word in the wrong place.
        (r#"{"broker": ""}"#, "; did you mean `connection.broker`?"),
        (r#"{"connection.broker": ""}"#, "; did you mean `connection.broker`?"),
        (r#"{"readTimeout": "1s"}"#, "; did you mean `agents.<domain>.readTimeout`?"),
        (r#"{"connection": {"thingsEnabled": false}}"#, "; did you mean `thingsEnabled`?"),
        (r#"{"agents": {"a": {"phaseTimeout": "1m"}}}"#, "; did you mean `phaseTimeout`?"),
        (r#"{"agents": {"a": {"nothing": "1m"}}}"#, "it is ignored"),
        (r#"{"x": 1}"#, "it is ignored"),
    ] {
        let found = warnings(file, &[], &[]);
        assert!(found.len() == 1 && found[0].ends_with(warning), "{file}: {found:?}");
    }
}

#[test]
fn null_changes_nothing() {
    for file in ["null", r#"{"log": null, "domain": null, "rebootEnabled": null, "ownerConsentCommands": null}"#] {
        let loaded = gathered(file, &[], &[]).unwrap();
        assert_eq!((loaded.config, loaded.warnings), (gathered("{}", &[], &[]).unwrap().config, vec![]));
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_key_and_place() {
    for (file, message) in [
        ("[]", "1:1 the configuration must be an object, not an array"),
        ("{\n \"domain\": 1}", "2:12 domain must be a string, not a number"),
        (r#"{"log": "x"}"#, "1:9 log must be an object, not a string"),
        (r#"{"log": {"logFileSize": "2"}}"#, "1:25 log.logFileSize must be a number, not a string"),
        (r#"{"log": {"logFileSize": 2.0}}"#, "1:25 log.logFileSize must be a whole number, not 2.0"),
        (r#"{"thingsEnabled": "false"}"#, "1:19 thingsEnabled must be a boolean, not a string"),
        (r#"{"phaseTimeout": 600}"#, "1:18 phaseTimeout must be a string, not a number"),
        (r#"{"ownerConsentCommands": "update"}"#, "1:26 ownerConsentCommands must be an array, not a string"),
        (r#"{"ownerConsentCommands": [true]}"#, "1:27 ownerConsentCommands.0 must be a string, not a boolean"),
        (r#"{"agents": []}"#, "1:12 agents must be an object, not an array"),
        (r#"{"agents": {"a": true}}"#, "1:18 agents.a must be an object, not a boolean"),
        (r#"{"agents": {"a": {"rebootRequired": 1}}}"#, "1:37 agents.a.rebootRequired must be a boolean, not a number"),
        ("\u{feff}{}", "1:1 it has a byte order mark"),
        ("", "1:1 it is empty"),
        ("{", "1:2 it ends too early"),
        ("{a:1}", "1:2 it is not JSON: a key is expected"),
        ("{} {}", "1:4 it goes on after its end"),
        ("{\n\"domain\": \"\u{e9}\tx\"}", "2:13 it has a raw control character in a string"),
        (r#"{"domain": "a\ud83d"}"#, "1:14 it has half of a surrogate pair in a string"),
    ] {
        assert_eq!(error(file, &[], &[]), message);
    }
}

#[test]
fn a_file_that_is_no_json_is_refused_as_a_whole_before_any_value_is_looked_at() {
    assert_eq!(error(r#"{"domain": 1, "stateDir"}"#, &[], &[]), "1:25 it is not JSON: a colon is expected");
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("{{\"x\": {}{}}}", "[".repeat(n), "]".repeat(n));
    assert_eq!(warnings(&nested(31), &[], &[]).len(), 1);
    assert_eq!(error(&nested(32), &[], &[]), "1:38 it has more than 32 levels");
}

#[test]
fn escapes_of_keys_and_values_are_undone() {
    let file = r#"{"\u0064omain": "\ud83d\ude00\"", "agents": {"\u0061": {"e\u0078ec": "\/x"}}}"#;
    let config = gathered(file, &[], &[]).unwrap().config;
    assert_eq!((config.domain.as_str(), config.agents[0].exec.as_str()), ("\u{1f600}\"", "/x"));
    assert_eq!(config.agents[0].domain, "a");
}

#[test]
fn a_dot_in_a_key_leads_nowhere() {
    let file = r#"{"log.logLevel": "WARN", "log": {"log.logLevel": "WARN", "domain": "x"}, "agents.a": {}}"#;
    assert_eq!(warnings(file, &[], &[]).len(), 4);
    assert_eq!(gathered(file, &[], &[]).unwrap().config, gathered("{}", &[], &[]).unwrap().config);
}

#[test]
fn a_section_given_twice_is_warned_about_and_merged() {
    let file = r#"{"log": {"logLevel": "WARN"}, "LOG": {"logFileSize": 7}, "agents": {"a": {}}, "agents": {"b": {}}}"#;
    let loaded = gathered(file, &[], &[]).unwrap();
    assert_eq!((loaded.config.log.level, loaded.config.log.file_size_mb), (LevelFilter::Warn, 7));
    assert_eq!(domains(file, &[], &[]), ["a", "b"]);
    let shown: Vec<_> = loaded.warnings.iter().map(|w| (w.key.as_str(), w.source.as_str())).collect();
    assert_eq!(shown, [("LOG", "file line 1 column 38"), ("agents", "file line 1 column 89")]);
}

#[test]
fn places_are_lines_and_columns_from_one() {
    assert_eq!(file::line_and_column("a\n\u{e9}b", 4), (2, 2));
    assert_eq!(file::line_and_column("", 0), (1, 1));
}

#[test]
fn flags_are_taken_in_gos_forms_and_the_last_one_wins() {
    let level = |args: &[&str]| gathered("{}", &[], args).unwrap().config.log.level;
    for args in [
        &["-log-level", "WARN"][..],
        &["--log-level", "WARN"],
        &["-log-level=WARN"],
        &["--log-level=WARN"],
        &["--log-level", "x", "-log-level=WARN"],
        &["-log-level=WARN", "--"],
        &["-log-level=WARN", "--", "--log-level=INFO"],
        &["run", "--log-level", "WARN"],
        &["-log-level=WARN", "run"],
        &["-log-level=WARN", "--", "run"],
    ] {
        assert_eq!(level(args), LevelFilter::Warn, "{args:?}");
    }
    for (arg, enabled) in [("-reboot-enabled", true), ("--reboot-enabled=F", false), ("-reboot-enabled=0", false)] {
        assert_eq!(gathered("{}", &[], &[arg]).unwrap().config.reboot_enabled, enabled, "{arg}");
    }
}

#[test]
fn a_boolean_does_not_take_the_next_argument() {
    let args = ["--reboot-enabled", "false", "--log-level=WARN"];
    let loaded = gathered("{}", &[], &args).unwrap();
    assert_eq!((loaded.config.reboot_enabled, loaded.config.log.level), (true, LevelFilter::Info));
    assert_eq!(loaded.warnings[0].key, "argument false");
}

#[test]
fn what_is_said_of_an_argument_stays_short_however_long_it_is() {
    let long = "x\n".repeat(10_000);
    let message = error("{}", &[], &["status", &long]);
    assert!(message.starts_with("usage: ") && message.len() < 4096, "{} bytes", message.len());
}

#[test]
fn flags_of_domains_reach_the_domains_in_effect() {
    let args = ["-domains", "my-os", "--my-os-read-timeout", "5s", "-my-os-reboot-required"];
    let agent = gathered("{}", &[], &args).unwrap().config.agents.remove(0);
    assert_eq!((agent.read_timeout_ms, agent.reboot_required), (5_000, true));
}

#[test]
fn user_info_of_the_broker_goes_before_the_keys() {
    let env = [("MQTT_CONN_BROKER", "tcp://me:secret@host"), ("MQTT_CONN_USERNAME", "other")];
    let loaded = gathered("{}", &env, &[]).unwrap();
    let connection = &loaded.config.connection;
    assert_eq!((connection.username.as_str(), connection.password.as_str()), ("me", "secret"));
    assert!(!show::check_config(&loaded, false).0.contains("secret"));
    assert!(!format!("{loaded:?}").contains("secret"));
    let message = error("{}", &[("MQTT_CONN_BROKER", "tcp://me:secret@host:x")], &[]);
    assert!(message.contains("host:x") && message.contains("MQTT_CONN_BROKER") && !message.contains("secret"));
}

#[test]
fn values_that_no_packet_can_carry_are_refused() {
    let long = "x".repeat(crate::limits::CONFIG_VALUE_MAX + 1);
    let message = error("{}", &[("MQTT_CONN_PASSWORD", &long)], &[]);
    assert_eq!(message, "connection.password (environment MQTT_CONN_PASSWORD) is longer than 4096 bytes");
    assert!(error(r#"{"stateDir": "a\u0000"}"#, &[], &[]).contains("stateDir (file line 1) has a NUL"));
    for (address, key) in [("me%00@host", "username"), ("me:a%00@host", "password"), ("unix:/a%00", "broker")] {
        let message = error("{}", &[], &["-mqtt-conn-broker", address]);
        assert!(
            message.starts_with(&format!("connection.{key} (")) && message.ends_with("has a NUL in it"),
            "{message}"
        );
    }
    assert!(error("{}", &[], &["-mqtt-conn-status-topic=a/#"]).contains("wildcard"));
    let loaded = gathered("{}", &[], &["-mqtt-conn-keep-alive=24h", "-log-file-count=-1"]).unwrap();
    assert_eq!(loaded.config.connection.keep_alive_s, u16::MAX);
    assert_eq!((loaded.config.log.file_count, loaded.warnings.len()), (5, 2));
}

#[test]
fn the_keep_alive_counts_in_whole_seconds_and_is_never_turned_off_by_rounding() {
    for (given, seconds, warning) in [
        ("0", 0, ""),
        ("0ms", 0, ""),
        ("1ns", 1, "is rounded up to whole seconds, as MQTT counts it; 1s is taken"),
        ("900ms", 1, "is rounded up to whole seconds, as MQTT counts it; 1s is taken"),
        ("1s", 1, ""),
        ("1001ms", 2, "is rounded up to whole seconds, as MQTT counts it; 2s is taken"),
        ("20s", 20, ""),
        ("65534s1ms", 65_535, "is rounded up to whole seconds, as MQTT counts it; 18h12m15s is taken"),
        ("65535s", 65_535, ""),
        ("65535s1ms", 65_535, "is longer than MQTT allows; 18h12m15s is taken"),
    ] {
        let env = [("MQTT_CONN_KEEP_ALIVE", given)];
        let loaded = gathered("{}", &env, &[]).unwrap();
        assert_eq!(loaded.config.connection.keep_alive_s, seconds, "{given}");
        let told = loaded.warnings.first().map_or("", |warning| warning.reason.as_str());
        assert_eq!((told, loaded.warnings.len()), (warning, usize::from(!warning.is_empty())), "{given}");
        let shown = &loaded.values.get(keys::Id::KeepAlive).text;
        assert_eq!(duration::parse_duration_ms(shown), Ok(u64::from(seconds) * 1000), "{given}");
    }
}

#[test]
fn what_cannot_be_run_is_named_with_its_key() {
    let lines = |args: &[&str]| unusable(&gathered("{}", &[], args).unwrap().config);
    assert!(lines(&[]).is_empty());
    assert!(lines(&["-mqtt-conn-clean-session=false"]).is_empty(), "a state folder is enough");
    assert!(lines(&["-mqtt-conn-clean-session=false", "-state-dir=", "-mqtt-conn-client-id=me"]).is_empty());
    let lines = lines(&["-mqtt-conn-clean-session=false", "-state-dir="]);
    assert!(lines.len() == 1 && lines[0].starts_with("connection.cleanSession"), "{lines:?}");
}
