//! Random numbers of the system's.

use std::fs::File;
use std::io::{self, Read};

/// Returns 64 random bits. A kernel that has just booted and gathers randomness yet is not
/// waited for, which may take minutes: its numbers are as good as they are by then.
///
/// # Errors
/// The system has neither getrandom(2) nor `/dev/urandom`.
pub fn number() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: the buffer has the length that is named.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    if usize::try_from(filled).ok() != Some(bytes.len()) {
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    }
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
