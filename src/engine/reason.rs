//! Why a domain failed, or was not rolled back, in the words that come nearest to the cause.

use core::fmt::Write;

use heapless::String;

use super::event::Feedback;
use super::Engine;
use crate::limits::REASON_MAX;
use crate::model::text::Text;
use crate::model::{ActionStatus, DomainIx, Reason, Status};

impl Engine {
    /// Returns why a domain failed: in its own words; otherwise in those of the first of its
    /// actions that failed and says why, where agents in the field put them; otherwise the
    /// status.
    pub(super) fn reason_of(&self, domain: DomainIx, feedback: &Feedback<'_>) -> Reason {
        let failed =
            self.campaign.actions.of(domain).filter(|action| action.status.is_some_and(ActionStatus::is_failure));
        let of_action = || failed.map(|action| action.message()).find(|message| !message.is_empty());
        let words = Some(feedback.message).filter(|message| !message.is_empty()).or_else(of_action);
        match words {
            Some(words) => Reason::Words(words.cut_to()),
            None => Reason::Status(feedback.status),
        }
    }

    /// Returns why a domain was not rolled back. Its words alone would not say that it is
    /// about the rollback.
    pub(super) fn reason_of_rollback(&self, domain: DomainIx, feedback: &Feedback<'_>) -> Reason {
        let rollback = Status::RollbackFailure;
        let mut words = String::<REASON_MAX>::new();
        let named = match self.reason_of(domain, feedback) {
            Reason::Words(named) => named,
            Reason::Status(status) if status != rollback => name(status),
            _ => return Reason::Status(rollback),
        };
        // The name of a status is shorter than the bound.
        let _ = write!(words, "{}: ", rollback.name());
        let _ = words.push_str(Text::from_checked(&named).cut(REASON_MAX - words.len()).as_json());
        Reason::Words(words)
    }
}

fn name(status: Status) -> String<REASON_MAX> {
    Text::from_checked(status.name()).cut_to()
}

#[cfg(test)]
mod tests {
    use super::super::effect::TimerKind;
    use super::super::event::{Action, Event};
    use super::super::resume_tests::booted;
    use super::super::tests::{feedback, ix, Course, SETTINGS};
    use super::super::Settings;
    use super::*;
    use crate::model::{Command, Limit, Phase};

    fn action<'a>(component: &'a str, status: ActionStatus, message: &'a str) -> Action<'a> {
        let id = Text::from_checked(&component[7..8]);
        Action { id, component, status: Some(status), progress: 0, message: Text::from_checked(message) }
    }

    /// A domain that is asked to download, or as far as the owner lets it.
    fn begun(consent: Option<Phase>) -> Course {
        let mut course = Course::new(Settings { consent: consent.into_iter().collect(), ..SETTINGS });
        course.apply("a-1", 1, 1).unwrap();
        course.say(0, Status::Identified, true);
        course
    }

    fn failure(course: &Course) -> Option<Reason> {
        course.engine.campaign()?.domain(ix(0))?.failure.clone()
    }

    fn words(words: &str) -> Option<Reason> {
        Some(Reason::Words(String::try_from(words).unwrap()))
    }

    const GOOD: &str = r#"{"id":"a"}"#;
    const BAD: &str = r#"{"id":"b"}"#;
    const WORSE: &str = r#"{"id":"c"}"#;

    #[test]
    fn without_words_of_its_own_a_domain_speaks_with_those_of_its_first_failed_action() {
        let good = action(GOOD, ActionStatus::DownloadSuccess, "pulled");
        let mute = action(GOOD, ActionStatus::DownloadFailure, "");
        let bad = action(BAD, ActionStatus::DownloadFailure, "no such image");
        let worse = action(WORSE, ActionStatus::DownloadFailure, "no space");
        for (own, actions, expected) in [
            ("", &[good, bad, worse][..], words("no such image")),
            ("", &[mute, worse], words("no space")),
            ("its own", &[bad], words("its own")),
            ("", &[good, mute], Some(Reason::Status(Status::DownloadFailure))),
            ("", &[], Some(Reason::Status(Status::DownloadFailure))),
        ] {
            let mut course = begun(None);
            let said = feedback(Status::DownloadFailure, own, actions);
            course.handle(Event::Feedback(ix(0), said)).unwrap();
            assert_eq!(failure(&course), expected, "{own} {actions:?}");
        }
    }

    #[test]
    fn actions_past_a_limit_are_a_failure_when_they_are_identified_and_not_before() {
        let mut course = Course::new(SETTINGS);
        course.apply("a-1", 1, 1).unwrap();
        let past_limit = Some(Limit::Actions);
        for (status, expected) in [(Status::Identifying, None), (Status::Identified, past_limit)] {
            let said = Feedback { past_limit, ..feedback(status, "", &[]) };
            course.handle(Event::Feedback(ix(0), said)).unwrap();
            assert_eq!(failure(&course), expected.map(Reason::Limit), "{status:?}");
        }
    }

    #[test]
    fn the_failed_action_may_have_been_told_before_and_the_status_be_that_of_the_activity() {
        let mut course = begun(None);
        let bad = [action(BAD, ActionStatus::DownloadFailure, "no such image")];
        course.handle(Event::Feedback(ix(0), feedback(Status::Downloading, "", &bad))).unwrap();
        course.say(0, Status::Incomplete, false);
        assert_eq!(failure(&course), words("no such image"));
    }

    /// Refused before the update, a domain is rolled back.
    fn refused() -> Course {
        let mut course = begun(Some(Phase::Update));
        course.say(0, Status::DownloadSuccess, false);
        assert_eq!(course.answer(false), "Rollback>0");
        course
    }

    #[test]
    fn a_rollback_that_failed_is_named_with_its_words() {
        for (status, own, expected) in [
            (Status::RollbackFailure, "", Some(Reason::Status(Status::RollbackFailure))),
            (Status::RollbackFailure, "disk full", words("ROLLBACK_FAILURE: disk full")),
            (Status::UpdateFailure, "", words("ROLLBACK_FAILURE: UPDATE_FAILURE")),
        ] {
            let mut course = refused();
            course.handle(Event::Feedback(ix(0), feedback(status, own, &[]))).unwrap();
            assert_eq!(course.told(), "Cleanup>0");
            assert_eq!(failure(&course), expected);
        }
        let mut course = refused();
        let long = "w".repeat(REASON_MAX);
        course.handle(Event::Feedback(ix(0), feedback(Status::RollbackFailure, &long, &[]))).unwrap();
        assert_eq!(failure(&course), words(&format!("ROLLBACK_FAILURE: {}", &long[..REASON_MAX - 18])));
    }

    #[test]
    fn a_rollback_without_an_answer_is_named_with_how_long_it_was_waited_for() {
        let mut course = refused();
        assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "Cleanup>0");
        assert_eq!(failure(&course), Some(Reason::Silent(Some(Command::Rollback), 30_000)));
        // Feedback in between extends the wait, up to the phase's time.
        let mut course = refused();
        for now in (20_000..600_000).step_by(20_000) {
            course.now = crate::model::time::Tick(now);
            course.say(0, Status::Rollback, false);
        }
        assert_eq!(course.timeout(TimerKind::Cleanup, 600_000), "Cleanup>0");
        assert_eq!(failure(&course), Some(Reason::Silent(Some(Command::Rollback), 600_000)));
    }

    #[test]
    fn what_the_broker_refuses_is_named_and_not_waited_for() {
        let unsent = Some(Reason::Refused(9));
        let mut course = begun(None);
        course.handle(Event::Refused(ix(0), 9)).unwrap();
        assert_eq!(course.told(), "Cleanup>0");
        assert_eq!(failure(&course), unsent);
        course.handle(Event::Refused(ix(0), 8)).unwrap();
        assert_eq!(course.told(), "Incomplete inventory");
        assert_eq!(failure(&course), unsent);
        assert_eq!(course.campaign().domain(ix(0)).unwrap().cleanup, Some(Reason::Refused(8)));
        let mut course = refused();
        course.handle(Event::Refused(ix(0), 9)).unwrap();
        assert_eq!(course.told(), "Cleanup>0");
        assert_eq!(failure(&course), unsent);
        course.say(0, Status::CleanupSuccess, false);
        course.handle(Event::Refused(ix(0), 9)).unwrap();
        assert_eq!(course.told(), "", "nothing runs");
    }

    #[test]
    fn a_rollback_that_is_given_up_after_too_many_starts_is_named() {
        let settings = Settings { consent: [Phase::Update].into_iter().collect(), ..SETTINGS };
        let mut course = refused();
        for _ in 0..11 {
            assert_eq!(failure(&course), None);
            course = booted(&course, settings);
        }
        assert_eq!(course.told(), "Identified Running Rollback>0 Incomplete inventory");
        assert_eq!(failure(&course), Some(Reason::Lost(10)));
    }

    #[test]
    fn a_rollback_that_succeeded_is_no_failure() {
        let mut course = refused();
        assert_eq!(course.say(0, Status::RollbackSuccess, false), "Cleanup>0");
        course.say(0, Status::RollbackFailure, false);
        assert_eq!(failure(&course), None);
    }
}
