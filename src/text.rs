//! Text as it stands in JSON.

/// The content of a JSON string as it stands between its quotes: valid UTF-8,
/// every escape well formed, surrogates paired. What is only passed on is
/// written back as it came; what is compared or shown is unescaped on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    pub(crate) fn from_checked(raw: &'a str) -> Text<'a> {
        Text(raw)
    }
    pub fn as_json(&self) -> &'a str {
        self.0
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn cut(&self, max: usize) -> Text<'a> {
        Text(&self.0[..max.min(self.0.len())])
    }
}
impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
