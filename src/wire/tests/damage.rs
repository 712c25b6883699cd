//! Whatever happens to a message on its way, nothing panics, and what is still
//! taken is written as JSON again.

use super::super::{activity_of, TextFinder};
use super::*;
use crate::inventory::inventories::Inventories;
use crate::model::DomainIx;

/// Xorshift: the same numbers from the same seed, which must not be 0.
pub(super) struct Random(pub u32);

impl Random {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % n
    }

    /// Changes, adds, drops or repeats some bytes.
    pub(super) fn damage(&mut self, bytes: &mut Vec<u8>) {
        const TELLING: &[u8] = b"{}[]\",:\\u0d8-e.nlt \x00\x1f\x7f\xc3\xa9\xf0\xff";
        for _ in 0..self.below(3) + 1 {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = TELLING[self.below(TELLING.len())],
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.insert(at, TELLING[self.below(TELLING.len())]),
                3 if at < bytes.len() => drop(bytes.drain(at..(at + self.below(9) + 1).min(bytes.len()))),
                _ => {
                    let piece = bytes[at..(at + self.below(20)).min(bytes.len())].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
            }
        }
    }
}

const SEEDS: [&str; 4] = [
    r#"{"activityId":"a\u00311","timestamp":1700000000000,"payload":{"baselines":[{"title":"b","components":["c:x","d:y"]}],"domains":[{"id":"c","config":[{"key":"k","value":"v"}],"components":[{"id":"x","version":"1"}]},{"id":"d","z":[1e3,"\ud83d\ude00"]}]}}"#,
    r#"{"payload":{"status":"DOWNLOADING","message":"é\"","actions":[{"component":{"id":"c:x","version":"1"},"status":"UPDATED","progress":50,"message":"m"},{"component":{"id":"y"}}]},"activityId":"m"}"#,
    r#"{"activityId":"","timestamp":5,"payload":{"hardwareNodes":[{"id":"h","addressable":true}],"softwareNodes":[{"id":"s","type":"APPLICATION","parameters":[{"key":"domain","value":"containers"}]}],"associations":[{"sourceId":"s","targetId":"h"}]}}"#,
    r#"{"activityId":null,"timestamp":-1,"payload":null,"x":{"y":[[],{}," "]}}"#,
];

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Hands the bytes to every decoder; how many took them.
fn decode_all(bytes: &[u8], store: &mut Inventories) -> usize {
    let mut taken = 0;
    if let Ok(envelope) = Envelope::decode(bytes) {
        let found = activity_of(bytes).unwrap_or_default();
        assert_eq!(found, envelope.activity, "{}", String::from_utf8_lossy(bytes));
        assert!(is_json(&enveloped(envelope.activity.as_json(), |out| out.push_str("null"))));
        taken += 1;
    }
    match desired_state_of(bytes) {
        Ok(state) => {
            (0..state.domains()).for_each(|ix| assert!(is_json(&part(bytes, &state, ix))));
            taken += 1;
        }
        Err(error) => assert!(error.to_string().len() < 300),
    }
    if let Ok((head, actions)) = feedback_of(bytes) {
        let written = enveloped("m", |out| feedback::encode(out, head.status, head.message, &actions).unwrap());
        assert!(is_json(&written), "{written}");
        assert_eq!(feedback_of(written.as_bytes()).unwrap().1.len(), actions.len());
        taken += 1;
    }
    if let Ok(inventory) = inventory_of(bytes) {
        let written = enveloped("m", |out| inventory::encode(out, &inventory).unwrap());
        assert_eq!(inventory_of(written.as_bytes()).unwrap(), inventory);
        store.put(DomainIx::new(0).unwrap(), &inventory, 0).unwrap();
        let mut aggregate = String::new();
        store.encode(&mut aggregate, "device", "1").unwrap();
        assert!(is_json(&aggregate), "{aggregate}");
        taken += 1;
    }
    taken
}

#[test]
fn a_hundred_thousand_damaged_messages_do_no_harm() {
    let mut random = Random(0xdead_beef);
    let mut store = Inventories::new();
    let mut taken = 0;
    for round in 0..100_000 {
        let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        random.damage(&mut bytes);
        taken += decode_all(&bytes, &mut store);
    }
    assert!(taken > 10_000, "only {taken} were taken: the damage is too great to test anything");
}

#[test]
fn a_message_cut_at_any_byte_is_refused_and_its_activity_still_found() {
    for seed in SEEDS {
        let id_end = seed.find(r#""activityId":""#).map(|at| at + 14 + seed[at + 14..].find('"').unwrap());
        let whole = Envelope::decode(seed.as_bytes()).unwrap().activity;
        for end in 0..seed.len() {
            let bytes = &seed.as_bytes()[..end];
            let error = Envelope::decode(bytes).unwrap_err();
            assert!(error.offset as usize <= end);
            let readable = id_end.is_some_and(|id_end| end > id_end) && !whole.is_empty();
            assert_eq!(activity_of(bytes), readable.then_some(whole), "{end} bytes of {seed}");
        }
    }
}

#[test]
fn the_finder_takes_any_bytes_in_any_parts() {
    let mut random = Random(0x0bad_cafe);
    for _ in 0..5_000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        let mut finder = TextFinder::of_activity();
        bytes.chunks(random.below(7) + 1).for_each(|part| finder.push(part));
        assert_eq!(finder.activity(), activity_of(&bytes));
    }
}
