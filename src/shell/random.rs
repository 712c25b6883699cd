//! Random numbers of the system's.
//!
//! From the device rather than by getrandom(2): std refers to that one weakly, so that a
//! static binary has it from musl only by chance; and where the kernel is still gathering
//! randomness at boot it may wait for minutes.

use std::fs::File;
use std::io::{self, Read};

const DEVICE: &str = "/dev/urandom";

/// Returns 64 random bits.
///
/// # Errors
/// The device is not there, or cannot be read.
pub fn number() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let read = File::open(DEVICE).and_then(|mut device| device.read_exact(&mut bytes));
    read.map_err(|error| io::Error::new(error.kind(), format!("{DEVICE}: {error}")))?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ() {
        let numbers: std::collections::BTreeSet<u64> = (0..100).map(|_| number().unwrap()).collect();
        assert_eq!(numbers.len(), 100);
    }
}
