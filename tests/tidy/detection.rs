//! Whatever breaks a rule is found, and nothing else.

use crate::imports::imports;
use crate::json::spelled_elsewhere;
use crate::{flaws, read_all, Language, Source, FIELDS_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX};

fn rust(path: &str, text: &str) -> Source {
    Source::new(path, Language::Rust, text)
}

/// What is found in one file.
fn in_file(language: Language, text: &str) -> Vec<String> {
    flaws(&[Source::new("tests/f", language, text)], &[])
}

/// What is found among files of Rust, each with its path.
fn in_files(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files.iter().map(|(path, text)| rust(path, text)).collect();
    flaws(&sources, &[])
}

#[test]
fn the_sources_are_seen_with_what_is_in_them() {
    let sources = read_all();
    for (path, language, function) in [
        ("src/mqtt/session.rs", Language::Rust, "poll_transmit"),
        ("src/world/scenario.rs", Language::Rust, "settle"),
        ("tests/fuzz/targets/engine.rs", Language::Rust, "take"),
        ("examples/backend/main.rs", Language::Rust, "main"),
        ("tests/console.py", Language::Python, "main"),
        ("tests/run", Language::Shell, "step_lint"),
        ("packaging/build", Language::Shell, "gather"),
    ] {
        let source = sources.iter().find(|source| source.path == path).expect(path);
        assert_eq!(source.language, language, "{path}");
        let size = source.functions().iter().find(|item| item.name == function).map(|item| item.size);
        assert!(size.is_some_and(|lines| lines > 1), "{path}: {function} has {size:?} lines");
    }
    let structs = sources.iter().flat_map(Source::structs);
    let config = structs.into_iter().find(|item| item.name == "Config").expect("a struct");
    assert!(config.size > FIELDS_MAX);
    let imports = imports(&sources);
    assert!(imports["shell"].contains_key("manager") && imports["engine"].contains_key("model"), "{imports:?}");
}

#[test]
fn a_file_of_too_many_lines_is_found() {
    for language in [Language::Rust, Language::Python, Language::Shell] {
        assert_eq!(in_file(language, &"\n".repeat(FILE_LINES_MAX)), [""; 0]);
        assert_eq!(in_file(language, &"\n".repeat(FILE_LINES_MAX + 1)), ["tests/f: 501 lines, at most 500"]);
    }
}

#[test]
fn a_function_of_too_many_lines_is_found() {
    // Each with the lines of the function that are not repeated.
    for (language, head, line, end, own) in [
        (Language::Rust, "\nimpl A {\n    fn long(a: [u8; 4]) -> u8 {", "\n        {}", "\n    }\n}\n", 2),
        (Language::Rust, "\n\npub async fn long<T>()\nwhere\n    T: Fn(u8) -> u8,\n{", "\n    '{';", "\n}\n", 5),
        (Language::Python, "import a\n\ndef long(\n):", "\n    a", "\n\n\nA = 1\n", 2),
        (
            Language::Python,
            "import a\nclass A:\n    async def long(a):",
            "\n        a",
            "\n    def b():\n        a\n",
            1,
        ),
        (Language::Shell, "#!/bin/sh\n\nlong() { # title", "\n  a", "\n}\n\na\n", 2),
    ] {
        let function = |lines| format!("{head}{}{end}", line.repeat(lines - own));
        assert_eq!(in_file(language, &function(FUNCTION_LINES_MAX)), [""; 0], "{head}");
        let found = in_file(language, &function(FUNCTION_LINES_MAX + 1));
        assert_eq!(found, ["tests/f:3: long has 71 lines, at most 70"], "{head}");
    }
}

#[test]
fn a_struct_of_too_many_fields_is_found() {
    for (head, field, end) in [
        ("struct Wide {", "/** A, b: */ #[a(b, c)] pub(crate) a: BTreeMap<u8, Box<dyn Fn(u8, u8) -> u8>>, ", "}"),
        ("pub struct Wide<'a, F: Fn(u8) -> [u8; 2]>\nwhere F: Copy {", "a: &'a F, ", "}"),
        ("fn f() { struct Wide<T>", "(T, u8), ", "); }"),
    ] {
        let head = if field.starts_with("(T") { format!("{head}(") } else { head.to_owned() };
        let fields = |count| format!("{head}{}{end}", field.repeat(count));
        assert_eq!(in_file(Language::Rust, &fields(FIELDS_MAX)), [""; 0], "{head}");
        let found = in_file(Language::Rust, &fields(FIELDS_MAX + 1));
        assert_eq!(found, ["tests/f:1: Wide has 13 fields, at most 12"], "{head}");
    }
}

#[test]
fn an_exception_is_for_one_struct_that_needs_it() {
    let wide = rust("src/a.rs", &format!("struct Wide {{ {} }}", "a: u8, ".repeat(FIELDS_MAX + 1)));
    let narrow = rust("src/b.rs", "struct Narrow;");
    let sources = [wide, narrow];
    assert_eq!(flaws(&sources, &[("src/a.rs", "Wide")]), [""; 0]);
    let found = flaws(&sources, &[("src/b.rs", "Narrow"), ("src/b.rs", "Wide")]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[1..], ["src/b.rs: Narrow needs no exception", "src/b.rs: Wide needs no exception"]);
}

#[test]
fn circles_of_any_length_are_found() {
    for (files, circle) in [
        (
            &[("src/a/x.rs", "use crate::b::B;"), ("src/b.rs", "\nuse crate::a;")][..],
            "a imports b (src/a/x.rs:1), b imports a (src/b.rs:2)",
        ),
        (
            &[
                ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
                ("src/a/mod.rs", "use super::b;"),
                ("src/b/x.rs", "use crate::{\n    model::{A, a},\n    c::{self, C},\n};"),
                ("src/c/x/y.rs", "fn f() { super::super::super::d::f() }"),
                ("src/d/mod.rs", "mod x; use x::X;"),
                ("src/d/x.rs", "fn f(a: crate::b::B) {}"),
            ][..],
            "b imports c (src/b/x.rs:1), c imports d (src/c/x/y.rs:1), d imports b (src/d/x.rs:1)",
        ),
    ] {
        assert_eq!(in_files(files), [format!("a circle: {circle}")]);
    }
}

#[test]
fn tests_comments_and_names_of_others_make_no_circle() {
    let b = ("src/b/mod.rs", "use crate::a;");
    for a in [
        ("src/a/mod.rs", "use crate::{B, a::b, c::b}; // crate::b\n/* use crate::b; */ \"crate::b\""),
        ("src/a/mod.rs", "#[cfg(test)]\nmod tests {\n    fn f() { crate::b::f() }\n}"),
        ("src/a/mod.rs", "#[cfg(test)]\nuse crate::b;"),
        ("src/lib.rs", "use crate::b;"),
        ("tests/a.rs", "use crate::b;"),
    ] {
        assert_eq!(in_files(&[b, ("src/a/z.rs", ""), a]), [""; 0], "{a:?}");
    }
    let of_tests = ("src/a/mod.rs", "#[cfg(test)]\npub(crate) mod tests;\n#[cfg(test)]\nmod late_tests;");
    let [tests, late] = ["src/a/tests/x.rs", "src/a/late_tests.rs"].map(|path| (path, "use crate::b;"));
    assert_eq!(in_files(&[b, of_tests, tests, late]), [""; 0]);
    assert_eq!(in_files(&[b, tests, late]).len(), 1, "they are not tests for their name alone");
    let behind = "#[cfg(test)]\nmod tests {\n    mod x {}\n}\nuse crate::b;";
    assert_eq!(
        in_files(&[b, ("src/a/mod.rs", behind)]),
        ["a circle: a imports b (src/a/mod.rs:5), b imports a (src/b/mod.rs:1)"]
    );
}

#[test]
fn json_outside_of_wire_is_found() {
    for code in [
        r##"const A: &str = "{\"a";"##,
        r##"fn f() { write!(out, "{{\"{}\"", 1) }"##,
        r##"const A: &[u8] = b",\"a\":";"##,
        r###"fn f() { ("a", '"', br#"{"a"#) }"###,
        r###"const A: &str = r#","a":1"#;"###,
        "/* \u{e9} */ const A: &str = \"\u{e9}\\n{\\\"\";",
        "#[cfg(test)]\nmod tests { }\nconst A: &str = \"{\\\"\";",
    ] {
        let found = spelled_elsewhere(&[rust("src/a/x.rs", code)], &[]);
        let place = format!("src/a/x.rs:{}: JSON is spelled outside of src/wire: ", code.lines().count());
        assert!(matches!(&found[..], [found] if found.starts_with(&place)), "{code}: {found:?}");
        for path in ["src/wire/x.rs", "src/world/x.rs", "tests/x.rs"] {
            assert_eq!(spelled_elsewhere(&[rust(path, code)], &[]), [""; 0], "{path}: {code}");
        }
    }
}

#[test]
fn tests_comments_and_other_strings_spell_no_json() {
    let of_tests = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod more;";
    let json = "const A: &str = \"{\\\"a\\\":1}\";";
    let tests = || ["src/a/b/tests.rs", "src/a/b/tests/x.rs", "src/a/b_tests.rs"].map(|path| rust(path, json));
    for code in [
        of_tests.to_owned(),
        format!("{of_tests}\n// {json}\n/* {json} */"),
        format!("{of_tests}\n#[cfg(test)]\nmod late {{ {json} }}"),
        format!("{of_tests}\nfn f() {{ (\"\", '{{', '\"', \"{{a}} \\\"{{b}}\\\" c:\", r\"{{\\\") }}"),
    ] {
        let sources: Vec<Source> = tests().into_iter().chain([rust("src/a/b.rs", &code)]).collect();
        assert_eq!(spelled_elsewhere(&sources, &[]), [""; 0], "{code}");
    }
    assert_eq!(spelled_elsewhere(&tests(), &[]).len(), 3, "they are not tests for their name alone");
}

#[test]
fn an_exception_for_json_is_for_a_file_that_needs_it() {
    let sources = [rust("src/a.rs", "const A: &str = \"{\\\"\";"), rust("src/b.rs", "const A: &str = \"{}\";")];
    assert_eq!(spelled_elsewhere(&sources, &["src/a.rs"]), [""; 0]);
    let found = spelled_elsewhere(&sources, &["src/a.rs", "src/b.rs", "src/c.rs"]);
    assert_eq!(found, ["src/b.rs: needs no exception for JSON", "src/c.rs: needs no exception for JSON"]);
}

#[test]
fn literals_and_comments_hide_nothing_behind_them() {
    let long = format!("\nfn long() {{{}\n}}", "\n    ();".repeat(FUNCTION_LINES_MAX - 1));
    for hidden in [
        r#"const A: &str = "}";"#,
        r##"const A: &str = "\\\"{ // ";"##,
        r###"const A: &[u8] = br#""{ /* "#;"###,
        r##"const A: &str = r"\";"##,
        "const A: [char; 4] = ['{', '\\'', '\"', '\\u{7b}'];",
        "fn f<'a>(a: &'a str) {}",
        "/* /* { */ { \" */",
        "// {\"'",
        "const A: &str = \"\u{e9}{\n\";",
    ] {
        let found = in_file(Language::Rust, &format!("{hidden}{long}"));
        let line = hidden.lines().count() + 1;
        assert_eq!(found, [format!("tests/f:{line}: long has 71 lines, at most 70")], "{hidden}");
    }
}
