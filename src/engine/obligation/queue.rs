//! The messages that a domain may still answer.

use heapless::Vec;

use crate::limits::ORDERS_MAX;
use crate::model::{Command, Status};

/// A message that a domain may still answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Order {
    /// The command; `None` is the desired state.
    pub command: Option<Command>,
    /// The course that it belongs to; the first one is 0.
    pub course: u8,
}

/// The messages that a domain may still answer, oldest first. An answer takes the
/// oldest that it can be an answer to, and all before it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Queue(Vec<Order, ORDERS_MAX>);

impl Queue {
    /// Adds a message that goes out now. Past `ORDERS_MAX` the oldest is forgotten.
    pub fn push(&mut self, command: Option<Command>, course: u8) {
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room for it now.
        let _ = self.0.push(Order { command, course });
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.0.iter()
    }

    /// Whether this command, or the desired state, is in it.
    pub fn contains(&self, command: Option<Command>) -> bool {
        self.0.iter().any(|order| order.command == command)
    }

    /// The last course that a message in it belongs to.
    pub fn last_course(&self) -> u8 {
        self.0.iter().map(|order| order.course).max().unwrap_or(0)
    }

    /// Whether a desired state that starts a course after this one is in it.
    pub fn has_repair(&self, course: u8) -> bool {
        self.0.iter().any(|order| is_repair(order, course))
    }

    /// Takes what a success answers.
    pub fn take(&mut self, command: Option<Command>) -> Option<Order> {
        let place = self.0.iter().position(|order| order.command == command)?;
        self.take_at(place)
    }

    /// Takes what a failure answers: the message of its own phase, otherwise the oldest
    /// one. Only a failed identification answers a desired state that starts a course
    /// after this one.
    pub fn take_failure(&mut self, status: Status, course: u8) -> Option<Order> {
        let own = status.answers();
        let place = self.0.iter().position(|order| own == Some(order.command));
        let oldest = || self.0.iter().position(|order| !is_repair(order, course));
        let place = place.or_else(oldest)?;
        self.take_at(place)
    }

    /// Takes the last message of this phase out: another one takes its place, since the
    /// agent has asked for it.
    pub fn forget(&mut self, command: Command) {
        if let Some(place) = self.0.iter().rposition(|order| order.command == Some(command)) {
            self.0.remove(place);
        }
    }

    fn take_at(&mut self, place: usize) -> Option<Order> {
        let taken = self.0.get(place).copied()?;
        self.0.rotate_left(place + 1);
        self.0.truncate(self.0.len() - place - 1);
        Some(taken)
    }
}

fn is_repair(order: &Order, course: u8) -> bool {
    order.command.is_none() && order.course > course
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: Option<Command> = Some(Command::Update);
    const DOWNLOAD: Option<Command> = Some(Command::Download);

    fn queue(orders: &[(Option<Command>, u8)]) -> Queue {
        let mut queue = Queue::default();
        orders.iter().for_each(|(command, course)| queue.push(*command, *course));
        queue
    }

    fn order(command: Option<Command>, course: u8) -> Option<Order> {
        Some(Order { command, course })
    }

    #[test]
    fn an_answer_takes_the_oldest_that_it_can_answer_and_all_before_it() {
        let mut sent = queue(&[(DOWNLOAD, 0), (UPDATE, 0), (None, 1), (UPDATE, 0)]);
        assert_eq!(sent.take(UPDATE), order(UPDATE, 0));
        assert_eq!(sent, queue(&[(None, 1), (UPDATE, 0)]));
        assert_eq!(sent.take(DOWNLOAD), None);
        assert_eq!(sent.take(None), order(None, 1));
        assert_eq!(sent.take(UPDATE), order(UPDATE, 0));
        assert_eq!(sent, Queue::default());
    }

    #[test]
    fn a_failure_of_another_phase_answers_the_oldest_but_no_desired_state_sent_again() {
        let mut sent = queue(&[(DOWNLOAD, 0), (None, 1)]);
        assert_eq!(sent.take_failure(Status::UpdateFailure, 0), order(DOWNLOAD, 0));
        assert_eq!(sent.take_failure(Status::UpdateFailure, 0), None);
        assert_eq!(sent.take_failure(Status::IdentificationFailed, 0), order(None, 1));
        let mut first = queue(&[(None, 0)]);
        assert_eq!(first.take_failure(Status::DownloadFailure, 0), order(None, 0));
    }

    #[test]
    fn past_the_bound_the_oldest_is_forgotten() {
        let mut sent = queue(&[(None, 0)]);
        (0..ORDERS_MAX).for_each(|_| sent.push(UPDATE, 0));
        assert!(!sent.contains(None));
        assert_eq!(sent.iter().count(), ORDERS_MAX);
    }
}
