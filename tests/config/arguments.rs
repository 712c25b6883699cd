//! Help, version, and commands that there are not.

use super::{run, File, Row, ROWS, UNUSABLE};

#[test]
fn help_lists_every_flag_with_its_default_within_80_columns() {
    for arg in ["--help", "-help", "-h"] {
        let ran = run(&[], &[arg]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.lines().all(|line| line.chars().count() <= 80));
        for &Row(_, flag, _, default, ..) in ROWS.iter().filter(|row| !row.1.is_empty()) {
            let flag = flag.replace("my-os", "<domain>");
            let default = if default.is_empty() { "empty" } else { default };
            let line = ran.out.lines().find(|line| line.starts_with(&format!("  --{flag} ")));
            assert!(line.is_some_and(|line| line.ends_with(&format!("(default {default})"))), "{flag}: {line:?}");
        }
        assert!(ran.out.contains("--config-file") && ran.out.contains("--version"));
    }
}

#[test]
fn help_shows_every_subcommand_on_one_screen() {
    let ran = run(&[], &["help"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.lines().count() <= 23 && ran.out.lines().all(|line| line.chars().count() < 80), "{}", ran.out);
    let commands = "run status watch apply inventory history consent cancel reboot validate report agent check-config";
    for command in commands.split(' ') {
        assert!(ran.out.contains(&format!("  {command} ")), "{command}");
        let (asked, flag) = (run(&[], &["help", command]), run(&[], &[command, "--help"]));
        assert_eq!((asked.code, asked.err.as_str()), (0, ""), "{command}");
        assert!(asked.out.starts_with(&format!("Usage: update-manager {command}")), "{}", asked.out);
        assert_eq!(asked.out, flag.out);
        for args in [&["--domain=x", "help", command][..], &["--domain=x", command, "help"], &["help", "help", command]]
        {
            assert_eq!(run(&[], args).out, flag.out, "{args:?}");
        }
    }
    for args in [&["--config-file", "/nowhere", "help"][..], &["--check-config", "help"], &["--", "help"]] {
        let asked = run(&[], args);
        assert_eq!((asked.code, asked.out, asked.err.as_str()), (0, ran.out.clone(), ""), "{args:?}");
    }
}

#[test]
fn the_version_is_printed_whatever_else_is_there() {
    for args in [&["--version"][..], &["-version"], &["--log-level=x", "--version", "--config-file=/nowhere"]] {
        let ran = run(&[], args);
        assert_eq!((ran.code, ran.out.as_str()), (0, "update-manager 0.1.0\n"));
    }
}

#[test]
fn a_misspelt_command_starts_no_manager_and_the_nearest_is_named() {
    let file = File::new("misspelt", b"{}");
    for args in [&[&file.flag()[..], "staus"][..], &["--config-file", file.0.to_str().unwrap(), "--", "staus"]] {
        let ran = run(&UNUSABLE, args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        let told = "update-manager: there is no subcommand staus; did you mean `status`?\n";
        assert!(ran.err.starts_with(told), "{args:?}: {}", ran.err);
    }
}
