//! Who takes nothing from the heap, and who gives it back.

use std::cell::RefCell;

use heapless::{String, Vec};
use update_manager::engine::policy::{Lockstep, Policy, Step, View};
use update_manager::engine::Policies;
use update_manager::inventory::inventories::Inventories;
use update_manager::limits::{ACTIONS_MAX, COMPONENTS_MAX};
use update_manager::model::text::Text;
use update_manager::model::{Command, DomainIx, Status};
use update_manager::wire::{desired_state, encode, feedback, inventory as wire_inventory, Envelope};

use update_manager::world::actors::{desired_state as desired, inventory, Obedient, Owner};
use update_manager::world::heap;
use update_manager::world::scenario::World;
use update_manager::world::settings::led_by;

#[test]
#[should_panic = "the engine takes memory from the heap"]
fn a_policy_that_takes_memory_is_found_out() {
    struct Greedy(RefCell<std::vec::Vec<Step>>);
    impl Policy for Greedy {
        fn name(&self) -> &'static str {
            "greedy"
        }
        fn next(&self, view: &View<'_>) -> Step {
            let step = Lockstep.next(view);
            self.0.borrow_mut().push(step);
            step
        }
    }
    let policies = Policies::only(Greedy(RefCell::default()));
    led_by(policies, || {
        let mut world = World::plain(&["one"]).joined_by(Obedient::paced("one", 500));
        pass_activity(&mut world, 0);
    });
}

/// Everybody in one world: agents, an owner who is asked.
fn world() -> World {
    let consent = r#""ownerConsentCommands": ["DOWNLOAD", "ACTIVATE"]"#;
    World::with(&["one", "two"], consent)
        .joined_by(Obedient::paced("one", 500))
        .joined_by(Obedient::paced("two", 700))
        .joined_by(Owner { answer: "APPROVED", after_ms: 100 })
}

fn pass_activity(world: &mut World, n: usize) {
    let activity = format!("act-{n:04}");
    world.backend_applies(&activity, &desired(&["one", "two"]));
    world.run_for(60_000);
    assert_eq!(world.last(&activity).status, "COMPLETED");
}

#[test]
fn what_an_activity_took_from_the_heap_it_has_given_back_at_its_end() {
    let mut world = world();
    // What grows once to its size does so in the first ones.
    (0..40).for_each(|n| pass_activity(&mut world, n));
    let before = heap::so_far();
    pass_activity(&mut world, 40);
    let of_one = heap::so_far().calls - before.calls;
    (41..60).for_each(|n| pass_activity(&mut world, n));
    let after = heap::so_far();
    assert_eq!(after.bytes, before.bytes, "bytes that 20 activities took and did not give back");
    assert_eq!(after.calls - before.calls, 20 * of_one, "each activity asks as often for memory");
    // MQTT's codec asks for two pieces a message that comes in; the rest is for topics and log lines.
    assert!((20..400).contains(&of_one), "{of_one}");
}

#[test]
fn reading_a_message_takes_nothing_from_the_heap() {
    let component = |n: usize| format!(r#"{{"id":"c{n}","version":"1","config":[{{"key":"k","value":"\u0061"}}]}}"#);
    let components: std::vec::Vec<_> = (0..COMPONENTS_MAX).map(component).collect();
    let list = components.join(",");
    let desired = format!(
        r#"{{"activityId":"a","timestamp":1,"payload":{{"baselines":[{{"title":"b","components":["one:c1"]}}],
        "domains":[{{"id":"one","components":[{list}]}}]}}}}"#
    );
    let action =
        |n: usize| format!(r#"{{"component":{{"id":"c{n}","version":"1"}},"status":"UPDATING","progress":7}}"#);
    let actions: std::vec::Vec<_> = (0..ACTIONS_MAX).map(action).collect();
    let feedback = format!(
        r#"{{"activityId":"a","timestamp":1,"payload":{{"status":"UPDATING","message":"m","actions":[{}]}}}}"#,
        actions.join(",")
    );
    let inventory = inventory("one", "a", 1);
    heap::untouched("reading", || {
        let envelope = Envelope::decode(desired.as_bytes()).unwrap();
        let state = desired_state::decode(&envelope).unwrap();
        assert_eq!(state.domains(), 1);
        let mut part = encode::Count::default();
        desired_state::encode_part(desired.as_bytes(), &state, 0, &mut part).unwrap();
        assert!(part.bytes > 10_000);

        let envelope = Envelope::decode(feedback.as_bytes()).unwrap();
        let mut actions = Vec::new();
        assert_eq!(feedback::decode(&envelope, &mut actions).unwrap().status, Status::Updating);
        assert_eq!(actions.len(), ACTIONS_MAX);

        let envelope = Envelope::decode(inventory.as_bytes()).unwrap();
        assert!(wire_inventory::decode(&envelope, "one").unwrap().root.is_some());
        assert!(Envelope::decode(&desired.as_bytes()[1..]).is_err());
    });
}

#[test]
fn writing_a_message_takes_nothing_from_the_heap() {
    let text = inventory("one", "a", 1);
    let mut store = Inventories::new();
    heap::untouched("writing", || {
        let mut out = String::<1024>::new();
        encode::head(&mut out, Text::parse("a").unwrap(), 1_700_000_000_000).unwrap();
        encode::command(&mut out, Command::Download).unwrap();
        encode::feedback_head(&mut out, Status::Running, Some(&|out| out.write_str("words"))).unwrap();

        let envelope = Envelope::decode(text.as_bytes()).unwrap();
        store.put(DomainIx::new(0).unwrap(), &wire_inventory::decode(&envelope, "one").unwrap(), 1).unwrap();
        store.encode(&mut out, "device", "1").unwrap();
        assert!(out.len() > 300);
    });
}
