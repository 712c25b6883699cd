//! Lines of the console's socket: requests and answers are read, and written again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update_manager::wire::console::{decode, decode_answer, encode, encode_answer, encode_end, encode_error};
use update_manager_fuzz::json;

fuzz_target!(|line: &[u8]| {
    match decode(line) {
        Ok(request) => {
            let mut text = String::new();
            encode(&mut text, &request, None).expect("a string takes all");
            assert!(text.ends_with("}\n") && text.trim_end().lines().count() == 1, "{text:?}");
            json::written(&text);
            let again = decode(text.as_bytes()).expect("what was written is read");
            assert_eq!(format!("{again:?}"), format!("{request:?}"));
        }
        Err(malformed) => assert!(!malformed.to_string().is_empty()),
    }
    if let Ok(text) = std::str::from_utf8(line) {
        assert_answer(text);
    }
    let Ok(answer) = decode_answer(line) else { return };
    // The keys that it has come back; of its text, data and error one is written.
    let mut text = String::new();
    let is_data = !answer.data.is_empty();
    let written = match answer.error.is_empty() {
        false => encode_error(&mut text, &answer.error),
        true => encode_answer(&mut text, is_data, &mut |out| match is_data {
            true => out.write_str(answer.data),
            false => answer.text.chars().try_for_each(|c| out.write_char(c)),
        }),
    };
    written.and_then(|()| encode_end(&mut text, answer.activity.as_json(), answer.exit)).expect("a string takes all");
    json::written(&text);
    let again = decode_answer(text.as_bytes()).expect("what was written is read");
    assert_eq!((again.activity, again.exit), (answer.activity, answer.exit));
    match (answer.error.is_empty(), is_data) {
        (false, _) => assert!(!again.error.is_empty()),
        (true, true) => assert_eq!(again.data, answer.data),
        (true, false) => assert_eq!(json::plain(again.text), json::plain(answer.text)),
    }
});

/// Any words can be an answer, and come back.
fn assert_answer(words: &str) {
    let mut line = String::new();
    encode_answer(&mut line, false, &mut |out| out.write_str(words)).expect("a string takes all");
    encode_end(&mut line, "", Some(3)).expect("a string takes all");
    assert_eq!(line.matches('\n').count(), 1, "an answer is one line");
    json::written(&line);
    let answer = decode_answer(line.as_bytes()).expect("what was written is read");
    assert_eq!((json::plain(answer.text).as_str(), answer.exit), (words, Some(3)));
}
