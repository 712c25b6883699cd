"""A fleet of two gateways with real brokers: see tests/bridge.

The fleet's broker and the gateways' run with the files of packaging/mosquitto, with other names,
paths and ports in them. The manager and an agent run on the first gateway alone.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SHIPPED = pathlib.Path("packaging/mosquitto")
PATIENCE_S = 30
# What is sent to somebody without the right to it has this long to arrive all the same.
QUIET_S = 2
USERS = ("manager", "backend", "containersupdate", "watcher")


class Fleet:
    def __init__(self, folder, manager, agent):
        self.folder, self.manager, self.agent = folder, manager, agent
        self.processes = {}
        self.ports = {}

    # Certificates.

    def make_certificates(self):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                     "2", "-subj", "/CN=fleet", "-keyout", "ca.key", "-out", "fleet-ca.pem")
        for name in ("localhost", "gw-1", "gw-2", "backend"):
            self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                         f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (self.folder / "san").write_text(f"subjectAltName=DNS:{name}\n")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "fleet-ca.pem", "-CAkey", "ca.key",
                         "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{name}.pem")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    # Brokers.

    def start_fleet_broker(self):
        files = {"cafile": "fleet-ca.pem", "certfile": "localhost.pem", "keyfile": "localhost.key"}
        lines = [f"{key} {self.folder / name}" for key, name in files.items()]
        lines += ["require_certificate true", "use_identity_as_username true", "user root", "allow_anonymous false",
                  f"acl_file {SHIPPED.absolute() / 'fleet.acl'}", "persistence false"]
        self.start_broker("fleet", lambda port: "\n".join([f"listener {port} 127.0.0.1", *lines]))

    def start_gateway_broker(self, name):
        home = self.folder / name
        home.mkdir(exist_ok=True)
        passwords = home / "passwords"
        for place, user in enumerate(USERS):
            subprocess.run(["mosquitto_passwd", *(["-c"] if place == 0 else []), "-b", passwords, user, user],
                           check=True, capture_output=True)
        # The shipped rights, and somebody who hears everything.
        acl = home / "acl"
        acl.write_text((SHIPPED / "update-manager.acl").read_text() + "\nuser watcher\ntopic read #\n")
        local = (SHIPPED / "update-manager.conf").read_text()
        local = local.replace("/etc/mosquitto/update-manager.passwd", str(passwords))
        local = local.replace("/etc/mosquitto/update-manager.acl", str(acl))
        bridge = (SHIPPED / "bridge.conf").read_text().replace("gateway-1", name)
        bridge = bridge.replace("broker.example.com:8883", f"localhost:{self.ports['fleet']}")
        bridge = bridge.replace("/etc/mosquitto/certs/fleet-ca.pem", str(self.folder / "fleet-ca.pem"))
        bridge = bridge.replace("/etc/mosquitto/certs/gateway", str(self.folder / name))
        bridge = bridge.replace("restart_timeout 5 120", "restart_timeout 1 2")
        rest = f"user root\npersistence_location {home}/\n"
        self.start_broker(name, lambda port: rest + local.replace("1883", str(port)) + bridge)

    def start_broker(self, name, text):
        """Starts one at a port that is free; until it listens, somebody else may take that."""
        for _ in range(5):
            port = self.ports.get(name)
            if port is None:
                with socket.create_server(("127.0.0.1", 0)) as one:
                    port = one.getsockname()[1]
            file = self.folder / f"{name}.conf"
            file.write_text(text(port))
            broker = self.start(name, ["mosquitto", "-c", str(file)])
            log = self.folder / f"{name}.log"
            wait(f"the broker {name} listens", lambda: " running" in log.read_text() or broker.poll() is not None)
            if broker.poll() is None:
                self.ports[name] = port
                return
        raise SystemExit(f"the broker {name} does not start:\n{log.read_text()}")

    # Programs.

    def start(self, name, command):
        log = open(self.folder / f"{name}.log", "wb")
        env = {**os.environ, "FILE_SYS_RQ": str(self.folder / "rq"), "FILE_SYS_RQ_TRIGGER": str(self.folder / "trigger")}
        self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        return self.processes[name]

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        process.wait()

    def start_gateway(self, name):
        port = self.ports[name]
        config = {
            "connection": {"broker": f"tcp://127.0.0.1:{port}", "username": "manager", "password": "manager",
                           "statusTopic": "deviceupdate/status"},
            "thingsEnabled": False, "rebootEnabled": False, "agents": {"containers": {}}, "currentStateDelay": "1s",
            # The agent may connect after the desired state that the fleet has kept.
            "resumeAfter": "2s",
            "stateDir": str(self.folder / "state"), "consoleSocket": "",
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        self.start("manager", [self.manager, "--config-file", str(self.folder / "config.json")])
        broker = f"tcp://containersupdate:containersupdate@127.0.0.1:{port}"
        self.start("agent", [self.agent, "--domain", "containers", "--broker", broker])

    def at_fleet(self, user):
        certificate = ["--cafile", "fleet-ca.pem", "--cert", f"{user}.pem", "--key", f"{user}.key"]
        return ["-h", "localhost", "-p", str(self.ports["fleet"]), *certificate, "-q", "1"]

    def listen(self, name, where, topic="#"):
        """Writes what comes to a file of this name."""
        listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *where, "-d", "-v", "-t", topic], cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=open(self.folder / f"{name}.heard", "wb"),
                                    stderr=subprocess.STDOUT)
        self.processes[name] = listener
        wait(f"{name} has subscribed", lambda: "SUBACK" in self.lines(name))

    def lines(self, name):
        return (self.folder / f"{name}.heard").read_text()

    def heard(self, name):
        """The topics and payloads that came, one after the other."""
        return [line.split(" ", 1) for line in self.lines(name).splitlines() if line.startswith(("device", "contain"))]

    def say(self, user, topic, message):
        subprocess.run(["mosquitto_pub", *self.at_fleet(user), "-t", topic, "-m", json.dumps(message)],
                       cwd=self.folder, check=True, capture_output=True)

    def end(self):
        for name in list(self.processes):
            self.stop(name)


def wait(what, done):
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.05)


def desired(activity, version):
    components = [{"id": "hello", "version": version}]
    return {"activityId": activity, "timestamp": int(time.time() * 1000),
            "payload": {"domains": [{"id": "containers", "components": components}]}}


def ends(fleet, activity):
    said = [json.loads(text) for topic, text in fleet.heard("backend") if topic == "devices/gw-1/desiredstatefeedback"]
    statuses = [one["payload"]["status"] for one in said if one["activityId"] == activity]
    return [status for status in statuses if status in ("COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED")]


def run(fleet):
    fleet.make_certificates()
    fleet.start_fleet_broker()
    for name in ("gw-1", "gw-2"):
        fleet.start_gateway_broker(name)
        local = ["-h", "127.0.0.1", "-p", str(fleet.ports[name]), "-u", "watcher", "-P", "watcher", "-q", "1"]
        fleet.listen(f"on-{name}", local)
    fleet.listen("backend", fleet.at_fleet("backend"))
    fleet.listen("gw-2-at-fleet", fleet.at_fleet("gw-2"))
    fleet.start_gateway("gw-1")
    wait("the fleet has an inventory", lambda: any(topic == "devices/gw-1/currentstate" for topic, _ in fleet.heard("backend")))

    fleet.say("backend", "devices/gw-1/desiredstate", desired("one", "1"))
    wait("the first activity ends", lambda: ends(fleet, "one"))
    print("the first gateway is updated by the fleet's backend")

    # A gateway whose certificate was stolen.
    fleet.say("gw-2", "devices/gw-1/desiredstate", desired("stolen", "9"))
    fleet.say("gw-2", "devices/gw-1/desiredstatefeedback", desired("stolen", "9"))
    time.sleep(QUIET_S)
    for name in ("on-gw-1", "on-gw-2", "backend"):
        assert "stolen" not in fleet.lines(name), f"{name} hears what the second gateway says for the first"
    for name in ("on-gw-2", "gw-2-at-fleet"):
        foreign = [topic for topic, _ in fleet.heard(name) if "gw-1" in topic or topic.startswith("deviceupdate")]
        assert not foreign, f"{name} hears {foreign}"
    print("the second one hears nothing of it, and cannot speak for it")

    told = [text for topic, text in fleet.heard("on-gw-1") if topic == "deviceupdate/desiredstate"]
    final = [text for topic, text in fleet.heard("on-gw-1") if topic == "deviceupdate/desiredstatefeedback"]
    assert len(told) == 1 and len(final) == len(set(final)), "a message goes round"
    assert ends(fleet, "one") == ["COMPLETED"], ends(fleet, "one")
    print("each message crosses once")

    fleet.stop("on-gw-1")
    fleet.stop("gw-1")
    fleet.say("backend", "devices/gw-1/desiredstate", desired("two", "2"))
    fleet.start_gateway_broker("gw-1")
    wait("the second activity ends", lambda: ends(fleet, "two"))
    assert ends(fleet, "two") == ["COMPLETED"], ends(fleet, "two")
    print("what the backend sends while the gateway is away arrives when it is back")


def main():
    manager, agent = (os.path.abspath(path) for path in sys.argv[1:3])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="um-bridge-"))
    fleet = Fleet(folder, manager, agent)
    try:
        run(fleet)
    except AssertionError as error:
        logs = "\n".join(f"-- {log.name}\n{log.read_text()[-2000:]}" for log in sorted(folder.glob("*.log")))
        sys.exit(f"tests/bridge: {error}\n{logs}")
    finally:
        fleet.end()
        shutil.rmtree(folder)


main()
