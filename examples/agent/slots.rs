//! What the host runs and what it boots next, of a domain whose updates take effect with
//! a boot: such as a system image in a second slot.

use std::fs;
use std::str::FromStr;

use update_manager::agent::Command;

use crate::activity::{Activity, Installed};

/// What the host boots once an update is activated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Boots {
    /// The new version.
    New,
    /// The old one: the bootloader falls back.
    Old,
}

impl FromStr for Boots {
    type Err = String;

    fn from_str(word: &str) -> Result<Boots, String> {
        match word {
            "new" => Ok(Boots::New),
            "old" => Ok(Boots::Old),
            _ => Err(format!("{word:?} is neither new nor old")),
        }
    }
}

/// What the host runs, and what it boots next.
#[derive(Clone, Debug)]
pub struct Slots {
    /// The kernel's name for the boot in which this was so.
    pub boot: String,
    pub running: Vec<Installed>,
    pub next: Vec<Installed>,
}

impl Slots {
    /// Returns what is so in the present boot, of what was `saved`.
    pub fn load(saved: Option<Slots>, installed: &[Installed], boots: Boots) -> Slots {
        let boot = boot_id();
        let Some(saved) = saved else { return Slots { boot, running: installed.to_vec(), next: installed.to_vec() } };
        if saved.boot == boot {
            return saved;
        }
        let running = if boots == Boots::New { saved.next } else { installed.to_vec() };
        Slots { boot, next: running.clone(), running }
    }

    /// Chooses what boots next, as a command begins: a power cut may follow at once.
    pub fn begin(&mut self, command: Command, activity: &Activity, installed: &[Installed]) {
        match command {
            Command::Activate => self.next = activity.wanted(),
            Command::Rollback => self.next = installed.to_vec(),
            _ => {}
        }
    }
}

fn boot_id() -> String {
    let path = std::env::var("FILE_BOOT_ID").unwrap_or_else(|_| "/proc/sys/kernel/random/boot_id".into());
    fs::read_to_string(path).unwrap_or_default()
}
