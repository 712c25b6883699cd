"""A broker, agents, a backend, and the manager of one version after the other: see
tests/fallback."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import paho.mqtt.client as mqtt

from fallback_relay import FEEDBACK, ON_THE_WAY, Relay

DOMAINS = ("containers", "self-update")
# The right end of each shape: status and words.
RIGHT_ENDS = {"all well": ("COMPLETED", ""), "one fails": ("INCOMPLETE", "[self-update] it fails, as it was told to")}
# For what happens at once when all is well.
PATIENCE_S = 30
# Nothing more comes of an activity that the manager does not know for so long.
QUIET_S = 1.5


class Fault(Exception):
    """Something is not as it has to be."""


class World:
    """A broker, agents, a backend that looks on, and the manager of one version after the other."""

    def __init__(self, programs):
        self.programs, self.relay = programs, None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="um-fallback-"))
        self.processes, self.manager, self.version = [], None, None
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
        self.start_agents(shape, kind)
        (self.folder / "config.json").write_text(json.dumps(self.config()))

    def start_agents(self, shape, kind):
        for domain in DOMAINS:
            self.start_agent(domain, kind, "update" if shape == "one fails" and domain == DOMAINS[-1] else "")

    def start_agent(self, domain, kind, fails):
        flags = ["--state", str(self.folder / f"{domain}.state")] if kind == "tolerant" else []
        return self.run(domain, [self.programs["agent"], "--domain", domain, "--broker", f"127.0.0.1:{self.port}",
                                 "--like", kind, "--delay", "5", "--fail", fails, *flags])

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

    def config(self):
        return {
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

    def environment(self):
        """What the processes find in theirs. Nothing may reboot this machine."""
        return {"FILE_SYS_RQ": str(self.folder / "rq"), "FILE_SYS_RQ_TRIGGER": str(self.folder / "trigger")}

    def run(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            environment = {**os.environ, **self.environment()}
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.processes.append(process)
        return process

    def start(self, version, moment, is_first):
        self.relay.next_turn()
        self.relay.arm(None if is_first else moment, counts_at_once=not is_first)
        # Only now: until then a thread of the relay may still kill the one before.
        self.is_killed = False
        self.dead.clear()
        self.version = version
        self.launch()
        if is_first:
            wait("the manager knows the agents", lambda: self.is_ready(self.status()))
            # An activity before it: what was saved of that must not come back.
            self.apply("zero", "1")
            self.await_end("zero")
            wait("the activity before it is over", self.is_idle)
            time.sleep(0.1)
            self.relay.arm(moment, counts_at_once=False)

    def launch(self):
        with open(self.folder / "manager.log", "a") as log:
            log.write(f"---- {self.version}\n")
        with self.turn:
            self.manager = self.run("manager", self.command())

    def command(self):
        return [self.programs[self.version], "--config-file", str(self.folder / "config.json")]

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

    def look_after_host(self):
        """What has to be done as long as something is waited for."""

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
            self.look_after_host()
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

    def usual_end(self, shape):
        """How activities end that no kill interrupts."""
        return RIGHT_ENDS[shape]

    def take_stock(self):
        """The activity that was taken up is over, and no other one has begun."""

    def judge(self, shape):
        """What the end is of the activity that was taken up, and words for it."""
        ends, right = set(self.ends("one")), RIGHT_ENDS[shape]
        outcome = "none" if not ends else "right" if ends == {right} else "wrong"
        return outcome, f"the end is {ends or 'none'}, not {right}"

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
