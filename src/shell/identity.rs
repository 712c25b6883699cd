//! The client ID at the broker, and whether the broker keeps the session.

use std::fs::File;
use std::io::Read;

use crate::config::Config;
use crate::store::Found;

/// The identifier of the installed system (machine-id(5)).
pub(super) const MACHINE_ID: &str = "/etc/machine-id";

/// Digits of a machine id.
const DIGITS: usize = 32;

/// Bytes that are read of the file: a machine id, and blanks.
const FILE_MAX: u64 = 64;

const CRC: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

/// Who we are at the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub client_id: String,
    pub clean_session: bool,
    /// The client ID was made at random just now, and is to be saved.
    pub is_new: bool,
}

/// The configured client ID; with a state folder that of the device and the manager's
/// domain, or else one that is saved there; without all of these a random one. `found` is
/// what is in the folder, if there is one; `is_lasting` says whether it survives a power
/// cut. `machine_id` is the path of the file with the machine id.
pub(super) fn settle(
    config: &Config,
    found: Option<&Found>,
    is_lasting: bool,
    machine_id: &str,
    random: u64,
) -> Identity {
    let connection = &config.connection;
    let clean_session = connection.is_clean(is_lasting);
    let identity = |client_id| Identity { client_id, clean_session, is_new: false };
    if !connection.client_id.is_empty() {
        return identity(connection.client_id.clone());
    }
    let Some(found) = found else {
        if !clean_session {
            // The broker would keep a session for nobody after each start.
            log::warn!("connection.cleanSession: the client ID is another one at each start, so it is true");
        }
        return Identity { clean_session: true, ..identity(of_number(random)) };
    };
    if let Some(client_id) = of_machine(machine_id, &config.domain) {
        return identity(client_id);
    }
    let saved = found.session();
    match saved.is_random && !saved.client_id.is_empty() {
        true => identity(saved.client_id),
        false => Identity { is_new: true, ..identity(of_number(random)) },
    }
}

/// A client ID that every broker takes: at most 23 letters and digits [MQTT-3.1.3-5].
pub(super) fn of_number(number: u64) -> String {
    format!("um{number:016x}")
}

/// The client ID of a machine and a manager's domain, the same at each start. None if
/// the machine has no id, or not yet.
fn of_machine(path: &str, domain: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(FILE_MAX).read_to_string(&mut text).ok()?;
    let id = text.trim();
    if id.len() != DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = CRC.digest();
    digest.update(id.as_bytes());
    digest.update(domain.as_bytes());
    Some(of_number(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::disk::StateDir;
    use super::*;
    use crate::config::{load, Order};
    use crate::store::format::{seal, Kind, HEADER};
    use crate::store::session;

    const MACHINE: &str = "4c7e0f2b9d1a48d3a5b6c7d8e9f00112";

    /// A folder with a file in it, and a state folder, which may lie in memory.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("um-identity-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn machine(&self, content: &str) -> String {
            let path = self.0.join("machine-id");
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn config(args: &[&str]) -> Config {
        match load(args, &|_| None) {
            Ok(Order::Run(loaded)) => loaded.config,
            other => panic!("a good configuration: {other:?}"),
        }
    }

    /// A state folder that survives a power cut, with this in it.
    fn id(config: &Config, found: &Found, machine_id: &str, random: u64) -> String {
        settle(config, Some(found), true, machine_id, random).client_id
    }

    /// A folder with a session of this client ID in it.
    fn with_session(client_id: &str, is_random: bool) -> Found {
        let mut draft = session::encode(client_id, is_random, ["a/b"].into_iter(), None).unwrap();
        let fields = draft.bytes.len() - HEADER;
        seal(&mut draft.bytes, Kind::Session, 1, fields).unwrap();
        let mut found = Found::default();
        found.0[Kind::Session.place()][0] = Ok(draft.bytes);
        found
    }

    #[test]
    fn the_id_of_a_device_is_the_same_at_each_start_and_differs_from_domain_to_domain() {
        let folder = Folder::new("device");
        let (found, path) = (Found::default(), folder.machine(&format!("{MACHINE}\n")));
        let device = id(&config(&[]), &found, &path, 1);
        assert_eq!(device, "um4dfe64632f0b1774");
        assert_eq!(id(&config(&[]), &found, &folder.machine(MACHINE), 2), device);
        assert!(device.len() <= 23 && device.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(id(&config(&["--domain=gateway"]), &found, &path, 1), device);
        let other = folder.machine(&MACHINE.replace('4', "5"));
        assert_ne!(id(&config(&[]), &found, &other, 1), device, "another machine with the same folder");
        assert_eq!(id(&config(&["--mqtt-conn-client-id=me"]), &found, &path, 1), "me");
    }

    #[test]
    fn without_an_id_of_the_machine_a_random_one_is_made_once() {
        let folder = Folder::new("random");
        for (n, content) in ["", "\n", "uninitialized\n", &MACHINE[1..], &format!("{MACHINE}0"), "é"].iter().enumerate()
        {
            assert_eq!(of_machine(&folder.machine(content), "device"), None, "{n}: {content:?}");
        }
        let absent = folder.0.join("nothing");
        let absent = absent.to_str().unwrap();
        let first = settle(&config(&[]), Some(&Found::default()), true, absent, 7);
        let id_of_7 = "um0000000000000007".to_owned();
        assert_eq!(first, Identity { client_id: id_of_7.clone(), clean_session: false, is_new: true });
        let then = settle(&config(&["--domain=gateway"]), Some(&with_session(&id_of_7, true)), true, absent, 8);
        assert_eq!(then, Identity { is_new: false, ..first });
    }

    #[test]
    fn an_id_that_was_not_made_at_random_is_not_used_again() {
        assert_eq!(id(&config(&[]), &with_session("me", false), "/nothing", 7), "um0000000000000007");
    }

    #[test]
    fn without_a_folder_the_id_is_random_and_the_session_clean() {
        let folder = Folder::new("none");
        let path = folder.machine(MACHINE);
        let settled = |args: &[&str], random| settle(&config(args), None, false, &path, random);
        for args in [&["--state-dir=/dev/null"][..], &["--mqtt-conn-clean-session=false"]] {
            for random in [7, 8] {
                let random_id = Identity { client_id: of_number(random), clean_session: true, is_new: false };
                assert_eq!(settled(args, random), random_id);
            }
        }
        let configured = settled(&["--mqtt-conn-client-id=me", "--mqtt-conn-clean-session=false"], 7);
        assert_eq!(configured, Identity { client_id: "me".into(), clean_session: false, is_new: false });
    }

    #[test]
    fn the_session_is_kept_in_a_folder_that_lasts() {
        let folder = Folder::new("kept");
        let path = folder.machine(MACHINE);
        let is_clean = |args: &[&str], is_lasting| {
            settle(&config(args), Some(&Found::default()), is_lasting, &path, 7).clean_session
        };
        assert!(!is_clean(&[], true) && is_clean(&[], false));
        assert!(is_clean(&["--mqtt-conn-clean-session=true"], true));
        assert!(!is_clean(&["--mqtt-conn-clean-session=false"], true));
        if let Ok((memory, _)) = StateDir::open("/dev/shm") {
            assert!(memory.is_volatile(), "/dev/shm lies in memory");
        }
    }
}
