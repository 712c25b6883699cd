//! The broker and the manager as processes, each with a folder of its own.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

/// How often what a process does is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A folder that is removed with all in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("um-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until `done`; fails, naming `what`, if it takes longer than `timeout`.
pub fn wait_until(what: &str, timeout: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + timeout;
    while !done() {
        assert!(Instant::now() < end, "not within {timeout:?}: {what}");
        sleep(POLL);
    }
}

/// A port that nobody listens on.
pub fn free_port(host: &str) -> u16 {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port()
}

/// Sends a signal to a process of ours.
fn kill(child: &Child, signal: libc::c_int) {
    // SAFETY: a plain system call; the child is not waited for yet, so the id is still its own.
    let result = unsafe { libc::kill(child.id() as libc::pid_t, signal) };
    assert_eq!(result, 0, "cannot send signal {signal}");
}

/// Waits for a process to end; none if it does not within `timeout`.
fn wait_end(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + timeout;
    loop {
        match child.try_wait().unwrap() {
            None if Instant::now() < end => sleep(POLL),
            status => return status,
        }
    }
}

/// A mosquitto that keeps sessions and retained messages over a restart.
pub struct Broker {
    pub folder: Folder,
    pub port: u16,
    process: Option<Child>,
}

impl Broker {
    /// One that listens for everybody on a free port of 127.0.0.1.
    pub fn start() -> Broker {
        Broker::start_with("")
    }

    /// The same with further lines in its configuration, where `{folder}` is
    /// its folder.
    pub fn start_with(lines: &str) -> Broker {
        let mut broker = Broker::prepare(free_port("127.0.0.1"), lines);
        broker.resume();
        broker
    }

    /// One that is not started yet.
    pub fn prepare(port: u16, lines: &str) -> Broker {
        let folder = Folder::new();
        let path = folder.0.display().to_string();
        let lines = lines.replace("{folder}", &path);
        // The user matters only to root, which mosquitto would give up.
        let config = format!(
            "per_listener_settings true\nuser root\npersistence true\npersistence_location {path}/\n\
             log_type all\nmax_queued_messages 10000\nset_tcp_nodelay true\n\
             listener {port} 127.0.0.1\nallow_anonymous true\n{lines}\n"
        );
        fs::write(folder.file("mosquitto.conf"), config).unwrap();
        Broker { folder, port, process: None }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it again after `stop`.
    pub fn resume(&mut self) {
        let log = File::options().append(true).create(true).open(self.folder.file("log")).unwrap();
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command.env("PATH", path).arg("-c").arg(self.folder.file("mosquitto.conf"));
        let child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("these tests need mosquitto: apt-get install mosquitto, or tests/run broker, which does it")
            }
            Err(error) => panic!("cannot start mosquitto: {error}"),
        };
        self.process = Some(child);
        let port = self.port;
        wait_until("mosquitto listens", Duration::from_secs(5), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Ends it in an orderly way.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        kill(&process, libc::SIGTERM);
        assert!(wait_end(&mut process, Duration::from_secs(5)).is_some(), "mosquitto does not end");
    }

    /// Ends it as a power cut would, with all that it has not read.
    pub fn cut(&mut self) {
        let mut process = self.process.take().expect("it runs");
        kill(&process, libc::SIGKILL);
        process.wait().unwrap();
    }

    /// Makes it deaf and dumb, with all connections as they are.
    pub fn freeze(&self) {
        kill(self.process.as_ref().expect("it runs"), libc::SIGSTOP);
    }

    /// Lets it go on after `freeze`.
    pub fn thaw(&self) {
        kill(self.process.as_ref().expect("it runs"), libc::SIGCONT);
    }

    /// How often its log says `words`.
    pub fn said(&self, words: &str) -> usize {
        occurrences(&self.folder.file("log"), words)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The manager; its log is shown when the test fails.
pub struct Manager {
    pub folder: Folder,
    process: Child,
    program: PathBuf,
}

fn command(program: &Path, folder: &Folder) -> Command {
    let log = File::options().create(true).append(true).open(folder.file("log")).unwrap();
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(folder.file("config.json"))
        // Whatever happens, this machine is not rebooted.
        .env("FILE_SYS_RQ", folder.file("sysrq"))
        .env("FILE_SYS_RQ_TRIGGER", folder.file("sysrq-trigger"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command
}

impl Manager {
    /// Starts one for agents of these domains.
    pub fn start(broker: &str, domains: &[&str]) -> Manager {
        Manager::start_with(broker, domains, json!({}))
    }

    /// The same, with keys of `config` in place of the tests' own.
    pub fn start_with(broker: &str, domains: &[&str], config: Value) -> Manager {
        Manager::start_as(broker, domains, config, |_| {})
    }

    /// The same, as a process that `change` has changed.
    pub fn start_as(broker: &str, domains: &[&str], config: Value, change: impl FnOnce(&mut Command)) -> Manager {
        Manager::start_program(Path::new(env!("CARGO_BIN_EXE_update-manager")), broker, domains, config, change)
    }

    /// An example in the manager's place.
    pub fn start_example(name: &str, broker: &str, domains: &[&str]) -> Manager {
        let target = Path::new(env!("CARGO_BIN_EXE_update-manager")).parent().unwrap();
        let program = target.join("examples").join(name);
        assert!(program.exists(), "this needs the examples: cargo build --features agent --examples");
        Manager::start_program(&program, broker, domains, json!({}), |_| {})
    }

    /// Another program in the manager's place.
    pub fn start_program(
        program: &Path,
        broker: &str,
        domains: &[&str],
        config: Value,
        change: impl FnOnce(&mut Command),
    ) -> Manager {
        let folder = Folder::new();
        fs::create_dir(folder.file("state")).unwrap();
        let agents: Value = domains.iter().map(|&d| (d.to_owned(), json!({ "readTimeout": "2s" }))).collect();
        let mut all = json!({
            "log": { "logLevel": "DEBUG" },
            "connection": { "broker": broker },
            "thingsEnabled": false,
            "rebootEnabled": false,
            "agents": agents,
            "reportFeedbackInterval": "1m",
            "currentStateDelay": "1s",
            "phaseTimeout": "1m",
            "stateDir": folder.file("state"),
            "consoleSocket": folder.file("console.sock"),
        });
        for (key, value) in config.as_object().into_iter().flatten() {
            match (all.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
                (Some(inner), Some(value)) => inner.extend(value.clone()),
                _ => all[key] = value.clone(),
            }
        }
        fs::write(folder.file("config.json"), all.to_string()).unwrap();
        let mut command = command(program, &folder);
        change(&mut command);
        let process = command.spawn().unwrap();
        Manager { folder, process, program: program.to_owned() }
    }

    /// Ends it with a signal and starts it again, with what it saved.
    pub fn restart(&mut self, signal: i32) {
        kill(&self.process, signal);
        self.start_again();
    }

    /// Waits until it has ended, and starts it again, with what it saved.
    pub fn start_again(&mut self) {
        wait_end(&mut self.process, Duration::from_secs(10)).expect("it ends within 10 s");
        self.process = command(&self.program, &self.folder).spawn().unwrap();
    }

    /// Starts another one with the same configuration, and waits for its end; its exit
    /// code, what it says on standard error, and how long it took.
    pub fn rival(&self) -> (Option<i32>, String, Duration) {
        let start = Instant::now();
        let mut process = command(&self.program, &self.folder).stderr(Stdio::piped()).spawn().unwrap();
        let Some(status) = wait_end(&mut process, Duration::from_secs(10)) else {
            let _ = process.kill();
            panic!("the second manager does not end");
        };
        let took = start.elapsed();
        let mut words = String::new();
        process.stderr.take().unwrap().read_to_string(&mut words).unwrap();
        (status.code(), words, took)
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Tells it to end; its exit code, and how long it took.
    pub fn terminate(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        kill(&self.process, libc::SIGTERM);
        let status = wait_end(&mut self.process, Duration::from_secs(10)).expect("it ends within 10 s");
        (status.code(), start.elapsed())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        kill(&self.process, signal);
    }

    /// How often its log says `words`.
    pub fn said(&self, words: &str) -> usize {
        occurrences(&self.folder.file("log"), words)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its resident memory in kB.
    pub fn resident_kb(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = fs::read(self.folder.file("log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("-- the manager said:\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}

fn occurrences(file: &Path, words: &str) -> usize {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).matches(words).count()
}
