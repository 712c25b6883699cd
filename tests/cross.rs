//! The cross builds' files agree with each other. There is no container engine in
//! the gate: what they make of them is not seen here.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The names of a target: ours and Rust's, and the most that its static binary may
/// have, without TLS and with it.
const TARGETS: &[(&str, &str, usize, usize)] = &[
    ("armv7", "armv7-unknown-linux-musleabihf", 400_000, 950_000),
    ("aarch64", "aarch64-unknown-linux-musl", 460_000, 1_150_000),
    ("x86_64", "x86_64-unknown-linux-musl", 540_000, 1_265_000),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A file of TOML as sections with lines of a key and its value. It takes only what
/// these files need: each table has a header, each value is on one line.
fn sections(path: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut sections = Vec::new();
    for line in read(path).lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => sections.push((name.to_owned(), Vec::new())),
            None => {
                let (key, value) = line.split_once(" = ").unwrap();
                let (_, lines) = sections.last_mut().unwrap();
                lines.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    sections
}

fn value(path: &str, section: &str, key: &str) -> String {
    let sections = sections(path);
    let (_, lines) = sections.iter().find(|(name, _)| name == section).unwrap();
    let mut found = lines.iter().filter(|(name, _)| name == key);
    let (Some((_, value)), None) = (found.next(), found.next()) else {
        panic!("{path}: not one {key} in [{section}]");
    };
    value.clone()
}

/// What is quoted in a value.
fn quoted(value: &str) -> Vec<&str> {
    value.split('"').skip(1).step_by(2).collect()
}

#[test]
fn cross_knows_our_targets_and_finds_their_dockerfiles() {
    let names: Vec<String> = sections("cross/Cross.toml").into_iter().map(|(name, _)| name).collect();
    let expected: Vec<String> = TARGETS.iter().map(|(_, target, ..)| format!("target.{target}")).collect();
    assert_eq!(names, expected);
    for (name, target, ..) in TARGETS {
        let dockerfile = value("cross/Cross.toml", &format!("target.{target}"), "dockerfile");
        assert_eq!(dockerfile, format!(r#"{{ file = "cross/Dockerfile.{name}", context = "cross" }}"#));
        let dockerfile = read(&format!("cross/Dockerfile.{name}"));
        let image = format!("ARG CROSS_BASE_IMAGE=ghcr.io/cross-rs/{target}:");
        assert_eq!(dockerfile.lines().filter(|line| line.starts_with(&image)).count(), 1, "{dockerfile}");
        assert!(dockerfile.contains("\nFROM $CROSS_BASE_IMAGE\n"), "{dockerfile}");
        // ring's C gets its flags only under the target's name as a variable.
        assert!(dockerfile.contains(&format!("\nENV CFLAGS_{}=", target.replace('-', "_"))), "{dockerfile}");
    }
}

#[test]
fn cargo_has_a_linker_flags_and_an_alias_for_each_target() {
    let config = ".cargo/config.toml";
    for (name, target, ..) in TARGETS {
        let section = format!("target.{target}");
        assert!(quoted(&value(config, &section, "linker"))[0].ends_with("-gcc"));
        let flags = value(config, &section, "rustflags");
        assert!(quoted(&flags).iter().any(|flag| flag.starts_with("target-feature=+crt-static")), "{flags}");
        let alias = value(config, "alias", name);
        assert_eq!(quoted(&alias), [format!("build --release --target {target}")]);
    }
    let targets = sections(config).iter().filter(|(name, _)| name.starts_with("target.")).count();
    assert_eq!(targets, TARGETS.len());
}

#[test]
fn our_own_build_knows_the_same_targets() {
    let build = read("cross/build");
    for (_, target, ..) in TARGETS {
        assert!(build.contains(&format!("target={target} ")), "{target}");
    }
    assert_eq!(build.matches(" zig_target=").count(), TARGETS.len());
    let lines = build.lines().map(str::trim);
    let arms: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
    assert!(lines.clone().any(|line| line.starts_with(&format!("{})", arms.join(" | ")))));
}

#[test]
fn what_the_stubs_compute_is_right() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs");
    let compiled = Command::new("cc")
        .args(["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O1", "-fno-builtin", "-o"])
        .args([&program, &root().join("tests/cross/stubs.c")])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let ran = Command::new(&program).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.ends_with("cases are the same\n"), "{said}");
}

#[test]
fn what_is_put_in_place_of_rings_own_is_of_its_version() {
    let lock = read("Cargo.lock");
    let (_, rest) = lock.split_once("\nname = \"ring\"\nversion = \"").unwrap();
    let version = rest.split('"').next().unwrap().replace('.', "_");
    for path in ["cross/stubs.c", "cross/ring.ld"] {
        let file = read(path);
        let names: Vec<&str> = file.match_indices("ring_core_").map(|(at, _)| &file[at..]).collect();
        assert!(names.len() >= 2, "{path}");
        assert!(names.iter().all(|name| name.starts_with(&format!("ring_core_{version}__p256_point_mul"))), "{path}");
    }
}

/// Each name that `cross/cold.ld` has, as Rust mangles it: its length, then itself.
fn names_behind_the_rest() -> Vec<String> {
    let mut names = Vec::new();
    for line in read("cross/cold.ld").lines().filter(|line| line.trim().starts_with("*(.text.")) {
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let digits = rest[at..].chars().take_while(char::is_ascii_digit).count();
            let (length, tail) = rest[at..].split_at(digits);
            let name = &tail[..length.parse().unwrap()];
            names.push(name.to_owned());
            rest = &tail[name.len()..];
        }
    }
    names
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, all),
            false => all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap())),
        }
    }
}

#[test]
fn what_is_put_behind_the_rest_exists() {
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    let names = names_behind_the_rest();
    assert!(names.len() > 20, "{names:?}");
    for name in names.iter().filter(|name| *name != "update_manager") {
        let is_there = ["mod ", "fn ", "struct "].iter().any(|kind| {
            let word = format!("{kind}{name}");
            all.match_indices(&word).any(|(at, _)| !all[at + word.len()..].starts_with(char::is_alphanumeric))
        });
        assert!(is_there, "cross/cold.ld: {name}");
    }
}

#[test]
fn the_recorded_sizes_are_within_what_was_asked_for() {
    let sizes = read("cross/sizes.txt");
    let lines: Vec<Vec<&str>> =
        sizes.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), TARGETS.len() * 2);
    for (name, _, plain_max, tls_max) in TARGETS {
        for (tls, size_max) in [("no-tls", plain_max), ("tls", tls_max)] {
            let found: Vec<_> = lines.iter().filter(|line| line[..2] == [*name, tls]).collect();
            assert_eq!(found.len(), 1, "{name} {tls}");
            let size: usize = found[0][2].parse().unwrap();
            assert!(size <= *size_max, "{name} {tls}: {size} bytes, at most {size_max}");
        }
    }
}

#[test]
fn the_commands_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    for command in ["cross/build", "tests/arm"] {
        let path: PathBuf = root().join(command);
        assert_ne!(path.metadata().unwrap().permissions().mode() & 0o111, 0, "{command}");
    }
}
