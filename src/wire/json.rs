//! Writes JSON piece by piece: no text is held, and none is left to be spelled by whoever
//! has something to say.

use core::fmt::{self, Display, Write};

use crate::model::text::Escaping;

/// Writes a JSON value, member by member. What has no name is an element of an array, or
/// the whole value.
pub struct Json<'w> {
    out: &'w mut dyn Write,
    is_first: bool,
}

impl<'w> Json<'w> {
    /// Writes to `out`; nothing yet.
    pub fn new(out: &'w mut dyn Write) -> Json<'w> {
        Json { out, is_first: true }
    }

    /// Begins an object.
    ///
    /// # Errors
    /// The output fails, as with all functions here.
    pub fn begin_object(&mut self, name: &str) -> fmt::Result {
        self.begin(name, '{')
    }

    /// Ends the object.
    ///
    /// # Errors
    /// The output fails.
    pub fn end_object(&mut self) -> fmt::Result {
        self.end('}')
    }

    /// Begins an array.
    ///
    /// # Errors
    /// The output fails.
    pub fn begin_array(&mut self, name: &str) -> fmt::Result {
        self.begin(name, '[')
    }

    /// Ends the array.
    ///
    /// # Errors
    /// The output fails.
    pub fn end_array(&mut self) -> fmt::Result {
        self.end(']')
    }

    /// Writes a number; none: no member.
    ///
    /// # Errors
    /// The output fails.
    pub fn number(&mut self, name: &str, number: impl Into<Option<u64>>) -> fmt::Result {
        match number.into() {
            Some(number) => self.raw(name, &number),
            None => Ok(()),
        }
    }

    /// Writes plain text, which is escaped here.
    ///
    /// # Errors
    /// The output fails.
    pub fn text(&mut self, name: &str, text: &dyn Display) -> fmt::Result {
        self.name(name)?;
        self.out.write_char('"')?;
        write!(Escaping(self.out), "{text}")?;
        self.out.write_char('"')
    }

    /// Writes plain text, likewise; empty: no member.
    ///
    /// # Errors
    /// The output fails.
    pub fn text_if_any(&mut self, name: &str, text: &str) -> fmt::Result {
        match text.is_empty() {
            true => Ok(()),
            false => self.text(name, &text),
        }
    }

    /// Writes text that is escaped as in JSON already; empty: no member.
    ///
    /// # Errors
    /// The output fails.
    pub fn escaped(&mut self, name: &str, text: &str) -> fmt::Result {
        match text.is_empty() {
            true => Ok(()),
            false => self.raw(name, &format_args!("\"{text}\"")),
        }
    }

    /// Writes JSON as it is: a value, or the elements of an array with commas between them.
    ///
    /// # Errors
    /// The output fails.
    pub fn raw(&mut self, name: &str, json: &dyn Display) -> fmt::Result {
        self.name(name)?;
        write!(self.out, "{json}")
    }

    fn begin(&mut self, name: &str, bracket: char) -> fmt::Result {
        self.name(name)?;
        self.is_first = true;
        self.out.write_char(bracket)
    }

    fn end(&mut self, bracket: char) -> fmt::Result {
        self.is_first = false;
        self.out.write_char(bracket)
    }

    /// Writes what stands before a value.
    fn name(&mut self, name: &str) -> fmt::Result {
        if !core::mem::take(&mut self.is_first) {
            self.out.write_char(',')?;
        }
        match name.is_empty() {
            true => Ok(()),
            false => write!(self.out, "\"{name}\":"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_separated_and_escaped() {
        let mut text = String::new();
        let mut json = Json::new(&mut text);
        json.begin_object("").unwrap();
        json.number("n", 7).unwrap();
        json.number("none", None).unwrap();
        json.text("t", &"a\"\n").unwrap();
        json.text_if_any("none", "").unwrap();
        json.text_if_any("u", "\\").unwrap();
        json.escaped("e", "").unwrap();
        json.begin_array("list").unwrap();
        json.begin_object("").unwrap();
        json.end_object().unwrap();
        json.escaped("", "x").unwrap();
        json.end_array().unwrap();
        json.raw("b", &true).unwrap();
        json.end_object().unwrap();
        assert_eq!(text, r#"{"n":7,"t":"a\"\n","u":"\\","list":[{},"x"],"b":true}"#);
    }
}
