//! Configuration files that are there, and what counts from where a file lies.

use std::path::Path;

use super::{assert_line, check, File};

#[test]
fn the_shipped_configuration_has_time_for_a_slow_link_and_is_a_good_one() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["packaging/config.json", "yocto/meta-update-manager/examples/update-manager/config.json"] {
        let ran = check(&[], &[&format!("--config-file={}", source.join(path).display())]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path}: {}", ran.out);
        for value in ["phaseTimeout = 10m", "phaseTimeoutMax = 2h", "rollback = device", "commitAfterReboot = true"] {
            assert!(
                ran.out.lines().any(|line| line.starts_with(&format!("{value} (file line "))),
                "{path}: {}",
                ran.out
            );
        }
    }
}

#[test]
fn an_executable_of_the_file_counts_from_the_files_folder() {
    let own = File::new("relative", br#"{"verifyCommand": "./bin/check"}"#);
    let folder = own.0.parent().unwrap().display();
    assert_line(&check(&[], &[&own.flag()]), &format!("verifyCommand = {folder}/bin/check (file line 1)"));
    let named = |name: &str| format!(r#"{{"verifyCommand": {name:?}}}"#);
    let name = own.0.file_name().unwrap().to_str().unwrap();
    for (value, shown) in [("/bin/check", "/bin/check"), ("true", "true"), (name, own.0.to_str().unwrap())] {
        let file = File::new("named", named(value).as_bytes());
        assert_line(&check(&[], &[&file.flag()]), &format!("verifyCommand = {shown} (file line 1)"));
    }
    // Whoever starts the manager knows the working directory.
    let ran = check(&[("VERIFY_COMMAND", "./bin/check")], &[]);
    assert_line(&ran, "verifyCommand = ./bin/check (environment VERIFY_COMMAND)");
}
