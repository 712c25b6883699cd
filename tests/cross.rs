//! The cross builds' files agree with each other. There is no container engine in
//! the gate: what they make of them is not seen here.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// The names of a target: ours and Rust's, and the most that its static binary may
/// have, without TLS and with it.
const TARGETS: &[(&str, &str, usize, usize)] = &[
    ("armv7", "armv7-unknown-linux-musleabihf", 560_000, 980_000),
    ("aarch64", "aarch64-unknown-linux-musl", 690_000, 1_350_000),
    ("x86_64", "x86_64-unknown-linux-musl", 775_000, 1_650_000),
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
fn the_flags_stand_once_for_both_ways_to_build() {
    let (config, profile, build) = (read(".cargo/config.toml"), read("Cargo.toml"), read("cross/build"));
    for flag in ["+crt-static", "+thumb-mode", "force-unwind-tables", "optimize_for_size"] {
        assert_eq!(config.matches(flag).count(), 1, "{flag}");
        assert!(!build.contains(flag), "{flag}");
    }
    let (_, profile) = profile.split_once("\n[profile.release]\n").unwrap();
    for setting in ["opt-level = \"z\"", "lto = \"fat\"", "codegen-units = 1", "panic = \"abort\"", "strip = true"] {
        assert!(profile.contains(setting), "{setting}");
    }
}

#[test]
fn both_ways_to_build_make_the_same_parts_of_std() {
    let crates = value("Cross.toml", "build", "build-std");
    assert!(read("cross/build").contains(&format!(" -Zbuild-std={} ", quoted(&crates).join(","))), "{crates}");
}

#[test]
fn each_wheel_is_pinned_with_its_hashes() {
    let wheels = read("cross/wheels.txt").replace("\\\n", " ");
    let wheels: Vec<&str> = wheels.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(wheels.len(), 2);
    for wheel in wheels {
        let mut words = wheel.split_whitespace();
        assert!(words.next().unwrap().contains("=="), "{wheel}");
        let hashes: Vec<&str> = words.map(|word| word.strip_prefix("--hash=sha256:").unwrap()).collect();
        assert!(!hashes.is_empty() && hashes.iter().all(|hash| hash.len() == 64), "{wheel}");
    }
    assert!(read("cross/build").contains(" --require-hashes -r cross/wheels.txt "));
}

#[test]
fn our_own_build_knows_the_targets() {
    let build = read("cross/build");
    for (_, target, ..) in TARGETS {
        assert!(build.contains(&format!(" target={target}")), "{target}");
    }
    let names: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
    assert!(build.contains(&format!("  {}) ", names.join(" | "))));
}

#[test]
fn there_is_no_c_and_no_linker_script_of_ours() {
    let mut names: Vec<String> = std::fs::read_dir(root().join("cross"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["build", "sizes.txt", "wheels.txt"]);
}

#[test]
fn the_recorded_sizes_are_within_their_bounds() {
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
