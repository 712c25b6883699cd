//! Text for people: plain lines that are cut at the width of the screen.

use core::fmt::{self, Write};

use crate::model::time::Duration;

/// Columns where nobody says how many there are.
const COLUMNS: u16 = 80;

/// Writes lines, each cut at the last column but one, so that no terminal wraps.
pub struct Page<'w> {
    out: &'w mut dyn Write,
    width: usize,
    at: usize,
}

impl<'w> Page<'w> {
    /// For a screen of so many columns; 0: not known.
    pub fn new(out: &'w mut dyn Write, columns: u16) -> Page<'w> {
        let columns = if columns == 0 { COLUMNS } else { columns.max(20) };
        Page { out, width: usize::from(columns) - 1, at: 0 }
    }

    /// Columns of a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Goes on in this column, after one blank at least, or at the end of the line.
    ///
    /// # Errors
    /// The output fails, as with all functions here.
    pub fn tab(&mut self, column: usize) -> fmt::Result {
        self.write_char(' ')?;
        while self.at < column.min(self.width) {
            self.write_char(' ')?;
        }
        Ok(())
    }

    /// Writes a text cut at so many columns.
    ///
    /// # Errors
    /// The output fails.
    pub fn cut(&mut self, columns: usize, text: &dyn fmt::Display) -> fmt::Result {
        let width = self.width;
        self.width = width.min(self.at + columns);
        let written = write!(self, "{text}");
        self.width = width;
        written
    }

    /// Lines from here on are not cut.
    pub fn whole(&mut self) {
        self.width = usize::MAX;
    }
}

impl Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c == '\n' {
                self.at = 0;
            } else if self.at >= self.width {
                continue;
            } else {
                self.at += 1;
            }
            self.out.write_char(c)?;
        }
        Ok(())
    }
}

/// Milliseconds as people read them on a screen: seconds, then the two largest
/// units: `42s`, `3m5s`, `2h10m`, `5d3h`.
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0 / 1000;
        match s {
            0..=3599 => Duration(s * 1000).fmt(f),
            3600..=86_399 => Duration(s / 60 * 60_000).fmt(f),
            _ => {
                write!(f, "{}d", s / 86_400)?;
                match s % 86_400 / 3600 {
                    0 => Ok(()),
                    hours => write!(f, "{hours}h"),
                }
            }
        }
    }
}

/// Milliseconds since the Unix epoch, shown as `2026-11-24 15:04:05`, in UTC.
pub struct When(pub u64);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = heapless::String::<32>::new();
        write!(text, "{}", crate::logging::Utc(self.0))?;
        write!(f, "{} {}", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_so_that_no_terminal_wraps() {
        let mut text = String::new();
        let mut page = Page::new(&mut text, 20);
        writeln!(page, "{}", "é".repeat(30)).unwrap();
        page.cut(3, &"abcdef").unwrap();
        page.tab(6).unwrap();
        writeln!(page, "x").unwrap();
        assert_eq!(text, format!("{}\nabc   x\n", "é".repeat(19)));
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ms, shown) in [
            (999, "0s"),
            (42_900, "42s"),
            (185_000, "3m5s"),
            (7_805_000, "2h10m"),
            (7_200_000, "2h"),
            (442_000_000, "5d2h"),
            (432_000_000, "5d"),
        ] {
            assert_eq!(Span(ms).to_string(), shown);
        }
        assert_eq!(When(1_700_000_000_123).to_string(), "2023-11-14 22:13:20");
    }
}
