//! Values as Go writes them: durations, booleans, whole numbers.

use crate::limits::CONFIG_DURATION_HOURS_MAX;

const NS_MAX: u64 = CONFIG_DURATION_HOURS_MAX * 3_600_000_000_000;

/// Milliseconds of the longest duration.
pub const DURATION_MS_MAX: u64 = NS_MAX / 1_000_000;

/// What is wrong with a duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadDuration {
    /// There is none.
    Empty,
    /// It is below 0.
    Negative,
    /// It is not written as a duration.
    Malformed,
    /// It is longer than Go's durations can be.
    TooLong,
}

impl BadDuration {
    /// What is wrong, to follow the value.
    pub fn reason(self) -> &'static str {
        match self {
            BadDuration::Empty => "is empty",
            BadDuration::Negative => "is negative",
            BadDuration::Malformed => "is no duration (such as 90s, 1m30s, 250ms)",
            BadDuration::TooLong => "is too long",
        }
    }
}

/// Milliseconds of a duration in the syntax of Go's `time.ParseDuration`, such as
/// `1h2m3.5s`. Parts of a millisecond count as a whole one, so that what is not
/// 0 does not become 0.
///
/// # Errors
/// As [`BadDuration`] says.
pub fn parse_duration_ms(text: &str) -> Result<u64, BadDuration> {
    if text.is_empty() {
        return Err(BadDuration::Empty);
    }
    let (negative, mut rest) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(BadDuration::Malformed);
    }
    let mut ns: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = take_part(rest)?;
        ns = ns.checked_add(part).filter(|ns| *ns <= NS_MAX).ok_or(BadDuration::TooLong)?;
        rest = after;
    }
    match negative && ns > 0 {
        true => Err(BadDuration::Negative),
        false => Ok(ns.div_ceil(1_000_000)),
    }
}

/// The nanoseconds of the first number with its unit, and what follows it.
fn take_part(text: &str) -> Result<(u64, &str), BadDuration> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(BadDuration::Malformed);
    }
    let unit_len = rest.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
    let (unit, rest) = rest.split_at(unit_len);
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(BadDuration::Malformed),
    };
    let mut ns: u64 = 0;
    for digit in whole.bytes() {
        ns = ns.checked_mul(10).and_then(|ns| ns.checked_add(u64::from(digit - b'0'))).ok_or(BadDuration::TooLong)?;
    }
    ns = ns.checked_mul(unit_ns).ok_or(BadDuration::TooLong)?;
    // Each digit's place is a tenth of the one before; an hour ends after 13 of them.
    let mut place_ns = unit_ns * 1_000;
    let mut fraction_ns: u64 = 0;
    for digit in fraction.bytes() {
        place_ns /= 10;
        fraction_ns += place_ns * u64::from(digit - b'0');
    }
    let ns = ns.checked_add(fraction_ns / 1_000).ok_or(BadDuration::TooLong)?;
    Ok((ns, rest))
}

/// A boolean as Go's `strconv.ParseBool` takes it.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A whole number in decimal digits, as Go's `strconv.ParseInt(text, 10, 64)`
/// takes it.
pub fn parse_decimal(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A whole number as Go's flags take it: decimal, or with `0x`, `0b`, `0o` or `0`
/// in front; `_` between digits.
pub fn parse_number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, rest) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let signed_digits = rest.starts_with(['+', '-']);
    let underscores = rest.contains("__") || rest.ends_with('_') || (radix == 10 && rest.contains('_'));
    if signed_digits || underscores {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&(sign.to_string() + &rest.replace('_', "")), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_taken_in_all_of_gos_forms() {
        for (text, ms) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("-0s", 0),
            ("0s", 0),
            ("90s", 90_000),
            ("+5s", 5_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("1h", 3_600_000),
            ("1h2m3.5s", 3_723_500),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("1.s", 1_000),
            ("3s2m", 123_000),
            ("1s1s", 2_000),
            ("2000us", 2),
            ("2000\u{b5}s", 2),
            ("2000\u{3bc}s", 2),
            ("1ns", 1),
            ("1000001ns", 2),
            ("0.000000000000000000001s", 0),
            ("0.3333333333333333333h", 1_200_000),
            ("2540400h", 9_145_440_000_000),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_kind() {
        assert_eq!(parse_duration_ms(""), Err(BadDuration::Empty));
        for text in ["-1s", "-.5s", "-1ns"] {
            assert_eq!(parse_duration_ms(text), Err(BadDuration::Negative), "{text}");
        }
        for text in [
            "5", "10", "s", ".s", ".", "-", "+", "--1s", "1 s", " 1s", "1s ", "1S", "1d", "1sec", "1m30", "1,5s",
            "1e3s", "abc", "\u{b5}s", "1\u{b5}", "0x1s", "1..s",
        ] {
            assert_eq!(parse_duration_ms(text), Err(BadDuration::Malformed), "{text}");
        }
        for text in ["2562048h", "99999999999999999999s", "18446744073709551615ns", "9223372036854775807s"] {
            assert_eq!(parse_duration_ms(text), Err(BadDuration::TooLong), "{text}");
        }
    }

    #[test]
    fn booleans_are_taken_in_gos_spellings_alone() {
        for (text, value) in [("1", true), ("T", true), ("True", true), ("0", false), ("f", false), ("FALSE", false)] {
            assert_eq!(parse_bool(text), Some(value));
        }
        for text in ["", "yes", "on", "tRUE", "2", " true"] {
            assert_eq!(parse_bool(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_flags_are_taken_in_gos_bases() {
        for (text, value) in
            [("0", 0), ("7", 7), ("-7", -7), ("+7", 7), ("0x10", 16), ("0B11", 3), ("0o17", 15), ("017", 15)]
        {
            assert_eq!(parse_number(text), Some(value), "{text}");
        }
        assert_eq!(parse_number("0x_f"), Some(15));
        assert_eq!(parse_number("-9223372036854775808"), Some(i64::MIN));
        for text in ["", "-", "08", "1_0", "0x", "0x-1", "--1", "1.0", "1e3", "9223372036854775808", "x", "0x1__0"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }
}
