//! The lines between whoever logs and the thread that writes them: a disk, a pipe or a
//! terminal that takes long holds up nobody but that thread.

use std::mem::swap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::{LOG_QUEUE_KEPT, LOG_QUEUE_MAX};

/// Lines that wait, and what else the writer is to do.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// The writer has taken something, and is not done with it.
    is_busy: bool,
}

/// What the writer takes at once.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The file is to be opened anew, before the lines are written.
    pub reopen: bool,
    /// Whole lines, each with its line feed.
    pub lines: Vec<u8>,
    /// Lines that came after these, for which there was no room.
    pub lost: u64,
}

impl Queue {
    /// Nothing waits.
    pub fn new() -> Queue {
        Queue { state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes a line with its line feed. If more than [`LOG_QUEUE_MAX`] bytes would wait, it is
    /// lost, and counted.
    pub fn push(&self, line: &[u8]) {
        self.change(|waiting| {
            // After one that is lost the others are too, so that they stay in their order.
            if waiting.lost > 0 || waiting.lines.len() + line.len() > LOG_QUEUE_MAX {
                waiting.lost = waiting.lost.saturating_add(1);
            } else {
                waiting.lines.extend_from_slice(line);
            }
        });
    }

    /// Has the writer open the file anew.
    pub fn reopen(&self) {
        self.change(|waiting| waiting.reopen = true);
    }

    /// Waits until there is something to write, and puts it into `batch`, of which everything
    /// is written by then. Its memory takes the lines to come: if each line took its own, which
    /// another thread gives back, the heap would fragment.
    pub fn next(&self, batch: &mut Batch) {
        batch.lines.clear();
        batch.lines.shrink_to(LOG_QUEUE_KEPT);
        (batch.reopen, batch.lost) = (false, 0);
        let mut state = self.lock();
        state.is_busy = false;
        self.changed.notify_all();
        while state.waiting == Batch::default() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_busy = true;
        swap(&mut state.waiting, batch);
    }

    /// Waits until everything is written, but no longer than `longest`.
    pub fn finish(&self, longest: Duration) {
        let is_unfinished = |state: &mut State| state.is_busy || state.waiting != Batch::default();
        drop(self.changed.wait_timeout_while(self.lock(), longest, is_unfinished));
    }

    fn change(&self, change: impl FnOnce(&mut Batch)) {
        let mut state = self.lock();
        change(&mut state.waiting);
        if !state.is_busy {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lines: &str, lost: u64) -> Batch {
        Batch { reopen: false, lines: lines.as_bytes().to_vec(), lost }
    }

    fn next(queue: &Queue) -> Batch {
        let mut batch = Batch::default();
        queue.next(&mut batch);
        batch
    }

    #[test]
    fn lines_are_taken_together_and_in_their_order() {
        let queue = Queue::new();
        queue.push(b"one\n");
        queue.push(b"two\n");
        assert_eq!(next(&queue), batch("one\ntwo\n", 0));
        queue.push(b"three\n");
        assert_eq!(next(&queue), batch("three\n", 0));
    }

    #[test]
    fn what_there_is_no_room_for_is_lost_and_counted_with_all_that_follows() {
        let queue = Queue::new();
        let half = vec![b'x'; LOG_QUEUE_MAX / 2];
        queue.push(&half);
        queue.push(&half);
        queue.push(b"one\n");
        queue.push(b"\n");
        let Batch { lines, lost, .. } = next(&queue);
        assert_eq!((lines.len(), lost), (LOG_QUEUE_MAX, 2));
        queue.push(&half);
        queue.push(&vec![b'x'; LOG_QUEUE_MAX / 2 + 1]);
        queue.push(b"\n");
        let Batch { lines, lost, .. } = next(&queue);
        assert_eq!((lines.len(), lost), (LOG_QUEUE_MAX / 2, 2));
        queue.push(b"one\n");
        assert_eq!(next(&queue), batch("one\n", 0));
    }

    #[test]
    fn the_memory_of_written_lines_takes_those_to_come_unless_it_is_much() {
        let (queue, mut batch) = (Queue::new(), Batch::default());
        let mut take = |line: &[u8]| {
            queue.push(line);
            queue.next(&mut batch);
            (batch.lines.as_ptr(), batch.lines.capacity())
        };
        let (one, two) = (take(b"one\n"), take(b"two\n"));
        assert_eq!([take(b"1\n"), take(b"2\n")], [one, two]);
        take(&[b'x'; 2 * LOG_QUEUE_KEPT]);
        take(b"3\n");
        assert!(take(b"4\n").1 <= LOG_QUEUE_KEPT);
    }

    #[test]
    fn the_file_is_opened_anew_before_the_lines_that_follow() {
        let queue = Queue::new();
        queue.reopen();
        assert!(next(&queue).reopen);
        queue.push(b"one\n");
        assert_eq!(next(&queue), batch("one\n", 0));
    }

    #[test]
    fn the_end_waits_for_the_writer_but_not_for_ever() {
        let queue = Queue::new();
        queue.finish(Duration::MAX);
        queue.push(b"one\n");
        queue.finish(Duration::ZERO);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let first = next(&queue);
                (first, next(&queue))
            });
            queue.finish(Duration::MAX);
            // The writer is done with the first, and waits for the next.
            queue.push(b"two\n");
            assert_eq!(writer.join().unwrap(), (batch("one\n", 0), batch("two\n", 0)));
        });
    }
}
