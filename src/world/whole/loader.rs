//! What the bootloader makes of a domain that takes effect with a boot (docs/whole-device.md,
//! "What the host has to provide").

use crate::world::whole::truth::Truth;

/// What becomes of a new system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trial {
    /// How often the bootloader tries it before it is marked as good; 0: it never comes up.
    pub tries: u8,
}

impl Trial {
    /// It comes up, however often the host boots.
    pub const GOOD: Trial = Trial { tries: u8::MAX };
    /// The next boot that finds it not marked as good goes back.
    pub const ONCE: Trial = Trial { tries: 1 };
    /// It does not come up.
    pub const FALLS_BACK: Trial = Trial { tries: 0 };
}

/// What an agent does with the desired state that it gets after a boot, when all of it is in
/// use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AfterBoot {
    /// It has forgotten the activity, and does all of it again.
    #[default]
    BeginsAnew,
    /// It says that it has activated it.
    Remembers,
    /// It finds nothing to do.
    Content,
}

/// The bootloader.
#[derive(Debug)]
pub struct Loader {
    trial: Trial,
    pub running: Truth,
    /// How often the system that boots next was tried.
    pub tried: u8,
    /// It is marked as good.
    pub is_good: bool,
}

impl Loader {
    pub fn new(trial: Trial, running: Truth) -> Loader {
        Loader { trial, running, tried: 0, is_good: true }
    }

    /// The host boots, and `next` is wanted; what boots.
    pub fn boot(&mut self, next: Truth) -> Truth {
        self.running = match next {
            Truth::New if !self.is_good && self.tried >= self.trial.tries => Truth::Old,
            next => next,
        };
        self.tried = self.tried.saturating_add(1);
        self.running
    }
}
