//! Walks through a document that was checked.

use serde::Deserialize;

use super::malformed::{Key, Malformed, Path, What};
use super::scan::{self, skip_blanks, Span};
use crate::model::text::{plain_end, Text};

/// A value in a document that was checked, and how one gets to it.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    text: &'a str,
    span: Span,
    path: Path,
}

/// Returns whether a member's name is this key.
type IsIt<'f> = &'f dyn Fn(&Text<'_>, Key) -> bool;

/// The kinds of values that JSON has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// A string key and a string value: configuration of a component or domain, a
/// parameter of a node. What is null or left out is none.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    key: Text<'a>,
    value: Text<'a>,
}

/// An identifier and a version, of a component or a software node. What is null or left out
/// is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versioned<'a> {
    /// Its identifier.
    pub id: Text<'a>,
    /// Its version.
    pub version: Text<'a>,
}

impl<'a> KeyValue<'a> {
    /// Its key.
    pub fn key(&self) -> Text<'a> {
        self.key
    }

    /// Its value.
    pub fn value(&self) -> Text<'a> {
        self.value
    }
}

impl<'a> Node<'a> {
    /// The document in `bytes`.
    ///
    /// # Errors
    /// It is none: see [`scan::check`].
    pub fn document(bytes: &'a [u8]) -> Result<Node<'a>, Malformed> {
        let text = scan::check(bytes)?;
        let start = skip_blanks(text.as_bytes(), 0);
        Ok(Node::checked(text, Span::new(start, text.trim_end().len())))
    }

    /// The value at `span` in a text that was checked before.
    pub(super) fn checked(text: &'a str, span: Span) -> Node<'a> {
        Node { text, span, path: Path::default() }
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// It, as the member `key` of the object whose path it has.
    pub(crate) fn named(self, key: Key) -> Node<'a> {
        Node { path: self.path.key(key), ..self }
    }

    /// As it stands in the message.
    pub fn raw(&self) -> &'a str {
        self.span.of(self.text)
    }

    /// Returns of which kind it is.
    pub fn kind(&self) -> Kind {
        // Of a value that was checked, the first byte tells.
        match self.text.as_bytes().get(self.span.start as usize) {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The error `what`, here.
    pub fn error(&self, what: What) -> Malformed {
        Malformed::new(what, self.path, self.span.start as usize)
    }

    /// The error that its member `key` is missing.
    pub fn missing(&self, key: Key) -> Malformed {
        Malformed::new(What::Is("is missing"), self.path.key(key), self.span.start as usize)
    }

    /// It, if it is an object.
    ///
    /// # Errors
    /// It is none.
    pub fn object(self) -> Result<Node<'a>, Malformed> {
        match self.kind() {
            Kind::Object => Ok(self),
            _ => Err(self.error(What::Is("is not an object"))),
        }
    }

    /// Its members with these keys, in the order of `keys`; those that are null
    /// or absent are none. Keys match in exact case; others are skipped.
    ///
    /// # Errors
    /// It is not an object, or has one of these keys twice.
    pub fn fields<const N: usize>(self, keys: [Key; N]) -> Result<[Option<Node<'a>>; N], Malformed> {
        self.fields_by(keys, &|name, key| name.eq_str(key.name()))
    }

    /// The same of headers, whose names match whatever the case of their letters.
    ///
    /// # Errors
    /// As of [`fields`](Self::fields).
    pub fn headers<const N: usize>(self, keys: [Key; N]) -> Result<[Option<Node<'a>>; N], Malformed> {
        self.fields_by(keys, &|name, key| name.eq_ignore_ascii_case(key.name()))
    }

    fn fields_by<const N: usize>(self, keys: [Key; N], is_it: IsIt<'_>) -> Result<[Option<Node<'a>>; N], Malformed> {
        let mut fields = [None; N];
        self.object()?.collect(&keys, is_it, &mut fields)?;
        Ok(fields)
    }

    fn collect(self, keys: &[Key], is_it: IsIt<'_>, fields: &mut [Option<Node<'a>>]) -> Result<(), Malformed> {
        for (name, node) in self.members() {
            let Some(place) = keys.iter().position(|key| is_it(&name, *key)) else {
                continue;
            };
            let node = node.named(keys[place]);
            if fields[place].replace(node).is_some() {
                return Err(node.error(What::Is("stands twice")));
            }
        }
        for field in fields {
            *field = field.filter(|node| node.kind() != Kind::Null);
        }
        Ok(())
    }

    /// The members of an object, in order. Their path is the object's.
    pub fn members(self) -> Members<'a> {
        Members(Elements { node: self, at: self.span.start as usize + 1, index: 0 })
    }

    /// The elements of an array, in order.
    ///
    /// # Errors
    /// It is not an array.
    pub fn elements(self) -> Result<Elements<'a>, Malformed> {
        match self.kind() {
            Kind::Array => Ok(Elements { node: self, at: self.span.start as usize + 1, index: 0 }),
            _ => Err(self.error(What::Is("is not an array"))),
        }
    }

    /// The content of a string.
    ///
    /// # Errors
    /// It is not a string.
    pub fn string(self) -> Result<Text<'a>, Malformed> {
        match self.kind() {
            Kind::String => {
                Ok(Text::from_checked(Span::new(self.span.start as usize + 1, self.span.end() - 1).of(self.text)))
            }
            _ => Err(self.error(What::Is("is not a string"))),
        }
    }

    /// The content of a string that has at least one character.
    ///
    /// # Errors
    /// It is empty, or not a string.
    pub fn name(self) -> Result<Text<'a>, Malformed> {
        let text = self.string()?;
        match text.is_empty() {
            true => Err(self.error(What::Is("is empty"))),
            false => Ok(text),
        }
    }

    /// Its value as serde reads it, without nesting of its own.
    ///
    /// # Errors
    /// `otherwise` says what it should be.
    pub fn leaf<T: Deserialize<'a>>(self, otherwise: &'static str) -> Result<T, Malformed> {
        match serde_json_core::from_str(self.raw()) {
            Ok((value, used)) if used == self.raw().len() => Ok(value),
            _ => Err(self.error(What::Is(otherwise))),
        }
    }

    /// A string key with a string value.
    ///
    /// # Errors
    /// It is something else.
    pub fn key_value(self) -> Result<KeyValue<'a>, Malformed> {
        let read = |[key, value]: [Option<Node<'a>>; 2]| Ok(KeyValue { key: string(key)?, value: string(value)? });
        let is_none = |_| self.error(What::Is("is not one string key with one string value"));
        self.object()?.fields([Key::Key, Key::Value]).and_then(read).map_err(is_none)
    }

    /// Its identifier and its version.
    ///
    /// # Errors
    /// It is not an object, or one of them is not a string.
    pub fn versioned(self) -> Result<Versioned<'a>, Malformed> {
        let [id, version] = self.fields([Key::Id, Key::Version])?;
        Ok(Versioned { id: string(id)?, version: string(version)? })
    }
}

/// The elements of `node`; none if that is none.
///
/// # Errors
/// It is not an array.
pub fn elements(node: Option<Node<'_>>) -> Result<Elements<'_>, Malformed> {
    node.map_or(Ok(Elements::none()), Node::elements)
}

/// The elements that stand in `text` between the brackets of an array that was checked.
pub(super) fn listed(text: &str) -> Elements<'_> {
    Elements { node: Node::checked(text, Span::new(0, text.len())), at: 0, index: 0 }
}

/// The content of `node`; empty if that is none.
///
/// # Errors
/// It is not a string.
pub fn string(node: Option<Node<'_>>) -> Result<Text<'_>, Malformed> {
    node.map_or(Ok(Text::EMPTY), Node::string)
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    node: Node<'a>,
    at: usize,
    index: usize,
}

impl<'a> Elements<'a> {
    /// Those of an array that is left out.
    pub(super) fn none() -> Elements<'a> {
        Elements { node: Node::checked("", Span::default()), at: 0, index: 0 }
    }

    /// Where the next value starts before the closing bracket, past `separator`.
    fn start(&self, separator: u8) -> Option<usize> {
        let bytes = self.node.text.as_bytes();
        let mut start = skip_blanks(bytes, self.at);
        if bytes.get(start) == Some(&separator) {
            start = skip_blanks(bytes, start + 1);
        }
        let is_over = start >= self.node.span.end() || matches!(bytes[start], b']' | b'}');
        (!is_over).then_some(start)
    }

    /// The value that starts there.
    fn value(&mut self, separator: u8) -> Option<Node<'a>> {
        let start = self.start(separator)?;
        self.at = value_end(self.node.text.as_bytes(), start);
        Some(Node { span: Span::new(start, self.at), ..self.node })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let value = self.value(b',')?;
        let path = self.node.path.index(self.index);
        self.index += 1;
        Some(Node { path, ..value })
    }
}

/// The members of an object: the key and the value.
#[derive(Clone, Debug)]
pub struct Members<'a>(Elements<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Text<'a>, Node<'a>);

    fn next(&mut self) -> Option<(Text<'a>, Node<'a>)> {
        let Elements { node, .. } = self.0;
        let start = self.0.start(b',')?;
        let end = string_end(node.text.as_bytes(), start);
        self.0.at = end;
        let key = Text::from_checked(Span::new(start + 1, end - 1).of(node.text));
        Some((key, self.0.value(b':')?))
    }
}

/// Where the first such byte stands from `at` on; the end if there is none.
fn until(bytes: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or(&[]);
    at + rest.iter().position(|b| wanted(*b)).unwrap_or(rest.len())
}

/// Where the value ends that starts at `start`, in a document that was checked.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    loop {
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => at = string_end(bytes, at),
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') => {
                depth -= 1;
                at += 1;
            }
            // A number or a word.
            Some(_) => at = until(bytes, at, |b| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n')),
        }
        if depth <= 0 {
            return at;
        }
        at = until(bytes, at, |b| matches!(b, b'"' | b'{' | b'[' | b'}' | b']'));
    }
}

pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
        }
    }
}
