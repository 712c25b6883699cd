//! Text as it stands in JSON.

/// The content of a JSON string as it stands between its quotes: valid UTF-8,
/// every escape well formed, surrogates paired. What is only passed on is
/// written back as it came; what is compared or shown is unescaped on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a>(&'a str);
