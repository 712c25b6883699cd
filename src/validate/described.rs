//! Which keys the agent of a domain takes in the configuration of a component, as the description
//! beside its executable has them (docs/exec-agent.md, "A description").

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use crate::config::Agent;
use crate::limits::DESCRIPTION_MAX;
use crate::wire::node::Node;

/// What is known of the agent of a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// The domain.
    pub domain: String,
    /// Keys that its components may have in their `config`.
    pub keys: Vec<String>,
}

impl Described {
    /// Reads what is said of the executable that serves the agent's domain; none if nothing is.
    ///
    /// # Errors
    /// The system's, with the path; it has more than `DESCRIPTION_MAX` bytes, or is no
    /// description.
    pub fn of(agent: &Agent) -> Result<Option<Described>, String> {
        if !agent.exec.contains('/') {
            return Ok(None);
        }
        let path = format!("{}.json", agent.exec);
        let bytes = match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| format!("{path}: {error}"))?,
        };
        let keys = keys_in(&bytes).ok_or_else(|| format!("{path}: is no description of an agent"))?;
        Ok(Some(Described { domain: agent.domain.clone(), keys }))
    }
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(DESCRIPTION_MAX as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() > DESCRIPTION_MAX {
        true => Err(io::Error::new(ErrorKind::InvalidData, format!("more than {DESCRIPTION_MAX} bytes"))),
        false => Ok(bytes),
    }
}

/// Returns the names in its object `config`; none if it has none.
fn keys_in(bytes: &[u8]) -> Option<Vec<String>> {
    let root = Node::document(bytes).ok()?.object().ok()?;
    let (_, config) = root.members().find(|(name, _)| name.eq_str("config"))?;
    let names = config.object().ok()?.members().map(|(name, _)| name.chars().collect());
    Some(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_keys_and_nothing_else_is_one() {
        let keys = keys_in(br#"{"config":{"url":"where","sha256":"what"}}"#);
        assert_eq!(keys, Some(vec!["url".to_owned(), "sha256".to_owned()]));
        for wrong in ["", "{", "{}", "[]", r#"{"config":["url"]}"#] {
            assert_eq!(keys_in(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
