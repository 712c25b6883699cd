//! Comments cite pages, sections and steps that exist, and links between pages lead
//! somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// What is searched for citations: comments of sources and scripts, all of a page.
const SEARCHED: [&str; 10] =
    ["src", "agents", "tests", "examples", "cross", "yocto", ".ci", "docs", "README.md", "CHANGELOG.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files at or below `path` that are text, each with its content.
fn files(path: &Path, out: &mut Vec<(PathBuf, String)>) {
    if path.ends_with("target") {
        return;
    }
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| files(&entry.unwrap().path(), out));
    } else if let Ok(text) = fs::read_to_string(path) {
        out.push((path.to_owned(), text));
    }
}

fn all_files() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    SEARCHED.iter().for_each(|path| files(&root().join(path), &mut all));
    all
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The text of a line's comment after `marker`; none if it has none.
fn comment<'t>(line: &'t str, marker: &str) -> Option<&'t str> {
    let start = match line.trim_start().starts_with(marker) {
        true => line.find(marker)?,
        false => line.find(&format!(" {marker} "))? + 1,
    };
    Some(line[start..].trim_start_matches(['/', '#', '!']).trim())
}

/// What a file says in words: a page all of it, a source its comments. The lines of one
/// comment are joined, since a citation may go over two.
fn prose(path: &Path, text: &str) -> String {
    if is_page(path) {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let is_python = path.extension().is_some_and(|extension| extension == "py");
    let marker = if is_rust { "//" } else { "#" };
    let mut is_doc = false;
    let mut prose = String::new();
    for line in text.lines() {
        let quotes = line.matches("\"\"\"").count();
        let was_doc = is_doc;
        is_doc ^= is_python && quotes % 2 == 1;
        // Python has citations in strings as well, which tell why a difference is right.
        let is_words = is_python && (was_doc || quotes > 0 || line.contains("docs/"));
        match comment(line, marker).or(is_words.then(|| line.trim())) {
            Some(words) => prose += &format!("{words} "),
            None => prose.push('\n'),
        }
    }
    prose
}

/// The headings of a page, with the lines below each up to the next one.
fn sections(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut is_code = false;
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#') && !is_code);
        match (heading, sections.last_mut()) {
            (Some(heading), _) => sections.push((heading, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    sections
}

/// What a citation names besides the page.
#[derive(Debug, PartialEq)]
enum Part<'t> {
    Section(&'t str),
    Step(u32),
}

/// The sections and steps that are named right behind a page.
fn parts(mut rest: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    rest = rest.trim_start_matches(['`', ')']);
    loop {
        let and = if parts.is_empty() { None } else { rest.strip_prefix(" and ") };
        let Some(next) = rest.strip_prefix(", ").or(and) else { return parts };
        let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok());
        if let Some((name, after)) = next.strip_prefix('"').and_then(|text| text.split_once('"')) {
            parts.push(Part::Section(name));
            rest = after;
        } else if let Some(step) = next.strip_prefix("step ").and_then(number) {
            parts.push(Part::Step(step));
            rest = next["step ".len()..].trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            return parts;
        }
    }
}

/// A page that is cited, and what follows it.
fn citations(prose: &str) -> impl Iterator<Item = (&str, &str)> {
    prose.match_indices(".md").filter_map(|(at, _)| {
        let rest = &prose[at + ".md".len()..];
        let is_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
        let start = prose[..at].rfind(|c: char| !is_path(c)).map_or(0, |before| before + 1);
        let is_name = prose[start..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let is_whole = !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        (is_name && is_whole).then(|| (&prose[start..at + ".md".len()], rest))
    })
}

/// Counts of what was looked at, and what is wrong.
#[derive(Default)]
struct Found {
    citations: usize,
    parts: usize,
    links: usize,
    wrong: Vec<String>,
}

impl Found {
    /// Checks the citations in a file's prose. A page may also cite another one as a link
    /// does, from its own folder.
    fn check_prose(&mut self, path: &Path, prose: &str) {
        for (cited, rest) in citations(prose) {
            self.citations += 1;
            let beside = is_page(path).then(|| path.parent().unwrap().join(cited));
            let places = [Some(root().join(cited)), beside];
            let Some(page) = places.iter().flatten().find_map(|page| fs::read_to_string(page).ok()) else {
                self.wrong.push(format!("{}: there is no page {cited}", path.display()));
                continue;
            };
            let sections = sections(&page);
            let mut lines: Vec<&str> = Vec::new();
            for part in parts(rest) {
                self.parts += 1;
                let is_there = match part {
                    Part::Section(name) => {
                        let section = sections.iter().find(|(heading, _)| *heading == name);
                        lines = section.map(|(_, lines)| lines.clone()).unwrap_or_default();
                        section.is_some()
                    }
                    Part::Step(step) => lines.iter().any(|line| line.trim_start().starts_with(&format!("{step}. "))),
                };
                if !is_there {
                    self.wrong.push(format!("{}: {cited} has no {part:?}", path.display()));
                }
            }
        }
    }

    /// Checks the links of a page to files and their headings.
    fn check_links(&mut self, path: &Path, text: &str) {
        let targets = text.split("](").skip(1).filter_map(|after| after.split(')').next());
        for target in targets.filter(|target| !target.contains(':')) {
            self.links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.to_owned() } else { path.parent().unwrap().join(file) };
            let is_there = match anchor {
                "" => file.exists(),
                _ => fs::read_to_string(&file).is_ok_and(|page| anchors(&page).iter().any(|known| known == anchor)),
            };
            if !is_there {
                self.wrong.push(format!("{}: the link to {target} leads nowhere", path.display()));
            }
        }
    }
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (heading, _) in sections(page) {
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor = heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-");
        let further = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(further).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// Checks the prose of all files that are pages, or of all that are not.
fn found_in(pages: bool) -> Found {
    let mut found = Found::default();
    for (path, text) in all_files().iter().filter(|(path, _)| is_page(path) == pages) {
        found.check_prose(path, &prose(path, text));
    }
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n"));
    found
}

#[test]
fn comments_cite_pages_and_sections_that_exist() {
    let found = found_in(false);
    assert!(found.citations > 50 && found.parts > 30, "{} pages, {} sections", found.citations, found.parts);
}

#[test]
fn pages_cite_pages_that_exist() {
    let found = found_in(true);
    assert!(found.citations > 100, "{} pages", found.citations);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut found = Found::default();
    for (path, text) in all_files().into_iter().filter(|(path, _)| is_page(path)) {
        found.check_links(&path, &text);
    }
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n"));
    assert!(found.links > 100, "{} links", found.links);
}

/// What is wrong with a source that says this.
fn wrong_in(name: &str, text: &str) -> Vec<String> {
    let mut found = Found::default();
    let path = root().join(name);
    found.check_prose(&path, &prose(&path, text));
    found.check_links(&path, if is_page(&path) { text } else { "" });
    found.wrong
}

#[test]
fn what_leads_nowhere_is_found() {
    let good = "/// See docs/protocol.md, \"The\n/// activity\", step 1 and \"Topics\".\nlet x = \"docs/none.md\";\n";
    assert_eq!(wrong_in("src/a.rs", good), [""; 0]);
    for (name, bad) in [
        ("src/a.rs", "//! As docs/none.md says."),
        ("src/a.rs", concat!("let x = 1; /", "/ protocol.md")),
        ("src/a.rs", "/// docs/protocol.md, \"The aktivity\""),
        ("src/a.rs", "/// docs/protocol.md, \"The activity\", step 99"),
        ("src/a.rs", "/// docs/protocol.md, \"Topics\" and\n/// \"None\""),
        ("tests/a", "# As docs/none.md says."),
        ("tests/a.py", "\"\"\"One.\n\nAs docs/none.md says.\n\"\"\""),
        ("tests/a.py", "REASON = 'docs/protocol.md, \"None\"'"),
        ("docs/a.md", "[one](protocol.md#none)"),
        ("docs/a.md", "[one](#none)\n```\n# None\n```\n"),
    ] {
        assert_eq!(wrong_in(name, bad).len(), 1, "{name}: {bad}");
    }
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# A page\n## When `x` is 1: what's next?\n```\n# no heading\n```\n## A page\n### RUNNING\n";
    assert_eq!(anchors(page), ["a-page", "when-x-is-1-whats-next", "a-page-1", "running"]);
}

/// The paths of files of this repository that a page names in backticks.
fn named_paths(page: &str) -> impl Iterator<Item = &str> {
    let is_path = |name: &&str| {
        let is_ours =
            ["src/", "agents/", "tests/", "examples/", "cross/", "docs/"].iter().any(|folder| name.starts_with(folder));
        is_ours && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter))
    };
    page.split('`').skip(1).step_by(2).filter(is_path)
}

#[test]
fn files_that_pages_name_exist() {
    let mut seen = 0;
    for (path, text) in all_files().iter().filter(|(path, _)| is_page(path) && !path.ends_with("CHANGELOG.md")) {
        for name in named_paths(text) {
            assert!(root().join(name).exists(), "{}: there is no {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
    let page = "the file `src/nowhere.rs`, `a/b` and `src/*.rs`";
    assert_eq!(named_paths(page).collect::<Vec<_>>(), ["src/nowhere.rs"]);
}
