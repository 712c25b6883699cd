//! The inventory at the console: in pieces, of which each is encoded anew (docs/console.md).

use serde_json::{json, Value};
use update_manager::console::view::Host;
use update_manager::limits::CONSOLE_PIECE;
use update_manager::manager::{Place, Reply};
use update_manager::world::scenario::World;

const TWO: [&str; 2] = ["one", "two"];

/// Agents of both domains report software with such a name of so many letters.
fn known(letters: [(&str, usize); 2]) -> World {
    let mut world = World::plain(&TWO);
    for (domain, (letter, count)) in TWO.into_iter().zip(letters) {
        reports(&mut world, domain, &letter.repeat(count));
    }
    world
}

fn reports(world: &mut World, domain: &str, name: &str) {
    let nodes = json!({ "softwareNodes": [{ "id": format!("{domain}-node"), "name": name }] });
    world.agent_has(domain, json!({ "activityId": "", "timestamp": world.wall(), "payload": nodes }).to_string());
    world.run_for(10);
}

/// Asks for the piece from there on.
fn piece(world: &mut World, from: Option<Place>) -> (Reply, String) {
    let configuration = &String::new;
    let host = Host { broker: &"broker", may_control: true, resident_kib: || 0, link_error: "", configuration };
    let (now, mut piece) = (world.clock.now(), String::new());
    let reply = world.manager.handle_console(now, &host, br#"{"command":"inventory"}"#, from, &mut piece);
    assert!(piece.len() <= CONSOLE_PIECE, "{}", piece.len());
    (reply, piece)
}

/// The rest of an answer of which this is the first piece, and its place.
fn go_on(world: &mut World, mut answer: String, mut place: Place) -> Value {
    loop {
        let (reply, more) = piece(world, Some(place));
        answer.push_str(&more);
        match reply {
            Reply::Piece(next) => place = next,
            Reply::Whole => return serde_json::from_str(&answer).unwrap(),
            _ => panic!("{reply:?}"),
        }
    }
}

#[test]
fn the_pieces_make_one_answer_wherever_they_are_cut() {
    for more in 0..8 {
        let letters = [("ä€x", 5_000 + more), ("🚗", 1_000)];
        let mut world = known(letters);
        let (Reply::Piece(place), first) = piece(&mut world, None) else { panic!("it is larger than a piece") };
        let answer = go_on(&mut world, first, place);
        let names = answer["data"]["softwareNodes"].as_array().unwrap().iter().skip(1).map(|node| &node["name"]);
        let expected = letters.map(|(letter, count)| Value::from(letter.repeat(count)));
        assert_eq!(names.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        assert_eq!(answer["exit"], 0);
    }
}

#[test]
fn a_small_inventory_is_one_piece() {
    let (reply, answer) = piece(&mut known([("a", 10), ("b", 10)]), None);
    assert_eq!((reply, answer.ends_with(",\"exit\":0}\n")), (Reply::Whole, true), "{answer}");
}

#[test]
fn an_answer_is_cut_off_when_an_inventory_changes_and_not_when_it_is_reported_again() {
    let mut world = known([("a", 10_000), ("b", 10_000)]);
    let (Reply::Piece(place), first) = piece(&mut world, None) else { panic!("it is larger than a piece") };
    reports(&mut world, "one", &"a".repeat(10_000));
    let answer = go_on(&mut world, first, place);
    assert_eq!(answer["data"]["softwareNodes"][2]["name"], "b".repeat(10_000));
    reports(&mut world, "two", "c");
    assert_eq!(piece(&mut world, Some(place)), (Reply::Cut, String::new()));
    let (Reply::Piece(place), first) = piece(&mut world, None) else { panic!("it is larger than a piece") };
    assert_eq!(go_on(&mut world, first, place)["data"]["softwareNodes"][2]["name"], "c");
}
