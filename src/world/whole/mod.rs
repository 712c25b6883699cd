//! Activities whose domains succeed or are turned back in groups (docs/whole-device.md),
//! written from the specification alone: nothing here looks into the engine.
//!
//! | module | has |
//! | --- | --- |
//! | `truth` | what a domain really is, old, half or new, whatever its agent says |
//! | `loader` | what the bootloader makes of a domain that takes effect with a boot |
//! | `shape` | one course: domains, groups, orders, what each agent does, consent, checks |
//! | `shapes` | all of them |
//! | `expected` | what must come of a shape that nothing disturbs |
//! | `setup` | what is known beforehand of the groups of an activity |
//! | `way` | what went over the wire about one domain |
//! | `observer` | the rules that hold of all messages, whatever was cut |
//! | `observer/restoring` | those of a domain that is restored |
//! | `reboots` | shapes with a reboot before the commit |
//! | `rebooting` | the rules of that reboot |
//! | `end` | what the final status says, against what the domains are |
//! | `everywhere` | leads through shapes, and cuts the power at every moment of them |

mod end;
pub mod everywhere;
mod expected;
pub mod loader;
mod observer;
mod rebooting;
pub mod reboots;
pub mod setup;
pub mod shape;
pub mod shapes;
pub mod truth;
mod way;

pub use end::{inconsistent, whole_or_named, Found};
pub use observer::broken;
