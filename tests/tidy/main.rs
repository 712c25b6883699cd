//! Holds the sources against the rules of their size, of their imports, and of where JSON
//! is spelled.

#![allow(clippy::expect_used)]

mod detection;
mod imports;
mod json;
mod rust;
mod scripts;
mod shipped;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use imports::{circle, imports};
use rust::{blank, Item};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const FIELDS_MAX: usize = 12;

/// Structs that may have more fields, each with its file.
const LARGE_STRUCTS: &[(&str, &str)] = &[
    // Grouped as the configuration file is.
    ("src/config/mod.rs", "Config"),
    ("src/config/mod.rs", "Connection"),
];

/// Files that may spell JSON although they write none.
const JSON_HINTS: &[&str] = &[
    // What they find, they tell people together with what to write instead.
    "src/validate/grammar.rs",
    "src/validate/mod.rs",
    "src/validate/payload.rs",
    "src/validate/spelling.rs",
];

/// Where the sources are, from the root of the repository.
const FOLDERS: [&str; 7] = [".ci", "agents", "cross", "examples", "packaging", "src", "tests"];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Language {
    Rust,
    Python,
    Shell,
}

struct Source {
    /// From the root of the repository.
    path: String,
    language: Language,
    text: String,
    /// The text of a Rust source, with blanks for comments and literals.
    code: String,
}

impl Source {
    fn new(path: &str, language: Language, text: &str) -> Source {
        let code = if language == Language::Rust { blank(text) } else { String::new() };
        Source { path: path.to_owned(), language, text: text.to_owned(), code }
    }

    /// Reads a file; none if it is in none of the languages.
    fn read(path: &str, file: &Path) -> Option<Source> {
        let text = String::from_utf8(fs::read(file).expect("a readable file")).ok()?;
        let interpreter = text.lines().next().filter(|line| line.starts_with("#!")).unwrap_or_default();
        let language = match path.rsplit_once('.') {
            Some((_, "rs")) => Language::Rust,
            Some((_, "py")) => Language::Python,
            _ if interpreter.contains("python") => Language::Python,
            _ if interpreter.ends_with("sh") => Language::Shell,
            _ => return None,
        };
        Some(Source::new(path, language, &text))
    }

    fn functions(&self) -> Vec<Item<'_>> {
        match self.language {
            Language::Rust => rust::functions(&self.code),
            Language::Python => scripts::python_functions(&self.text),
            Language::Shell => scripts::shell_functions(&self.text),
        }
    }

    fn structs(&self) -> Vec<Item<'_>> {
        rust::structs(&self.code)
    }
}

fn read_all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders: Vec<String> = FOLDERS.map(String::from).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("a readable folder") {
            let entry = entry.expect("a readable entry");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            let (path, kind) = (format!("{folder}/{name}"), entry.file_type().expect("a type"));
            if kind.is_file() {
                sources.extend(Source::read(&path, &entry.path()));
            } else if kind.is_dir() && name != "target" {
                folders.push(path);
            }
        }
    }
    sources
}

/// Returns what breaks a rule, each with its file and place. Exceptions that nothing
/// needs are among it.
fn flaws(sources: &[Source], large_structs: &[(&str, &str)]) -> Vec<String> {
    let mut flaws: Vec<String> = sources.iter().flat_map(long_parts).collect();
    let mut needed = BTreeSet::new();
    for source in sources {
        let path = source.path.as_str();
        for Item { name, line, size } in source.structs().into_iter().filter(|item| item.size > FIELDS_MAX) {
            if large_structs.contains(&(path, name)) {
                needed.insert((path, name));
            } else {
                flaws.push(format!("{path}:{line}: {name} has {size} fields, at most {FIELDS_MAX}"));
            }
        }
    }
    let needless = large_structs.iter().filter(|exception| !needed.contains(*exception));
    flaws.extend(needless.map(|(path, name)| format!("{path}: {name} needs no exception")));
    flaws.extend(circle_of(sources));
    flaws
}

/// Returns the file, if it is too long, and its functions that are.
fn long_parts(source: &Source) -> Vec<String> {
    let (path, lines) = (&source.path, source.text.lines().count());
    let file = (lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
    let functions = source.functions().into_iter().filter(|item| item.size > FUNCTION_LINES_MAX);
    let functions = functions.map(|Item { name, line, size }| {
        format!("{path}:{line}: {name} has {size} lines, at most {FUNCTION_LINES_MAX}")
    });
    file.into_iter().chain(functions).collect()
}

fn circle_of(sources: &[Source]) -> Option<String> {
    let imports = imports(sources);
    let circle = circle(&imports)?;
    let step = |pair: &[&str]| format!("{} imports {} ({})", pair[0], pair[1], imports[pair[0]][pair[1]]);
    Some(format!("a circle: {}", circle.windows(2).map(step).collect::<Vec<_>>().join(", ")))
}

#[test]
fn the_sources_keep_the_rules() {
    let flaws = flaws(&read_all(), LARGE_STRUCTS);
    assert!(flaws.is_empty(), "\n{}\n", flaws.join("\n"));
}

#[test]
fn json_is_spelled_in_wire_alone() {
    let flaws = json::spelled_elsewhere(&read_all(), JSON_HINTS);
    assert!(flaws.is_empty(), "\n{}\n", flaws.join("\n"));
}
