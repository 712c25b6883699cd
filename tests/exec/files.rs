//! What agents/files installs, and what it has installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{json, Value};

/// The agent of the repository, as it is called.
pub fn agent() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("agents/files")
}

/// Makes two trees of this version below `folder`, one of them packed, and a third of
/// version 1 that stays; the desired state with them.
pub fn desired(folder: &Path, version: u32) -> Value {
    let source = folder.join("source");
    let component = |id: &str, version: u32, packed: bool| {
        let tree = source.join(format!("{id}-{version}"));
        fs::create_dir_all(tree.join("deep")).unwrap();
        fs::write(tree.join("version"), version.to_string()).unwrap();
        fs::write(tree.join("deep/file"), format!("{id} {version}").repeat(1000)).unwrap();
        let mut config = vec![json!({ "key": "url", "value": tree })];
        if packed {
            let archive = source.join(format!("{id}-{version}.tar.gz"));
            run(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&tree).arg("."));
            let sum = run(Command::new("sha256sum").arg(&archive));
            let sum = sum.split_whitespace().next().unwrap().to_owned();
            let url = format!("file://{}", archive.display());
            config = vec![json!({ "key": "url", "value": url }), json!({ "key": "sha256", "value": sum })];
        }
        json!({ "id": id, "version": version.to_string(), "config": config })
    };
    let components =
        [component("tree", version, false), component("package", version, true), component("stays", 1, false)];
    json!({ "domains": [{ "id": "files", "components": components }] })
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The version that is in use below `root`, after a look at all that is there.
pub fn in_use(root: &Path) -> Result<u32, String> {
    let version = |id: &str| -> Result<u32, String> {
        let tree = root.join("current").join(id);
        let read = |name: &str| fs::read_to_string(tree.join(name)).map_err(|error| format!("{id}/{name}: {error}"));
        let version = read("version")?;
        match read("deep/file")? == format!("{id} {version}").repeat(1000) {
            true => version.parse().map_err(|_| format!("{id} is of version {version:?}")),
            false => Err(format!("{id} {version} is not whole")),
        }
    };
    match (version("tree")?, version("package")?, version("stays")?) {
        (tree, package, 1) if tree == package => Ok(tree),
        versions => Err(format!("versions are mixed: {versions:?}")),
    }
}

/// What is left below `root` that nobody needs.
pub fn leftovers(root: &Path) -> Vec<String> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    };
    let mut left: Vec<PathBuf> = list(root);
    left.retain(|path| !["store", "generations", "current"].iter().any(|name| path.ends_with(name)));
    left.extend(list(&root.join("generations")).into_iter().skip(1));
    for id in list(&root.join("store")) {
        left.extend(list(&id).into_iter().skip(1));
    }
    left.iter().map(|path| path.display().to_string()).collect()
}
