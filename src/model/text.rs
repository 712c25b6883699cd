//! Text as it stands in JSON (RFC 8259, section 7).

use core::fmt::{self, Write};

/// The content of a JSON string as it stands between its quotes: valid UTF-8,
/// every escape well formed, surrogates paired. What is only passed on is
/// written back as it came; what is compared or shown is unescaped on the way.
///
/// Two texts are equal if they are so unescaped: `"a"` and `"\u0061"` are.
/// Shown, it is unescaped too, with everything that could mislead whoever reads
/// the log or the serial console as `\u{..}`: control characters, line and
/// paragraph separators, marks that turn the direction of writing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// No text.
    pub const EMPTY: Text<'static> = Text("");

    /// The text that stands so between quotes; none if it may not.
    pub fn parse(raw: &'a str) -> Option<Text<'a>> {
        let mut rest = raw;
        while let Some(at) = special(rest) {
            rest = &rest[at..];
            rest = &rest[unit(rest)?.ok()?.1..];
        }
        Some(Text(raw))
    }

    /// The text that stands so between quotes in a document that was checked.
    pub(crate) const fn from_checked(raw: &'a str) -> Text<'a> {
        Text(raw)
    }

    /// As it stands between its quotes.
    pub const fn as_json(&self) -> &'a str {
        self.0
    }

    /// Its characters, unescaped, surrogate pairs joined.
    pub fn chars(&self) -> Chars<'a> {
        Chars(self.0)
    }

    /// Whether it has no character.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is `plain`, which has no escapes.
    pub fn eq_str(&self, plain: &str) -> bool {
        // Most of what is compared differs here.
        if let (Some(first), Some(wanted)) = (self.0.as_bytes().first(), plain.as_bytes().first()) {
            if *first != *wanted && *first != b'\\' {
                return false;
            }
        }
        let same = self.begins_as(plain);
        match self.0.as_bytes().get(same) {
            None => same == plain.len(),
            Some(b'\\') => self.eq_unescaped(plain),
            Some(_) => false,
        }
    }

    /// Whether it stands for `plain`, whatever the case of ASCII letters.
    pub fn eq_ignore_ascii_case(&self, plain: &str) -> bool {
        self.chars().map(|c| c.to_ascii_lowercase()).eq(plain.chars().map(|c| c.to_ascii_lowercase()))
    }

    #[cold]
    fn eq_unescaped(&self, plain: &str) -> bool {
        self.chars().eq(plain.chars())
    }

    /// Bytes that it and `other` begin with, without escapes.
    fn begins_as(&self, other: &str) -> usize {
        self.0.bytes().zip(other.bytes()).take_while(|(one, other)| one == other && *one != b'\\').count()
    }

    /// Its longest beginning that fits, as `cut` makes it.
    pub fn cut_to<const N: usize>(&self) -> heapless::String<N> {
        heapless::String::try_from(self.cut(N).as_json()).unwrap_or_default()
    }

    /// Its longest beginning of at most `bytes_max` bytes, escaped as in JSON,
    /// that ends between two characters.
    pub fn cut(&self, bytes_max: usize) -> Text<'a> {
        if self.0.len() <= bytes_max {
            return *self;
        }
        let mut rest = self.chars();
        let mut end = 0;
        while rest.next().is_some() {
            let next = self.0.len() - rest.0.len();
            if next > bytes_max {
                break;
            }
            end = next;
        }
        Text(&self.0[..end])
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Text<'_>) -> bool {
        let same = self.begins_as(other.0);
        match (self.0.as_bytes().get(same), other.0.as_bytes().get(same)) {
            (None, None) => true,
            (Some(b'\\'), _) | (_, Some(b'\\')) => self.chars().eq(other.chars()),
            _ => false,
        }
    }
}

impl Eq for Text<'_> {}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|c| match is_misleading(c) {
            true => write!(f, "{}", c.escape_unicode()),
            false => f.write_char(c),
        })
    }
}

/// Control characters (C0, DEL, C1), separators, and marks of direction.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The characters of a [`Text`], unescaped.
#[derive(Clone, Debug)]
pub struct Chars<'a>(&'a str);

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        // A text was checked; should that ever fail, it is shown, not fatal.
        let first = self.0.chars().next()?;
        let (c, len) = unit(self.0)?.unwrap_or((char::REPLACEMENT_CHARACTER, first.len_utf8()));
        self.0 = &self.0[len..];
        Some(c)
    }
}

/// What is wrong with the content of a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    Control,
    Escape,
    Surrogate,
    Quote,
}

/// Where the first byte is that cannot stand for itself between quotes.
fn special(text: &str) -> Option<usize> {
    Some(plain_end(text.as_bytes(), 0)).filter(|at| *at < text.len())
}

/// Where from `at` on the first byte is that cannot stand for itself between quotes; the
/// end if there is none.
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    // A word at a time, since most of a message is strings. A byte of `lacks` has its
    // highest bit if that of `word` is below `n`, which is `ONES` times a number; a borrow
    // makes that wrong only behind the first, and those past ASCII are left out.
    const ONES: usize = usize::MAX / 255;
    const WORD: usize = usize::BITS as usize / 8;
    let lacks = |word: usize, n: usize| word.wrapping_sub(n) & !word;
    while let Some(Ok(word)) = bytes.get(at..at + WORD).map(<[u8; WORD]>::try_from) {
        let word = usize::from_le_bytes(word);
        let quote = lacks(word ^ (ONES * 0x22), ONES);
        let backslash = lacks(word ^ (ONES * 0x5c), ONES);
        let found = (lacks(word, ONES * 0x20) | quote | backslash) & (ONES << 7);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    while bytes.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f)) {
        at += 1;
    }
    at
}

/// The character with which `rest` begins, unescaped, and its bytes as it stands.
fn unit(rest: &str) -> Option<Result<(char, usize), Flaw>> {
    Some(match rest.chars().next()? {
        '\\' => escape(rest.as_bytes()),
        '"' => Err(Flaw::Quote),
        c if c < ' ' => Err(Flaw::Control),
        c => Ok((c, c.len_utf8())),
    })
}

/// The character of the escape with which `rest` begins, and its bytes: 2, 6 or,
/// for a surrogate pair, 12.
pub(crate) fn escape(rest: &[u8]) -> Result<(char, usize), Flaw> {
    let c = match rest.get(1) {
        Some(b'u') => return escape_unicode(rest),
        Some(c @ (b'"' | b'\\' | b'/')) => char::from(*c),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => return Err(Flaw::Escape),
    };
    Ok((c, 2))
}

fn escape_unicode(rest: &[u8]) -> Result<(char, usize), Flaw> {
    let high = code_unit(rest).ok_or(Flaw::Escape)?;
    if let Some(c) = char::from_u32(high) {
        return Ok((c, 6));
    }
    let low = rest.get(6..).and_then(code_unit).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if high < 0xdc00 => {
            char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).map(|c| (c, 12)).ok_or(Flaw::Surrogate)
        }
        _ => Err(Flaw::Surrogate),
    }
}

/// The UTF-16 code unit of the `\uXXXX` with which `rest` begins.
fn code_unit(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// A plain string, shown as the content of a JSON string.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping(f).write_str(self.0)
    }
}

/// Writes plain text as the content of a JSON string.
pub struct Escaping<'w>(pub &'w mut dyn Write);

impl Write for Escaping<'_> {
    fn write_str(&mut self, plain: &str) -> fmt::Result {
        let mut rest = plain;
        while let Some(at) = special(rest) {
            self.0.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                b'\r' => self.0.write_str("\\r")?,
                b'\t' => self.0.write_str("\\t")?,
                control => write!(self.0, "\\u{control:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Text<'_> {
        Text::parse(raw).unwrap()
    }

    #[test]
    fn escapes_are_read_as_the_characters_that_they_mean() {
        for (raw, plain) in [
            ("", ""),
            ("plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u20AC", "Aé€"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\uD800\uDC00\udbff\udfff", "\u{10000}\u{10ffff}"),
            ("é€😀", "é€😀"),
            (r"\u0000", "\0"),
        ] {
            assert_eq!(text(raw).chars().collect::<String>(), plain, "{raw}");
            assert!(text(raw).eq_str(plain), "{raw}");
            assert_eq!(text(raw).as_json(), raw);
        }
    }

    #[test]
    fn what_may_not_stand_between_quotes_is_no_text() {
        for raw in [
            "\"",
            "a\"b",
            "\\",
            "\\x",
            "\\u",
            "\\u12",
            "\\u12g4",
            "\\u+123",
            "\\ud800",
            "\\ud800x",
            "\\ud800\\n",
            "\\ud800\\u0041",
            "\\udc00",
            "\\udc00\\ud800",
            "\\ud800\\ud800",
            "\n",
            "\u{1f}",
            "a\0",
            "\\ud83d\\ude0",
            "\\é",
        ] {
            assert_eq!(Text::parse(raw), None, "{raw:?}");
        }
        assert!(Text::parse("\u{7f}\u{80}\u{2028}").is_some());
    }

    #[test]
    fn texts_are_equal_if_they_are_so_unescaped() {
        assert_eq!(text("a/b"), text(r"\u0061\/b"));
        assert_eq!(text("😀"), text(r"\ud83d\ude00"));
        assert_ne!(text("a"), text("A"));
        assert_ne!(text("a"), text("ab"));
        assert_ne!(text("ab"), text("a"));
        assert!(!text("ab").eq_str("a"));
        assert!(!text("a").eq_str("ab"));
        assert!(Text::EMPTY.is_empty() && text("").eq_str("") && !text(r"\u0000").is_empty());
    }

    #[test]
    fn what_stands_for_itself_is_told_wherever_it_ends() {
        for special in 0..=255 {
            let is_plain = special >= b' ' && special != b'"' && special != b'\\';
            for at in 0..20 {
                for around in [b' ', b'#', b'!', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = [around; 20];
                    bytes[at] = special;
                    assert_eq!(plain_end(&bytes, at % 3), if is_plain { 20 } else { at }, "{special} among {around}");
                    assert_eq!(plain_end(&bytes[..at], at % 3), at);
                    // What comes first counts.
                    bytes[19] = b'"';
                    assert_eq!(plain_end(&bytes, at % 3), if is_plain && at < 19 { 19 } else { at });
                }
            }
        }
    }

    #[test]
    fn a_cut_never_falls_inside_a_character() {
        let raw = r"aé\n😀\ud83d\ude00\u0041z";
        let ends = [0, 1, 3, 5, 9, 21, 27, 28];
        for bytes_max in 0..raw.len() + 3 {
            let cut = text(raw).cut(bytes_max);
            let end = ends.iter().copied().filter(|end| *end <= bytes_max).max().unwrap();
            assert_eq!(cut.as_json(), &raw[..end], "at most {bytes_max}");
            assert!(Text::parse(cut.as_json()).is_some());
        }
    }

    #[test]
    fn a_text_is_shown_so_that_it_cannot_mislead() {
        for (raw, shown) in [
            (r"two\nlines\u001b[2J", r"two\u{a}lines\u{1b}[2J"),
            ("\u{7f}\u{80}\u{9f}\u{a0}", "\\u{7f}\\u{80}\\u{9f}\u{a0}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (r"\u202eevil\u2066\u200f\u061c", r"\u{202e}evil\u{2066}\u{200f}\u{61c}"),
            (r#"\"é\"😀\\"#, "\"é\"😀\\"),
        ] {
            assert_eq!(text(raw).to_string(), shown);
        }
    }

    #[test]
    fn a_text_that_was_never_checked_is_shown_all_the_same() {
        assert_eq!(Text::from_checked("a\\é\\ud800\"").to_string(), "a\u{fffd}é\u{fffd}ud800\u{fffd}");
    }

    #[test]
    fn a_plain_string_that_is_escaped_reads_as_itself() {
        let plain = "q\" b\\ n\n r\r t\t \0 \u{1f} \u{7f} é 😀 /";
        let escaped = Escaped(plain).to_string();
        assert_eq!(escaped, "q\\\" b\\\\ n\\n r\\r t\\t \\u0000 \\u001f \u{7f} é 😀 /");
        assert!(text(&escaped).eq_str(plain));
        let mut written = String::new();
        write!(Escaping(&mut written), "{}", plain).unwrap();
        assert_eq!(written, escaped);
    }
}
