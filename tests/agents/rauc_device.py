"""A device with two slots that RAUC updates: slots on loop devices, `rauc service` on a
bus of its own, and a boot loader that counts attempts as U-Boot's script does.

A slot holds a raw image whose first line is its os-release. One without an IMAGE_VERSION
does not boot.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "agents/rauc"
ATTEMPTS = 3
SLOT_BYTES = 1 << 20
IMAGE_BYTES = 1 << 18
# For what happens at once when all is well.
PATIENCE_S = 30

PRINTENV = """#!/bin/sh
if [ "$1" = -n ]; then grep "^$2=" "$UBOOT" | cut -d= -f2-; else grep "^$1=" "$UBOOT"; fi
"""
SETENV = """#!/bin/sh
{ grep -v "^$1=" "$UBOOT"; echo "$1=$2"; } >"$UBOOT.part"
mv "$UBOOT.part" "$UBOOT"
"""
# Makes an installation take as long as the file is there.
PRE_INSTALL = """#!/bin/sh
[ ! -e {folder}/hold ] || : >{folder}/held
while [ -e {folder}/hold ]; do sleep 0.02; done
"""
SYSTEM = """[system]
compatible={compatible}
bootloader=uboot
mountprefix={folder}/mnt
statusfile={folder}/status
{activate}
[keyring]
path={folder}/cert.pem
[handlers]
pre-install={folder}/pre-install
[slot.rootfs.0]
device={a}
type=raw
bootname=A
[slot.rootfs.1]
device={b}
type=raw
bootname=B
"""
NAMES = {"A": "rootfs.0", "B": "rootfs.1"}


def wait_until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"timed out: {what}"
        time.sleep(0.01)


def accepts(family, address):
    """Whether somebody listens on a socket."""
    with socket.socket(family) as client:
        return client.connect_ex(address) == 0


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def image(version):
    """The content of a slot; without a version it does not boot."""
    line = f"IMAGE_VERSION={version}\n" if version else "BROKEN=1\n"
    return line.encode() + random.Random(version).randbytes(IMAGE_BYTES)


class Device:
    """Owns all that it makes, until `close`."""

    def __init__(self, manager):
        self.manager = manager
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rauc-"))
        self.undo = contextlib.ExitStack()
        self.undo.callback(shutil.rmtree, self.folder)
        try:
            self.make()
        except BaseException:
            self.undo.close()
            raise

    def make(self):
        for name in ("bin", "mnt", "units", "bundles"):
            (self.folder / name).mkdir()
        script(self.folder / "bin/fw_printenv", PRINTENV)
        script(self.folder / "bin/fw_setenv", SETENV)
        script(self.folder / "pre-install", PRE_INSTALL.format(folder=self.folder))
        self.loops = {slot: self.loop(slot) for slot in "AB"}
        self.key("")
        self.key("other-")
        self.configure("activate-installed=false")
        # systemctl sees the units of the test and none of the host's.
        os.makedirs("/etc/systemd/system", exist_ok=True)
        run("mount", "--bind", str(self.folder / "units"), "/etc/systemd/system")
        self.undo.callback(run, "umount", "/etc/systemd/system")
        self.state, self.service, self.booted = self.folder / "state", None, None
        self.env = {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "UBOOT": str(self.folder / "uboot"),
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus",
            "SYSTEMD_OFFLINE": "1",
            "EXEC_ROOT": str(self.state),
            "RAUC_SYSTEM_CONF": str(self.folder / "system.conf"),
            "OS_RELEASE": str(self.folder / "os-release"),
            "FILE_SYS_RQ": str(self.folder / "sysrq"),
            "FILE_SYS_RQ_TRIGGER": str(self.folder / "sysrq-trigger"),
        }
        command = ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={self.folder}/bus"]
        bus = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.undo.callback(self.end, bus)
        wait_until("the bus is there", lambda: accepts(socket.AF_UNIX, f"{self.folder}/bus"))
        self.undo.callback(self.power_off)
        self.reset("1")

    def loop(self, slot):
        file = self.folder / f"{slot}.img"
        file.write_bytes(bytes(SLOT_BYTES))
        device = run("losetup", "--find", "--show", str(file)).strip()
        self.undo.callback(run, "losetup", "--detach", device)
        return device

    def key(self, prefix):
        files = ["-keyout", self.folder / f"{prefix}key.pem", "-out", self.folder / f"{prefix}cert.pem"]
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", *files)

    def configure(self, activate):
        values = {"folder": self.folder, "activate": activate, "a": self.loops["A"], "b": self.loops["B"]}
        text = SYSTEM.format(compatible="gateway", **values)
        (self.folder / "system.conf").write_text(text)

    def close(self):
        self.undo.close()

    @staticmethod
    def end(process):
        process.kill()
        process.wait()

    # The slots and the boot loader.

    def reset(self, version):
        """A factory-new device that has booted slot A."""
        self.power_off()
        shutil.rmtree(self.state, ignore_errors=True)
        (self.folder / "status").unlink(missing_ok=True)
        self.write("A", image(version))
        self.write("B", image(""))
        self.variables = {"BOOT_ORDER": "A B", "BOOT_A_LEFT": str(ATTEMPTS), "BOOT_B_LEFT": str(ATTEMPTS)}
        self.boot()

    def write(self, slot, content):
        with open(self.loops[slot], "r+b") as device:
            device.write(content)
            os.fsync(device.fileno())

    def os_release(self, slot):
        with open(self.loops[slot], "rb") as device:
            return device.read(4096).split(b"\n")[0].decode()

    @property
    def variables(self):
        lines = (self.folder / "uboot").read_text().split("\n")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @variables.setter
    def variables(self, variables):
        (self.folder / "uboot").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))

    def left(self, slot):
        return int(self.variables[f"BOOT_{slot}_LEFT"])

    def choose(self):
        """What U-Boot's script does: the first slot with an attempt left has one fewer."""
        variables = self.variables
        for slot in variables["BOOT_ORDER"].split():
            left = int(variables[f"BOOT_{slot}_LEFT"])
            if left > 0:
                self.variables = {**variables, f"BOOT_{slot}_LEFT": str(left - 1)}
                return slot
        raise AssertionError(f"no slot can be booted: {variables}")

    def power_off(self):
        if self.service:
            self.end(self.service)
            self.service = None
        bundle = self.folder / "mnt/bundle"
        if os.path.ismount(bundle):
            run("umount", str(bundle))

    def boot(self):
        """Boots until a slot comes up, as a watchdog would have it, and runs what is shipped
        in place of rauc-mark-good."""
        self.power_off()
        self.booted = self.choose()
        while not self.os_release(self.booted).startswith("IMAGE_VERSION="):
            self.booted = self.choose()
        (self.folder / "os-release").write_text(self.os_release(self.booted) + "\n")
        self.serve()
        run(str(AGENT), "mark-good", env=self.env)

    def serve(self):
        command = ["rauc", f"--conf={self.folder}/system.conf", f"--override-boot-slot={self.booted}", "service"]
        with open(self.folder / "service.log", "a") as log:
            self.service = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        ask = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
               "org.freedesktop.DBus.NameHasOwner", "string:de.pengutronix.rauc"]
        wait_until("the RAUC service is there", lambda: "true" in run(*ask, env=self.env))

    @property
    def version(self):
        """Of the system that is booted."""
        return (self.folder / "os-release").read_text().strip().removeprefix("IMAGE_VERSION=")

    def primary(self):
        """The slot that is booted next, as RAUC sees it."""
        status = run("rauc", f"--conf={self.folder}/system.conf", "status", "--output-format=json", env=self.env)
        name = json.loads(status)["boot_primary"]
        return next(slot for slot in NAMES if NAMES[slot] == name)

    # Bundles and calls.

    def bundle(self, version, compatible="gateway", key="", content=None):
        """The path of a signed bundle."""
        bundle = self.folder / f"bundles/{version}-{compatible}-{key}.raucb"
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            source = pathlib.Path(name)
            (source / "rootfs.img").write_bytes(image(version) if content is None else content)
            (source / "manifest.raucm").write_text(
                f"[update]\ncompatible={compatible}\nversion={version}\n"
                "[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n"
            )
            bundle.unlink(missing_ok=True)
            files = [f"--cert={self.folder}/{key}cert.pem", f"--key={self.folder}/{key}key.pem"]
            run("rauc", *files, "bundle", str(source), str(bundle))
        return bundle

    @staticmethod
    def keys(bundle, url=None, sha256=None):
        """The configuration of the component."""
        return {"url": url or str(bundle), "sha256": sha256 or hashlib.sha256(bundle.read_bytes()).hexdigest()}

    def start(self, command, activity, version, keys, env=None):
        """Starts the agent as its caller does, in a process group of its own."""
        plan = self.folder / "plan"
        lines = [["install", "os-image", version], *(["config", "os-image", key, keys[key]] for key in keys)]
        plan.write_text("".join("\t".join(line) + "\n" for line in lines))
        return subprocess.Popen(
            [str(AGENT), command, activity],
            env={**(env or self.env), "UM_DOMAIN": "self-update", "UM_PLAN": str(plan)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )

    def call(self, command, activity, version, keys, env=None):
        """Calls the agent; its exit code and what it prints."""
        process = self.start(command, activity, version, keys, env)
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            kill_group(process)
        return process.returncode, out + err

    def apply(self, activity, version, keys, env=None):
        """Applies a desired state without a broker; the process."""
        config, file = self.folder / "config.json", self.folder / "desired.json"
        agents = {"self-update": {"exec": str(AGENT), "rebootRequired": True}}
        config.write_text(json.dumps({"agents": agents, "stateDir": str(self.folder / "manager")}))
        entries = [{"key": key, "value": keys[key]} for key in keys]
        component = {"id": "os-image", "version": version, "config": entries}
        file.write_text(json.dumps({"domains": [{"id": "self-update", "components": [component]}]}))
        command = [self.manager, "apply", "--standalone", "--activity", activity, "--config-file", config, file]
        return subprocess.Popen(
            [str(part) for part in command],
            env=env or self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
