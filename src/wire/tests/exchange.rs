//! What passes, byte for byte, and what is written.

use super::*;
use crate::model::{ActionStatus, Command, Status};
use crate::wire::encode::{ActionView, Count, SliceWriter, Words};
use core::fmt::Write;

const BASELINES: &str = r#"{"domains":[
    {"id":"containers","config":[],"components":[{"id":"comp0","version":"1.0"}]},
    {"id":"self-update", "x" : [ 1e999 , "\ud83d\ude00\/é" ] ,"components":[ {"id":"os","y":null} ] },
    {"id":"\u0065mpty"}],
  "baselines":[
    {"title":"both","description":"d","preconditions":"p","components":["containers:comp0","self-update:comp0","containers:comp1"],"z":{"components":["containers:no"]}},
    {"title":"only\u0063","components":["\u0063ontainers:comp\u0031"]},
    {"title":"none","components":["other:x","containersx:y","containers","container:s:x"]},
    {"components":null,"title":"null"},
    {"title":"empty"}]}"#;

#[test]
fn an_agent_gets_its_entry_as_it_came_and_just_its_baselines() {
    let message = message(BASELINES);
    let state = desired_state_of(message.as_bytes()).unwrap();
    let copy = message.clone().into_bytes();
    let parts = [0, 1, 2].map(|ix| part(&copy, &state, ix));
    assert_eq!(
        parts[0],
        concat!(
            r#"{"baselines":[{"title":"both","description":"d","preconditions":"p","components":["containers:comp0","containers:comp1"],"z":{"components":["containers:no"]}},"#,
            r#"{"title":"only\u0063","components":["\u0063ontainers:comp\u0031"]}],"#,
            r#""domains":[{"id":"containers","config":[],"components":[{"id":"comp0","version":"1.0"}]}]}"#
        )
    );
    assert_eq!(
        parts[1],
        concat!(
            r#"{"baselines":[{"title":"both","description":"d","preconditions":"p","components":["self-update:comp0"],"z":{"components":["containers:no"]}}],"#,
            r#""domains":[{"id":"self-update", "x" : [ 1e999 , "\ud83d\ude00\/é" ] ,"components":[ {"id":"os","y":null} ] }]}"#
        )
    );
    assert_eq!(parts[2], r#"{"domains":[{"id":"\u0065mpty"}]}"#);
    assert!(state.domain_id(&copy, 2).unwrap().eq_str("empty"));
    assert_eq!(state.domain_id(&copy, 3), None);
}

#[test]
fn the_domain_of_a_component_ends_at_the_first_colon() {
    let payload = r#"{"domains":[{"id":"a:b"},{"id":"a"}],"baselines":[{"components":["a:b:c"]}]}"#;
    let message = message(payload);
    let state = desired_state_of(message.as_bytes()).unwrap();
    assert_eq!(part(message.as_bytes(), &state, 0), r#"{"domains":[{"id":"a:b"}]}"#);
    assert_eq!(
        part(message.as_bytes(), &state, 1),
        r#"{"baselines":[{"components":["a:b:c"]}],"domains":[{"id":"a"}]}"#
    );
}

#[test]
fn a_part_of_another_message_fails_and_does_not_panic() {
    let message = message(BASELINES);
    let state = desired_state_of(message.as_bytes()).unwrap();
    for bytes in [b"".as_slice(), b"{}", &[b'"'; 900], &[b'['; 900], &[0xff; 900], "é".repeat(450).as_bytes()] {
        for ix in 0..4 {
            assert!(desired_state::encode_part(bytes, &state, ix, &mut String::new()).is_err());
            let _ = state.domain_id(bytes, ix);
        }
    }
}

#[test]
fn a_desired_state_may_leave_out_what_is_empty() {
    for payload in ["{}", r#"{"domains":null,"baselines":null}"#, r#"{"domains":[],"z":1}"#] {
        assert_eq!(desired_state_of(message(payload).as_bytes()).unwrap().domains(), 0);
    }
    let sparse =
        r#"{"domains":[{"id":"c","config":null,"components":[{"id":"a","version":null,"config":[{"key":null},{}]}]}]}"#;
    assert_eq!(desired_state_of(message(sparse).as_bytes()).unwrap().domains(), 1);
}

#[test]
fn what_the_protocol_does_not_know_passes() {
    for entry in [
        r#"{"id": "containers", "x": 1, "components": [{"id": "a", "version": "1", "y": {}}]}"#,
        r#"{"id": "containers", "components": [{"id": "a<b>&\u2028\u00e9", "version": "1", "config": []}]}"#,
        "{\"id\":\"containers\",\"components\":[{\"id\":\"a<b>&\u{2028}é\"}]}",
    ] {
        let message = message(&format!(r#"{{"domains": [{entry}], "z": 1}}"#));
        let state = desired_state_of(message.as_bytes()).unwrap();
        assert_eq!(part(message.as_bytes(), &state, 0), format!(r#"{{"domains":[{entry}]}}"#));
    }
}

#[test]
fn an_agents_feedback_is_read_as_it_is_written() {
    let component = r#"{ "version" : "1.0" , "id" : "containers:\u0063omp" , "extra" : [ {} ] }"#;
    let payload = format!(
        r#"{{"status":"COMPLETE","message":"said \"no\"","baseline":"b","actions":[
            {{"component":{component},"status":"UPDATED","progress":100,"message":"\n"}},
            {{"component":{{"id":"x"}},"status":"BOGUS","progress":null,"message":null}}]}}"#
    );
    let message = message(&payload);
    let (head, actions) = feedback_of(message.as_bytes()).unwrap();
    assert_eq!((head.status, head.message.as_json()), (Status::Completed, r#"said \"no\""#));
    assert_eq!(actions[0].component, component);
    assert!(actions[0].id.eq_str("containers:comp"));
    assert_eq!((actions[0].status, actions[0].progress), (Some(ActionStatus::UpdateSuccess), 100));
    assert_eq!(actions[0].message.as_json(), r"\n");
    assert_eq!((actions[1].status, actions[1].progress, actions[1].message.is_empty()), (None, 0, true));

    let written = enveloped("m", |out| feedback::encode(out, head.status, head.message, &actions).unwrap());
    let second = format!(
        concat!(
            r#"{{"activityId":"m","timestamp":1,"payload":{{"status":"COMPLETED","message":"said \"no\"","actions":["#,
            r#"{{"component":{},"status":"UPDATE_SUCCESS","progress":100,"message":"\n"}},{{"component":{{"id":"x"}}}}]}}}}"#
        ),
        component
    );
    assert_eq!(written, second);
    let (again, actions_again) = feedback_of(written.as_bytes()).unwrap();
    assert_eq!((again.status, again.message, actions_again.len()), (head.status, head.message, 2));
}

#[test]
fn a_progress_past_100_is_taken_as_100() {
    for (told, taken) in [("0", 0), ("100", 100), ("101", 100), ("255", 100)] {
        let action = format!(r#"{{"component":{{"id":"a"}},"status":"DOWNLOAD_SUCCESS","progress":{told}}}"#);
        let message = message(&format!(r#"{{"status":"DOWNLOAD_SUCCESS","actions":[{action}]}}"#));
        let (head, actions) = feedback_of(message.as_bytes()).unwrap();
        assert_eq!((head.status, actions[0].progress), (Status::DownloadSuccess, taken), "{told}");
    }
}

#[test]
fn a_feedback_may_hold_a_status_alone() {
    for (payload, status) in [
        (r#"{"status":"DOWNLOADING","actions":null}"#, Status::Downloading),
        (r#"{"status":"BOGUS"}"#, Status::Unknown),
    ] {
        let message = message(payload);
        let (head, actions) = feedback_of(message.as_bytes()).unwrap();
        assert_eq!((head.status, head.message.is_empty(), actions.len()), (status, true, 0));
    }
    let written = enveloped("", |out| feedback::encode(out, Status::Identifying, Text::EMPTY, &[]).unwrap());
    assert_eq!(written, r#"{"activityId":"","timestamp":1,"payload":{"status":"IDENTIFYING"}}"#);
}

#[test]
fn an_inventory_is_kept_as_it_came_and_its_root_found() {
    let application = |id: &str, domain: &str| {
        format!(r#"{{"id":"{id}","type":"APPLICATION","parameters":[{{}},{{"key":"domain","value":"{domain}"}}]}}"#)
    };
    let node = r#"{ "id":"a\u0062", "type":"WEIRD", "extra":1 }"#;
    for (software, root) in [
        (String::new(), None),
        (node.to_string(), Some(r"a\u0062")),
        (format!("{node} , {}", application("app", "containers")), Some("app")),
        (format!("{node},{}", application("app", "other")), Some(r"a\u0062")),
        (format!("{},{}", application("one", "c\\u006fntainers"), application("two", "containers")), Some("one")),
        (format!("{node},{}", application("app", "containers").replace("APPLICATION", "IMAGE")), Some(r"a\u0062")),
    ] {
        let message =
            message(&format!(r#"{{"softwareNodes":[ {software} ],"associations":null,"hardwareNodes":[ ]}}"#));
        let inventory = inventory_of(message.as_bytes()).unwrap();
        assert_eq!(inventory.software, software);
        assert_eq!((inventory.hardware, inventory.associations), ("", ""));
        assert_eq!(inventory.root.map(|root| root.as_json()), root);
        let written = enveloped("m", |out| inventory::encode(out, &inventory).unwrap());
        assert_eq!(inventory_of(written.as_bytes()).unwrap(), inventory);
    }
    let message =
        message(r#"{"hardwareNodes":[{"id":"h","addressable":true}],"associations":[{"sourceId":"","targetId":"x"}]}"#);
    let inventory = inventory_of(message.as_bytes()).unwrap();
    assert_eq!(inventory.root, None);
    assert_eq!(enveloped("m", |out| inventory::encode(out, &inventory).unwrap()), message);
    assert_eq!(enveloped("m", |out| inventory::encode(out, &Default::default()).unwrap()), self::message("{}"));
}

#[test]
fn a_report_is_written_in_pieces() {
    let write = |out: &mut dyn Write| {
        encode::head(out, Text::parse(r"act\u00311").unwrap(), 17)?;
        let words: Words<'_> = Some(&|out| crate::model::text::Escaping(out).write_str("[containers] said \"no\"\n"));
        encode::feedback_head(out, Status::Incomplete, words)?;
        let view = ActionView { component: r#"{"id":"a"}"#, status: None, progress: 0, message: "" };
        let second = ActionView { status: Some(ActionStatus::Removing), progress: 7, message: r"\t", ..view };
        encode::feedback_actions(out, [view, second].into_iter())?;
        out.write_str(encode::TAIL)?;
        out.write_str(encode::TAIL)
    };
    let expected = concat!(
        r#"{"activityId":"act\u00311","timestamp":17,"payload":{"status":"INCOMPLETE","message":"[containers] said \"no\"\n","#,
        r#""actions":[{"component":{"id":"a"}},{"component":{"id":"a"},"status":"REMOVING","progress":7,"message":"\t"}]}}"#
    );
    let mut count = Count::default();
    write(&mut count).unwrap();
    assert_eq!(count.bytes, expected.len());
    let mut buffer = vec![0; count.bytes];
    let mut writer = SliceWriter::new(&mut buffer);
    write(&mut writer).unwrap();
    assert_eq!(writer.written(), expected.as_bytes());
    let mut short = vec![0; count.bytes - 1];
    let mut writer = SliceWriter::new(&mut short);
    assert!(write(&mut writer).is_err());
    assert_eq!(writer.written(), &expected.as_bytes()[..count.bytes - 1]);
}

#[test]
fn commands_and_requests_are_written_as_the_reference_does() {
    for (command, name) in [
        (Command::Download, "DOWNLOAD"),
        (Command::Update, "UPDATE"),
        (Command::Activate, "ACTIVATE"),
        (Command::Rollback, "ROLLBACK"),
        (Command::Cleanup, "CLEANUP"),
    ] {
        let written = enveloped("act-1", |out| encode::command(out, command).unwrap());
        let expected = format!(r#"{{"activityId":"act-1","timestamp":1,"payload":{{"command":"{name}"}}}}"#);
        assert_eq!(written, expected);
    }
    let written = enveloped("get", |out| out.push_str(encode::NULL));
    assert_eq!(written, r#"{"activityId":"get","timestamp":1,"payload":null}"#);
}
