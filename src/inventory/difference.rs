//! What an inventory lacks of what a desired state wants.

use core::fmt::Write;

use heapless::{String, Vec};

use crate::limits::{COMPONENTS_MAX, REASON_MAX};
use crate::model::text::{Chars, Text};
use crate::wire::node::Versioned;

/// Bytes of each text in the words about a difference, escaped as in JSON.
const WORD_MAX: usize = (REASON_MAX - " ".len() - INSTEAD.len()) / 3;

const INSTEAD: &str = " instead of ";

/// A component that is wanted and not shown. The words are escaped as in JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// The component with this identifier is not there, or has no version.
    Missing(String<REASON_MAX>),
    /// It is there in another version; in words that name both.
    Other(String<REASON_MAX>),
}

/// A component that is wanted, and what was found of it.
struct Wanted<'a> {
    component: Versioned<'a>,
    is_shown: bool,
    /// Another version in which it is there.
    other: Option<Text<'a>>,
}

/// Returns the first component that is there in another version, or else the first one that
/// is missing; none if each is there in its version. A component of `domain` is the node
/// `<domain>:<component>`; one without a version may be there in any. If there are several
/// nodes of a component, one of them has to show its version.
#[inline(never)]
pub fn find<'a>(
    wanted: impl Iterator<Item = Versioned<'a>>,
    domain: &str,
    software: impl Iterator<Item = Versioned<'a>>,
) -> Option<Difference> {
    let wanted = wanted.map(|component| Wanted { component, is_shown: false, other: None });
    let mut wanted: Vec<Wanted<'_>, COMPONENTS_MAX> = wanted.take(COMPONENTS_MAX).collect();
    for node in software {
        let Some(id) = component_of(node.id, domain) else { continue };
        for one in wanted.iter_mut().filter(|one| id.clone().eq(one.component.id.chars())) {
            if one.component.version.is_empty() || one.component.version == node.version {
                one.is_shown = true;
            } else if !node.version.is_empty() {
                one.other.get_or_insert(node.version);
            }
        }
    }
    let mut lacking = wanted.iter().filter(|one| !one.is_shown);
    let first = lacking.clone().next()?;
    Some(match lacking.find_map(|one| Some((one.component, one.other?))) {
        Some((component, other)) => Difference::Other(words(component, other)),
        None => Difference::Missing(first.component.id.cut_to()),
    })
}

/// Returns the identifier of the component of `domain` that this node is; none if it is none.
fn component_of<'a>(node: Text<'a>, domain: &str) -> Option<Chars<'a>> {
    let mut chars = node.chars();
    let is_of_domain = domain.chars().all(|c| chars.next() == Some(c)) && chars.next() == Some(':');
    is_of_domain.then_some(chars)
}

fn words(component: Versioned<'_>, other: Text<'_>) -> String<REASON_MAX> {
    let [id, version, other] = [component.id, component.version, other].map(|text| text.cut(WORD_MAX).as_json());
    let mut words = String::new();
    // All of it fits.
    let _ = write!(words, "{id} {other}{INSTEAD}{version}");
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn find_in(wanted: Pairs, software: Pairs) -> Option<Difference> {
        let text = |raw| Text::parse(raw).unwrap();
        let wanted = wanted.iter().map(|(id, version)| Versioned { id: text(id), version: text(version) });
        let software = software.iter().map(|(id, version)| Versioned { id: text(id), version: text(version) });
        find(wanted, "os", software)
    }

    fn missing(id: &str) -> Option<Difference> {
        Some(Difference::Missing(String::try_from(id).unwrap()))
    }

    fn other(words: &str) -> Option<Difference> {
        Some(Difference::Other(String::try_from(words).unwrap()))
    }

    #[test]
    fn all_is_shown_when_each_component_has_a_node_in_its_version() {
        for (wanted, software) in [
            (&[][..], &[][..]),
            (&[], &[("os:image", "1")]),
            (&[("image", "2")], &[("os", "7"), ("os:image", "2"), ("os:other", "1")]),
            (&[("image", "2"), ("boot", "1")], &[("os:boot", "1"), ("os:image", "2")]),
            (&[("image", "")], &[("os:image", "1")]),
            (&[("image", "")], &[("os:image", "")]),
            (&[("im:age", "2")], &[("os:im:age", "2")]),
            (&[("image", "2")], &[("os:image", "1"), ("os:image", "2")]),
            (&[("image", "1"), ("image", "2")], &[("os:image", "1"), ("os:image", "2")]),
        ] {
            assert_eq!(find_in(wanted, software), None, "{wanted:?} in {software:?}");
        }
    }

    #[test]
    fn texts_compare_by_what_they_mean() {
        assert_eq!(find_in(&[("\\u0069mage", "2/3")], &[("\\u006fs:im\\u0061ge", "2\\/3")]), None);
        assert_eq!(find_in(&[("image", "2")], &[("os\\u003aimage", "\\u0032")]), None);
        assert_eq!(find_in(&[("image", "2")], &[("os:Image", "2")]), missing("image"));
    }

    #[test]
    fn what_is_not_there_is_missing() {
        for software in [
            &[][..],
            &[("image", "2")],
            &[("os-image", "2")],
            &[("os:imag", "2"), ("os:images", "2")],
            &[("oss:image", "2"), ("o:image", "2")],
            // Of a node without a version nobody knows whether it is the old one.
            &[("os:image", "")],
        ] {
            assert_eq!(find_in(&[("image", "2")], software), missing("image"), "{software:?}");
        }
        assert_eq!(find_in(&[("a", ""), ("b", "1"), ("c", "1")], &[("os:a", "")]), missing("b"), "the first one");
    }

    #[test]
    fn another_version_is_told_before_what_is_missing() {
        assert_eq!(find_in(&[("image", "2.0")], &[("os:image", "1.0")]), other("image 1.0 instead of 2.0"));
        let software = &[("os:b", "1"), ("os:b", "0"), ("os:c", "1")];
        assert_eq!(find_in(&[("a", "2"), ("b", "2"), ("c", "2")], software), other("b 1 instead of 2"));
    }

    #[test]
    fn words_are_cut_between_characters() {
        let long = "\\u00e9".repeat(COMPONENTS_MAX);
        let node = format!("os:{long}");
        let [id, node] = [&long, &node].map(|raw| Text::parse(raw).unwrap());
        let version = Text::parse("2").unwrap();
        let wanted = [Versioned { id, version }];
        let shown = |version| find(wanted.into_iter(), "os", [Versioned { id: node, version }].into_iter());
        let Some(Difference::Other(words)) = shown(id) else { panic!("another version") };
        assert!(words.ends_with("\\u00e9 instead of 2"), "{words}");
        assert!(Text::parse(&words).is_some());
        let Some(Difference::Missing(words)) = shown(Text::EMPTY) else { panic!("missing") };
        assert!(Text::parse(&words).is_some() && words.len() > REASON_MAX - 6);
    }
}
