//! The thread that writes the log.

use std::io::{self, Write};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::file::{Limits, LogFile};
use super::queue::{Batch, Queue};
use super::repeats::{LeftOut, Repeats};
use super::{wall_ms, write_line, Line, Settings};
use crate::limits::{LOG_END_MS, LOG_RETRY_MS};
use crate::model::time::{Now, Tick};

/// What is logged, on its way to the thread that writes it.
pub struct Log {
    settings: Settings,
    start: Instant,
    queue: Queue,
    /// When the system is asked for the thread; none once it runs.
    due: Mutex<Option<Tick>>,
    repeats: Mutex<Repeats>,
}

impl Log {
    pub fn new(settings: &Settings) -> Log {
        let due = Mutex::new(Some(Tick(0)));
        Log { settings: settings.clone(), start: Instant::now(), queue: Queue::new(), due, repeats: Mutex::default() }
    }

    /// Takes a line with its line feed, and does not wait.
    pub fn push(&'static self, line: &[u8]) {
        self.queue.push(line);
        self.find_thread();
    }

    /// Whether a line is written, or one of many of its kind.
    pub fn admits(&self, record: &log::Record<'_>) -> bool {
        let place = (record.file_static().unwrap_or_default(), record.line().unwrap_or_default());
        record.level() > log::Level::Warn || lock(&self.repeats).admit(self.now().tick, place, record.args())
    }

    /// What was left out of a kind, which is told now.
    pub fn left_out(&self) -> Option<LeftOut> {
        lock(&self.repeats).take(self.now().tick, false)
    }

    /// Has the file opened anew.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Waits until everything is written, at most [`LOG_END_MS`].
    pub fn finish(&self) {
        let mut repeats = lock(&self.repeats);
        while let Some(left_out) = repeats.take(self.now().tick, true) {
            let mut line = Line::new();
            write_line(&mut line, wall_ms(), log::Level::Warn, &format_args!("{left_out}"));
            self.queue.push(line.as_bytes());
        }
        self.queue.finish(Duration::from_millis(LOG_END_MS));
    }

    fn now(&self) -> Now {
        Now { tick: Tick(self.start.elapsed().as_millis() as u64), wall: wall_ms() }
    }

    /// Starts the thread, unless it runs. If the system has none to give, lines wait for it
    /// as for a disk, and it is asked again after [`LOG_RETRY_MS`].
    pub fn find_thread(&'static self) {
        let mut due = lock(&self.due);
        let tick = self.now().tick;
        if due.map_or(true, |due| tick < due) {
            return;
        }
        let is_masked = Arc::new(Barrier::new(2));
        let masked = Arc::clone(&is_masked);
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || {
            block_signals();
            masked.wait();
            self.write();
        });
        *due = started.is_err().then(|| tick.after(LOG_RETRY_MS));
        if started.is_ok() {
            // Whoever blocks signals from here on means this thread too.
            is_masked.wait();
        }
    }

    fn write(&self) {
        let mut sink = Sink::open(&self.settings, self.now());
        let mut batch = Batch::default();
        loop {
            self.queue.next(&mut batch);
            sink.write(&batch, &|| self.now());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where lines go.
struct Sink {
    /// Standard error if there is none.
    file: Option<LogFile>,
    /// Lines that went nowhere since the last one that was written.
    lost: u64,
}

impl Sink {
    fn open(settings: &Settings, now: Now) -> Sink {
        let limits = Limits::new(settings.file_size_mb, settings.file_count, settings.file_max_age_days);
        let open = || LogFile::new(&settings.file, limits, now, &mut io::stderr());
        Sink { file: (!settings.file.is_empty()).then(open), lost: 0 }
    }

    fn write(&mut self, batch: &Batch, now: &dyn Fn() -> Now) {
        if let (true, Some(file)) = (batch.reopen, &mut self.file) {
            file.reopen(now(), &mut io::stderr());
        }
        for line in batch.lines.split_inclusive(|byte| *byte == b'\n') {
            let now = now();
            if self.lost > 0 && self.write_line(now, lost_note(self.lost, now).as_bytes()).is_ok() {
                self.lost = 0;
            }
            if self.write_line(now, line).is_err() {
                self.lost = self.lost.saturating_add(1);
            }
        }
        self.lost = self.lost.saturating_add(batch.lost);
    }

    fn write_line(&mut self, now: Now, line: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write(now, line, &mut io::stderr()),
            None => io::stderr().write_all(line),
        }
    }
}

fn lost_note(lost: u64, now: Now) -> Line {
    let mut note = Line::new();
    write_line(
        &mut note,
        now.wall,
        log::Level::Warn,
        &format_args!("{lost} lines before this one are lost: they were not taken in time"),
    );
    note
}

/// The process's signals are for the thread that waits for them.
fn block_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: plain calls; the set is initialised by the first one.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}
