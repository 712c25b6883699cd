"""Activities that one version of the manager begins and another one takes up: see
tests/fallback.

The manager's connection goes through a relay that counts MQTT packets and kills the
manager when a certain one comes by, before it is passed on. So a case is a course (the
versions, in turn), a shape (what the activity comes to) and a moment (the number of the
packet, from the desired state on). After a kill the next version starts with the same
state folder, and the last one has to bring the activity to its right end, or, where
0.1.0 reads what it does not know, to none; then it has to take the next activity. One
that went before it, and has ended, must not come to another end.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt

DOMAINS = ("containers", "self-update")
FEEDBACK = "deviceupdate/desiredstatefeedback"
ON_THE_WAY = ("IDENTIFYING", "IDENTIFIED", "RUNNING")
PUBLISH, PUBACK = 3, 4

# Courses, and whether the activity may come to no end.
COURSES = {"ours,0.1.0": True, "0.1.0,ours": False, "ours,0.1.0,ours": True}
# Shapes, and the right end: status and words.
SHAPES = {"all well": ("COMPLETED", ""), "one fails": ("INCOMPLETE", "[self-update] it fails, as it was told to")}
# Moments that are found by the message: the end does not reach the broker, or its
# acknowledgement does not reach the manager.
AT_THE_END = ("end unsent", "end unacknowledged")

# For what happens at once when all is well.
PATIENCE_S = 30
# Nothing more comes of an activity that the manager does not know for so long.
QUIET_S = 1.5


class Relay:
    """Between the manager and its broker."""

    def __init__(self, broker_port, kill):
        self.broker_port, self.kill = broker_port, kill
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.passed, self.moment, self.awaited = None, None, None
        self.cut, self.turn = None, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, moment, counts_at_once):
        """Kills at a moment; None: never. Counts from the desired state, or at once."""
        with self.lock:
            self.passed, self.moment, self.awaited = 0 if counts_at_once else None, moment, None
            self.cut = None

    def next_turn(self):
        """What was connected before has no say any more."""
        with self.lock:
            self.turn += 1

    def accept(self):
        while True:
            try:
                manager, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            for source, sink, is_up in ((manager, broker, True), (broker, manager, False)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(source, sink, is_up, self.turn), daemon=True).start()

    def pump(self, source, sink, is_up, turn):
        buffer = b""
        try:
            while part := source.recv(65536):
                buffer += part
                while (end := packet_end(buffer)) is not None:
                    packet, buffer = buffer[:end], buffer[end:]
                    with self.lock:
                        if turn != self.turn:
                            return
                        if self.is_moment(packet, is_up):
                            self.kill()
                            return
                    sink.sendall(packet)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            source.close()

    def is_moment(self, packet, is_up):
        if self.cut:
            return True
        topic, identifier, body = published(packet)
        if self.passed is None and not is_up and topic == b"deviceupdate/desiredstate":
            self.passed = 0
        if self.passed is None:
            return False
        self.passed += 1
        is_end = is_up and topic == FEEDBACK.encode() and json.loads(body)["payload"]["status"] not in ON_THE_WAY
        if self.moment == "end unacknowledged" and is_end:
            self.awaited = identifier
        is_awaited = self.awaited is not None and packet[0] >> 4 == PUBACK and packet[2:4] == self.awaited
        if self.passed == self.moment or self.moment == "end unsent" and is_end or not is_up and is_awaited:
            way = "to the broker" if is_up else "to the manager"
            self.cut = f"{topic.decode()} {body.decode()[:160]}" if topic else f"packet of type {packet[0] >> 4} {way}"
            return True
        return False


def packet_end(buffer):
    """Where the first packet ends; None: not yet (MQTT 3.1.1, section 2.2.3)."""
    length, shift = 0, 0
    for at, byte in enumerate(buffer[1:5], 2):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + length if len(buffer) >= at + length else None
    return None


def published(packet):
    """Topic, identifier and payload of a PUBLISH; empty of any other packet."""
    if packet[0] >> 4 != PUBLISH:
        return b"", b"", b""
    at = 2
    while packet[at - 1] >= 0x80:
        at += 1
    length = int.from_bytes(packet[at:at + 2], "big")
    topic, rest = packet[at + 2:at + 2 + length], packet[at + 2 + length:]
    return (topic, rest[:2], rest[2:]) if packet[0] & 0x06 else (topic, b"", rest)


class Fault(Exception):
    """Something is not as it has to be."""


class World:
    """A broker, agents, a backend that looks on, and the manager of one version after the other."""

    def __init__(self, programs):
        self.programs, self.relay = programs, None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="um-fallback-"))
        self.processes, self.manager = [], None
        self.messages, self.heard = [], time.monotonic()
        self.is_killed, self.dead = False, threading.Event()
        # The relay may see packets of a manager before we know its process.
        self.turn = threading.Lock()
        self.backend = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="backend")
        self.backend.on_message = self.hear

    def begin(self, shape, kind):
        self.start_broker()
        self.relay = Relay(self.port, self.kill)
        subscribed = threading.Event()
        self.backend.on_subscribe = lambda *_: subscribed.set()
        self.backend.connect("127.0.0.1", self.port)
        self.backend.subscribe("#", 1)
        self.backend.loop_start()
        wait("the backend has subscribed", subscribed.is_set)
        for domain in DOMAINS:
            flags = ["--state", str(self.folder / f"{domain}.state")] if kind == "tolerant" else []
            fails = ["--fail", "update"] if shape == "one fails" and domain == DOMAINS[-1] else []
            self.run(domain, [self.programs["agent"], "--domain", domain, "--broker", f"127.0.0.1:{self.port}",
                              "--like", kind, "--delay", "5", *flags, *fails])
        self.configure()

    def start_broker(self):
        # Until it listens, somebody else may take a port that was free.
        for _ in range(5):
            with socket.create_server(("127.0.0.1", 0)) as one:
                self.port = one.getsockname()[1]
            (self.folder / "mosquitto.conf").write_text(
                f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
                "max_queued_messages 10000\nset_tcp_nodelay true\n")
            broker = self.run("mosquitto", ["mosquitto", "-c", str(self.folder / "mosquitto.conf")])
            log = self.folder / "mosquitto.log"
            wait("the broker listens", lambda: " running" in log.read_text() or broker.poll() is not None)
            if broker.poll() is None:
                return
        raise Fault("the broker finds no port")

    def configure(self):
        config = {
            "log": {"logLevel": "DEBUG"},
            # In 0.1.0 the session is clean and the client ID random, unless they are configured.
            "connection": {"broker": f"tcp://127.0.0.1:{self.relay.port}", "clientId": "manager", "cleanSession": False},
            "thingsEnabled": False,
            "rebootEnabled": False,
            "agents": {domain: {"readTimeout": "1s"} for domain in DOMAINS},
            "reportFeedbackInterval": "10ms",
            "currentStateDelay": "100ms",
            "phaseTimeout": "20s",
            "resumeAfter": "1s",
            "cleanupTimeout": "10s",
            "stateDir": str(self.folder / "state"),
            "consoleSocket": str(self.folder / "console.sock"),
        }
        (self.folder / "config.json").write_text(json.dumps(config))

    def run(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            rq = {"FILE_SYS_RQ": str(self.folder / "rq"), "FILE_SYS_RQ_TRIGGER": str(self.folder / "trigger")}
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **rq})
        self.processes.append(process)
        return process

    def start(self, version, moment, is_first):
        self.relay.next_turn()
        self.relay.arm(None if is_first else moment, counts_at_once=not is_first)
        # Only now: until then a thread of the relay may still kill the one before.
        self.is_killed = False
        self.dead.clear()
        with open(self.folder / "manager.log", "a") as log:
            log.write(f"---- {version}\n")
        program = [self.programs[version], "--config-file", str(self.folder / "config.json")]
        with self.turn:
            self.manager = self.run("manager", program)
        if is_first:
            wait("the manager knows the agents", lambda: self.is_ready(self.status()))
            # An activity before it: what was saved of that must not come back.
            self.apply("zero", "1")
            self.await_end("zero")
            wait("the activity before it is over", self.is_idle)
            time.sleep(0.1)
            self.relay.arm(moment, counts_at_once=False)

    def kill(self):
        with self.turn:
            self.is_killed = True
            self.manager.send_signal(signal.SIGKILL)
            self.manager.wait()
        self.dead.set()

    def status(self):
        """What the console shows; empty if it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX) as console:
                console.settimeout(5)
                console.connect(str(self.folder / "console.sock"))
                console.sendall(b'{"command":"status","json":true}\n')
                return json.loads(console.makefile().readline() or "{}").get("data", {})
        except OSError:
            return {}

    def is_ready(self, status):
        domains = status.get("domains", [])
        return status.get("connection", {}).get("connected") and domains and all(d["inventoryKnown"] for d in domains)

    def is_idle(self):
        status = self.status()
        return status.get("connection", {}).get("connected") and "activity" not in status

    def hear(self, _client, _data, message):
        self.heard = time.monotonic()
        self.messages.append((self.heard, message.topic, message.payload.decode()))

    def apply(self, activity, version):
        domains = [{"id": domain, "components": [{"id": "app", "version": version}]} for domain in DOMAINS]
        message = {"activityId": activity, "timestamp": int(time.time() * 1000), "payload": {"domains": domains}}
        self.backend.publish("deviceupdate/desiredstate", json.dumps(message), 1)

    def ends(self, activity):
        """Every final status that the backend got, with its words."""
        feedbacks = [json.loads(text) for _, topic, text in self.messages if topic == FEEDBACK]
        feedbacks = [(one["payload"]["status"], one["payload"].get("message", "")) for one in feedbacks
                     if one["activityId"] == activity]
        return [one for one in feedbacks if one[0] not in ON_THE_WAY]

    def await_end(self, activity, until_dead=False):
        """Waits for the end, or until nothing more is to be expected; perhaps for a kill."""
        begun = time.monotonic()
        deadline, asked = begun + PATIENCE_S, 0
        while time.monotonic() < deadline:
            if until_dead and self.dead.is_set() or not until_dead and self.ends(activity):
                return
            if self.manager.poll() is not None and not self.is_killed:
                raise Fault(f"the manager ended with {self.manager.returncode}")
            now = time.monotonic()
            if now - max(self.heard, begun) > QUIET_S and now - asked > 0.3:
                asked = now
                if self.is_idle():
                    return
            time.sleep(0.01)
        raise Fault(f"{activity} has no end within {PATIENCE_S} s")

    def log(self):
        return (self.folder / "manager.log").read_text(errors="replace")

    def close(self):
        if self.relay:
            # Wakes the thread that waits there, which a close alone does not.
            self.relay.listener.shutdown(socket.SHUT_RDWR)
            self.relay.listener.close()
        self.backend.disconnect()
        self.backend.loop_stop()
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)


def wait(what, done):
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise Fault(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


@dataclasses.dataclass
class Case:
    course: str
    shape: str
    moment: object
    # What came out.
    outcome: str = ""
    faults: list = dataclasses.field(default_factory=list)
    errors: list = dataclasses.field(default_factory=list)
    cut: str = ""
    report: str = ""

    def name(self):
        return f"'{self.course}' '{self.shape}' '{self.moment}'"

    def kind(self):
        """0.1.0 repeats commands after a restart, which a strict agent answers with a failure."""
        return "strict" if self.course == "0.1.0,ours" else "tolerant"

    def play(self, programs):
        """Plays it, and says at once if anything is wrong."""
        self.attempt(programs)
        if self.faults:
            with tempfile.NamedTemporaryFile("w", prefix="um-fallback-", suffix=".log", delete=False) as file:
                file.write(self.report)
            print(f"FAULT tests/fallback {self.name()}, killed at {self.cut}; see {file.name}", flush=True)
        for fault in self.faults:
            print(f"  {fault}", flush=True)
        return self

    def attempt(self, programs):
        world = World(programs)
        try:
            world.begin(self.shape, self.kind())
            self.go(world)
        except Fault as fault:
            self.faults.append(str(fault))
        finally:
            log = world.log() if (world.folder / "manager.log").exists() else ""
            self.errors = [line.split("ERROR", 1)[1].strip(" ]") for line in log.splitlines() if "ERROR" in line]
            if "panicked" in log:
                self.faults.append("the manager panicked")
            start = world.messages[0][0] if world.messages else 0
            told = "\n".join(f"{at - start:7.3f} {topic} {text}" for at, topic, text in world.messages)
            self.report = f"{told}\n{log}"
            world.close()

    def go(self, world):
        versions = self.course.split(",")
        for place, version in enumerate(versions):
            is_last = place + 1 == len(versions)
            # The version in the middle is killed at another moment of each course.
            moment = None if is_last else self.moment if place == 0 else self.moment_between()
            world.start(version, moment, is_first=place == 0)
            if place == 0:
                world.apply("one", "2")
            world.await_end("one", until_dead=not is_last)
            if place == 0:
                self.cut = world.relay.cut or "after the end"
            if not is_last and not world.dead.is_set():
                world.kill()
        self.judge(world)

    def moment_between(self):
        return 4 + self.moment * 7 % 60 if isinstance(self.moment, int) else None

    def judge(self, world):
        right = SHAPES[self.shape]
        wait("the activity is over", world.is_idle)
        # While it tells the end of the first one again, another one is refused.
        for activity in ("two", "three", "four"):
            world.apply(activity, "3")
            world.await_end(activity)
            if not any("in progress" in words for _, words in world.ends(activity)):
                break
            time.sleep(QUIET_S)
        # What would still come of the first one.
        time.sleep(0.2)
        # An end may come again, but no other one.
        ends, next_ends = set(world.ends("one")), set(world.ends(activity))
        self.outcome = "none" if not ends else "right" if ends == {right} else "wrong"
        if self.outcome == "wrong" or self.outcome == "none" and not COURSES[self.course]:
            self.faults.append(f"the end is {ends or 'none'}, not {right}")
        if set(world.ends("zero")) != {right}:
            self.faults.append(f"the activity before has the ends {world.ends('zero')}, not {right}")
        if next_ends != {right}:
            self.faults.append(f"the next activity's end is {next_ends or 'none'}, not {right}")
        if world.manager.poll() is not None:
            self.faults.append(f"the manager ended with {world.manager.returncode}")


def measure(programs, version, shape):
    """How many packets go by from the desired state on, without a kill."""
    world = World(programs)
    try:
        world.begin(shape, "strict")
        world.start(version, None, is_first=True)
        world.apply("one", "2")
        world.await_end("one")
        time.sleep(0.2)
        return world.relay.passed
    finally:
        world.close()


def cases(programs, every):
    for course in COURSES:
        for shape in SHAPES:
            count = measure(programs, course.split(",")[0], shape)
            print(f"{course:<16} {shape:<10} {count} packets without a kill", flush=True)
            for moment in (*range(1, count + 1, every), *AT_THE_END):
                yield Case(course, shape, moment)


def table(done):
    rows = collections.defaultdict(list)
    for case in done:
        rows[case.course, case.shape].append(case)
    print(f"\n{'course':<16} {'shape':<10} {'cases':>6} {'right':>6} {'none':>6} {'wrong':>6} {'faults':>6} {'errors':>6}")
    for (course, shape), row in rows.items():
        counts = [sum(case.outcome == outcome for case in row) for outcome in ("right", "none", "wrong")]
        counts += [sum(bool(case.faults) for case in row), sum(bool(case.errors) for case in row)]
        print(f"{course:<16} {shape:<10} {len(row):>6}", *(f"{count:>6}" for count in counts))
    for case in done:
        if case.outcome == "none":
            print(f"no end: {case.name()}, killed at {case.cut}")
    errors = collections.Counter(error for case in done for error in case.errors)
    for error, count in errors.most_common(20):
        print(f"{count} times in the log: ERROR {error}")


def main():
    parser = argparse.ArgumentParser(prog="tests/fallback")
    parser.add_argument("programs", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help="kill only at every Nth packet")
    parser.add_argument("--lanes", type=int, default=8, help="cases at a time")
    parser.add_argument("--times", type=int, default=1, help="play the one case so often")
    parser.add_argument("replay", nargs="*", metavar="COURSE SHAPE MOMENT", help="one case")
    args = parser.parse_intermixed_args()
    programs = dict(zip(("ours", "0.1.0", "agent"), args.programs))
    if args.replay:
        course, shape, moment = args.replay
        moment = int(moment) if moment.isdigit() else moment
        todo = [Case(course, shape, moment) for _ in range(args.times)]
    else:
        todo = cases(programs, args.every)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.lanes) as pool:
        done = list(pool.map(lambda case: case.play(programs), todo))
    if len(done) == 1:
        print(done[0].report)
    table(done)
    print(f"{len(done)} cases in {time.monotonic() - start:.0f} s")
    return int(any(case.faults for case in done))


if __name__ == "__main__":
    sys.exit(main())
