//! Stories that are known to be right or wrong, by which the judge itself is judged.

use super::{Groups, Member, Patience, Setup, FORWARD};

const PATIENCE: Patience = Patience { phase_ms: 20_000, cleanup_ms: 8000 };

/// Parts of stories, each with its name.
const PARTS: [(&str, &str); 7] = [
    ("@undone", "@c|@a|@b|abc CLEANUP"),
    ("@a", "a ROLLBACK|a ROLLBACK_SUCCESS"),
    ("@b", "b ROLLBACK|b ROLLBACK_SUCCESS"),
    ("@c", "c ROLLBACK|c ROLLBACK_SUCCESS"),
    ("@updated", "@updating|abc UPDATE_SUCCESS"),
    ("@updating", "@identified|abc DOWNLOAD|abc DOWNLOAD_SUCCESS|abc UPDATE"),
    ("@identified", "abc desired|abc IDENTIFIED"),
];

/// Each with its groups, and the domain that fails in which phase. The order is `b`, `a`, `c`.
const RIGHT: [(&str, &str, &str); 15] = [
    ("abc", "", "@updated|b +|a +|c +|abc CLEANUP|end COMPLETED"),
    ("ab c", "", "@updated|c +|c CLEANUP|b +|a +|ab CLEANUP|end COMPLETED [a] no"),
    ("ab", "", "ab desired|a COMPLETED|a CLEANUP|b IDENTIFIED|b DOWNLOAD|b UPDATE|b +|b CLEANUP|end COMPLETED"),
    ("abc", "a identify", "abc desired|bc IDENTIFIED|a IDENTIFICATION_FAILED|bc CLEANUP|end IDENTIFICATION_FAILED"),
    ("abc", "a cleanup", "@updated|b +|a +|c +|abc CLEANUP|a CLEANUP_FAILURE|end COMPLETED [a] no"),
    ("abc", "a activate", "@updated|b +|a -|told rolling back: [a] no|@undone|end INCOMPLETE [a] no; rolled back"),
    ("abc", "a update", "@updating|b UPDATE_SUCCESS|a UPDATE_FAILURE|wait|wait|@undone|end INCOMPLETE rolled back"),
    // A download that fails has nothing to undo, and one that is given up before UPDATE may have none.
    (
        "abc",
        "a download",
        "@identified|abc DOWNLOAD|b DOWNLOAD_SUCCESS|a DOWNLOAD_FAILURE|wait|wait|@b|abc CLEANUP|\
     end INCOMPLETE rolled back",
    ),
    // The other group is committed, whatever comes of its CLEANUP.
    (
        "ab c",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@a|c +|c CLEANUP|\
     told rolling back: [a] no; [c] no|@b|ab CLEANUP|end INCOMPLETE rolled back",
    ),
    // Silence is waited for, and named after ACTIVATE.
    (
        "abc",
        "a activate",
        "@updated|b +|a -|c ROLLBACK|wait|@a|b ROLLBACK|wait|abc CLEANUP|\
     end INCOMPLETE_INCONSISTENT rolled back; inconsistent: [b]",
    ),
    // So is what was updated before it was started over.
    (
        "ab",
        "a update",
        "@updated|b desired|b IDENTIFIED|b DOWNLOAD|b DOWNLOAD_SUCCESS|a UPDATE_FAILURE|@a|@b|\
     ab CLEANUP|end INCOMPLETE_INCONSISTENT rolled back; inconsistent: [b]",
    ),
    // That an agent was started over may be unread or lost.
    (
        "ab",
        "",
        "@updated|b desired|b +|=b IDENTIFIED|=a ACTIVATE|b DOWNLOAD|b UPDATE|b +|a ACTIVATION_SUCCESS|\
     ab CLEANUP|end COMPLETED",
    ),
    ("ab", "", "@updated|b desired|b +|b IDENTIFIED|lost|a +|ab CLEANUP|end COMPLETED"),
    ("none", "a update", "@updating|a UPDATE_FAILURE|a CLEANUP|bc UPDATE_SUCCESS|b +|c +|bc CLEANUP|end INCOMPLETE"),
    ("none", "b activate", "@updated|b -|a +|c +|abc CLEANUP|end INCOMPLETE"),
];

/// The same, and words of what is wrong.
const WRONG: [(&str, &str, &str, &str); 31] = [
    // Nothing leads forward any more.
    ("abc", "a update", "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|b ACTIVATE", "turned back"),
    ("abc", "a update", "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|b desired", "turned back"),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|told rolling back: [a] no|\
     b ACTIVATE",
        "turned back",
    ),
    // CLEANUP before all have activated.
    ("abc", "", "@updated|b +|a +|c ACTIVATE|a CLEANUP", "before c has activated"),
    ("ab c", "a activate", "@updated|c ACTIVATE|b +|a -|c CLEANUP", "before c has activated"),
    ("ab", "a activate", "@updated|b +|b CLEANUP", "before a has activated"),
    ("ab", "", "@updated|b desired|b +|b IDENTIFIED|a CLEANUP", "before a has activated"),
    ("none", "a update", "@updating|a UPDATE_FAILURE|b CLEANUP", "before b has activated"),
    // ROLLBACK without a failure, too early, or in the wrong order.
    ("abc", "", "@updated|a ROLLBACK", "no domain of its group has failed"),
    ("ab c", "a update", "@updating|a UPDATE_FAILURE|c ROLLBACK", "no domain of its group has failed"),
    ("none", "a update", "@updating|a UPDATE_FAILURE|c ROLLBACK", "no domain of its group has failed"),
    ("abc", "a update", "@updating|b UPDATE_SUCCESS|a UPDATE_FAILURE|b ROLLBACK", "c got UPDATE, unanswered"),
    ("abc", "a update", "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|b ROLLBACK", "before a"),
    ("abc", "a download", "@identified|abc DOWNLOAD|bc DOWNLOAD_SUCCESS|a DOWNLOAD_FAILURE|@b", "before c"),
    ("abc", "a update", "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|c ROLLBACK|a ROLLBACK", "after c, unanswered"),
    // ACTIVATE in the wrong order.
    ("abc", "", "@updated|b ACTIVATE|a ACTIVATE", "before b has activated"),
    ("abc", "", "@updated|b desired|b +|b IDENTIFIED|a ACTIVATE", "before b has activated"),
    ("none", "", "@updated|a ACTIVATE", "before b has activated"),
    // What the backend is told.
    ("abc", "", "@updated|told rolling back: [a] no", "no group is to be turned back"),
    ("ab c", "a update", "@updating|a UPDATE_FAILURE|told rolling back: [c] no", "no group is to be turned back"),
    ("abc", "a update", "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@undone|end INCOMPLETE", "rolled back"),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@undone|\
     end INCOMPLETE rolled back; inconsistent: [b]",
        "status",
    ),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@undone|\
     end INCOMPLETE_INCONSISTENT rolled back",
        "status",
    ),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@undone|\
     end INCOMPLETE_INCONSISTENT rolled back; inconsistent: [b]",
        "b is named, but old",
    ),
    // Domains that are not what they have to be at the end.
    (
        "abc",
        "a activate",
        "@updated|b +|a -|c ROLLBACK|wait|@a|b ROLLBACK|wait|abc CLEANUP|\
     end INCOMPLETE rolled back",
        "b has not rolled back",
    ),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|a ROLLBACK|a ROLLBACK_FAILURE|@b|abc CLEANUP|\
     end INCOMPLETE rolled back",
        "a has not rolled back",
    ),
    (
        "ab",
        "a update",
        "@updated|b desired|b IDENTIFIED|b DOWNLOAD|b DOWNLOAD_SUCCESS|a UPDATE_FAILURE|@a|@b|\
     ab CLEANUP|end INCOMPLETE rolled back",
        "b was updated",
    ),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|@a|abc CLEANUP|\
     end INCOMPLETE rolled back",
        "b got no ROLLBACK",
    ),
    (
        "abc",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@c|@a|@b|ac CLEANUP|\
     end INCOMPLETE rolled back",
        "b got no CLEANUP",
    ),
    (
        "ab c",
        "a update",
        "@updating|bc UPDATE_SUCCESS|a UPDATE_FAILURE|@a|@b|ab CLEANUP|\
     end INCOMPLETE rolled back",
        "c has not activated",
    ),
    ("abc", "a identify", "abc desired|b IDENTIFIED|b DOWNLOAD|end IDENTIFICATION_FAILED", "does not identify"),
];

/// Plays what is known to be right or wrong.
///
/// # Panics
/// It is not judged so.
pub fn check() {
    for (groups, fails, story) in RIGHT {
        assert_eq!(play(groups, fails, story), Ok(()), "{story}");
    }
    for (groups, fails, story, why) in WRONG {
        assert!(
            play(groups, fails, story).is_err_and(|found| found.contains(why)),
            "{story}: {:?}",
            play(groups, fails, story)
        );
        // It is wrong at its last moment, not before.
        let before = story.rsplit_once('|').map_or("", |(before, _)| before);
        assert_eq!(play(groups, fails, before), Ok(()), "{story}");
    }
}

/// Takes a story, its moments a second after one another, or at the same time (`=`): domains
/// and what they are sent or say, `+` and `-` for how ACTIVATE ends; what the backend is told.
fn play(groups: &str, fails: &str, story: &str) -> Result<(), String> {
    let mut judge = Groups::new(PATIENCE);
    judge.open("act", setup(groups, fails));
    let mut story = story.to_owned();
    PARTS.iter().for_each(|(name, part)| story = story.replace(name, part));
    let mut at = 0;
    for moment in story.split('|') {
        let now = moment.strip_prefix('=');
        at += if now.is_some() { 0 } else { 1000 };
        match now.unwrap_or(moment).split_once(' ') {
            None if moment == "lost" => judge.lose_session(at),
            None => at += 10_000,
            Some(("told", message)) => judge.tell("act", at, "RUNNING", message)?,
            Some(("end", end)) => {
                let (status, message) = end.split_once(' ').unwrap_or((end, ""));
                judge.tell("act", at, status, message)?;
            }
            Some((who, what)) => who.split("").try_for_each(|domain| take(&mut judge, domain, at, what))?,
        }
    }
    Ok(())
}

fn take(judge: &mut Groups, domain: &str, at: u64, what: &str) -> Result<(), String> {
    match what {
        "+" | "-" => {
            judge.ask("act", domain, at, "ACTIVATE")?;
            judge.answer("act", domain, at, if what == "+" { "ACTIVATION_SUCCESS" } else { "ACTIVATION_FAILURE" });
        }
        "desired" => judge.ask("act", domain, at, "")?,
        "ROLLBACK" | "CLEANUP" => judge.ask("act", domain, at, what)?,
        _ if FORWARD.contains(&what) => judge.ask("act", domain, at, what)?,
        status => judge.answer("act", domain, at, status),
    }
    Ok(())
}

/// Groups of domains, each a letter, or `none`.
fn setup(groups: &str, fails: &str) -> Setup {
    let is_whole = groups != "none";
    let groups: Vec<&str> = if is_whole { groups.split(' ').collect() } else { vec!["abc"] };
    let member = |(name, order): (&'static str, u8)| {
        let group = groups.iter().position(|group| group.contains(name))?;
        Some(Member { name, order, group })
    };
    let members: Vec<Member> = [("a", 50), ("b", 10), ("c", 90)].into_iter().filter_map(member).collect();
    let phases = ["identify", "download", "update", "activate", "cleanup"];
    let fails = fails.split_once(' ').and_then(|(domain, phase)| {
        let member = members.iter().find(|member| member.name == domain)?;
        Some((member.name, phases.into_iter().find(|other| *other == phase)?))
    });
    Setup { members, fails, is_whole }
}
