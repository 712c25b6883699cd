//! Reads as much of Rust as the rules need.

/// A function or a struct.
#[derive(PartialEq, Debug)]
pub struct Item<'a> {
    pub name: &'a str,
    pub line: usize,
    /// Lines of a function, fields of a struct.
    pub size: usize,
}

const BRACKETS: &str = "()[]{}";
const BRACKETS_OF_TYPES: &str = "()[]{}<>";

/// Returns a text of as many characters, all in ASCII, with blanks for comments and
/// literals, except for a quotation mark where a string begins.
pub fn blank(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    while at < text.len() {
        let len = opaque(&text[at..], code.ends_with(is_word));
        match text[at] {
            c if len == 0 => code.push(if c.is_ascii() { c } else { '_' }),
            '/' | '\'' => code.extend(text[at..at + len].iter().copied().map(blank_of)),
            _ => {
                code.push('"');
                code.extend(text[at + 1..at + len].iter().copied().map(blank_of));
            }
        }
        at += len.max(1);
    }
    code
}

/// Returns what stands for a character that is left out.
pub fn blank_of(c: char) -> char {
    match c {
        '\n' => '\n',
        _ => ' ',
    }
}

/// Returns the content of the string that `text` begins with, with quotation marks as they
/// are meant.
pub fn string(text: &[char]) -> String {
    let literal: String = text[..opaque(text, false)].iter().collect();
    let content = literal.trim_start_matches(['b', 'r', '#']).trim_end_matches('#');
    let content = content.strip_prefix('"').and_then(|content| content.strip_suffix('"')).unwrap_or(content);
    match literal.starts_with('"') {
        true => content.replace("\\\"", "\""),
        false => content.to_owned(),
    }
}

/// Returns the length of the comment or literal that `text` begins with; 0 without one.
fn opaque(text: &[char], is_in_word: bool) -> usize {
    let starts = |start: &str| text.len() >= start.len() && start.chars().zip(text).all(|(a, b)| a == *b);
    let through = |end: &str, from: usize| {
        let end: Vec<char> = end.chars().collect();
        let found = (from..text.len()).find(|at| text[*at..].starts_with(&end));
        found.map_or(text.len(), |at| at + end.len())
    };
    let hashes = text.iter().skip(1).take_while(|c| **c == '#').count();
    match text[0] {
        '/' if starts("//") => text.iter().take_while(|c| **c != '\n').count(),
        '/' if starts("/*") => block_comment(text),
        'r' if !is_in_word && text.get(1 + hashes) == Some(&'"') => {
            through(&format!("\"{}", "#".repeat(hashes)), hashes + 2)
        }
        'b' if !is_in_word && text.get(1) == Some(&'r') => match opaque(&text[1..], false) {
            0 => 0,
            len => 1 + len,
        },
        '"' => {
            let mut end = 1;
            while end < text.len() && text[end] != '"' {
                end += if text[end] == '\\' { 2 } else { 1 };
            }
            (end + 1).min(text.len())
        }
        '\'' if starts("'\\") => through("'", 3),
        '\'' if text.get(2) == Some(&'\'') => 3,
        _ => 0,
    }
}

/// Returns the length of a comment that may have others in it.
fn block_comment(text: &[char]) -> usize {
    let (mut end, mut depth) = (0, 0);
    while end < text.len() {
        match (text[end], text.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the word that `code` begins with after blanks; empty without one.
pub fn word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())]
}

/// Returns the line of this place.
pub fn line_of(code: &str, at: usize) -> usize {
    1 + code[..at].matches('\n').count()
}

/// Returns the places right behind each `keyword`.
pub fn behind<'a>(code: &'a str, keyword: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(keyword).filter_map(move |(at, _)| {
        let end = at + keyword.len();
        (!code[..at].ends_with(is_word) && !code[end..].starts_with(is_word)).then_some(end)
    })
}

/// Returns where the first of `ends` stands outside of all `brackets`, or the bracket
/// that closes what was opened before `code`, or else its end.
fn extent(code: &str, brackets: &str, ends: &[char]) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        if depth == 0 && ends.contains(&c) {
            return at;
        }
        match brackets.find(c) {
            Some(_) if c == '>' && code[..at].ends_with(['-', '=']) => {}
            Some(place) if place % 2 == 0 => depth += 1,
            Some(_) if depth == 0 => return at,
            Some(_) => depth -= 1,
            None => {}
        }
    }
    code.len()
}

/// Divides the item that begins at `code` into what stands before its body, and the body
/// without braces; none if it ends without one.
pub fn halves(code: &str) -> (&str, Option<&str>) {
    let (head, rest) = code.split_at(extent(code, BRACKETS, &['{', ';']));
    (head, rest.strip_prefix('{').map(|body| &body[..extent(body, BRACKETS, &[])]))
}

/// Returns what stands between the commas of a list, up to the bracket that closes it.
pub fn elements(mut code: &str) -> Vec<&str> {
    let mut elements = Vec::new();
    loop {
        let (element, rest) = code.split_at(extent(code, BRACKETS_OF_TYPES, &[',']));
        elements.extend(Some(element.trim()).filter(|element| !element.is_empty()));
        match rest.strip_prefix(',') {
            Some(rest) => code = rest,
            None => return elements,
        }
    }
}

/// Returns the functions that have a body.
pub fn functions(code: &str) -> Vec<Item<'_>> {
    let function = |at: usize| {
        let name = word(&code[at..]);
        let (head, body) = halves(&code[at..]);
        let size = 1 + head.matches('\n').count() + body?.matches('\n').count();
        (!name.is_empty()).then_some(Item { name, line: line_of(code, at), size })
    };
    behind(code, "fn").filter_map(function).collect()
}

/// Returns the structs that have fields, with or without names.
pub fn structs(code: &str) -> Vec<Item<'_>> {
    let structure = |at: usize| {
        let name = Some(word(&code[at..])).filter(|name| !name.is_empty())?;
        let mut rest = code[at..].trim_start()[name.len()..].trim_start();
        if let Some(parameters) = rest.strip_prefix('<') {
            rest = parameters.get(extent(parameters, BRACKETS_OF_TYPES, &[]) + 1..)?.trim_start();
        }
        let fields = match rest.strip_prefix('(') {
            Some(fields) => fields,
            None => halves(rest).1?,
        };
        Some(Item { name, line: line_of(code, at), size: elements(fields).len() })
    };
    behind(code, "struct").filter_map(structure).collect()
}
