//! The console's socket: clients that say anything in any pieces, and a whole manager behind it.
//!
//! Each piece of the input is a step: a letter, and what belongs to it.
#![no_main]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use update_manager::config::{load, Order};
use update_manager::console::view::Host;
use update_manager::engine::{Engine, Policies};
use update_manager::limits::CONSOLE_CLIENTS_MAX;
use update_manager::manager::{will, Manager};
use update_manager::model::time::{Now, Tick};
use update_manager::mqtt::Options;
use update_manager::shell;
use update_manager::shell::console::Console;
use update_manager_fuzz::{log_everything, pieces};

fuzz_target!(|input: &[u8]| {
    log_everything();
    let mut world = World::new();
    for step in pieces(input).take(64) {
        world.take(step);
    }
    // Whoever says nothing more is dropped in the end: an hour is enough to let one client in, to
    // answer one line of each, and to drop those who have none left.
    let mut hours = 0..input.len() + 2;
    while world.console.poll_timeout().is_some() && hours.next().is_some() {
        world.pass(3_600_000);
    }
    assert_eq!(world.console.poll_timeout(), None);
});

struct World {
    console: Console,
    path: PathBuf,
    manager: Manager,
    tick: u64,
    clients: Vec<UnixStream>,
}

impl World {
    fn new() -> World {
        let args = ["--things-enabled=false", "--state-dir=", "--console-socket="];
        let Ok(Order::Run(loaded)) = load(&args, &|_| None) else { panic!("a good configuration") };
        let config = &loaded.config;
        let options = Options { will: will(&config.connection.status_topic), ..Options::new("me") };
        let engine = Engine::new(shell::settings(config, false), Policies::default());
        let manager = Manager::new(config, options, engine, 7, false, now(1)).expect("good domains");
        let path = std::env::temp_dir().join(format!("um-fuzz-{}.sock", std::process::id()));
        let console = Console::open(path.to_str().expect("UTF-8"), "").expect("it listens");
        World { console, path, manager, tick: 1, clients: Vec::new() }
    }

    fn take(&mut self, step: &[u8]) {
        let Some((letter, rest)) = step.split_first() else { return };
        let number = rest.iter().take(3).fold(0, |number, byte| number << 8 | usize::from(*byte));
        match letter {
            b'c' if self.clients.len() < CONSOLE_CLIENTS_MAX + 1 => {
                let client = UnixStream::connect(&self.path).expect("it listens");
                client.set_nonblocking(true).expect("a socket");
                self.clients.push(client);
            }
            b'd' if !self.clients.is_empty() => drop(self.clients.remove(0)),
            b's' if !self.clients.is_empty() => self.clients.rotate_left(1),
            b'w' => self.say(rest),
            b'l' => self.say(b"\n"),
            // Blanks between tokens, so that a line can be of any length.
            b'b' => self.say(&vec![b' '; number % 300_000]),
            b't' => self.pass(number as u64 % 100_000),
            b'r' => self.hear(),
            _ => {}
        }
        self.pass(0);
    }

    fn say(&mut self, mut bytes: &[u8]) {
        for _ in 0..1000 {
            let Some(client) = self.clients.first_mut() else { return };
            match client.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if bytes.is_empty() {
                return;
            }
            self.pass(0);
        }
    }

    fn hear(&mut self) {
        let mut bytes = [0; 4096];
        let Some(client) = self.clients.first_mut() else { return };
        while client.read(&mut bytes).is_ok_and(|n| n > 0) {}
    }

    fn pass(&mut self, ms: u64) {
        self.tick += ms;
        let World { console, manager, tick, .. } = self;
        let host = Host {
            broker: &"tcp://broker:1883",
            may_control: true,
            resident_kib: || 700,
            link_error: "",
            configuration: &|| String::from("domain = device (default)\n"),
        };
        console.take();
        for _ in 0..100_000 {
            let now = now(*tick);
            let mut answer = |line: &[u8], from, out: &mut String| manager.handle_console(now, &host, line, from, out);
            if !console.serve(now.tick, &mut answer) {
                return;
            }
        }
        panic!("the console has always something to do");
    }
}

fn now(tick: u64) -> Now {
    Now { tick: Tick(tick), wall: 1_700_000_000_000 + tick }
}
