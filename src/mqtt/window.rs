//! Looks at a piece of a text that is never held as a whole.

use core::fmt;

/// Counts the bytes written.
pub(super) struct Count(pub usize);

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Skips the first bytes written and keeps those that follow, as many as fit.
pub(crate) struct Window<'a> {
    /// Bytes still to be skipped.
    skip: usize,
    /// Room that is left.
    out: &'a mut [u8],
    seen: usize,
}

impl<'a> Window<'a> {
    pub fn new(skip: usize, out: &'a mut [u8]) -> Window<'a> {
        Window { skip, out, seen: 0 }
    }

    /// Bytes written so far, up to the window's end.
    pub fn seen(&self) -> usize {
        self.seen
    }

    pub fn is_full(&self) -> bool {
        self.skip == 0 && self.out.is_empty()
    }

    /// Writes bytes; those past the window's end are dropped.
    pub fn put(&mut self, bytes: &[u8]) {
        let (skipped, bytes) = bytes.split_at(self.skip.min(bytes.len()));
        let len = bytes.len().min(self.out.len());
        let (out, rest) = core::mem::take(&mut self.out).split_at_mut(len);
        out.copy_from_slice(&bytes[..len]);
        self.out = rest;
        self.skip -= skipped.len();
        self.seen += skipped.len() + len;
    }
}

impl fmt::Write for Window<'_> {
    /// # Errors
    /// If the text goes past the window's end; what fits is kept.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.seen + text.len();
        self.put(text.as_bytes());
        if self.seen == end {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use super::*;

    #[test]
    fn a_window_shows_the_same_piece_however_the_text_is_cut() {
        let text = "abcdefghij";
        for skip in 0..=10 {
            for len in 0..=10 - skip {
                for cut in 0..=10 {
                    let mut out = [0; 10];
                    let mut window = Window::new(skip, &mut out[..len]);
                    let _ = window.write_str(&text[..cut]);
                    let _ = window.write_str(&text[cut..]);
                    assert!(window.is_full());
                    assert_eq!(&out[..len], &text.as_bytes()[skip..skip + len]);
                }
            }
        }
    }

    #[test]
    fn writing_past_the_end_is_an_error_and_keeps_what_fits() {
        let mut out = [0; 3];
        let mut window = Window::new(1, &mut out);
        assert_eq!(window.write_str("abcd"), Ok(()));
        assert_eq!(window.write_str("e"), Err(fmt::Error));
        assert_eq!(window.seen(), 4);
        assert_eq!(&out, b"bcd");
    }
}
