use std::ffi::OsString;
use std::time::Duration;

use super::*;

/// A service manager's socket.
struct Listener(UnixDatagram);

impl Listener {
    /// On an abstract name, and what `NOTIFY_SOCKET` is for it.
    fn new(name: &str) -> (Listener, OsString) {
        let name = format!("um-notify-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (Listener(socket), format!("@{name}").into())
    }

    fn next(&self) -> std::string::String {
        let mut bytes = [0; 1024];
        let n = self.0.recv(&mut bytes).expect("a message");
        std::str::from_utf8(&bytes[..n]).unwrap().to_owned()
    }

    fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let is_empty = self.0.recv(&mut [0; 1024]).is_err();
        self.0.set_nonblocking(false).unwrap();
        is_empty
    }
}

fn notify(socket: &OsString, watchdog_us: &str, pid: &str) -> Notify {
    let set = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
    Notify::new(&|name| match name {
        "NOTIFY_SOCKET" => Some(socket.clone()),
        "WATCHDOG_USEC" => set(watchdog_us),
        "WATCHDOG_PID" => set(pid),
        _ => None,
    })
}

#[test]
fn without_a_socket_nothing_is_told_and_nothing_is_due() {
    for name in ["", "relative/path", "vsock:2:1", "/nobody/listens"] {
        let mut notify = notify(&name.into(), "1000000", "");
        notify.ready(Tick(0));
        notify.tell(|line| line.write_str("no activity"));
        notify.stopping();
        assert_eq!(notify.poll_timeout().is_some(), name == "/nobody/listens", "{name}");
    }
    let mut unset = Notify::new(&|_| None);
    unset.ready(Tick(0));
    assert_eq!(unset.poll_timeout(), None);
}

#[test]
fn a_path_and_an_abstract_name_are_told_the_same() {
    let path = std::env::temp_dir().join(format!("um-notify-{}", std::process::id()));
    let at_path = UnixDatagram::bind(&path).unwrap();
    at_path.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (abstract_one, name) = Listener::new("same");
    for (listener, socket) in [(Listener(at_path), path.clone().into_os_string()), (abstract_one, name)] {
        let mut notify = notify(&socket, "", "");
        notify.ready(Tick(0));
        notify.stopping();
        assert_eq!([listener.next(), listener.next()], ["READY=1", "STOPPING=1"]);
        assert_eq!(notify.poll_timeout(), None);
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_watchdog_is_fed_when_half_of_its_time_is_over_and_not_before() {
    let (listener, socket) = Listener::new("fed");
    let mut notify = notify(&socket, "3000000", &std::process::id().to_string());
    assert_eq!(notify.poll_timeout(), None);
    notify.ready(Tick(100));
    assert_eq!(listener.next(), "READY=1");
    for (early, now, next) in [(99, 100, 1600), (1599, 1600, 3100), (3099, 4000, 5500)] {
        notify.handle_timeout(Tick(early));
        assert!(listener.is_empty());
        notify.handle_timeout(Tick(now));
        assert_eq!(listener.next(), "WATCHDOG=1");
        assert_eq!(notify.poll_timeout(), Some(Tick(next)));
    }
}

#[test]
fn a_watchdog_of_another_process_or_of_no_time_is_not_fed() {
    let (listener, socket) = Listener::new("foreign");
    for (us, pid) in [("1000000", "1"), ("1000000", "x"), ("0", ""), ("", ""), ("-1", ""), ("1s", "")] {
        let mut notify = notify(&socket, us, pid);
        notify.ready(Tick(0));
        assert_eq!(listener.next(), "READY=1");
        notify.handle_timeout(Tick(u64::MAX));
        assert!(listener.is_empty(), "{us} {pid}");
    }
}

#[test]
fn a_line_is_told_when_it_changes_and_cut_at_its_bound() {
    let (listener, socket) = Listener::new("line");
    let mut notify = notify(&socket, "", "");
    for words in ["one", "one", "two"] {
        notify.tell(|line| line.write_str(words));
    }
    assert_eq!([listener.next(), listener.next()], ["STATUS=one", "STATUS=two"]);
    for _ in 0..2 {
        notify.tell(|line| (0..1000).try_for_each(|_| line.write_char('x')));
    }
    assert_eq!(listener.next().len(), "STATUS=".len() + ACTIVITY_TOLD_MAX);
    assert!(listener.is_empty());
}

#[test]
fn a_queue_that_is_full_holds_nothing_up_and_the_line_is_told_later() {
    let (listener, socket) = Listener::new("full");
    let mut notify = notify(&socket, "1", "");
    notify.ready(Tick(0));
    // The system's queue has room for some hundreds.
    for now in 0..100_000 {
        notify.handle_timeout(Tick(now));
    }
    notify.tell(|line| line.write_str("late"));
    while !listener.is_empty() {}
    notify.tell(|line| line.write_str("late"));
    assert_eq!(listener.next(), "STATUS=late");
}
