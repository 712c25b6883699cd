//! What of the sources under `src` is shipped: not compiled for tests alone.

use crate::rust::{behind, blank_of, halves, string, word};
use crate::Source;

const TEST: &str = "#[cfg(test)]";

/// Returns the sources that are shipped, each with its code. That has as many characters
/// as before, with blanks for what is compiled for tests only.
pub fn shipped(sources: &[Source]) -> Vec<(&Source, String)> {
    let sources = sources.iter().filter(|source| source.path.starts_with("src/"));
    let (mut shipped, mut for_tests) = (Vec::new(), Vec::new());
    for source in sources {
        let (code, files) = without_tests(source);
        shipped.push((source, code));
        for_tests.extend(files);
    }
    shipped.retain(|(source, _)| !for_tests.iter().any(|start| source.path.starts_with(start)));
    shipped
}

/// Returns the code without tests, and what the paths of the files begin with that it says
/// are for tests.
fn without_tests(source: &Source) -> (String, Vec<String>) {
    let (mut code, mut files) = (source.code.clone(), Vec::new());
    while let Some(start) = code.find(TEST) {
        let at = start + TEST.len();
        let (head, body) = halves(&code[at..]);
        if let (Some(name), None) = (behind(head, "mod").next(), body) {
            let text = |place| source.text.chars().skip(at + place).collect::<Vec<_>>();
            let file = head.find('"').map(|place| string(&text(place)));
            files.extend(files_of(&source.path, word(&head[name..]), file));
        }
        let end = at + head.len() + body.map_or(0, |body| 1 + body.len());
        let end = (end + 1).min(code.len());
        let blanks: String = code[start..end].chars().map(blank_of).collect();
        code.replace_range(start..end, &blanks);
    }
    (code, files)
}

/// Returns what the paths of a module begin with that the file at `path` declares; `file`
/// is where an attribute says that it is.
fn files_of(path: &str, module: &str, file: Option<String>) -> Vec<String> {
    if let Some(file) = file {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        return vec![format!("{folder}/{file}")];
    }
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let folder = path.strip_suffix("/mod").or(path.strip_suffix("/lib")).unwrap_or(path);
    vec![format!("{folder}/{module}.rs"), format!("{folder}/{module}/")]
}
