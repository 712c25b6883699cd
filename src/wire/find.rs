//! Finds the activity or the path in a message that is malformed, or too large to be held,
//! so that it can be answered.

use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Text;

use super::malformed::Key;

/// Looks for a text of the top-level object in a message that comes in parts. It takes the
/// brackets and strings as they are and forgives whatever else is wrong; of several texts
/// the last counts, as most readers of JSON have it.
#[derive(Clone, Debug)]
pub struct TextFinder {
    /// Whose text is looked for.
    wanted: Key,
    place: Place,
    /// Brackets that are open.
    depth: u32,
    /// What the string is in which we are.
    string: Option<Role>,
    escaped: bool,
    /// Bytes that were looked at.
    offset: usize,
    key: Capture<KEY_MAX>,
    text: Capture<FOUND_MAX>,
    /// Where the text stands, in bytes from the message's start.
    start: usize,
    is_found: bool,
}

/// Bytes of `activityId`, the longest key, with every character escaped.
const KEY_MAX: usize = 60;

/// Bytes of a text. A path of ours with every character escaped has fewer.
const FOUND_MAX: usize = 300;

const _: () = assert!(ACTIVITY_ID_MAX <= FOUND_MAX);

/// Where in the top-level object we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    BeforeKey,
    BeforeValue,
    Elsewhere,
    /// After the end of the object, or there is none.
    Outside,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Key,
    Wanted,
    Other,
}

impl TextFinder {
    /// Returns one for the envelope's activity identifier, before the first part.
    pub fn of_activity() -> TextFinder {
        TextFinder::new(Key::ActivityId)
    }

    /// Returns one for the path of a message to a thing, before the first part.
    pub fn of_path() -> TextFinder {
        TextFinder::new(Key::Path)
    }

    fn new(wanted: Key) -> TextFinder {
        TextFinder {
            wanted,
            place: Place::Elsewhere,
            depth: 0,
            string: None,
            escaped: false,
            offset: 0,
            key: Capture::EMPTY,
            text: Capture::EMPTY,
            start: 0,
            is_found: false,
        }
    }

    /// Looks at the next part of the message.
    pub fn push(&mut self, part: &[u8]) {
        for byte in part {
            if self.place == Place::Outside {
                return;
            }
            match self.string {
                Some(role) => self.in_string(role, *byte),
                None => self.between(*byte),
            }
            self.offset = self.offset.saturating_add(1);
        }
    }

    /// The text; none if so far there was none, or it is empty, not well formed or longer
    /// than `FOUND_MAX`.
    pub fn text(&self) -> Option<Text<'_>> {
        let text = self.text.text().filter(|text| self.is_found && !text.is_empty())?;
        Text::parse(text)
    }

    /// The text as an activity identifier; none if it is longer than `ACTIVITY_ID_MAX`.
    pub fn activity(&self) -> Option<Text<'_>> {
        self.text().filter(|id| id.as_json().len() <= ACTIVITY_ID_MAX)
    }

    fn in_string(&mut self, role: Role, byte: u8) {
        if byte == b'"' && !self.escaped {
            self.string = None;
            self.is_found |= role == Role::Wanted;
            return;
        }
        self.escaped = byte == b'\\' && !self.escaped;
        match role {
            Role::Key => self.key.push(byte),
            Role::Wanted => self.text.push(byte),
            Role::Other => {}
        }
    }

    fn between(&mut self, byte: u8) {
        let top = self.depth == 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' if self.depth == 0 => self.place = Place::Outside,
            b'"' => self.open_string(),
            b'{' | b'[' => {
                self.place = match (self.depth, byte) {
                    (0, b'{') => Place::BeforeKey,
                    (0, _) => Place::Outside,
                    _ => Place::Elsewhere,
                };
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.place = if self.depth == 0 { Place::Outside } else { Place::Elsewhere };
            }
            b':' if top => self.place = Place::BeforeValue,
            b',' if top => self.place = Place::BeforeKey,
            // A byte order mark, of all that may not stand there.
            0xef | 0xbb | 0xbf if self.depth == 0 && self.offset < 3 => {}
            _ if self.depth == 0 => self.place = Place::Outside,
            _ => self.place = Place::Elsewhere,
        }
    }

    fn open_string(&mut self) {
        let role = match self.place {
            Place::BeforeKey if self.depth == 1 => Role::Key,
            Place::BeforeValue if self.depth == 1 && self.is_key() => Role::Wanted,
            _ => Role::Other,
        };
        match role {
            Role::Key => self.key = Capture::EMPTY,
            Role::Wanted => {
                self.text = Capture::EMPTY;
                self.is_found = false;
                self.start = self.offset + 1;
            }
            Role::Other => {}
        }
        self.string = Some(role);
        self.place = Place::Elsewhere;
    }

    fn is_key(&self) -> bool {
        self.key.text().and_then(Text::parse).is_some_and(|key| key.eq_str(self.wanted.name()))
    }
}

/// The activity identifier in `bytes`, wherever it can be read although the
/// message is malformed; see [`TextFinder`].
pub fn activity_of(bytes: &[u8]) -> Option<Text<'_>> {
    let mut finder = TextFinder::of_activity();
    finder.push(bytes);
    let len = finder.activity()?.as_json().len();
    let id = bytes.get(finder.start..finder.start + len)?;
    core::str::from_utf8(id).ok().and_then(Text::parse)
}

/// The first `N` bytes of something, and whether there were more.
#[derive(Clone, Debug)]
struct Capture<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Capture<N> {
    const EMPTY: Self = Capture { bytes: [0; N], len: 0 };

    fn push(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.len) {
            *free = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    fn text(&self) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(..self.len)?).ok()
    }
}
