//! Which modules right under `src` import which others, tests left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::{elements, line_of, word};
use crate::shipped::shipped;
use crate::Source;

/// For each module those that it imports, each with a place where it does.
pub type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// Returns what these sources import.
pub fn imports(sources: &[Source]) -> Imports {
    let shipped = shipped(sources);
    let shipped: Vec<(&str, &str, &str)> = shipped
        .iter()
        .filter_map(|(source, code)| Some((source.path.as_str(), module(&source.path)?, code.as_str())))
        .collect();
    let modules: BTreeSet<&str> = shipped.iter().map(|(_, module, _)| *module).collect();
    let mut imports = Imports::new();
    for (path, from, code) in shipped {
        for (to, line) in roots(path, code) {
            if to != from && modules.contains(to) {
                let of = imports.entry(from.to_owned()).or_default();
                of.entry(to.to_owned()).or_insert_with(|| format!("{path}:{line}"));
            }
        }
    }
    imports
}

/// Returns the module right under `src` that the file belongs to; none if it is the
/// crate's root or lies elsewhere.
fn module(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    inner.split('/').next().filter(|module| !["lib", "main"].contains(module))
}

/// Returns the first names of all paths that begin at the crate's root, each with its line.
fn roots<'a>(path: &str, code: &'a str) -> Vec<(&'a str, usize)> {
    let depth = path.split('/').filter(|part| !["src", "mod.rs"].contains(part)).count();
    let mut roots = Vec::new();
    for root in ["crate::", &"super::".repeat(depth)] {
        for (at, _) in code.match_indices(root) {
            let (line, rest) = (line_of(code, at), &code[at + root.len()..]);
            match rest.strip_prefix('{') {
                Some(group) => roots.extend(elements(group).into_iter().map(|path| (word(path), line))),
                None => roots.push((word(rest), line)),
            }
        }
    }
    roots
}

/// Returns modules each of which imports the next, the last one being the first again;
/// none if there are no such.
pub fn circle(imports: &Imports) -> Option<Vec<&str>> {
    let mut done = BTreeSet::new();
    imports.keys().find_map(|start| circle_from(imports, &mut vec![start], &mut done))
}

/// Looks among all that the end of `path` leads to, except for what is `done`.
fn circle_from<'a>(
    imports: &'a Imports,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let from = *path.last()?;
    for to in imports.get(from).into_iter().flat_map(BTreeMap::keys) {
        if let Some(start) = path.iter().position(|module| module == to) {
            return Some([&path[start..], &[to]].concat());
        }
        if !done.contains(to.as_str()) {
            path.push(to);
            if let Some(circle) = circle_from(imports, path, done) {
                return Some(circle);
            }
            path.pop();
        }
    }
    done.insert(from);
    None
}
