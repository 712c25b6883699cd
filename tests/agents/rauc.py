"""The update agent for RAUC on a device with two slots: see tests/agents/rauc."""

import argparse
import os
import pathlib
import shutil
import signal
import sys

import rauc_kills
import rauc_reboot
from rauc_device import ATTEMPTS, IMAGE_BYTES, Device, image, kill_group, run, wait_until
from server import Server

FORWARD = ("identify", "download", "update", "activate")


def steps(device, commands, activity, version, keys):
    """Calls the agent for each command; all have to succeed."""
    for command in commands:
        code, words = device.call(command, activity, version, keys)
        assert code == 0, f"{command}: {words}"


def refused(device, command, version, keys, words):
    code, said = device.call(command, "refused", version, keys)
    assert code == 1 and words in said, f"{command} ends with {code}: {said}"


def is_at(device, slot, version, kept=()):
    """The device has booted the slot with the version, boots it again, and keeps it; of the
    update there is nothing left but the files that are `kept`."""
    assert (device.booted, device.version) == (slot, version), (device.booted, device.version)
    assert device.primary() == slot, device.variables
    assert device.left(slot) == ATTEMPTS, f"not marked good: {device.variables}"
    assert os.listdir(device.state) == [*kept], os.listdir(device.state)


def applied(device, activity, version, keys, end, env=None):
    process = device.apply(activity, version, keys, env)
    out = process.communicate()[0]
    assert f"{activity} {end}" in out, out
    return out


def success(device):
    """Installed by the standalone apply; the next boot has the new version."""
    keys = device.keys(device.bundle("2"))
    out = applied(device, "first", "2", keys, "COMPLETED")
    assert "ACTIVATION_SUCCESS 100%" in out and "has to be rebooted" in out, out
    assert (device.booted, device.version, device.primary()) == ("A", "1", "B")
    device.boot()
    is_at(device, "B", "2")
    out = applied(device, "again", "2", keys, "COMPLETED")
    assert "UPDATING" not in out, out


def without_systemd(device):
    """The same with busybox, and with neither systemctl nor busctl."""
    programs = device.folder / "programs"
    programs.mkdir()
    for name in ("curl", "dbus-send", "rauc", "unsquashfs"):
        (programs / name).symlink_to(shutil.which(name))
    run("busybox", "--install", "-s", str(programs))
    env = {**device.env, "PATH": f"{device.folder}/bin:{programs}"}
    applied(device, "first", "2", device.keys(device.bundle("2")), "COMPLETED", env)
    device.boot()
    is_at(device, "B", "2")


def commit_after_reboot(device):
    """Nothing but CLEANUP marks the new slot good."""
    keys = device.keys(device.bundle("2"))
    steps(device, FORWARD, "act", "2", keys)
    assert (device.booted, device.primary()) == ("A", "B")
    device.boot()
    assert (device.booted, device.left("B")) == ("B", ATTEMPTS - 1)
    device.boot()
    assert (device.booted, device.left("B")) == ("B", ATTEMPTS - 2)
    code, words = device.call("inventory", "act#boot", "2", keys)
    assert code == 0 and "component os-image 2\n" in words, words
    # Whoever forgets what was done may ask for all of it once more.
    before = device.variables
    steps(device, FORWARD, "act", "2", keys)
    assert device.variables == before
    steps(device, ["cleanup"], "act", "2", keys)
    is_at(device, "B", "2")
    steps(device, ["cleanup"], "act", "2", keys)
    device.boot()
    is_at(device, "B", "2")


def fallback(device):
    """The new image does not boot: the boot loader goes back, and so does the agent."""
    keys = device.keys(device.bundle("2", content=image("")))
    steps(device, FORWARD, "act", "2", keys)
    device.boot()
    assert (device.booted, device.version, device.left("B")) == ("A", "1", 0)
    code, words = device.call("inventory", "act#boot", "2", keys)
    assert code == 0 and "component os-image 1\n" in words, words
    assert device.left("A") == ATTEMPTS - 1, "the agent alone decides while an update is under way"
    steps(device, ["rollback", "rollback", "cleanup"], "act", "2", keys)
    is_at(device, "A", "1")
    device.boot()
    is_at(device, "A", "1")


def rollback_before_boot(device):
    keys = device.keys(device.bundle("2"))
    steps(device, [*FORWARD, "rollback"], "act", "2", keys)
    assert device.primary() == "A"
    steps(device, ["rollback", "cleanup"], "act", "2", keys)
    is_at(device, "A", "1")
    device.boot()
    is_at(device, "A", "1")


def rollback_after_boot(device):
    """The new system is undone; it takes one more boot."""
    keys = device.keys(device.bundle("2"))
    steps(device, FORWARD, "act", "2", keys)
    device.boot()
    steps(device, ["rollback"], "act", "2", keys)
    assert (device.booted, device.primary()) == ("B", "A")
    device.boot()
    assert (device.booted, device.version) == ("A", "1")
    steps(device, ["rollback", "cleanup"], "act", "2", keys)
    is_at(device, "A", "1")
    # The same, but cleaned up before that boot: the slot that was undone stays marked bad.
    steps(device, FORWARD, "act-2", "2", keys)
    device.boot()
    steps(device, ["rollback", "cleanup"], "act-2", "2", keys)
    assert (device.left("B"), device.primary()) == (0, "A")
    # Restoring the old version takes neither its bundle nor a write to its slot.
    before, gone = device.variables, {**keys, "url": "/gone.raucb"}
    steps(device, [*FORWARD, "cleanup"], "act-2#restore", "1", gone)
    assert device.variables == before
    device.boot()
    is_at(device, "A", "1", kept=["slots"])
    refused(device, "download", "2", gone, "cannot be fetched")
    steps(device, [*FORWARD], "act-3", "2", keys)
    device.boot()
    steps(device, ["cleanup"], "act-3", "2", keys)
    is_at(device, "B", "2")


def nothing_to_do(device):
    """Commands without an update, and a version that is booted already."""
    keys = device.keys(device.bundle("2"))
    before = device.variables
    steps(device, ["rollback", "cleanup", "cleanup"], "act", "2", keys)
    steps(device, ["identify", "download", "rollback", "cleanup"], "act", "2", keys)
    steps(device, [*FORWARD, "cleanup"], "act-2", "1", keys)
    assert device.variables == before
    is_at(device, "A", "1")
    code, _ = device.call("unheard-of", "act", "2", keys)
    assert code == 64, code
    refused(device, "update", "2", keys, "the bundle is not downloaded")
    refused(device, "activate", "2", keys, "no slot is written")


def not_identified(device):
    """What the agent refuses before anything has changed."""
    keys = device.keys(device.bundle("2"))
    for wrong in ("", "activate-installed=true", "#activate-installed=false"):
        device.configure(wrong)
        refused(device, "identify", "2", keys, "needs activate-installed=false")
    device.configure("activate-installed=false")
    refused(device, "identify", "2", {**keys, "sha256": ""}, "no sha256")
    refused(device, "identify", "2", {**keys, "sha256": "../" + keys["sha256"][3:]}, "no sha256")
    refused(device, "identify", "2", {"sha256": keys["sha256"]}, "neither url nor image")
    out = applied(device, "none", "", {}, "IDENTIFICATION_FAILED")
    assert "neither url nor image" in out, out
    unit = device.folder / "units/rauc-mark-good.service"
    unit.write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    steps(device, ["identify"], "act", "2", keys)
    run("systemctl", "enable", "rauc-mark-good.service", env=device.env)
    out = applied(device, "marked", "2", keys, "IDENTIFICATION_FAILED")
    assert "rauc-mark-good.service is enabled" in out, out
    run("systemctl", "disable", "rauc-mark-good.service", env=device.env)
    steps(device, ["identify"], "act", "2", keys)
    unit.unlink()
    device.power_off()
    refused(device, "identify", "2", keys, "the RAUC service does not answer")
    device.serve()
    is_at(device, "A", "1")


def wrong_bundles(device):
    """A bundle that does not fit is found by the download, and nothing is written."""
    good = device.bundle("2")
    wrong = {
        "signature": device.keys(device.bundle("2", key="other-")),
        "compatible with toaster": device.keys(device.bundle("2", compatible="toaster")),
        "checksum": device.keys(good, sha256="0" * 64),
        "cannot be fetched": {**device.keys(good), "url": "/nowhere.raucb"},
    }
    for words, keys in wrong.items():
        out = applied(device, words, "2", keys, "INCOMPLETE")
        assert words in out.split("INCOMPLETE")[1] and "UPDATING" not in out, out
        assert device.os_release("B") == "BROKEN=1"
        is_at(device, "A", "1")
    torn = good.with_name("torn.raucb")
    torn.write_bytes(good.read_bytes()[:-1000])
    out = applied(device, "torn", "2", device.keys(torn), "INCOMPLETE")
    is_at(device, "A", "1")


def failed_install(device):
    """The slot is too small: RAUC says why, and the device stays as it was."""
    keys = device.keys(device.bundle("2", content=bytes(8 * IMAGE_BYTES)))
    out = applied(device, "large", "2", keys, "INCOMPLETE")
    assert "UPDATE_FAILURE" in out and "No space left" in out.split("INCOMPLETE")[1], out
    is_at(device, "A", "1")
    device.boot()
    is_at(device, "A", "1")


def interrupted_download(device):
    """A download goes on where it was: over a kill, over broken connections; and begins anew
    if the server cannot go on, or what is there is wrong."""
    bundle = device.bundle("2")
    length, piece = bundle.stat().st_size, 100_000
    with Server(bundle.parent) as server:
        keys = device.keys(bundle, url=server.url(bundle))
        part = device.state / f"{keys['sha256']}.raucb.part"
        server.at_most, server.is_stalling = piece, True
        process = device.start("download", "act", "2", keys)
        wait_until("a piece is there", lambda: part.exists() and part.stat().st_size > piece / 2)
        kill_group(process)
        left = part.stat().st_size
        server.at_most, server.is_stalling = None, False
        steps(device, ["download", "download"], "act", "2", keys)
        assert server.starts == [0, left], server.starts
        steps(device, ["rollback", "cleanup"], "act", "2", keys)
        server.starts, server.at_most = [], piece
        steps(device, ["download", "cleanup"], "act", "2", keys)
        assert server.starts == list(range(0, length, piece)), server.starts
        for wrong in (bytes(piece), bytes(length), bytes(2 * length)):
            server.starts, server.at_most = [], None
            part.write_bytes(wrong)
            steps(device, ["download", "cleanup"], "act", "2", keys)
            assert server.starts[-1] == 0, server.starts
        server.has_ranges = False
        part.write_bytes(bundle.read_bytes()[:piece])
        steps(device, FORWARD[1:], "act", "2", keys)
    device.boot()
    steps(device, ["cleanup"], "act", "2", keys)
    is_at(device, "B", "2")


def service_goes_on(device):
    """The agent is killed while RAUC installs: whatever comes next waits for RAUC."""
    keys = device.keys(device.bundle("2"))
    hold, held = device.folder / "hold", device.folder / "held"
    for number, following in enumerate([["update", "activate"], ["rollback"], ["cleanup"]]):
        activity = f"act-{number}"
        steps(device, FORWARD[:2], activity, "2", keys)
        hold.touch()
        update = device.start("update", activity, "2", keys)
        wait_until("RAUC installs", held.exists)
        held.unlink()
        kill_group(update)
        process = device.start(following[0], activity, "2", keys)
        line = process.stderr.readline()
        while line and "waiting for the RAUC service" not in line:
            line = process.stderr.readline()
        assert line and process.poll() is None, process.communicate()
        hold.unlink()
        process.communicate()
        assert process.returncode == 0
        steps(device, [*following[1:], *(["rollback"] if number == 0 else []), "cleanup"], activity, "2", keys)
        is_at(device, "A", "1")


def power_cut(device):
    """The power fails while RAUC installs, and before ACTIVATE: the old system boots."""
    keys = device.keys(device.bundle("2"))
    hold, held = device.folder / "hold", device.folder / "held"
    steps(device, FORWARD[:2], "act", "2", keys)
    hold.touch()
    update = device.start("update", "act", "2", keys)
    wait_until("RAUC installs", held.exists)
    kill_group(update)
    device.power_off()
    hold.unlink()
    held.unlink()
    device.boot()
    assert (device.booted, device.version) == ("A", "1")
    steps(device, ["update"], "act", "2", keys)
    device.boot()
    assert (device.booted, device.version) == ("A", "1")
    steps(device, ["activate"], "act", "2", keys)
    device.boot()
    steps(device, ["cleanup"], "act", "2", keys)
    is_at(device, "B", "2")


SCENARIOS = [
    success, without_systemd, commit_after_reboot, fallback, rollback_before_boot, rollback_after_boot, nothing_to_do,
    not_identified, wrong_bundles, failed_install, interrupted_download, service_goes_on, power_cut,
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("manager", type=pathlib.Path)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("scenarios", nargs="*")
    args = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = {scenario.__name__: scenario for scenario in SCENARIOS}
    wanted.update({kill.__name__: lambda device, kill=kill: kill(device, args.stride) for kill in rauc_kills.SCENARIOS})
    wanted["commit_by_manager"] = rauc_reboot.commit_by_manager
    for name in args.scenarios or wanted:
        device = Device(args.manager.resolve())
        try:
            result = wanted[name](device)
        except BaseException:
            print(f"{name}: failed; the log of the RAUC service ends with", file=sys.stderr)
            print((device.folder / "service.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            device.close()
        print(f"{name}: good{result or ''}", flush=True)


main()
