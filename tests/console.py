"""Runs the console sessions in tests/scripts: see tests/console.

A session is what somebody types and sees. `$ ...` is a command of the manager's
binary, the lines below it are what it prints, `= N` is its exit code if that is not
0. `...` stands for any lines. `% ...` prepares and stirs the world:

  % config JSON       keys of the configuration, before the start
  % file NAME         a file of the lines up to `% end`
  % agent ARGS...     an example agent
  % start             the manager
  % broker stop|start
  % boot              of the host: the manager and the agents end at once, and start
  % until TEXT        waits until `status` shows the text
  % begin ...         a command that goes on in a terminal of its own
  % resize COLUMNS ROWS  its terminal's new size
  % finish            waits for its end; below it the screen that it leaves
  % dumb, % terminal, % any
                      what follows is for such terminals only

What differs from run to run is shown as <when>, <time>, <n>.
"""

import fcntl
import itertools
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import termios
import time
import uuid

import jsonschema
from referencing import Registry, Resource

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 80, 24
# At 115,200 baud.
BYTES_A_SECOND = 11_520
PATIENCE_S = 30

MASKS = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<when>"),
    (r"console-\d{8}-\d{6}", "console-<id>"),
    (r"\b(?:\d+[dhms])+\b", "<time>"),
    (r"(<time>) +", r"\1 "),
    (r"\b\d+ KiB", "<n> KiB"),
    (r"(messages +|unsent |inventories |document )\d+", r"\1<n>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r'"(begun|since|until|at|uptimeMs|residentKiB|tookMs|retryAt|messages|used)":\d+', r'"\1":<n>'),
]


def masked(text, folder):
    text = text.replace(str(folder), "<folder>")
    for pattern, shown in MASKS:
        text = re.sub(pattern, shown, text)
    return text.rstrip()


class Terminal:
    """A command in a pseudo-terminal, and what stands on its screen."""

    def __init__(self, command, is_dumb, folder, stdin=None):
        self.bursts = []
        self.raw = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=stdin or slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
            env={**os.environ, "TERM": "dumb" if is_dumb else "vt100"},
        )
        os.close(slave)

    def read(self, until):
        """What it prints, until its end or a point in time; whether it has ended."""
        while time.monotonic() < until:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                part = os.read(self.master, 65536)
            except OSError:
                part = b""
            if not part:
                return True
            self.bursts.append((time.monotonic(), len(part)))
            self.raw += part
        return False

    def finish(self):
        ended = self.read(time.monotonic() + PATIENCE_S)
        if not ended:
            self.process.kill()
        code = self.process.wait()
        os.close(self.master)
        assert ended, "it does not end"
        return code

    def burst(self):
        """The most bytes within the time between two redraws."""
        return max((sum(n for at, n in self.bursts if start <= at < start + 0.15) for start, _ in self.bursts), default=0)

    def screen(self):
        """The lines as they stand in the end, also those that have scrolled away."""
        lines, row, column = [""], 0, 0
        for piece in re.findall(r"\x1b\[\d*[A-Za-z]|[^\x1b]|\x1b", self.raw.decode("utf-8", "replace")):
            if piece == "\r":
                column = 0
            elif piece == "\n":
                row += 1
                if row == len(lines):
                    lines.append("")
            elif piece.startswith("\x1b["):
                if piece[-1] == "A":
                    row = max(0, row - int(piece[2:-1] or 1))
                elif piece[-1] == "K":
                    lines[row] = lines[row][:column]
                elif piece[-1] == "J":
                    lines[row + 1:] = []
                    lines[row] = lines[row][:column]
                else:
                    raise AssertionError(f"what is {piece!r} to a vt100?")
            else:
                assert piece >= " ", f"{piece!r} reaches the terminal"
                lines[row] = lines[row][:column].ljust(column) + piece + lines[row][column + 1:]
                column += 1
        return "\n".join(lines).rstrip("\n")


class World:
    def __init__(self, target, is_dumb):
        self.um = os.path.abspath(os.environ.get("UM", str(target / "update-manager")))
        self.agent = os.path.abspath(target / "examples/agent")
        self.is_dumb = is_dumb
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="um-console-"))
        self.processes = []
        self.config = {}
        self.broker = None
        self.manager, self.agents = None, {}
        self.makes_boot_id()
        self.behind = None
        # Until it listens, somebody else may take a port that was free.
        for _ in range(5):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            if self.broker_starts():
                return
        raise AssertionError("the broker finds no port")

    def broker_starts(self):
        file = self.folder / "mosquitto.conf"
        file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n")
        log = self.folder / "broker.log"
        log.unlink(missing_ok=True)
        self.broker = self.runs("broker", ["mosquitto", "-c", str(file)])
        self.waits("the broker listens", lambda: " running" in log.read_text() or self.broker.poll() is not None)
        return self.broker.poll() is None

    def broker_stops(self):
        self.broker.terminate()
        self.broker.wait()

    def runs(self, name, command):
        log = open(self.folder / f"{name}.log", "ab")
        names = {"FILE_SYS_RQ": "rq", "FILE_SYS_RQ_TRIGGER": "trigger", "FILE_BOOT_ID": "boot_id"}
        env = {**os.environ, **{name: str(self.folder / file) for name, file in names.items()}}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder)
        self.processes.append(process)
        return process

    def starts(self):
        config = {
            "connection": {"broker": f"tcp://127.0.0.1:{self.port}"},
            "thingsEnabled": False,
            "agents": {"containers": {}, "self-update": {}},
            "stateDir": str(self.folder / "state"),
            "consoleSocket": str(self.folder / "console.sock"),
            **self.config,
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        self.starts_manager()
        for domain in config["agents"]:
            if (self.folder / f"agent-{domain}.log").exists():
                self.waits("its inventory", lambda: f" {domain} " in self.shown("status") and "no inventory" not in [
                    line for line in self.shown("status").splitlines() if line.startswith(f" {domain} ")][0])

    def boots(self):
        for process in [self.manager, *self.agents.values()]:
            process.kill()
            process.wait()
        self.makes_boot_id()
        for words in list(self.agents):
            self.starts_agent(words)
        self.starts_manager()

    def starts_agent(self, words):
        command = [self.agent, "--domain", *words.split(), "--broker", f"127.0.0.1:{self.port}"]
        self.agents[words] = self.runs(f"agent-{words.split()[0]}", command)

    def makes_boot_id(self):
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")

    def starts_manager(self):
        self.manager = self.runs("manager", [self.um, "--config-file", str(self.folder / "config.json")])
        self.until("connected for")

    def command(self, words):
        config = ["--config-file", str(self.folder / "config.json")] if (self.folder / "config.json").exists() else [
            "--console-socket", str(self.folder / "console.sock")]
        return [self.um, *words, *config]

    def shown(self, *words):
        return subprocess.run(self.command(words), capture_output=True, text=True, cwd=self.folder).stdout

    def waits(self, what, done):
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}\n{self.shown('status')}"
            time.sleep(0.05)

    def until(self, text):
        self.waits(text, lambda: text in re.sub(" +", " ", self.shown("status")))

    def types(self, line):
        line, _, file = line.partition(" < ")
        stdin = open(self.folder / file) if file else None
        return Terminal(self.command(line.split()), self.is_dumb, self.folder, stdin)

    def ends(self):
        if self.behind:
            self.behind.process.kill()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()
        left = (self.folder / "console.sock").exists()
        shutil.rmtree(self.folder)
        assert not left, "the socket is left behind"


def matches(expected, seen):
    """Whether the lines are so; `...` stands for any number of them."""
    if not expected:
        return not seen
    if expected[0] == "...":
        return any(matches(expected[1:], seen[n:]) for n in range(len(seen) + 1))
    return bool(seen) and expected[0] == seen[0] and matches(expected[1:], seen[1:])


class Session:
    def __init__(self, path, is_dumb, target, schemas):
        self.path, self.is_dumb = path, is_dumb
        self.world = World(target, is_dumb)
        self.schemas = schemas
        self.written = []
        self.faults = []

    def run(self):
        lines = self.path.read_text().splitlines()
        at, is_for_us = 0, True
        try:
            while at < len(lines):
                line = lines[at]
                at += 1
                self.written.append(line)
                if line in ("% any", "% dumb", "% terminal"):
                    is_for_us = line == "% any" or (line == "% dumb") == self.is_dumb
                elif line.startswith(("$ ", "% finish")):
                    end = at
                    while end < len(lines) and not lines[end].startswith(("$ ", "% ", "# ")):
                        end += 1
                    if is_for_us:
                        self.checks(line, at, [text for text in lines[at:end] if text])
                    else:
                        self.written += lines[at:end]
                    at = end
                elif line.startswith("% file "):
                    end = lines.index("% end", at)
                    (self.world.folder / line[7:]).write_text("\n".join(lines[at:end]) + "\n")
                    self.written += lines[at:end + 1]
                    at = end + 1
                elif line.startswith("% ") and is_for_us:
                    self.stirs(line[2:])
        except AssertionError as error:
            self.faults.append(f"{self.path.name}:{at}: {error}")
        finally:
            try:
                self.world.ends()
            except AssertionError as error:
                self.faults.append(f"{self.path.name}: {error}")
        return self.faults

    def stirs(self, line):
        world, (word, _, rest) = self.world, line.partition(" ")
        if word == "config":
            world.config.update(json.loads(rest))
        elif word == "agent":
            world.starts_agent(rest)
        elif word == "start":
            world.starts()
        elif word == "boot":
            world.boots()
        elif word == "broker":
            world.broker_starts() if rest == "start" else world.broker_stops()
        elif word == "until":
            world.until(rest)
        elif word == "resize":
            columns, rows = map(int, rest.split())
            fcntl.ioctl(world.behind.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            world.behind.read(time.monotonic() + 1)
        elif word == "begin":
            world.behind = world.types(rest)
            world.behind.read(time.monotonic() + 0.5)
        else:
            raise AssertionError(f"what is % {line}?")

    def checks(self, line, at, expected):
        if line == "% finish":
            terminal, self.world.behind = self.world.behind, None
        else:
            terminal = self.world.types(line[2:])
        code = terminal.finish()
        seen = [masked(text, self.world.folder) for text in terminal.screen().splitlines()]
        seen = [text for text in seen if text]
        self.holds_schema(line, seen, terminal)
        if self.is_dumb:
            assert b"\x1b" not in terminal.raw, "a dumb terminal gets an escape sequence"
        assert terminal.burst() < BYTES_A_SECOND, f"{terminal.burst()} bytes at once"
        wide = [text for text in terminal.screen().splitlines() if len(text) >= COLUMNS and not text.startswith("update-manager: ")]
        if line.split()[1] in ("status", "watch"):
            lines = len(seen)
            assert lines < ROWS and not wide or "--json" in line, f"{lines} lines, too wide: {wide}"
        if code:
            seen.append(f"= {code}")
        is_same = matches(expected, seen)
        self.written += expected if is_same else seen
        self.written.append("")
        if not is_same:
            self.faults.append(f"{self.path.name}:{at}: {line}\n-- expected\n" + "\n".join(expected) + "\n-- seen\n" + "\n".join(seen))

    def holds_schema(self, line, seen, terminal):
        if "--json" not in line.split() or seen[0].startswith("update-manager:"):
            return
        name = line.split()[1]
        for text in terminal.raw.decode().splitlines():
            kind = "watch" if "--watch" in line or "--wait" in line else name
            try:
                if kind in self.schemas:
                    self.schemas[kind].validate(json.loads(text))
            except jsonschema.ValidationError as error:
                raise AssertionError(f"{line}: {error.json_path}: {error.message}") from None


def schemas():
    """By the subcommand."""
    files = {path.name: json.loads(path.read_text()) for path in (ROOT / "docs/schemas").glob("*.json")}
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in files.values())
    console = {name.removeprefix("console-").removesuffix(".json"): schema for name, schema in files.items() if name.startswith("console-")}
    return {name: jsonschema.Draft202012Validator(schema, registry=registry) for name, schema in console.items()}


class Hostile:
    """Clients of the console that send too much, too little or without an end, until told to stop."""

    def __init__(self, socket_path):
        self.socket_path = socket_path
        self.is_over = threading.Event()
        self.idle = []
        acts = [
            lambda client: client.sendall(b"x" * 1_000_000),
            lambda client: client.sendall(b"x" * 1_000_000 + b"\n"),
            lambda client: client.sendall(b'{"command":"sta' + b" " * 200_000),
            lambda client: client.sendall(b"\n" * 10_000),
            lambda client: client.sendall(bytes(range(256)) * 100),
            self.asks_and_never_reads,
            self.asks_and_reads,
        ]
        self.threads = [threading.Thread(target=self.again_and_again, args=(act,)) for act in acts]

    def connected(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0.5)
        client.connect(str(self.socket_path))
        return client

    def again_and_again(self, act):
        while not self.is_over.is_set():
            try:
                with self.connected() as client:
                    act(client)
            except OSError:
                pass

    def asks_and_never_reads(self, client):
        while not self.is_over.is_set():
            client.sendall(b'{"command":"report","json":true}\n')

    def asks_and_reads(self, client):
        client.settimeout(5)
        while not self.is_over.is_set():
            client.sendall(b'{"command":"status"}\n')
            client.recv(65536)

    def start(self):
        """All of them, and a hundred who say nothing."""
        for thread in self.threads:
            thread.start()
        for _ in range(100):
            try:
                self.idle.append(self.connected())
            except OSError:
                pass

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        for client in self.idle:
            client.close()


def hostile(target):
    """What clients of the console do to the manager changes nothing for an activity."""
    world = World(target, True)
    clients = Hostile(world.folder / "console.sock")

    def memory():
        status = pathlib.Path(f"/proc/{world.processes[-1].pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    try:
        for domain in ("containers", "self-update"):
            world.runs(f"agent-{domain}", [
                world.agent, "--domain", domain, "--delay", "20", "--broker", f"127.0.0.1:{world.port}"])
        world.starts()
        (world.folder / "ds.json").write_text(json.dumps({"domains": [
            {"id": domain, "components": [{"id": f"c{n}", "version": "1"} for n in range(10)]}
            for domain in ("containers", "self-update")]}))
        before = memory()
        most = before
        clients.start()
        backend = subprocess.Popen([
            str(target / "examples/backend"), "--broker", f"127.0.0.1:{world.port}", "--activity", "demo",
            "--timeout", str(2 * PATIENCE_S), str(world.folder / "ds.json")], stdout=subprocess.PIPE, text=True)
        while backend.poll() is None:
            most = max(most, memory())
            time.sleep(0.02)
        assert backend.returncode == 0, f"the activity does not complete: {backend.stdout.read()}"
        clients.stop()
        # Half lines are given up after 10 s.
        world.waits("the console answers again", lambda: "COMPLETED" in world.shown("history"))
        print(f"hostile: {before} KiB before, {most} at most, {memory()} after")
        assert most - before < 4096, "clients cost memory"
        assert memory() - before < 1024, "clients leave memory behind"
    finally:
        clients.is_over.set()
        world.ends()


def main():
    target, arguments = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    is_update = "--update" in arguments
    names = [name for name in arguments if not name.startswith("-")]
    paths = sorted((ROOT / "tests/scripts").iterdir())
    paths = [path for path in paths if not names or path.name in names]
    known, faults, count = schemas(), [], 0
    for path, is_dumb in itertools.product(paths, [False, True]):
        session = Session(path, is_dumb, target, known)
        found = session.run()
        count += 1
        if is_update:
            path.write_text("\n".join(session.written).replace("\n\n\n", "\n\n") + "\n")
        faults += [f"{'dumb' if is_dumb else '80x24'}: {fault}" for fault in found]
        print(f"{path.name:<12} {'dumb' if is_dumb else '80x24':<6} {'ok' if not found else 'FAILED'}", flush=True)
    if not names or "hostile" in names:
        hostile(target)
    print(*faults, sep="\n\n")
    print(f"{count} sessions, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
