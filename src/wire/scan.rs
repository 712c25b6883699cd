//! Checks that bytes are one JSON document (RFC 8259), without recursion.

use super::malformed::{Malformed, Path, What};
use crate::limits::DEPTH_MAX;
use crate::model::text::{escape, plain_end, Flaw};

/// Where something stands in a message, in bytes from its start. It stays true
/// when the message is copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// Its bytes.
    pub len: u32,
}

impl Span {
    /// From byte `start` up to, not including, byte `end`. Messages are far
    /// shorter than 4 GiB.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, len: end.saturating_sub(start) as u32 }
    }

    /// The byte that follows it.
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// What stands there in `text`; empty if that is another, shorter one.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end()).unwrap_or("")
    }
}

/// The document in `bytes`, checked in full: UTF-8, grammar, escapes, paired
/// surrogates, at most `DEPTH_MAX` levels, nothing before or after it.
///
/// # Errors
/// The first place that is not so.
pub fn check(bytes: &[u8]) -> Result<&str, Malformed> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(flaw("has a byte order mark", 0));
    }
    let text = core::str::from_utf8(bytes).map_err(|e| flaw("is not UTF-8", e.valid_up_to()))?;
    Scanner { bytes, at: 0, depth: 0, objects: 0 }.document()?;
    Ok(text)
}

fn flaw(what: &'static str, at: usize) -> Malformed {
    Malformed::new(What::Is(what), Path::default(), at)
}

const _: () = assert!(DEPTH_MAX <= 32, "the kinds of the open brackets are 32 bits");

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Brackets that are open.
    depth: usize,
    /// For each open bracket whether it is an object's; the innermost is bit 0.
    objects: u32,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Malformed> {
        let mut expect = Expect::Value;
        self.skip_blanks();
        if self.at == self.bytes.len() {
            return Err(flaw("is empty", self.at));
        }
        loop {
            self.skip_blanks();
            expect = self.token(expect)?;
            if self.depth == 0 {
                break;
            }
        }
        self.skip_blanks();
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(flaw("goes on after its end", self.at)),
        }
    }

    /// Takes what comes next; what may follow it.
    fn token(&mut self, expect: Expect) -> Result<Expect, Malformed> {
        use Expect::*;
        let Some(byte) = self.bytes.get(self.at) else {
            return Err(flaw("ends too early", self.at));
        };
        match (expect, byte) {
            (Value | ValueOrEnd, b'{') => self.open(true).map(|()| KeyOrEnd),
            (Value | ValueOrEnd, b'[') => self.open(false).map(|()| ValueOrEnd),
            (Value | ValueOrEnd, _) if expect != ValueOrEnd || *byte != b']' => self.scalar().map(|()| CommaOrEnd),
            (Key | KeyOrEnd, b'"') => {
                self.string()?;
                self.skip_blanks();
                self.take(b':', "is not JSON: a colon is expected").map(|()| Value)
            }
            (CommaOrEnd, b',') => {
                self.at += 1;
                Ok(if self.in_object() { Key } else { Value })
            }
            (KeyOrEnd, b'}') => Ok(self.close()),
            (ValueOrEnd, b']') => Ok(self.close()),
            (CommaOrEnd, b'}') if self.in_object() => Ok(self.close()),
            (CommaOrEnd, b']') if !self.in_object() => Ok(self.close()),
            (Key | KeyOrEnd, _) => Err(flaw("is not JSON: a key is expected", self.at)),
            _ => Err(flaw("is not JSON: a comma or the closing bracket is expected", self.at)),
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn open(&mut self, object: bool) -> Result<(), Malformed> {
        if self.depth == DEPTH_MAX {
            return Err(Malformed::new(What::More(DEPTH_MAX as u32, "levels"), Path::default(), self.at));
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u32::from(object);
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Expect {
        self.depth -= 1;
        self.objects >>= 1;
        self.at += 1;
        Expect::CommaOrEnd
    }

    fn scalar(&mut self) -> Result<(), Malformed> {
        match self.bytes[self.at] {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = &self.bytes[self.at..];
                let word = ["null", "true", "false"].iter().find(|word| rest.starts_with(word.as_bytes()));
                self.at += word.ok_or_else(|| flaw("is not JSON: a value is expected", self.at))?.len();
                Ok(())
            }
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.skip(b"-");
        // A number does not begin with 0 unless that is all before the point.
        let whole = if self.skip(b"0") { 1 } else { self.digits() };
        let fraction = if self.skip(b".") { self.digits() } else { 1 };
        let exponent = if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits()
        } else {
            1
        };
        match whole > 0 && fraction > 0 && exponent > 0 {
            true => Ok(()),
            false => Err(flaw("is not JSON: a number is not well formed", start)),
        }
    }

    fn digits(&mut self) -> usize {
        let n = self.bytes[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += n;
        n
    }

    fn string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                None => return Err(flaw("ends too early", self.at)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += escape(&self.bytes[self.at..]).map_err(|why| self.string_flaw(why))?.1,
                _ => return Err(self.string_flaw(Flaw::Control)),
            }
        }
    }

    fn string_flaw(&self, why: Flaw) -> Malformed {
        let what = match why {
            Flaw::Surrogate => "has half of a surrogate pair in a string",
            Flaw::Control => "has a raw control character in a string",
            Flaw::Escape | Flaw::Quote => "has an escape in a string that means nothing",
        };
        flaw(what, self.at)
    }

    fn take(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Malformed> {
        match self.skip(&[byte]) {
            true => Ok(()),
            false if self.at == self.bytes.len() => Err(flaw("ends too early", self.at)),
            false => Err(flaw(otherwise, self.at)),
        }
    }

    /// Skips one byte if it is one of `these`.
    fn skip(&mut self, these: &[u8]) -> bool {
        let skip = self.bytes.get(self.at).is_some_and(|b| these.iter().any(|this| this == b));
        self.at += usize::from(skip);
        skip
    }

    fn skip_blanks(&mut self) {
        self.at = skip_blanks(self.bytes, self.at);
    }
}

/// Where what is no blank stands, from `at` on.
pub(super) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}
