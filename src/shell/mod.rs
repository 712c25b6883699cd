//! The loop, and everything that awaits, reads a clock or makes a system call.

pub mod check;
pub(crate) mod child;
pub(crate) mod clock;
pub mod console;
pub mod disk;
pub(crate) mod explain;
mod identity;
mod lines;
pub(crate) mod link;
mod lock;
mod notify;
pub(crate) mod program;
mod random;
mod reboot;
mod saver;
mod settings;
pub(crate) mod signal;
mod thread;
#[cfg(feature = "tls")]
mod tls;
pub(crate) mod transport;

use std::future::{poll_fn, Future};
use std::io;
use std::mem::replace;
use std::pin::Pin;
use std::task::Poll;

use async_io::Timer;

use crate::config::{show, Config, Connection, Loaded as Configuration};
use crate::console::view::Host;
use crate::engine::{Engine, Policies};
use crate::limits::TURNS_MAX;
use crate::manager::{will, Manager};
use crate::model::time::{Duration, Now, Tick};
use crate::mqtt::{LinkWish, Options, Reason};
use crate::store::Found;
use check::Checker;
use clock::Clock;
use console::Console;
use disk::{Disk, StateDir};
use identity::{Identity, MACHINE_ID};
use link::Link;
use notify::Notify;
use reboot::{Outcome, Rebooter};
use saver::Saver;
pub use settings::settings;
use signal::{Signal, Signals};
use transport::Transport;

/// Serves until the process is told to end, with the policy that the protocol describes.
/// The configuration is one that `config` found good.
///
/// # Errors
/// Another manager has the state folder, a file that the connection needs cannot be
/// used, or the system refuses what the loop itself needs: signals or the reactor.
pub fn run(loaded: &Configuration) -> io::Result<()> {
    run_with(loaded, Policies::default())
}

/// Serves with somebody's own policies, and all that ours have (docs/policies.md).
///
/// # Errors
/// As [`run`].
pub fn run_with(loaded: &Configuration, policies: Policies) -> io::Result<()> {
    let config = &loaded.config;
    let folder = open_folder(config);
    if let Some(folder) = &folder {
        // Held to the end, and before anything in the folder is read or moved aside.
        let taken = folder.disk.0.lock();
        taken.map_err(|held| io::Error::new(io::ErrorKind::AlreadyExists, held.to_string()))?;
    }
    let is_lasting = folder.as_ref().is_some_and(Opened::is_lasting);
    let shown = || show::check_config(loaded, is_lasting).0;
    let engine = Engine::new(settings(config, folder.is_some()), policies);
    serve(config, &shown, engine, folder)
}

/// The folder where activities are saved.
struct Opened {
    disk: Disk<StateDir>,
    is_writable: bool,
}

impl Opened {
    /// Whether what is saved survives a power cut.
    fn is_lasting(&self) -> bool {
        self.is_writable && !self.disk.0.is_volatile()
    }
}

/// Where activities are saved; nowhere if that is turned off or there is no such folder.
/// One that cannot be written is read all the same, and tried again.
fn open_folder(config: &Config) -> Option<Opened> {
    if config.state_dir.is_empty() {
        return None;
    }
    let opened = StateDir::open(&config.state_dir);
    if let Some(flaw) = flaw_of(&config.state_dir, &opened) {
        log::warn!("{flaw}");
    }
    let (folder, flaw) = opened.ok()?;
    Some(Opened { disk: Disk(folder), is_writable: flaw.is_none() })
}

/// What is wrong with `stateDir`, in the words of the log; nothing is made there.
pub fn state_dir_flaw(config: &Config) -> Option<String> {
    let path = Some(&config.state_dir).filter(|path| !path.is_empty())?;
    flaw_of(path, &StateDir::try_open(path))
}

/// Whether `stateDir` works and survives a power cut; nothing is made there.
pub fn has_lasting_state_dir(config: &Config) -> bool {
    !config.state_dir.is_empty() && state_dir_flaw(config).is_none()
}

fn flaw_of(path: &str, opened: &io::Result<(StateDir, Option<io::Error>)>) -> Option<String> {
    match opened {
        Ok((folder, None)) if folder.is_volatile() => {
            Some(format!("stateDir {path} lies in memory or on an overlay: an activity may not survive a power cut"))
        }
        Ok((_, None)) => None,
        Ok((_, Some(error))) | Err(error) => {
            Some(format!("stateDir {path}: {error}; an activity does not survive a restart"))
        }
    }
}

/// The console; none if that is turned off or does not work.
fn open_console(config: &Config) -> Option<Console> {
    let path = config.console_socket.as_str();
    if path.is_empty() {
        return None;
    }
    let opened = Console::open(path, &config.console_group);
    opened.map_err(|error| log::error!("consoleSocket {path}: {error}; there is no console")).ok()
}

/// `shown` is the configuration as it is shown to people.
fn serve(config: &Config, shown: &dyn Fn() -> String, engine: Engine, folder: Option<Opened>) -> io::Result<()> {
    link::check(&config.connection).map_err(invalid)?;
    let signals = Signals::block()?;
    let console = open_console(config);
    let clock = Clock::start();
    let found = folder.as_ref().map(|folder| folder.disk.load());
    let is_lasting = folder.as_ref().is_some_and(Opened::is_lasting);
    let (options, is_new) = own_options(config, found.as_ref(), is_lasting)?;
    options.check().map_err(invalid)?;
    let ids = u128::from(random::number()?) << 64 | u128::from(random::number()?);
    let mut manager = Manager::new(config, options, engine, ids, folder.is_some(), clock.now()).map_err(invalid)?;
    if let Some(found) = found {
        manager.resume(clock.now(), clock::boot(), &found, is_new);
    }
    let mut pump = Pump {
        saver: Saver::new(folder.map(|folder| folder.disk)),
        config,
        shown,
        console,
        link_error: String::new(),
        manager,
        clock,
        signals,
        transport: Transport::new(),
        rebooter: Rebooter::new(&config.reboot_command, &|name| std::env::var_os(name)),
        checker: Checker::new(&config.groups.verify_command, config.groups.verify_timeout_ms),
        notify: Notify::new(&|name| std::env::var_os(name)),
    };
    // A broker that is away is waited for, so it must not fail the start.
    pump.notify.ready(clock.now().tick);
    // The reactor stays on async-io's own thread: at rest that wakes a third as often as when
    // this one drives it.
    smol::future::block_on(pump.serve());
    Ok(())
}

pub(crate) fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}

/// How the manager speaks to the broker, and whether its client ID was made at random and
/// is to be saved.
fn own_options(config: &Config, found: Option<&Found>, is_lasting: bool) -> io::Result<(Options, bool)> {
    let options = options(&config.connection)?;
    let Identity { client_id, clean_session, is_new } =
        identity::settle(config, found, is_lasting, MACHINE_ID, random::number()?);
    log::info!("the client ID is {client_id}, the session {}", if clean_session { "clean" } else { "persistent" });
    Ok((Options { client_id, clean_session, will: will(&config.connection.status_topic), ..options }, is_new))
}

/// How to speak to the broker. Without a configured client ID, it and the jitter
/// differ from start to start, and the session is clean.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn options(connection: &Connection) -> io::Result<Options> {
    let (client_id, clean_session) = match connection.client_id.as_str() {
        "" => (identity::of_number(random::number()?), true),
        configured => (configured.to_owned(), connection.is_clean(false)),
    };
    Ok(Options {
        client_id,
        // A password alone is not sent [MQTT-3.1.2-22], as with the reference.
        password: (!connection.username.is_empty()).then(|| connection.password.clone()),
        username: Some(connection.username.clone()),
        keep_alive_s: connection.keep_alive_s,
        clean_session,
        connect_timeout_ms: connection.connect_timeout_ms,
        ack_timeout_ms: connection.ack_timeout_ms,
        subscribe_timeout_ms: connection.subscribe_timeout_ms,
        unsubscribe_timeout_ms: connection.unsubscribe_timeout_ms,
        retain: connection.retain,
        will: None,
        seed: random::number()?,
    })
}

/// Moves bytes and time between the system and the manager.
struct Pump<'a> {
    config: &'a Config,
    shown: &'a dyn Fn() -> String,
    console: Option<Console>,
    /// Why the last attempt to connect failed.
    link_error: String,
    manager: Manager,
    saver: Saver,
    clock: Clock,
    signals: Signals,
    transport: Transport,
    rebooter: Rebooter,
    checker: Checker,
    notify: Notify,
}

impl Pump<'_> {
    async fn serve(&mut self) {
        let mut turns = 0;
        // When the turn before began, and when this one is to begin at the latest.
        let (mut before, mut due) = (self.clock.now().tick, None);
        while !self.manager.is_ended() {
            if let Some(ms) = due.and_then(|due| self.clock.leave_out_stall(before, due)) {
                log::warn!("the manager stood still; nobody is held to the last {}", Duration(ms));
            }
            let now = self.clock.now();
            (before, due) = (now.tick, Some(now.tick));
            let more = self.exchange(now, turns) | self.serve_console(now) | self.drive_reboot(now);
            turns = if more { turns + 1 } else { 0 };
            self.drive_checks(now);
            self.saver.begin(|| self.manager.poll_write(self.clock.now()));
            if !(self.follow_wish(now) || more || self.manager.is_ended()) {
                self.notify.tell(|line| self.manager.write_activity(line));
                due = self.poll_timeout();
                self.wait(now.tick, due).await;
                self.take();
            }
        }
        self.checker.abandon();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.notify.handle_timeout(now.tick);
        if self.manager.poll_timeout().is_some_and(|due| due <= now.tick) {
            self.manager.handle_timeout(now);
        }
    }

    /// Answers whoever asks at the console; whether there may be more.
    fn serve_console(&mut self, now: Now) -> bool {
        let Some(console) = &mut self.console else { return false };
        let host = Host {
            broker: &self.config.connection.broker,
            may_control: self.config.console_control,
            resident_kib: clock::resident_kib,
            link_error: &self.link_error,
            configuration: self.shown,
        };
        let manager = &mut self.manager;
        console.serve(now.tick, &mut |line, from, answer| manager.handle_console(now, &host, line, from, answer))
    }

    /// Begins and ends calls of the verification command as the manager wants.
    fn drive_checks(&mut self, now: Now) {
        while let Some(group) = self.manager.poll_end_check() {
            self.checker.end(now.tick, group);
        }
        while let Some(call) = self.manager.poll_check() {
            self.checker.begin(now.tick, &call);
        }
    }

    /// Begins the reboot that the manager wants, and takes its next step; whether the
    /// manager has something to do again.
    fn drive_reboot(&mut self, now: Now) -> bool {
        if self.manager.poll_reboot() {
            log::warn!("rebooting the host");
            self.rebooter.begin(now.tick);
        }
        let Some(Outcome::Failed(why)) = self.rebooter.handle_timeout(now.tick) else { return false };
        log::error!("the reboot failed: {why}");
        self.manager.handle_reboot_failed(now);
        true
    }

    /// Opens or closes the transport as the session wants; whether it was closed.
    fn follow_wish(&mut self, now: Now) -> bool {
        match self.manager.poll_link(now) {
            LinkWish::Open => self.transport.open(Link::open(self.config.connection.clone())),
            LinkWish::Wait(_) | LinkWish::Keep => {}
            LinkWish::Close(reason) => {
                match reason {
                    Reason::Disconnected => log::info!("disconnected"),
                    _ => log::warn!("connection closed: {reason}"),
                }
                self.close(now);
                return true;
            }
        }
        false
    }

    fn close(&mut self, now: Now) {
        self.transport.close();
        self.manager.handle_link_down(now);
    }

    /// Reads, handles and writes what is there; whether there may be more.
    fn exchange(&mut self, now: Now, turns: u32) -> bool {
        let result = self.receive(now).and_then(|received| {
            // What has come counts before any time that is over: a stall of ours is nobody's
            // silence. But a flood does not keep a time from being over.
            if !received || turns % TURNS_MAX == TURNS_MAX - 1 {
                self.handle_timeout(now);
            }
            let sent = self.send(now)?;
            Ok(received && self.transport.is_readable() || sent && self.manager.is_behind())
        });
        match result {
            Ok(more) => more,
            Err(error) => {
                log::warn!("connection lost: {error}");
                self.close(now);
                true
            }
        }
    }

    fn receive(&mut self, now: Now) -> io::Result<bool> {
        let n = self.transport.read(self.manager.receive_buffer())?;
        if n > 0 {
            self.manager.handle_received(now, n);
        }
        Ok(self.manager.handle_events(now) || n > 0)
    }

    fn send(&mut self, now: Now) -> io::Result<bool> {
        let Pump { transport, manager, .. } = self;
        transport.write(|bytes| manager.poll_transmit(now, bytes))
    }

    /// When there is something to be done at the latest, whatever happens.
    fn poll_timeout(&self) -> Option<Tick> {
        let console = self.console.as_ref().and_then(Console::poll_timeout);
        let manager = self.manager.poll_timeout();
        let checker = self.checker.poll_timeout(self.clock.now().tick);
        Tick::earliest(&[manager, self.rebooter.poll_timeout(), self.notify.poll_timeout(), console, checker])
    }

    /// Waits until something may have happened, or is due. Each source is asked once, which
    /// has the reactor wake us; then it is over, whoever has woken us.
    async fn wait(&mut self, now: Tick, due: Option<Tick>) {
        let mut timer = match due {
            Some(due) => Timer::after(std::time::Duration::from_millis(due.since(now))),
            None => Timer::never(),
        };
        let mut is_woken = false;
        poll_fn(|cx| {
            let mut is_ready = replace(&mut is_woken, true);
            is_ready |= Pin::new(&mut timer).poll(cx).is_ready();
            is_ready |= self.signals.poll(cx).is_ready();
            is_ready |= self.saver.poll(cx).is_ready();
            is_ready |= self.checker.poll(cx).is_ready();
            is_ready |= self.console.as_mut().is_some_and(|console| console.poll(cx).is_ready());
            is_ready |= self.transport.poll(cx).is_ready();
            match is_ready {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Takes what has come from each source.
    fn take(&mut self) {
        // A service manager tells us and the command to end at the same time. What it has
        // ended says nothing of the group, so that our own signal comes first.
        let over = self.checker.take(self.clock.now().tick);
        while let Some(signal) = self.signals.take() {
            self.handle_signal(signal);
        }
        for over in over {
            self.manager.handle_checked(self.clock.now(), over.group, over.verdict());
        }
        if let Some(result) = self.saver.take() {
            self.manager.handle_written(self.clock.now(), result);
        }
        self.console.iter_mut().for_each(Console::take);
        if let Some(opened) = self.transport.take() {
            self.opened(opened);
        }
    }

    fn handle_signal(&mut self, signal: Signal) {
        match signal {
            Signal::End => {
                self.notify.stopping();
                self.manager.handle_terminate(self.clock.now());
            }
            Signal::Reopen => crate::logging::reopen(),
        }
    }

    fn opened(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => {
                self.link_error = String::new();
                self.manager.handle_link_up(self.clock.now());
            }
            Err(error) => {
                log::warn!("cannot connect to {}: {error}", self.config.connection.broker);
                self.link_error = error.to_string();
                self.close(self.clock.now());
            }
        }
    }
}
