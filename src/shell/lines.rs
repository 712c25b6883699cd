//! The lines that a program prints, bounded.

use crate::limits::PROGRAM_OUTPUT_MAX;

/// Makes lines of what comes in pieces. Past `PROGRAM_OUTPUT_MAX` only the last line counts,
/// and of a line past its bound the rest is dropped. Lines of blanks are left out.
#[derive(Debug)]
pub struct Lines {
    /// Bytes that are taken of a line.
    line_max: usize,
    line: Vec<u8>,
    taken: usize,
    /// The last line past the bound.
    last: Vec<u8>,
}

impl Lines {
    /// Returns one that takes so many bytes of a line.
    pub fn new(line_max: usize) -> Lines {
        Lines { line_max, line: Vec::new(), taken: 0, last: Vec::new() }
    }

    /// Takes a piece in; each whole line goes to `each`. Whether the bound was passed
    /// with it.
    pub fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str)) -> bool {
        let was_past = self.is_past();
        for byte in bytes {
            self.taken = self.taken.saturating_add(1);
            match byte {
                b'\n' if self.is_past() => self.keep_line(),
                b'\n' => hand_on(&mut self.line, each),
                _ if self.line.len() < self.line_max => self.line.push(*byte),
                _ => {}
            }
        }
        !was_past && self.is_past()
    }

    /// Hands on what stands behind the last line end, or the last line past the bound.
    pub fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        self.keep_line();
        hand_on(&mut self.last, each);
    }

    fn is_past(&self) -> bool {
        self.taken > PROGRAM_OUTPUT_MAX
    }

    fn keep_line(&mut self) {
        if !self.line.iter().all(u8::is_ascii_whitespace) {
            core::mem::swap(&mut self.line, &mut self.last);
        }
        self.line.clear();
    }
}

fn hand_on(line: &mut Vec<u8>, each: &mut dyn FnMut(&str)) {
    let text = String::from_utf8_lossy(line);
    let trimmed = text.trim_end();
    if !trimmed.is_empty() {
        each(trimmed);
    }
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_MAX: usize = 4000;

    #[test]
    fn lines_come_whole_from_pieces_and_are_bounded() {
        let mut lines = Lines::new(LINE_MAX);
        let mut seen = Vec::new();
        for piece in ["one\ntw", "o\r\n\n", "\u{e9}", "\nlast"] {
            assert!(!lines.push(piece.as_bytes(), &mut |line| seen.push(line.to_owned())));
        }
        lines.finish(&mut |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two", "\u{e9}", "last"]);

        let (mut lines, mut longest, mut count, mut told) = (Lines::new(LINE_MAX), 0, 0, 0);
        let long = vec![b'x'; 3 * LINE_MAX];
        for _ in 0..1000 {
            told += usize::from(lines.push(&long, &mut |_| {}));
            told += usize::from(lines.push(b"\n", &mut |line| {
                longest = longest.max(line.len());
                count += 1;
            }));
        }
        assert_eq!((longest, told), (LINE_MAX, 1));
        assert!((1..=PROGRAM_OUTPUT_MAX / long.len()).contains(&count));
        for piece in ["the last one\n", "\n \n"] {
            lines.push(piece.as_bytes(), &mut |line| panic!("{line}"));
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            lines.finish(&mut |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["the last one"]);
    }
}
