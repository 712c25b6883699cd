"""The update agent for RAUC under the manager, with `commitAfterReboot`: a broker, the
manager and the agent as a device runs them, and a host that is rebooted."""

import contextlib
import json
import re
import socket
import subprocess
import uuid

from rauc_device import AGENT, ATTEMPTS, accepts, image, script, wait_until

CONFIG = {
    "thingsEnabled": False,
    "rollback": "device",
    "commitAfterReboot": True,
    "currentStateDelay": "100ms",
    "rebootAfter": "100ms",
    "cleanupTimeout": "5s",
    "resumeAfter": "2s",
    "agents": {
        "self-update": {"rebootRequired": True, "order": 100, "readTimeout": "5s", "verifyInventory": "afterReboot"},
    },
}


class Host:
    """The broker is elsewhere; manager and agent run until the host is rebooted."""

    def __init__(self, device, undo):
        self.device, self.folder, self.processes = device, device.folder / "host", []
        self.folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (self.folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        broker = subprocess.Popen(["mosquitto", "-c", self.folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
        undo.callback(device.end, broker)
        wait_until("the broker listens", lambda: accepts(socket.AF_INET, ("127.0.0.1", port)))
        undo.callback(self.stop)
        script(self.folder / "reboot-host", f"#!/bin/sh\n: >{self.folder}/reboot\n")
        # A version that boots and does not work.
        script(self.folder / "verify", f"#!/bin/sh\n! grep -q =bad {device.folder}/os-release || {{ echo it is bad >&2; exit 1; }}\n")
        self.config = self.folder / "config.json"
        self.config.write_text(json.dumps({
            **CONFIG,
            "connection": {"broker": f"tcp://127.0.0.1:{port}"},
            "stateDir": str(self.folder / "state"),
            "consoleSocket": str(self.folder / "console.sock"),
            "rebootCommand": str(self.folder / "reboot-host"),
            "verifyCommand": str(self.folder / "verify"),
        }))
        self.env = {**device.env, "FILE_BOOT_ID": str(self.folder / "boot-id")}
        self.start()
        wait_until("the agent is connected", lambda: ": inventory" in (self.folder / "log").read_text())

    def start(self):
        (self.folder / "boot-id").write_text(f"{uuid.uuid4()}\n")
        with open(self.folder / "log", "a") as log:
            for command in ([], ["agent", "--domain", "self-update", "--exec", str(AGENT)]):
                command = [self.device.manager, *command, "--config-file", self.config]
                self.processes.append(subprocess.Popen(command, env=self.env, stdout=log, stderr=log))
        wait_until("the manager listens", (self.folder / "console.sock").exists)

    def stop(self):
        """As a power cut would."""
        while self.processes:
            self.device.end(self.processes.pop())
        # What the agent was running goes with it at its next start.
        (self.folder / "console.sock").unlink(missing_ok=True)

    def console(self, *arguments):
        command = [self.device.manager, *arguments, "--config-file", self.config]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)

    def apply(self, version, keys):
        """Applies a version, and reboots the host when the manager wants it; the end and how
        often the host was rebooted."""
        entries = [{"key": key, "value": keys[key]} for key in keys]
        component = {"id": "os-image", "version": version, "config": entries}
        (self.folder / "desired.json").write_text(json.dumps({"domains": [{"id": "self-update", "components": [component]}]}))
        apply = ("apply", self.folder / "desired.json", "--activity", f"to-{version}")
        wait_until("the manager takes it", lambda: self.console(*apply).returncode == 0)
        reboots = 0
        while True:
            wait_until("a reboot or the end", lambda: (self.folder / "reboot").exists() or self.end(version))
            if not (self.folder / "reboot").exists():
                return self.end(version), reboots
            self.stop()
            (self.folder / "reboot").unlink()
            self.device.boot()
            reboots += 1
            self.start()

    def end(self, version):
        """How the last activity has ended, and why; empty if that is another one."""
        entry = re.search(rf"(\w+) to-{version}\n(  .*\n)*\Z", self.console("history").stdout)
        return entry.group() if entry else ""


def commit_by_manager(device):
    """The new version comes; one that does not boot and one that is bad do not."""
    def is_at(version):
        assert (device.version, device.primary()) == (version, device.booted), device.variables
        assert device.left(device.booted) == ATTEMPTS, device.variables
        assert not (device.state / "pending").exists()

    with contextlib.ExitStack() as undo:
        host = Host(device, undo)
        try:
            end, reboots = host.apply("2", device.keys(device.bundle("2")))
            assert end == "COMPLETED to-2\n" and reboots == 1, (end, reboots)
            is_at("2")
            end, reboots = host.apply("3", device.keys(device.bundle("3", content=image(""))))
            assert "booted the old version" in end and end.startswith("INCOMPLETE ") and reboots == 1, (end, reboots)
            is_at("2")
            end, reboots = host.apply("bad", device.keys(device.bundle("bad")))
            assert "INCOMPLETE" in end and "verification: it is bad; rolled back" in end, (end, reboots)
            assert reboots == 2 and "inconsistent" not in end, (end, reboots)
            is_at("2")
        except BaseException:
            print((host.folder / "log").read_text()[-8000:])
            raise
