//! Every finding, with its place and what to write instead.

use super::*;

const DOMAINS: [&str; 2] = ["containers", "self-update"];

/// What is printed for a document.
fn printed(document: &str) -> String {
    printed_with(document, Rollback::None)
}

/// The same where this is configured.
fn printed_with(document: &str, rollback: Rollback) -> String {
    let mut text = String::new();
    write_text(&mut text, "f", &check(document.as_bytes(), &DOMAINS, &[], rollback)).unwrap();
    text
}

/// The findings for a document, without the sum.
fn found(document: &str) -> String {
    let text = printed(document);
    let lines: Vec<&str> = text.lines().collect();
    lines[..lines.len() - 1].join("\n")
}

fn domain(inside: &str) -> String {
    format!(r#"{{"domains":[{{"id":"containers",{inside}}}]}}"#)
}

fn component(inside: &str) -> String {
    domain(&format!(r#""components":[{{{inside}}}]"#))
}

const GOOD: &str = r#"{
  "rollback": "baseline",
  "baselines": [{ "title": "b", "components": ["containers:one", "self-update:os-image"] }],
  "domains": [
    { "id": "containers", "config": [{ "key": "k", "value": "v" }],
      "components": [{ "id": "one", "version": "1", "x-more": [] }, { "id": "two", "version": "2" }] },
    { "id": "self-update", "components": [{ "id": "os-image", "version": "3", "config": [] }] }
  ]
}"#;

#[test]
fn a_good_desired_state_is_good_with_and_without_its_envelope() {
    let good =
        "f: good: 2 domains, 3 components, 1 baseline\nf: rollback baseline: 1 group\n    containers, self-update\n";
    assert_eq!(printed(GOOD), good);
    let enveloped = format!(r#"{{"activityId":"a","timestamp":1700000000000,"payload":{GOOD}}}"#);
    assert_eq!(printed(&enveloped), good);
}

#[test]
fn what_is_no_json_is_told_with_line_column_and_what_to_write() {
    let cases = [
        ("", "f:1:1: error: the message is empty\n    write {\"domains\": [...]}"),
        ("{\n  \"domains\": [],\n}", "f:2:16: error: a comma stands before the closing bracket\n    leave the comma out"),
        ("{\"domains\": [1 , ]}", "f:1:16: error: a comma stands before the closing bracket\n    leave the comma out"),
        ("{\"é\":\n // no\n 1}", "f:2:2: error: the message is not JSON: a value is expected\n    leave the comment out: JSON has none"),
        ("{'domains': []}", "f:1:2: error: the message is not JSON: a key is expected\n    write \" for each '"),
        ("{domains: []}", "f:1:2: error: the message is not JSON: a key is expected\n    write keys in double quotes: \"domains\""),
        ("{\"a\" = 1}", "f:1:6: error: the message is not JSON: a colon is expected\n    write : for ="),
        ("{\"a\" 1}", "f:1:6: error: the message is not JSON: a colon is expected\n    write a colon between the key and its value"),
        ("{\"é\": 1 \"b\": 2}", "f:1:9: error: the message is not JSON: a comma or the closing bracket is expected\n    write a comma before it"),
        ("{\"a\": [1}", "f:1:9: error: the message is not JSON: a comma or the closing bracket is expected\n    write ] before it"),
        ("[{\"a\": 1]", "f:1:9: error: the message is not JSON: a comma or the closing bracket is expected\n    write } before it"),
        ("{\"a\": [1,,2]}", "f:1:10: error: the message is not JSON: a value is expected\n    leave one comma out"),
        ("{\"a\": True}", "f:1:7: error: the message is not JSON: a value is expected\n    write true, false and null in small letters"),
        ("{\"a\": word}", "f:1:7: error: the message is not JSON: a value is expected\n    write texts in double quotes"),
        ("{\"a\": 01}", "f:1:8: error: the message is not JSON: a comma or the closing bracket is expected\n    write a comma before it"),
        ("{\"a\": 1.}", "f:1:7: error: the message is not JSON: a number is not well formed\n    write a number as 1, -1 or 1.5, or as a string: \"01\""),
        ("{\"a\": \"two\nlines\"}", "f:1:11: error: the message has a raw control character in a string\n    close the string with \", or write \\n for the end of a line"),
        ("{\"a\": \"c:\\dir\"}", "f:1:10: error: the message has an escape in a string that means nothing\n    write \\\\ for a backslash"),
        ("{\"a\": \"\\ud800\"}", "f:1:8: error: the message has half of a surrogate pair in a string\n    write the character itself"),
        ("{\"a\": 1", "f:1:8: error: the message ends too early\n    close each string, [ and {"),
        ("{}}", "f:1:3: error: the message goes on after its end\n    leave the bracket out, or open it before"),
        ("{} {}", "f:1:4: error: the message goes on after its end\n    keep one desired state in one file"),
        ("\u{feff}{}", "f:1:1: error: the message has a byte order mark\n    save it as UTF-8 without a byte order mark"),
    ];
    for (document, told) in cases {
        assert_eq!(found(document), told, "{document:?}");
    }
    let deep = "[".repeat(40);
    assert_eq!(found(&deep), "f:1:33: error: the message has more than 32 levels\n    nest it less deep");
    let mut latin = String::new();
    write_text(&mut latin, "f", &check(b"{\"\xe9\"}", &DOMAINS, &[], Rollback::None)).unwrap();
    assert_eq!(latin, "f:1:3: error: the message is not UTF-8\n    save it as UTF-8\nf: 1 error, 0 warnings\n");
}

#[test]
fn a_wrong_envelope_is_told() {
    let whole = |envelope: &str| envelope.replace('$', GOOD.replace('\n', " ").as_str());
    let cases = [
        ("[]", "f:1:1: error: the desired state is not an object\n    write {\"domains\": [...]}"),
        (r#"{"payload":$}"#, "f:1:1: error: the activity has no identifier, and no answer can name it\n    write \"activityId\": \"...\", another one for each activity"),
        (r#"{"activityId":"","payload":$}"#, "f:1:15: error: the activity has no identifier, and no answer can name it\n    write \"activityId\": \"...\", another one for each activity"),
        (r#"{"activityId":7,"payload":$}"#, "f:1:15: error: activityId is not a string\n    write \"7\""),
        (r#"{"activityId":"a","timestamp":"1","payload":$}"#, "f:1:31: error: timestamp is not an integer of 64 bits\n    write milliseconds since 1970, without quotes, point or exponent: 1700000000000"),
        (r#"{"activityId":"a","timestamp":1}"#, "f:1:1: error: the payload is missing\n    write \"payload\": {\"domains\": [...]}"),
        (r#"{"activityId":"a","Payload":$}"#, "f:1:1: error: the payload is missing\n    write \"payload\": {\"domains\": [...]}\nf:1:19: warning: Payload is not read\n    write \"payload\""),
        (r#"{"activityId":"a","payload":"{}"}"#, "f:1:29: error: payload is a string, not an object\n    write the object itself, without quotes around it and backslashes in it"),
        (r#"{"activityId":"a","payload":[]}"#, "f:1:29: error: payload is not an object\n    write {\"domains\": [...]}"),
        (r#"{"activityId":"a","payload":{"payload":$}}"#, "f:1:30: error: the desired state is nested once too deep in payload.payload\n    write its content in place of {\"payload\": ...}"),
        (r#"{"activityId":"a","payload":{"desiredState":$}}"#, "f:1:30: error: the desired state is nested once too deep in payload.desiredState\n    write its content in place of {\"desiredState\": ...}"),
        (r#"{"desiredState":$}"#, "f:1:2: error: the desired state is nested once too deep\n    leave out {\"desiredState\": and its closing bracket"),
        (r#"{"activityId":"a","desiredState":$}"#, "f:1:19: error: the desired state is nested once too deep\n    write \"payload\" for \"desiredState\""),
        (r#"{"activityId":"a","domains":[{"id":"containers"}]}"#, "f:1:1: error: the desired state stands in the envelope itself\n    write {\"activityId\": ..., \"payload\": {\"domains\": ...}}"),
    ];
    for (document, told) in cases {
        assert_eq!(found(&whole(document)), told, "{document}");
    }
    let long = format!(r#"{{"activityId":"{}","payload":{{"domains":[{{"id":"containers"}}]}}}}"#, "a".repeat(257));
    assert_eq!(found(&long), "f:1:15: error: activityId is longer than 256 bytes");
}

#[test]
fn a_wrong_domain_is_told() {
    let served = "write one of these, or name it in the configuration's \"agents\": containers, self-update";
    let nothing = format!("f:1:12: error: domains has no domain with an agent: nothing would be done\n    {served}\n");
    let cases = [
        ("{}", "f:1:1: error: the desired state names no domain: nothing would be done\n    write \"domains\": [{\"id\": ..., \"components\": [...]}]".to_owned()),
        (r#"{"domains":{"id":"containers"}}"#, "f:1:12: error: domains is not an array\n    write [{\"id\": ..., \"components\": [...]}]\nf:1:12: error: domains names no domain: nothing would be done\n    write \"domains\": [{\"id\": ..., \"components\": [...]}]".to_owned()),
        (r#"{"domains":["containers"]}"#, "f:1:13: error: domains[0] is not an object\n    write {\"id\": ..., \"components\": [...]}".to_owned()),
        (r#"{"domains":[{}]}"#, "f:1:13: error: domains[0] has no id\n    write \"id\": \"...\", the domain's name".to_owned()),
        (r#"{"domains":[{"id":""}]}"#, "f:1:19: error: domains[0].id is empty\n    write \"id\": \"...\", the domain's name".to_owned()),
        (r#"{"domains":[{"id":"safety-domain"}]}"#, format!("{nothing}f:1:19: warning: domains[0].id is safety-domain, for which there is no agent: it would be left out\n    {served}")),
        (r#"{"domains":[{"id":"container"}]}"#, format!("{nothing}f:1:19: warning: domains[0].id is container, for which there is no agent: it would be left out\n    write \"containers\"")),
        (r#"{"domains":[{"id":"selfupdate"}]}"#, format!("{nothing}f:1:19: warning: domains[0].id is selfupdate, for which there is no agent: it would be left out\n    write \"self-update\"")),
        (r#"{"domains":[{"id":"containersupdate"}]}"#, format!("{nothing}f:1:19: warning: domains[0].id is containersupdate, for which there is no agent: it would be left out\n    write \"containers\"")),
        (r#"{"domains":[{"id":"containers"},{"id":"containers"}]}"#, "f:1:39: error: domains[1].id repeats the domain containers\n    put its components into one entry".to_owned()),
        (r#"{"domain":[{"id":"containers"}]}"#, "f:1:1: error: the desired state names no domain: nothing would be done\n    write \"domains\": [{\"id\": ..., \"components\": [...]}]\nf:1:2: warning: domain is not read\n    write \"domains\"".to_owned()),
        (r#"{"domains":[{"id":"containers","id":"containers"}]}"#, "f:1:32: error: domains[0].id stands twice\n    leave out one of the two".to_owned()),
        (r#"{"domains":[{"id":"containers","parameters":[]}]}"#, "f:1:32: warning: domains[0].parameters is not read\n    write \"config\"".to_owned()),
    ];
    for (document, told) in cases {
        assert_eq!(found(document), told, "{document}");
    }
    let long = format!(r#"{{"domains":[{{"id":"containers"}},{{"id":"{}"}}]}}"#, "d".repeat(65));
    assert!(found(&long).starts_with("f:1:39: error: domains[1].id is longer than 64 bytes\n"), "{}", found(&long));
    let many: Vec<String> = (0..65).map(|n| format!(r#"{{"id":"containers{n}"}}"#)).collect();
    let many = found(&format!("{{\"domains\":[{}]}}", many.join(",")));
    assert!(many.contains("error: domains[64] is one too many: at most 64 domains are taken\n"), "{many}");
}

#[test]
fn a_wrong_component_is_told() {
    let at = "domains[0].components[0]";
    let cases = [
        (domain(r#""components":"one""#), "f:1:45: error: domains[0].components is not an array\n    write [{\"id\": ..., \"version\": ...}]".to_owned()),
        (domain(r#""components":["one"]"#), format!("f:1:46: error: {at} is not an object\n    write {{\"id\": ..., \"version\": ...}}")),
        (component(r#""version":"1""#), format!("f:1:46: error: {at} has no id\n    write \"id\": \"...\", the component's name")),
        (component(r#""id":"","version":"1""#), format!("f:1:52: error: {at}.id is empty\n    write \"id\": \"...\", the component's name")),
        (component(r#""id":"one""#), format!("f:1:46: warning: {at} has no version\n    write \"version\": \"...\"")),
        (component(r#""id":"one","version":"""#), format!("f:1:68: warning: {at}.version is empty\n    write the version")),
        (component(r#""id":"one","version":1.10"#), format!("f:1:68: error: {at}.version is not a string\n    write \"1.10\"")),
        (component(r#""id":"one","version":[]"#), format!("f:1:68: error: {at}.version is not a string\n    write \"...\"")),
        (component(r#""id":"containers:one","version":"1""#), format!("f:1:52: warning: {at}.id begins with its domain\n    write \"one\"")),
        (component(r#""id":"one","version":"1","version":"1""#), format!("f:1:72: error: {at}.version stands twice\n    leave out one of the two")),
        (component(r#""id":"one","version":"1","parameters":[]"#), format!("f:1:72: warning: {at}.parameters is not read\n    write \"config\"")),
        (component(r#""id":"one","Version":"1""#), format!("f:1:46: warning: {at} has no version\n    write \"version\": \"...\"\nf:1:58: warning: {at}.Version is not read\n    write \"version\"")),
        (component(r#""id":"one","version":"1","config":{"k":"v"}"#), format!("f:1:81: error: {at}.config is not an array\n    write [{{\"key\": \"...\", \"value\": \"...\"}}]")),
        (component(r#""id":"one","version":"1","config":["k=v"]"#), format!("f:1:82: error: {at}.config[0] is not an object\n    write {{\"key\": \"...\", \"value\": \"...\"}}")),
        (component(r#""id":"one","version":"1","config":[{"key":"k","value":true}]"#), format!("f:1:101: error: {at}.config[0].value is not a string\n    write \"true\"")),
        (component(r#""id":"one","version":"1","config":[{"name":"k","value":"v"}]"#), format!("f:1:82: warning: {at}.config[0] has no key\n    write {{\"key\": \"...\", \"value\": \"...\"}}\nf:1:83: warning: {at}.config[0].name is not read\n    write \"key\"")),
        (domain(r#""components":[{"id":"a","version":"1"},{"id":"\u0061","version":"2"}]"#), "f:1:77: warning: domains[0].components[1].id repeats the component a\n    leave out one of the two".to_owned()),
    ];
    for (document, told) in cases {
        assert_eq!(found(&document), told, "{document}");
    }
    let many: Vec<String> = (0..257).map(|n| format!(r#"{{"id":"c{n}","version":"1"}}"#)).collect();
    let many = found(&domain(&format!("\"components\":[{}]", many.join(","))));
    let (_, told) = many.split_once(' ').unwrap();
    assert_eq!(told, "error: domains[0].components[256] is one too many: at most 256 components are taken");
}

#[test]
fn a_wrong_baseline_is_told() {
    let with = |baselines: &str| {
        format!(
            r#"{{"baselines":{baselines},"domains":[{{"id":"containers","components":[{{"id":"one","version":"1"}}]}}]}}"#
        )
    };
    let cases = [
        (r#"{}"#, "f:1:14: error: baselines is not an array\n    write [{\"title\": ..., \"components\": [...]}]"),
        (r#"["b"]"#, "f:1:15: error: baselines[0] is not an object\n    write {\"title\": ..., \"components\": [\"domain:component\"]}"),
        (r#"[{"components":["containers:one"]}]"#, "f:1:15: warning: baselines[0] has no title\n    write \"title\": \"...\""),
        (r#"[{"name":"b","components":["containers:one"]}]"#, "f:1:15: warning: baselines[0] has no title\n    write \"title\": \"...\"\nf:1:16: warning: baselines[0].name is not read\n    write \"title\""),
        (r#"[{"title":"b"}]"#, "f:1:15: warning: baselines[0] has no component\n    write \"components\": [\"domain:component\"]"),
        (r#"[{"title":"b","components":[{"id":"one"}]}]"#, "f:1:15: warning: baselines[0] has no component\n    write \"components\": [\"domain:component\"]\nf:1:42: error: baselines[0].components[0] is not a string\n    write \"...\""),
        (r#"[{"title":"b","preconditions":["x"],"components":["containers:one"]}]"#, "f:1:44: error: baselines[0].preconditions is not a string\n    write \"...\""),
        (r#"[{"title":"b","components":["one"]}]"#, "f:1:42: warning: baselines[0].components[0] is one, which no domain here has\n    write \"containers:one\""),
        (r#"[{"title":"b","components":["container:one"]}]"#, "f:1:42: warning: baselines[0].components[0] is container:one, which no domain here has\n    write \"containers:one\""),
        (r#"[{"title":"b","components":["containers:two"]}]"#, "f:1:42: warning: baselines[0].components[0] is containers:two, which no domain here has\n    add the component to its domain, or leave it out here"),
        (r#"[{"title":"b","components":["maps:x"]}]"#, "f:1:42: warning: baselines[0].components[0] is maps:x, which no domain here has\n    write \"domain:component\", both as they stand in \"domains\""),
        (r#"[{"title":"b","components":["containers:one","containers:one"]}]"#, "f:1:59: warning: baselines[0].components[1] repeats containers:one\n    leave out one of the two"),
        (r#"[{"title":"b","components":["containers:one"]},{"title":"b","components":["containers:one"]}]"#, "f:1:70: warning: baselines[1].title repeats the baseline b\n    write another title"),
    ];
    for (baselines, told) in cases {
        assert_eq!(found(&with(baselines)), told, "{baselines}");
    }
    let both = r#"{"baselines":[{"title":"b","components":["one"]}],"domains":[{"id":"containers","components":[{"id":"containers:one","version":"1"}]}]}"#;
    let told = found(both);
    assert!(told.contains("which no domain here has\n    write \"containers:one\"\n"), "{told}");
    assert!(told.ends_with("begins with its domain\n    write \"one\""), "{told}");
}

#[test]
fn a_desired_state_that_is_too_large_is_told() {
    let large = component(&format!(r#""id":"one","version":"{}""#, "1".repeat(PAYLOAD_IN_MAX)));
    let bytes = large.len();
    let told = format!("f:1:1: error: the message has {bytes} bytes, at most 262144 are taken\n    put less into one desired state, or shorter values");
    assert_eq!(found(&large), told);
}

#[test]
fn all_findings_are_told_at_once_in_order_and_summed_up() {
    let document = "{\n \"domains\": [\n  {\"id\": \"containers\", \"components\": [\n   {\"id\": 5},\n   {\"id\": \"\\u001b[2J\", \"version\": 2}\n  ]}\n ]\n}";
    let told = "f:4:4: warning: domains[0].components[0] has no version\n    write \"version\": \"...\"\n\
                f:4:11: error: domains[0].components[0].id is not a string\n    write \"5\"\n\
                f:5:35: error: domains[0].components[1].version is not a string\n    write \"2\"\n\
                f: 2 errors, 1 warning\n";
    assert_eq!(printed(document), told);
    let many: Vec<String> = (0..200).map(|n| format!(r#"{{"id":"c{n}"}}"#)).collect();
    let many = printed(&domain(&format!("\"components\":[{}]", many.join(","))));
    assert!(many.ends_with("f: 0 errors, 200 warnings, 100 of them not shown\n"), "{many}");
    assert_eq!(many.lines().count(), 2 * FINDINGS_MAX + 1);
}

#[test]
fn nothing_of_the_document_reaches_the_terminal_as_it_is() {
    let document =
        r#"{"domains":[{"id":"containers","components":[{"id":"containers:\u001b[2J\u202e","version":"1"}]}]}"#;
    let text = found(document);
    assert!(text.ends_with(r#"write "\u{1b}[2J\u{202e}""#), "{text}");
}

#[test]
fn a_script_gets_the_same_as_json() {
    let mut text = String::new();
    write_json(
        &mut text,
        "a \"file\"",
        &check(component(r#""id":1,"version":"1""#).as_bytes(), &DOMAINS, &[], Rollback::None),
    )
    .unwrap();
    let finding = r#"{"line":1,"column":52,"kind":"error","what":"domains[0].components[0].id is not a string","instead":"write \"1\""}"#;
    let whole = format!(
        r#"{{"file":"a \"file\"","errors":1,"warnings":0,"findings":[{finding}],"rollback":"none","groups":[]}}"#
    );
    assert_eq!(text, format!("{whole}\n"));
}

#[test]
fn what_is_rolled_back_together_is_shown_if_anybody_says_it() {
    let document = |start: &str| {
        let domain = |id| format!(r#"{{"id":"{id}","components":[{{"id":"x","version":"1"}}]}}"#);
        format!(r#"{{{start}"domains":[{},{}]}}"#, domain("containers"), domain("self-update"))
    };
    let [both, one] = ["containers:x\",\"self-update:x", "self-update:x"]
        .map(|names| format!(r#""baselines":[{{"title":"b","components":["{names}"]}}],"#));
    let (none, baseline, device) = (Rollback::None, Rollback::Baseline, Rollback::Device);
    let (apart, together) = ("groups\n    containers\n    self-update\n", "1 group\n    containers, self-update\n");
    for (start, configured, expected) in [
        ("", none, String::new()),
        (r#""rollback":null,"#, none, String::new()),
        (r#""rollback":"none","#, device, "f: rollback none: each domain by itself\n".into()),
        (r#""rollback":"device","#, none, format!("f: rollback device: {together}")),
        ("", device, format!("f: rollback device: {together}")),
        (&both, baseline, format!("f: rollback baseline: {together}")),
        (&one, baseline, format!("f: rollback baseline: 2 {apart}")),
        (&format!(r#""rollback":"device",{one}"#), baseline, format!("f: rollback device: {together}")),
    ] {
        let text = printed_with(&document(start), configured);
        let (_, shown) = text.split_once('\n').unwrap();
        assert!(text.starts_with("f: good: ") && shown == expected, "{start} {configured:?}: {text}");
    }
    let mut json = String::new();
    write_json(&mut json, "f", &check(document(&one).as_bytes(), &DOMAINS, &[], Rollback::Device)).unwrap();
    let groups = r#""rollback":"device","groups":[["containers","self-update"]]}"#;
    assert_eq!(json, format!("{{\"file\":\"f\",\"errors\":0,\"warnings\":0,\"findings\":[],{groups}\n"));
}

#[test]
fn what_is_wrong_with_a_rollback_is_told() {
    let alone = "and there are no baselines: each domain would be rolled back by itself\n    \
        write \"rollback\": \"device\", or name in \"baselines\" what belongs together\n\
        f: 0 errors, 1 warning\nf: rollback baseline:";
    let no_word = "f:1:13: error: rollback is none of none, baseline, device";
    let one = r#""domains":[{"id":"containers"}]"#;
    let two = r#""domains":[{"id":"containers"},{"id":"self-update"}]"#;
    let unserved = r#""domains":[{"id":"containers"},{"id":"self-updat"}]"#;
    let (none, baseline, device) = (Rollback::None, Rollback::Baseline, Rollback::Device);
    for (start, domains, configured, told) in [
        (r#""rollback":"baseline","#, one, none, format!("f:1:13: warning: rollback is baseline, {alone} 1 group\n")),
        (r#""rollback":"baseline","baselines":[],"#, two, none, format!("f:1:13: warning: rollback is baseline, {alone} 2 groups\n")),
        ("", one, baseline, "f: good: 1 domain, ".into()),
        ("", two, baseline, format!("f:1:1: warning: the desired state is for a device with rollback baseline, {alone} 2 groups\n")),
        ("", two, device, "f: good: 2 domains, ".into()),
        (r#""rollback":"Devise","#, one, none, format!("{no_word}\n    write \"device\"\nf: 1 error")),
        (r#""rollback":"all","#, one, device, format!("{no_word}\n    write one of these: none, baseline, device\nf: 1 error")),
        (r#""rollback":true,"#, one, none, "f:1:13: error: rollback is not a string\n    write \"true\"\nf: 1 error".into()),
        (r#""rollbak":"device","#, one, none, "f:1:2: warning: rollbak is not read\n    write \"rollback\"\n".into()),
        ("", unserved, none, "f:1:39: warning: domains[1].id is self-updat, for which there is no agent: it would be left out\n".into()),
        ("", unserved, device, "f:1:39: error: domains[1].id is self-updat, for which there is no agent: with rollback device the activity would fail\n    write \"self-update\"\nf: 1 error".into()),
    ] {
        let text = printed_with(&format!("{{{start}{domains}}}"), configured);
        assert!(text.starts_with(&told), "{start} {configured:?}: {text}\n{told}");
    }
}

/// Each way to cut a piece out of a good document, or to put one in.
fn damaged() -> impl Iterator<Item = String> {
    let pieces = ["\"", "{", "}", "[", "]", ",", ":", "1", "null", "\\", "\"id\":", "{}", "[]", "\"a\""];
    let starts: Vec<usize> = (0..GOOD.len()).filter(|at| !GOOD.as_bytes()[*at].is_ascii_whitespace()).collect();
    starts.into_iter().flat_map(move |at| {
        let put = pieces.iter().map(move |piece| format!("{}{piece}{}", &GOOD[..at], &GOOD[at..]));
        let cut =
            (1..12).filter(move |n| at + n <= GOOD.len()).map(move |n| format!("{}{}", &GOOD[..at], &GOOD[at + n..]));
        put.chain(cut).collect::<Vec<_>>()
    })
}

#[test]
fn whatever_the_manager_refuses_is_an_error_and_nothing_else() {
    let mut refused = 0;
    for document in damaged() {
        let enveloped = format!(r#"{{"activityId":"a","payload":{document}}}"#);
        let takes = |bytes: &str| Envelope::decode(bytes.as_bytes()).and_then(|e| desired_state::decode(&e).map(drop));
        let report = check(document.as_bytes(), &DOMAINS, &[], Rollback::None);
        // Of these it makes an activity that ends at once.
        let ends = ["nothing would be done", "too deep", "the activity would fail"];
        let ends = report.findings.iter().any(|f| ends.iter().any(|words| f.what.contains(words)));
        let is_refused = takes(&enveloped).is_err();
        refused += usize::from(is_refused);
        assert!(ends || (report.errors > 0) == is_refused, "{document}\n{report:?}");
    }
    assert!(refused > 1000, "{refused}");
}
