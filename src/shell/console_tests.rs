use std::os::unix::fs::MetadataExt;

use super::*;
use crate::limits::CONSOLE_PIECE;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("um-console-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error(path: &str, group: &str) -> String {
    Console::open(path, group).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_socket_is_for_the_owner_or_the_group_and_goes_with_the_manager() {
    let folder = Folder::new("modes");
    let path = folder.file("run/console.sock");
    let mode = |path: &str| fs::metadata(path).unwrap().mode() & 0o777;
    let console = Console::open(&path, "").unwrap();
    assert_eq!(mode(&path), 0o600);
    drop(console);
    assert!(!Path::new(&path).exists());
    let own = fs::metadata(&folder.0).unwrap().gid();
    let console = Console::open(&path, &own.to_string()).unwrap();
    assert_eq!((mode(&path), fs::metadata(&path).unwrap().gid()), (0o660, own));
    drop(console);
    assert_eq!(error(&path, "no such group"), "consoleGroup: there is no group no such group");
    assert!(!Path::new(&path).exists());
}

#[test]
fn only_a_socket_that_nobody_listens_at_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.file("console.sock");
    // As a manager leaves it behind that was killed.
    drop(UnixListener::bind(&path).unwrap());
    let console = Console::open(&path, "").unwrap();
    assert_eq!(error(&path, ""), "another manager listens there");
    assert!(UnixStream::connect(&path).is_ok(), "the living one is not harmed");
    drop(console);
    fs::write(&path, "precious").unwrap();
    assert_eq!(error(&path, ""), "there is a file that is no socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert!(!error(&folder.file("no/such/folder"), "").is_empty());
}

#[test]
fn a_socket_that_another_manager_has_bound_meanwhile_is_left_to_it() {
    let folder = Folder::new("other");
    let path = folder.file("console.sock");
    let first = Console::open(&path, "").unwrap();
    fs::remove_file(&path).unwrap();
    let second = Console::open(&path, "").unwrap();
    drop(first);
    assert!(UnixStream::connect(&path).is_ok());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    drop(second);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_manager_that_lets_nobody_in_is_neither_robbed_nor_waited_for() {
    let folder = Folder::new("still");
    let path = folder.file("console.sock");
    let _console = Console::open(&path, "").unwrap();
    // As many as the queue holds; the next one would have to wait.
    let _waiting: Vec<_> = (0..=CONSOLE_QUEUE).map(|_| UnixStream::connect(&path).unwrap()).collect();
    assert_eq!(error(&path, ""), "another manager listens there");
    assert!(Path::new(&path).exists());
}

#[test]
fn a_client_that_says_half_a_line_is_dropped_and_nothing_is_kept() {
    let folder = Folder::new("half");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let mut never = |_: &[u8], _: Option<Place>, _: &mut String| -> Reply { panic!("half a line is no request") };
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"{\"command\":").unwrap();
    while console.serve(Tick(0), &mut never) {}
    assert_eq!(console.poll_timeout(), Some(Tick(CONSOLE_SPACING_MS)));
    while console.serve(Tick(CONSOLE_SPACING_MS), &mut never) {}
    assert_eq!(console.poll_timeout(), Some(Tick(CONSOLE_CLIENT_MS)));
    while console.serve(Tick(CONSOLE_CLIENT_MS), &mut never) {}
    assert_eq!((console.clients.capacity(), console.poll_timeout()), (0, None));
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_line_with_an_end_is_taken_up_to_its_limit_and_not_a_byte_further() {
    let folder = Folder::new("limit");
    let path = folder.file("console.sock");
    for over in [0, 1, 2, CONSOLE_CHUNK - 1, CONSOLE_CHUNK] {
        let mut console = Console::open(&path, "").unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        let line = [&vec![b'x'; CONSOLE_REQUEST_MAX + over][..], b"\n"].concat();
        let writer = std::thread::spawn(move || {
            client.write_all(&line).unwrap();
            let mut answer = [0; 128];
            let n = client.read(&mut answer).unwrap();
            answer[..n].to_vec()
        });
        let mut taken = 0;
        while !writer.is_finished() {
            console.serve(Tick(0), &mut |line, _, answer| {
                taken = line.len();
                answer.push_str("taken");
                Reply::Whole
            });
            // The kernel's readiness is not waited for here.
            console.take();
        }
        let answer = writer.join().unwrap();
        let is_good = if over == 0 { answer == b"taken" && taken == CONSOLE_REQUEST_MAX } else { answer == TOO_LONG };
        assert!(is_good && taken <= CONSOLE_REQUEST_MAX, "{over}: {taken}, {}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_line_that_is_too_long_is_answered_and_its_client_dropped() {
    let folder = Folder::new("long");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let mut never = |_: &[u8], _: Option<Place>, _: &mut String| -> Reply { panic!("it has no end") };
    let client = UnixStream::connect(&path).unwrap();
    client.set_nonblocking(true).unwrap();
    let mut most = 0;
    let mut answer = Vec::new();
    for _ in 0..1000 {
        let _ = (&client).write(&[b'x'; 4096]);
        // The kernel's readiness is not waited for here.
        console.clients.iter_mut().for_each(|client| client.readable = true);
        while console.serve(Tick(0), &mut never) {}
        most = most.max(console.clients.iter().map(|client| client.input.len()).max().unwrap_or(0));
        let _ = (&client).read_to_end(&mut answer);
    }
    assert!(most <= CONSOLE_REQUEST_MAX + CONSOLE_CHUNK, "{most}");
    assert_eq!(answer, TOO_LONG);
    assert!(console.clients.is_empty());
}

/// Serves at this time until nothing more is done; every answer has so many bytes. Returns
/// what all clients held at most, and how many requests were answered.
fn serve_all(console: &mut Console, tick: u64, bytes: usize) -> (usize, usize) {
    let mut answered = 0;
    let most = serve_with(console, tick, &mut |_, _, answer| {
        answered += 1;
        *answer = "x".repeat(bytes);
        Reply::Whole
    });
    (most, answered)
}

/// Serves at this time until nothing more is done. Returns what all clients held at most.
fn serve_with(console: &mut Console, tick: u64, answer: Answering<'_>) -> usize {
    let mut most = 0;
    // The kernel's readiness is not waited for here.
    console.take();
    while console.serve(Tick(tick), answer) {
        console.take();
        most = most.max(console.clients.iter().map(|client| client.input.len() + client.output.len()).sum());
    }
    most
}

#[test]
fn clients_that_do_not_read_hold_one_large_answer_together_and_the_next_has_its_turn_when_one_is_dropped() {
    const LARGE: usize = 500_000;
    let folder = Folder::new("answers");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let clients: Vec<UnixStream> = (0..CONSOLE_CLIENTS_MAX).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for mut client in &clients {
        client.write_all(b"report\n").unwrap();
    }
    for n in 1..=CONSOLE_CLIENTS_MAX as u64 {
        let (mut most, mut answered) = (0, 0);
        // Each is let in a while after the one before.
        let end = n * CONSOLE_CLIENT_MS - 1;
        for tick in ((n - 1) * CONSOLE_CLIENT_MS..=end).step_by(CONSOLE_SPACING_MS as usize) {
            let (more, by) = serve_all(&mut console, tick, LARGE);
            (most, answered) = (most.max(more), answered + by);
        }
        assert!(most < LARGE + CONSOLE_OTHERS_MAX, "{n}: {most}");
        assert!(answered <= 1, "{n}: {answered}");
        if n == 1 {
            assert_eq!((answered, console.clients.len()), (1, CONSOLE_CLIENTS_MAX));
        }
    }
}

#[test]
fn one_client_at_a_time_has_room_for_a_large_request_and_small_ones_are_answered_meanwhile() {
    let folder = Folder::new("requests");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let clients: Vec<UnixStream> = (0..CONSOLE_CLIENTS_MAX).map(|_| UnixStream::connect(&path).unwrap()).collect();
    clients.iter().for_each(|client| client.set_nonblocking(true).unwrap());
    let mut most = 0;
    for tick in 0..CONSOLE_CLIENT_MS / 2 {
        for mut client in &clients[1..] {
            let _ = client.write(&[b'x'; 3000]);
        }
        most = most.max(serve_all(&mut console, tick, 10).0);
    }
    assert!((100_000..CONSOLE_REQUEST_MAX + CONSOLE_OTHERS_MAX + CONSOLE_CHUNK).contains(&most), "{most}");
    (&clients[0]).write_all(b"status\n").unwrap();
    assert_eq!(serve_all(&mut console, CONSOLE_CLIENT_MS / 2, 10).1, 1);
}

#[test]
fn clients_that_do_not_read_hold_a_piece_of_the_inventory_each_and_another_is_answered() {
    let folder = Folder::new("pieces");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let clients: Vec<UnixStream> = (0..CONSOLE_CLIENTS_MAX).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for mut client in &clients[1..] {
        client.write_all(b"inventory\n").unwrap();
    }
    (&clients[0]).write_all(b"status\n").unwrap();
    let (mut most, mut answered) = (0, 0);
    for tick in (0..CONSOLE_CLIENT_MS).step_by(CONSOLE_SPACING_MS as usize) {
        let more = serve_with(&mut console, tick, &mut |line, _, answer| match line {
            b"status" => {
                answered += 1;
                answer.push_str("x\n");
                Reply::Whole
            }
            _ => {
                *answer = "x".repeat(CONSOLE_PIECE);
                Reply::Piece(Place::default())
            }
        });
        most = most.max(more);
    }
    assert!((2 * CONSOLE_PIECE..CONSOLE_OTHERS_MAX).contains(&most), "{most}");
    assert_eq!((answered, console.clients.len()), (1, CONSOLE_CLIENTS_MAX));
    serve_all(&mut console, 2 * CONSOLE_CLIENT_MS, 0);
    assert!(console.clients.is_empty(), "who does not take an answer is dropped, however many pieces it took");
}

#[test]
fn an_answer_in_pieces_goes_on_from_place_to_place_until_its_end_or_until_it_is_cut_off() {
    let folder = Folder::new("cut");
    let path = folder.file("console.sock");
    let mut console = Console::open(&path, "").unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"inventory\ninventory\n").unwrap();
    let mut replies = vec![
        (None, "1 ", Reply::Piece(Place::default())),
        (Some(Place::default()), "2 ", Reply::Piece(Place::default())),
        (Some(Place::default()), "3\n", Reply::Whole),
        (None, "4 ", Reply::Piece(Place::default())),
        (Some(Place::default()), "", Reply::Cut),
    ]
    .into_iter();
    for tick in [0, CONSOLE_SPACING_MS] {
        serve_with(&mut console, tick, &mut |line, from, answer| {
            let (place, piece, reply) = replies.next().unwrap();
            assert_eq!((line, from), (&b"inventory"[..], place));
            answer.push_str(piece);
            reply
        });
    }
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert_eq!((all.as_str(), console.clients.len()), ("1 2 3\n4 ", 0));
}
