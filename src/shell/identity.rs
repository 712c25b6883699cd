//! The client ID at the broker, and whether the broker keeps the session.

use std::fs::File;
use std::io::{self, Read};

use super::disk::{Content, Disk};
use crate::config::Config;
use crate::record::format::Kind;
use crate::record::session;

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
}

/// The configured client ID; with a state folder that of the device and the manager's
/// domain, or else one that is saved there; without all of these a random one.
/// `machine_id` is the path of the file with the machine id.
pub(super) fn settle(config: &Config, disk: Option<&Disk>, machine_id: &str, random: u64) -> Identity {
    let connection = &config.connection;
    let is_lasting = disk.is_some_and(|disk| !disk.is_volatile());
    let clean_session = connection.is_clean(is_lasting);
    if !connection.client_id.is_empty() {
        return Identity { client_id: connection.client_id.clone(), clean_session };
    }
    match disk.and_then(|disk| of_machine(machine_id, &config.domain).or_else(|| saved(disk, random))) {
        Some(client_id) => Identity { client_id, clean_session },
        None => {
            if !clean_session {
                // The broker would keep a session for nobody after each start.
                log::warn!("connection.cleanSession: the client ID is another one at each start, so it is true");
            }
            Identity { client_id: of_number(random), clean_session: true }
        }
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

/// The random client ID that is saved; saves this one if there is none. None if that
/// does not work.
fn saved(disk: &Disk, random: u64) -> Option<String> {
    let load_or_make = || -> io::Result<String> {
        if let Content::Fields(fields) = disk.load(Kind::Session)? {
            let session = session::decode(&fields);
            if session.is_random && !session.client_id.is_empty() {
                return Ok(session.client_id);
            }
        }
        let id = of_number(random);
        let draft = session::encode(&id, true, core::iter::empty(), None);
        disk.save(draft.ok_or(io::Error::new(io::ErrorKind::InvalidInput, "the record is too long"))?)?;
        Ok(id)
    };
    load_or_make().map_err(|error| log::error!("the client ID cannot be saved: {error}")).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{load, Order};

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

        fn disk(&self) -> Disk {
            Disk::open(self.0.join("state").to_str().unwrap()).unwrap()
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

    fn id(config: &Config, disk: Option<&Disk>, machine_id: &str, random: u64) -> String {
        settle(config, disk, machine_id, random).client_id
    }

    #[test]
    fn the_id_of_a_device_is_the_same_at_each_start_and_differs_from_domain_to_domain() {
        let folder = Folder::new("device");
        let (disk, path) = (folder.disk(), folder.machine(&format!("{MACHINE}\n")));
        let device = id(&config(&[]), Some(&disk), &path, 1);
        assert_eq!(device, "um4dfe64632f0b1774");
        assert_eq!(id(&config(&[]), Some(&disk), &folder.machine(MACHINE), 2), device);
        assert!(device.len() <= 23 && device.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(id(&config(&["--domain=gateway"]), Some(&disk), &path, 1), device);
        let other = folder.machine(&MACHINE.replace('4', "5"));
        assert_ne!(id(&config(&[]), Some(&disk), &other, 1), device, "another machine with the same folder");
        assert_eq!(id(&config(&["--mqtt-conn-client-id=me"]), Some(&disk), &path, 1), "me");
    }

    #[test]
    fn without_an_id_of_the_machine_a_random_one_is_saved() {
        let folder = Folder::new("random");
        for (n, content) in ["", "\n", "uninitialized\n", &MACHINE[1..], &format!("{MACHINE}0"), "é"].iter().enumerate()
        {
            assert_eq!(of_machine(&folder.machine(content), "device"), None, "{n}: {content:?}");
        }
        let absent = folder.0.join("nothing");
        let absent = absent.to_str().unwrap();
        let first = id(&config(&[]), Some(&folder.disk()), absent, 7);
        assert_eq!(first, "um0000000000000007");
        assert_eq!(id(&config(&[]), Some(&folder.disk()), absent, 8), first);
        assert_eq!(id(&config(&["--domain=gateway"]), Some(&folder.disk()), absent, 9), first);
    }

    #[test]
    fn an_id_that_was_not_made_at_random_is_not_used_again() {
        let folder = Folder::new("configured");
        folder.disk().save(session::encode("me", false, ["a/b"].into_iter(), None).unwrap()).unwrap();
        assert_eq!(id(&config(&[]), Some(&folder.disk()), "/nothing", 7), "um0000000000000007");
    }

    #[test]
    fn without_a_folder_the_id_is_random_and_the_session_clean() {
        let folder = Folder::new("none");
        let path = folder.machine(MACHINE);
        for args in [&["--state-dir=/dev/null"][..], &["--mqtt-conn-clean-session=false"]] {
            for random in [7, 8] {
                let random_id = Identity { client_id: of_number(random), clean_session: true };
                assert_eq!(settle(&config(args), None, &path, random), random_id);
            }
        }
        let configured = config(&["--mqtt-conn-client-id=me", "--mqtt-conn-clean-session=false"]);
        assert_eq!(settle(&configured, None, &path, 7), Identity { client_id: "me".into(), clean_session: false });
    }

    #[test]
    fn the_session_is_kept_in_a_folder_that_is_not_in_memory() {
        let folder = Folder::new("kept");
        let (disk, path) = (folder.disk(), folder.machine(MACHINE));
        let is_clean = |args: &[&str]| settle(&config(args), Some(&disk), &path, 7).clean_session;
        assert_eq!(is_clean(&[]), disk.is_volatile());
        assert!(is_clean(&["--mqtt-conn-clean-session=true"]));
        assert!(!is_clean(&["--mqtt-conn-clean-session=false"]));
        if let Ok(memory) = Disk::open("/dev/shm") {
            assert!(settle(&config(&[]), Some(&memory), &path, 7).clean_session, "/dev/shm lies in memory");
        }
    }
}
