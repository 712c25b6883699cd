//! Reads the JSON of the file, strictly, piece by piece and without recursion.

use crate::limits::DEPTH_MAX;

/// A value. Of objects and arrays just that they begin: what they hold follows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    /// Unescaped. A surrogate without its other half is U+FFFD, as in Go.
    Text(String),
    Object,
    Array,
}

/// What is wrong, and the byte where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Bytes from the start.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

/// Told of each value: its path (keys as they are written, places in arrays),
/// the byte where it begins, and itself. Says whether what it holds is wanted.
pub type Visit<'v, 'a> = &'v mut dyn FnMut(&[String], usize, Value<'a>) -> Result<bool, Fault>;

/// Line and column of the byte `at`, both from 1; columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line as u32, column as u32)
}

/// Hands every value of `text` to `visit`, in order.
///
/// # Errors
/// If `text` is not one JSON value, is nested deeper than [`DEPTH_MAX`], or
/// `visit` says so; values before that have been visited.
pub fn read<'a>(text: &'a str, visit: Visit<'_, 'a>) -> Result<(), Fault> {
    let mut reader = Reader { text, at: 0 };
    let mut path: Vec<String> = Vec::new();
    // What is open: `Some(n)` an array at its place n, `None` an object.
    let mut open: Vec<Option<usize>> = Vec::new();
    // How much was open when what nobody wants began.
    let mut unwanted: Option<usize> = None;
    loop {
        reader.skip_blanks();
        let at = reader.at;
        let value = reader.take_value()?;
        let opened = match value {
            Value::Object => Some(None),
            Value::Array => Some(Some(0)),
            _ => None,
        };
        if unwanted.is_none() && !visit(&path, at, value)? {
            unwanted = Some(open.len());
        }
        let mut first = opened.is_some();
        if let Some(opened) = opened {
            if open.len() == DEPTH_MAX {
                return Err(Fault { at, what: format!("nested deeper than {DEPTH_MAX}") });
            }
            open.push(opened);
        }
        // Up to the next value, or to the end.
        loop {
            reader.skip_blanks();
            if unwanted == Some(open.len()) {
                unwanted = None;
            }
            let Some(place) = open.last_mut() else {
                return if reader.at == text.len() { Ok(()) } else { Err(reader.fault("more after the value")) };
            };
            if !first {
                path.pop();
            }
            let (close, expected) = match place {
                None => (b'}', "a comma or } is expected"),
                Some(_) => (b']', "a comma or ] is expected"),
            };
            if reader.peek() == Some(close) {
                reader.at += 1;
                open.pop();
                first = false;
                continue;
            }
            if !first {
                reader.expect(b',', expected)?;
                reader.skip_blanks();
            }
            match place {
                None => path.push(reader.take_key()?),
                Some(place) => {
                    path.push(place.to_string());
                    *place += 1;
                }
            }
            break;
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &str) -> Fault {
        Fault { at: self.at, what: what.to_string() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    fn take_key(&mut self) -> Result<String, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("a key in quotes is expected"));
        }
        let key = self.take_text()?;
        self.skip_blanks();
        self.expect(b':', "a colon is expected")?;
        Ok(key)
    }

    fn take_value(&mut self) -> Result<Value<'a>, Fault> {
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("{", Value::Object),
            ("[", Value::Array),
        ] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.take_text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.take_number().map(Value::Number),
            Some(_) => Err(self.fault("a value is expected")),
            None => Err(self.fault("it ends too early")),
        }
    }

    fn skip_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(self.fault("a digit is expected")),
        }
    }

    fn take_number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.skip_digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn take_text(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.take_escape()?),
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("a string without its end")),
            }
        }
    }

    fn take_escape(&mut self) -> Result<char, Fault> {
        let c = match self.text.as_bytes().get(self.at + 1) {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(*b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.take_code_unit_pair(),
            _ => return Err(self.fault("no such escape")),
        };
        self.at += 2;
        Ok(c)
    }

    fn code_unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        match digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u32::from_str_radix(digits, 16).ok(),
            false => None,
        }
    }

    fn take_code_unit_pair(&mut self) -> Result<char, Fault> {
        let high = self.code_unit(self.at).ok_or_else(|| self.fault("four hexadecimal digits are expected"))?;
        self.at += 6;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        match self.code_unit(self.at) {
            Some(low @ 0xdc00..=0xdfff) => {
                self.at += 6;
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            _ => Ok(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited(text: &str) -> Result<String, Fault> {
        let mut out = String::new();
        read(text, &mut |path, _, value| {
            out.push_str(&format!("{}={value:?};", path.join(".")));
            Ok(path.last().map_or(true, |key| key != "skip"))
        })?;
        Ok(out)
    }

    #[test]
    fn every_value_comes_with_its_path_in_order() {
        let text = r#" {"a":{"b":[1,-2.5e+3,{"c":null}],"d":{}},"e":[],"f":"x", "g" : true } "#;
        let expected = "=Object;a=Object;a.b=Array;a.b.0=Number(\"1\");a.b.1=Number(\"-2.5e+3\");a.b.2=Object;\
             a.b.2.c=Null;a.d=Object;e=Array;f=Text(\"x\");g=Bool(true);";
        assert_eq!(visited(text).as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_not_wanted_is_checked_but_not_visited() {
        assert_eq!(
            visited(r#"{"skip":{"a":[1,{"b":2}]},"c":3}"#).as_deref(),
            Ok("=Object;skip=Object;c=Number(\"3\");")
        );
        assert_eq!(visited(r#"{"skip":1,"c":3}"#).as_deref(), Ok("=Object;skip=Number(\"1\");c=Number(\"3\");"));
        assert!(visited(r#"{"skip":{"a":[1,{"b":02}]},"c":3}"#).is_err());
    }

    #[test]
    fn escapes_are_undone_and_lone_surrogates_replaced() {
        let cases = [
            (r#""\"\\\/\b\f\n\r\t\u00e9""#, "\"\\/\u{8}\u{c}\n\r\t\u{e9}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ud83dx\ude00\ud83d\ud83d\ude00""#, "\u{fffd}x\u{fffd}\u{fffd}\u{1f600}"),
            ("\"\u{1f600}\u{7f}\"", "\u{1f600}\u{7f}"),
        ];
        for (text, expected) in cases {
            assert_eq!(visited(text), Ok(format!("=Text({expected:?});")));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_stops_being_so() {
        let cases = [
            ("", 0),
            ("  ", 2),
            ("{", 1),
            ("{\"a\"", 4),
            ("{\"a\":", 5),
            ("{\"a\":1", 6),
            ("{\"a\":1,}", 7),
            ("{a:1}", 1),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("[1}", 2),
            ("01", 1),
            ("1.", 2),
            ("-", 1),
            ("1e", 2),
            ("+1", 0),
            ("nul", 0),
            ("truex", 4),
            ("'a'", 0),
            ("\"a", 2),
            ("\"a\nb\"", 2),
            ("\"\\x\"", 1),
            ("\"\\u12g4\"", 1),
            ("\"\\u+123\"", 1),
            ("{} {}", 3),
            ("\u{feff}{}", 0),
        ];
        for (text, at) in cases {
            assert_eq!(visited(text).map_err(|fault| fault.at), Err(at), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(visited(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(visited(&nested(DEPTH_MAX + 1)).map_err(|fault| fault.at), Err(DEPTH_MAX));
        assert!(visited(&"[".repeat(60_000)).is_err());
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        assert_eq!(line_and_column("a\n\u{e9}b", 4), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
    }
}
