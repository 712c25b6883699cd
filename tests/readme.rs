//! The README and the pages of figures and guarantees say what is so.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use update_manager::limits;

const README: &str = include_str!("../README.md");
const LIMITS: &str = include_str!("../docs/limits.md");
const GUARANTEES: &str = include_str!("../docs/guarantees.md");
/// Lines that somebody reads who wants to know what it is.
const README_LINES_MAX: usize = 200;

#[test]
fn the_readme_is_short() {
    assert!(README.lines().count() <= README_LINES_MAX, "{} lines", README.lines().count());
}

#[test]
fn the_limits_table_has_the_programs_limits() {
    macro_rules! named {
        ($($limit:ident)*) => { [$((stringify!($limit), limits::$limit)),*] };
    }
    let limits = named! {
        DOMAINS_MAX DOMAIN_ID_MAX ACTIVITY_ID_MAX PAYLOAD_IN_MAX DEPTH_MAX COMPONENTS_MAX ACTIONS_MAX
        ACTION_COMPONENT_MAX ACTION_MESSAGE_MAX INVENTORY_MAX INVENTORIES_MAX ROUNDS_MAX FINISHED_MAX REPORTS_MAX
        OUTBOUND_BYTES CONFIG_FILE_MAX
    };
    let rows = LIMITS.lines().filter(|line| line.contains("_MAX`) |") || line.contains("_BYTES`) |"));
    assert_eq!(rows.count(), limits.len());
    for (name, value) in limits {
        assert!(LIMITS.contains(&format!("(`{name}`) | {value} |")), "the page has another {name} than {value}");
    }
}

#[test]
fn the_first_configuration_is_a_good_one() {
    let (_, rest) = README.split_once("`config.json`:\n\n```json\n").unwrap();
    let (config, _) = rest.split_once("```").unwrap();
    let file = std::env::temp_dir().join(format!("um-readme-{}.json", std::process::id()));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
    let checked = command.env_clear().arg("--check-config").arg("--config-file").arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    let shown = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{shown}{}", String::from_utf8_lossy(&checked.stderr));
    assert!(shown.contains("self-update"), "{shown}");
}

#[test]
fn pages_of_packages_say_what_a_twin_needs_first() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packaged = std::fs::read_to_string(folder.join("packaging/config.json")).unwrap();
    assert!(!packaged.contains("thingsEnabled"), "it is the default, a twin");
    for page in ["debian", "binary", "container", "yocto"] {
        let text = std::fs::read_to_string(folder.join(format!("docs/{page}.md"))).unwrap();
        for needed in ["(twin-api.md#who-the-device-is)", "`\"thingsEnabled\": false`", "`status`"] {
            let is_there = text.contains(needed) || needed == "`status`" && text.contains("update-manager status ");
            assert!(is_there, "{page}.md lacks {needed}");
        }
    }
}

/// The functions of all sources, as `fn name(`.
fn functions(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let tests = text.split("#[test]\n").skip(1).filter_map(|after| after.split_once('('));
            tests.for_each(|(head, _)| *out += &format!("{}\n", head.lines().last().unwrap_or_default()));
        }
    }
}

#[test]
fn what_survives_what_is_shown_by_tests_that_exist() {
    let mut tests = String::new();
    for folder in ["src", "tests/world", "tests/broker"] {
        functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut tests);
    }
    let (_, rest) = GUARANTEES.split_once("| shown by the test |\n| --- | --- | --- |\n").unwrap();
    let rows: Vec<&str> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 20);
    for row in rows {
        let name = row.rsplit('`').nth(1).unwrap();
        assert!(tests.contains(&format!("fn {name}\n")), "no test {name}");
    }
}
