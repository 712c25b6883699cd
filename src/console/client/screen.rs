//! What is drawn again and again: in place on a terminal that can do that, otherwise
//! as lines below each other, each line that is new.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;

/// Rows and columns of a terminal that does not say how many it has, as those behind
/// a serial line.
const SIZE: (u16, u16) = (80, 24);

/// The terminal at standard output, or what is there in its place.
#[derive(Debug)]
pub(super) struct Screen {
    /// Whether lines can be drawn over.
    is_terminal: bool,
    /// Columns and rows.
    size: (u16, u16),
    /// What was drawn last.
    frame: String,
}

impl Screen {
    pub fn of_terminal() -> Screen {
        let is_dumb = std::env::var_os("TERM").map_or(true, |term| term.is_empty() || term == "dumb");
        Screen::new(!is_dumb && io::stdout().is_terminal())
    }

    fn new(is_terminal: bool) -> Screen {
        let mut screen = Screen { is_terminal, size: SIZE, frame: String::new() };
        screen.measure();
        screen
    }

    /// Looks at the terminal's size anew. If it has changed, what was drawn may have
    /// been wrapped: it stays, and the next is drawn below.
    pub fn measure(&mut self) {
        let mut size = MaybeUninit::<libc::winsize>::zeroed();
        // SAFETY: the structure is of the type that the call fills; zeros are one too.
        let size = unsafe {
            libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr());
            size.assume_init()
        };
        let or = |given, usual| if given == 0 { usual } else { given };
        let size = (or(size.ws_col, SIZE.0), or(size.ws_row, SIZE.1));
        if size != self.size {
            self.size = size;
            if self.is_terminal {
                self.frame.clear();
            }
        }
    }

    /// Columns and rows; 0 rows if it is no terminal: lines take as many as they want.
    pub fn size(&self) -> (u16, u16) {
        (self.size.0, if self.is_terminal { self.size.1 } else { 0 })
    }

    /// What is to be printed so that `frame`, lines with their line feeds, takes the
    /// place of what was drawn before.
    pub fn draw(&mut self, frame: &str) -> String {
        let before = std::mem::replace(&mut self.frame, frame.to_owned());
        let mut out = String::new();
        if !self.is_terminal {
            for line in frame.lines().filter(|line| before.lines().all(|known| known != *line)) {
                out.push_str(line);
                out.push('\n');
            }
            return out;
        }
        if frame == before {
            return out;
        }
        let mut old = before.lines();
        match before.lines().count() {
            0 => {}
            rows => drop(write!(out, "\x1b[{rows}A\r")),
        }
        for line in frame.lines() {
            if old.next() != Some(line) {
                out.push_str(line);
                out.push_str("\x1b[K");
            }
            out.push('\n');
        }
        if old.next().is_some() {
            // The frame before had more lines.
            out.push_str("\x1b[J");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_terminal_only_lines_that_changed_are_drawn_over() {
        let mut screen = Screen { is_terminal: true, size: SIZE, frame: String::new() };
        assert_eq!(screen.draw("a\nb\n"), "a\x1b[K\nb\x1b[K\n");
        assert_eq!(screen.draw("a\nb\n"), "");
        assert_eq!(screen.draw("a\nc\nd\n"), "\x1b[2A\r\nc\x1b[K\nd\x1b[K\n");
        assert_eq!(screen.draw("a\n"), "\x1b[3A\r\n\x1b[J");
    }

    #[test]
    fn elsewhere_each_new_line_is_printed_once() {
        let mut screen = Screen { is_terminal: false, size: SIZE, frame: String::new() };
        assert_eq!(screen.draw("a\nb\n"), "a\nb\n");
        assert_eq!(screen.draw("b\nc\n"), "c\n");
        assert_eq!(screen.draw("b\nc\n"), "");
        assert_eq!(screen.size().1, 0);
    }
}
