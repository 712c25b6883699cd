"""A host with two systems, which boots into one or the other: see tests/fallback.

The domains are one group, and the reboot comes before the commit. `self-update` keeps a
system in each of two slots: ACTIVATE has the bootloader try the other slot once, and only
CLEANUP makes it stay. Another release of the manager runs on another boot: it is an older
one if the bootloader has gone back to the system that stayed, and a newer one if it tries
the new system, or has none to try.
"""

import functools
import json
import re
import subprocess
import threading
import uuid

import paho.mqtt.client as mqtt

from fallback_world import Fault, World, wait

BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Shows a process the file $0 in place of the kernel's boot id.
SHOW_BOOT = f'mount --bind "$0" {BOOT_ID} && exec "$@"'
FAILS = "it fails, as it was told to"
# What the activity finds, and what it brings.
OLD, NEW = "1", "2"


@functools.cache
def unsharing():
    """A command that runs another one where it may mount, and nobody else sees that."""
    for flags in (["--mount"], ["--mount", "--map-root-user"]):
        command = ["unshare", *flags, "sh", "-c", SHOW_BOOT]
        if subprocess.run([*command, "/dev/null", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return command
    raise Fault("an older release, which reads no FILE_BOOT_ID, cannot be shown a boot: unshare and mount do not work")


class SelfUpdate:
    """The agent of the system, and its bootloader.

    It remembers over a boot which activity it is in, so that CLEANUP still makes the system
    stay, but not what it has done for it.
    """

    answers = {
        "DOWNLOAD": "DOWNLOAD_SUCCESS",
        "UPDATE": "UPDATE_SUCCESS",
        "ACTIVATE": "ACTIVATION_SUCCESS",
        "ROLLBACK": "ROLLBACK_SUCCESS",
        "CLEANUP": "CLEANUP_SUCCESS",
    }

    def __init__(self, port, fails):
        self.port, self.fails = port, fails
        self.slots, self.booted, self.stays, self.tried = {"a": "0", "b": ""}, "a", "a", None
        self.activity, self.wanted = None, None
        self.client = None

    def join(self):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="self-update", clean_session=False)
        ready = threading.Event()
        self.client.on_message = self.hear
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", self.port)
        self.client.subscribe([("selfupdate/desiredstate", 1), ("selfupdate/desiredstate/command", 1),
                               ("selfupdate/currentstate/get", 1)])
        self.client.loop_start()
        wait("the self-update agent has subscribed", ready.is_set)
        self.show("")

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def boot(self, goes_back):
        self.leave()
        self.booted = self.stays if goes_back or self.tried is None else self.tried
        self.tried = None
        self.join()

    def hear(self, _client, _data, message):
        envelope = json.loads(message.payload)
        activity = envelope["activityId"]
        if message.topic.endswith("/get"):
            self.show(activity)
        elif message.topic.endswith("/command"):
            if activity == self.activity:
                self.obey(envelope["payload"]["command"])
        else:
            self.activity = activity
            self.wanted = envelope["payload"]["domains"][0]["components"][0]["version"]
            self.tell("IDENTIFIED")

    def obey(self, command):
        other = "b" if self.booted == "a" else "a"
        match command:
            case "UPDATE":
                self.slots[other] = self.wanted
            case "ACTIVATE" if self.fails and self.wanted == NEW:
                return self.tell("ACTIVATION_FAILURE", FAILS)
            case "ACTIVATE":
                self.tried = other
            case "ROLLBACK":
                self.tried = self.stays if self.stays != self.booted else None
            case "CLEANUP":
                self.stays, self.tried = self.tried or self.booted, None
        return self.tell(self.answers[command])

    def tell(self, status, words=""):
        action = {"component": {"id": "self-update:app", "version": self.wanted}, "status": status}
        actions = [action] if self.slots[self.booted] != self.wanted else []
        self.publish("selfupdate/desiredstatefeedback", self.activity,
                     {"status": status, "message": words, "actions": actions if status == "IDENTIFIED" else []})

    def show(self, activity):
        nodes = [{"id": "self-update:app", "version": self.slots[self.booted]}]
        self.publish("selfupdate/currentstate", activity, {"softwareNodes": nodes})

    def publish(self, topic, activity, payload):
        self.client.publish(topic, json.dumps({"activityId": activity, "timestamp": 0, "payload": payload}), 1)

    def version(self):
        """That of the system which stays."""
        return self.slots[self.stays]


class Host(World):
    """One on which the manager reboots before the commit, if it knows how."""

    def __init__(self, programs):
        super().__init__(programs)
        self.boot_id, self.request = self.folder / "boot_id", self.folder / "reboot"
        self.moment, self.versions = None, {}
        self.containers, self.system = None, None
        self.begin_boot()

    def begin_boot(self):
        self.request.write_text("")
        # It is mounted, so that it has to stay the same file.
        self.boot_id.write_text(f"{uuid.uuid4()}\n")

    def start_agents(self, shape, kind):
        self.start_containers()
        self.system = SelfUpdate(self.port, shape == "one fails")
        self.system.join()

    def start_containers(self):
        # What it has activated has to be restored.
        self.containers = self.start_agent("containers", "tolerant", "rollback")

    def config(self):
        containers = {"readTimeout": "1s", "order": 10, "rollbackUntil": "activate"}
        system = {"readTimeout": "1s", "order": 90, "rebootRequired": True, "verifyInventory": "afterReboot"}
        # The release before warns about commitAfterReboot and rollbackUntil, and ignores them.
        return super().config() | {
            "agents": {"containers": containers, "self-update": system},
            "rollback": "device",
            "commitAfterReboot": True,
            "rebootEnabled": True,
            "rebootAfter": "100ms",
            # It may outlive the manager and the folder.
            "rebootCommand": f"truncate --no-create --size 1 '{self.request}'",
            "verifyTimeout": "10s",
        }

    def environment(self):
        return super().environment() | {"FILE_BOOT_ID": str(self.boot_id)}

    def command(self):
        command = super().command()
        return command if self.version == "ours" else [*unsharing(), str(self.boot_id), *command]

    def start(self, version, moment, is_first):
        self.moment = None
        if not is_first:
            self.boot(goes_back=version == "before")
        super().start(version, moment, is_first)
        self.moment = moment

    def boot(self, goes_back):
        """The manager does not run any more."""
        self.containers.kill()
        self.containers.wait()
        self.begin_boot()
        self.system.boot(goes_back)
        self.start_containers()

    def look_after_host(self):
        """Boots it if the manager wants that."""
        if self.dead.is_set() or self.request.stat().st_size == 0:
            return
        if self.moment == "reboot" and self.relay.passed is not None:
            self.relay.cut = "the reboot"
            return self.kill()
        # From now on the relay kills nothing.
        self.relay.next_turn()
        if self.dead.is_set():
            return
        with self.turn:
            self.manager.kill()
            self.manager.wait()
        self.boot(goes_back=False)
        self.launch()

    def is_idle(self):
        self.look_after_host()
        return super().is_idle() and "reboot" not in self.status()

    def usual_end(self, _shape):
        return ("COMPLETED", "")

    def take_stock(self):
        installed = json.loads((self.folder / "containers.state").read_text())["installed"]
        self.versions = {"containers": dict(installed).get("app"), "self-update": self.system.version()}

    def judge(self, shape):
        """A group is all new or all old, or the final status says which domain is not."""
        ends, versions = set(self.ends("one")), self.versions
        fault = f"the end is {ends or 'none'} with {versions}"
        if len(ends) != 1:
            return "wrong" if ends else "none", fault
        status, words = ends.pop()
        named = re.findall(r"\[([a-z-]+)\]", words.partition("inconsistent: ")[2])
        others = {version for domain, version in versions.items() if domain not in named}
        if status == "COMPLETED":
            is_right = shape == "all well" and others == {NEW} and not named
        else:
            is_right = status == "INCOMPLETE" and len(others) < 2 and (named or others == {OLD})
        if not is_right:
            return "wrong", fault
        return "named" if named else "right" if shape == "one fails" or status == "COMPLETED" else "back", fault

    def close(self):
        if self.system and self.system.client:
            self.system.leave()
        super().close()
