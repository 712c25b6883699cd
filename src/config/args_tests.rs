//! Arguments that are not understood.

use super::tests::error;
use super::*;

#[test]
fn wrong_arguments_are_usage_errors_that_name_them() {
    for (args, part) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["-x"], "--x"),
        (&["---log-level", "x"], "---log-level"),
        (&["-=x"], "bad flag syntax: -"),
        (&["--log-level"], "--log-level needs a value"),
        (&["--things-enabled=maybe"], "--things-enabled takes true or false, not maybe"),
        (&["--version=x"], "--version takes true or false"),
        (&["--log-file-size=big"], "--log-file-size takes a whole number, not big"),
        (&["--log-file-size", "-"], "--log-file-size takes"),
        (&["--nobody-read-timeout=1s"], "--nobody-read-timeout, since there is no such domain"),
        (&["--containers-exec=x"], "--containers-exec"),
        (&["--read-timeout=1s"], "--read-timeout"),
        (&["stattus"], "no subcommand stattus; did you mean `status`?"),
        (&[""], "no subcommand "),
        (&["-log-level=WARN", "staus"], "no subcommand staus; did you mean `status`?"),
        (&["--things-enabled", "false", "status"], "write --things-enabled=false"),
        (&["--things-enabled", "false", "--domain=x", "help"], "write --things-enabled=false"),
        (&["--log-level=WARN", "false"], "no subcommand false"),
        (&["--things-enabled=1", "false"], "no subcommand false"),
        (&["--things-enabled", "staus"], "did you mean `status`?"),
        (&["-log-level=WARN", "--", "staus", "-x"], "did you mean `status`?"),
        (&["-log-level=WARN", "-"], "no subcommand -"),
        (&["--check-config", "falsch"], "no subcommand falsch"),
        (&["help", "staus"], "no subcommand staus; did you mean `status`?"),
        (&["-log-level=WARN", "help", "staus"], "did you mean `status`?"),
        (&["help", "status", "staus"], "staus"),
        (&["status", "help", "staus"], "staus"),
        (&["--config-fle=x"], "no flag --config-fle; did you mean `--config-file`?"),
        (&["--chek-config"], "did you mean `--check-config`?"),
        (&["apply", "--wacth", "x"], "--wacth; did you mean `--watch`?"),
        (&["status", "--log-levl=x"], "did you mean `--log-level`?"),
        (&["apply", "--activity=", "f"], "--activity takes 1 to 256 bytes, escaped as in JSON, not 0"),
        (&["apply", "--activity", &"x".repeat(257), "f"], "not 257"),
        (&["--container-read-timeout=1s"], "no such domain; did you mean `--containers-read-timeout`?"),
        (&["--containers-read-timout=1s"], "did you mean `--containers-read-timeout`?"),
        (&["run", "strat"], "strat"),
        (&["run", "--nonsense=1"], "--nonsense"),
        (&["run", "check-config"], "check-config"),
    ] {
        let message = error("{}", &[], args);
        assert!(message.starts_with("usage: ") && message.contains(part), "{args:?}: {message}");
    }
}

#[test]
fn what_may_be_a_secret_is_never_repeated() {
    for args in [
        &["---mqtt-conn-password=secret"][..],
        &["-=secret"],
        &["--mqtt-conn-passwrd=secret"],
        &["mqtt-conn-password=secret"],
        &["status", "mqtt-conn-password=secret"],
        &["status", "---mqtt-conn-password=secret"],
        &["apply", "--mqtt-conn-passwrd=secret", "x.json"],
        &["--mqtt-conn-broker=tcp://me:secret"],
        &["--mqtt-conn-broker=me:secret"],
        &["--mqtt-conn-broker=tcp://me:secret@"],
        &["--mqtt-conn-broker=tcp://me:se/cret:secret"],
    ] {
        match load(args, &|_| None) {
            Err(Error::Usage(message) | Error::Config(message)) => assert!(!message.contains("secret"), "{message}"),
            Ok(order) => panic!("{args:?}: {order:?}"),
        }
    }
}
