//! The configuration: the file's text, then arguments, and `$NAME=value` for the
//! environment, all with a separator between.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use update_manager::config::keys::{Kind, AGENT_KEYS, KEYS};
use update_manager::config::show::check_config;
use update_manager::config::{load, unusable, Error, Loaded, Order};
use update_manager::limits::{CONFIG_WARNINGS_MAX, DOMAINS_MAX};
use update_manager::manager::will;
use update_manager::mqtt::Options;
use update_manager::wire::topic::Topics;
use update_manager_fuzz::{pieces, SEPARATOR};

/// A file in memory, for all executions.
fn file() -> &'static (File, String) {
    static FILE: OnceLock<(File, String)> = OnceLock::new();
    FILE.get_or_init(|| {
        // SAFETY: the name ends with a NUL, and the descriptor is new and ours.
        let file = unsafe {
            let descriptor = libc::memfd_create(c"configuration".as_ptr(), 0);
            assert!(descriptor >= 0, "the system gives no file in memory");
            File::from_raw_fd(descriptor)
        };
        let path = format!("--config-file=/proc/self/fd/{}", file.as_raw_fd());
        (file, path)
    })
}

fuzz_target!(|input: &[u8]| {
    let mut parts = pieces(input);
    let text = parts.next().unwrap_or_default();
    let (mut args, mut variables) = (Vec::new(), Vec::new());
    for part in parts {
        match part.strip_prefix(b"$") {
            Some(variable) => variables.push(variable),
            // No other file than ours: a device may never end.
            None if part.windows(6).any(|window| window == b"config") && !part.ends_with(b"check-config") => {}
            None => args.push(String::from_utf8_lossy(part)),
        }
    }
    let (file, path) = file();
    file.set_len(0).and_then(|()| file.write_all_at(text, 0)).expect("memory takes it");
    let mut args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    // Without a file for some, to see the default of the domains.
    if !text.is_empty() {
        args.insert(0, path);
    }
    let lookup = |name: &str| -> Option<OsString> {
        let value = |variable: &&[u8]| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec);
        variables.iter().find_map(value).map(|value| OsStr::from_bytes(&value).to_owned())
    };
    match load(&args, &lookup) {
        Ok(Order::Run(loaded) | Order::CheckConfig(loaded) | Order::Command(_, loaded)) => assert_loaded(&loaded),
        Ok(Order::Help | Order::Usage(_) | Order::Version) => {}
        Err(Error::Usage(said) | Error::Config(said)) => assert!(!said.is_empty() && said.len() < 8192, "{said}"),
    }
    assert!(input.contains(&SEPARATOR) || args.len() <= 1);
});

/// What was taken can be run, is shown, and is the same when it is given again.
fn assert_loaded(loaded: &Loaded) {
    let config = &loaded.config;
    assert!(config.agents.len() <= DOMAINS_MAX && loaded.warnings.len() <= CONFIG_WARNINGS_MAX + 1);
    let domains: Vec<&str> = config.agents.iter().map(|agent| agent.domain.as_str()).collect();
    if let Err(error) = Topics::new(&config.domain, &domains) {
        panic!("taken, though the manager refuses it: {error}");
    }
    let connection = &config.connection;
    // Without one the shell makes it.
    let client_id = if connection.client_id.is_empty() { "um0123456789abcdef" } else { &connection.client_id };
    let options = Options {
        username: Some(connection.username.clone()),
        password: (!connection.username.is_empty()).then(|| connection.password.clone()),
        clean_session: connection.is_clean(false),
        retain: connection.retain,
        will: will(&connection.status_topic),
        ..Options::new(client_id)
    };
    assert!(options.check().is_ok() || !unusable(config).is_empty());
    let (shown, _) = check_config(loaded, false);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    let is_secret = |line: &str| line.starts_with("connection.password = ***") || connection.password.is_empty();
    assert!(shown.lines().any(is_secret), "the password is shown");
    assert_same_again(loaded);
}

/// The values in effect as flags make the same configuration, with no warning.
fn assert_same_again(loaded: &Loaded) {
    let mut args = Vec::new();
    for (key, slot) in KEYS.iter().zip(&loaded.values.slots).filter(|(key, _)| !key.file.is_empty()) {
        if key.kind == Kind::Bool && slot.text.is_empty() {
            // Nobody has said it, and nothing stands for that.
            continue;
        }
        args.push(format!("--{}={}", key.flag, slot.text));
    }
    // A list with commas cannot say every name; the file can.
    let names: Vec<&str> = loaded.config.agents.iter().map(|agent| agent.domain.as_str()).collect();
    if names.is_empty() || names.iter().any(|name| name.contains(',') || name.trim() != *name) {
        return;
    }
    args.push(format!("--domains={}", names.join(",")));
    for agent in loaded.values.agents.iter().flatten() {
        for (key, slot) in AGENT_KEYS.iter().zip(&agent.slots).filter(|(key, _)| !key.flag.is_empty()) {
            if agent.domain.contains('=') || agent.domain.starts_with('-') {
                return;
            }
            args.push(format!("--{}-{}={}", agent.domain, key.flag, slot.text));
        }
    }
    assert!(KEYS.iter().all(|key| key.kind != Kind::Domains || key.flag == "domains"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match load(&args, &|_| None) {
        Ok(Order::Run(again)) => {
            let execs = loaded.config.agents.iter().all(|agent| agent.exec.is_empty());
            assert!(again.config == loaded.config || !execs, "{args:?}\n{:?}\n{:?}", again.config, loaded.config);
            assert!(again.warnings.is_empty(), "{:?}", again.warnings);
        }
        other => panic!("taken once, not twice: {other:?} {args:?}"),
    }
}
