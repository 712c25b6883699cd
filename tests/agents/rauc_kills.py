"""The update agent for RAUC, killed at each program that it calls.

Each program is called through a wrapper that counts, and at the chosen step waits to be
killed, with the whole process group of the agent. The RAUC service goes on.
"""

import os
import shutil
import time

from rauc_device import ATTEMPTS, PATIENCE_S, kill_group, script

# What the agent calls.
PROGRAMS = ("busctl", "curl", "cut", "grep", "id", "mkdir", "mv", "rauc", "rm", "sed", "sha256sum", "sleep", "sync",
            "systemctl", "tail", "tr", "wc")
# More steps than an activity has.
STEPS_MAX = 400

WRAPPER = """#!/bin/sh
printf . >>"$STEPS/count"
n=$(/usr/bin/stat -c %s "$STEPS/count")
read -r at <"$STEPS/at"
if [ "$at" -gt 0 ] && [ "$n" -ge "$at" ] && (set -C; echo "$$ ${0##*/} $*" >"$STEPS/hit") 2>/dev/null; then
  while :; do /bin/sleep 0.05; done
fi
# The test does not cut the power of the disk, which others use too.
[ "${0##*/}" != sync ] || exit 0
exec "REAL" "$@"
"""


class Steps:
    def __init__(self, device):
        self.folder = device.folder / "steps"
        (self.folder / "bin").mkdir(parents=True)
        for name in PROGRAMS:
            script(self.folder / "bin" / name, WRAPPER.replace("REAL", shutil.which(name)))
        path = f"{self.folder}/bin:{device.env['PATH']}"
        self.env = {**device.env, "PATH": path, "STEPS": str(self.folder)}

    def freeze_at(self, step):
        """Counts from now on, and waits once at this step."""
        (self.folder / "hit").unlink(missing_ok=True)
        (self.folder / "count").write_text("")
        (self.folder / "at").write_text(f"{step}\n")

    def hit(self):
        """The process that waits, and what it was to call; none if the step has not come."""
        try:
            text = (self.folder / "hit").read_text()
        except FileNotFoundError:
            return None
        return text.split(maxsplit=1) if text.endswith("\n") else None

    def is_hit_before_end(self, process):
        """Waits for the step or the end of the process, whichever comes first."""
        was_hit, end = self.hit(), time.monotonic() + PATIENCE_S
        while process.poll() is None:
            if not was_hit and self.hit():
                return True
            assert time.monotonic() < end, "the process does not end"
            time.sleep(0.005)
        return False


class Sweep:
    """One activity from each version to the next for each step, until there are no more."""

    def __init__(self, device, stride):
        self.device, self.stride, self.steps = device, stride, Steps(device)
        self.step, self.version, self.kills = 1 - stride, 1, 0

    def __iter__(self):
        """For each step: the activity, the version that is wanted, and the configuration."""
        while True:
            self.step += self.stride
            assert self.step < STEPS_MAX, "the activity has an end"
            wanted = str(self.version + 1)
            bundle = self.device.bundle(wanted)
            self.steps.freeze_at(self.step)
            yield f"act-{self.step}", wanted, self.device.keys(bundle)
            bundle.unlink()
            self.version = int(self.device.version)
            if not self.steps.hit():
                break
            self.kills += 1

    def call(self, command, *arguments):
        """Calls the agent; whether it was killed."""
        process = self.device.start(command, *arguments, env=self.steps.env)
        is_hit = self.steps.is_hit_before_end(process)
        kill_group(process)
        words = "".join(process.communicate())
        assert is_hit or process.returncode == 0, f"step {self.step}, {command}: {words}"
        return is_hit

    def is_at(self, version):
        """The device has the version, would boot it again, and holds nothing else."""
        device, where = self.device, f"step {self.step}, {self.steps.hit()}"
        assert device.version == version, f"{where}: {device.version}, not {version}"
        assert device.primary() == device.booted, f"{where}: {device.variables}"
        assert device.left(device.booted) == ATTEMPTS, f"{where}: not marked good, {device.variables}"
        assert not os.listdir(device.state), f"{where}: {os.listdir(device.state)}"

    def would_boot(self, *versions):
        slot = self.device.primary()
        found = self.device.os_release(slot).removeprefix("IMAGE_VERSION=")
        assert found in versions, f"step {self.step}, {self.steps.hit()}: {found} would be booted"

    def result(self):
        return f", {self.kills} kills, the last at step {self.step - self.stride}"


def kill_and_call_again(device, stride):
    """The command that was killed is called again: the new version comes."""
    sweep = Sweep(device, stride)
    for activity, wanted, keys in sweep:
        old = device.version
        for command in ("identify", "download", "update", "activate", "boot", "inventory", "cleanup"):
            if command == "boot":
                device.boot()
            elif sweep.call(command, activity, wanted, keys):
                sweep.would_boot(*{"activate": (old, wanted)}.get(command, (device.version,)))
                sweep.call(command, activity, wanted, keys)
        sweep.is_at(wanted)
    return sweep.result()


def kill_and_roll_back(device, stride):
    """What was killed is rolled back: the old version stays."""
    sweep = Sweep(device, stride)
    for activity, wanted, keys in sweep:
        old = device.version
        for command in ("identify", "download", "update", "activate"):
            if sweep.call(command, activity, wanted, keys):
                break
        for command in ("rollback", "cleanup"):
            if sweep.call(command, activity, wanted, keys):
                sweep.call(command, activity, wanted, keys)
        sweep.is_at(old)
        device.boot()
        sweep.is_at(old)
    return sweep.result()


def kill_rollback(device, stride):
    """The rollback is killed and called again, before a boot and after one."""
    results = []
    for boots in (False, True):
        device.reset("1")
        shutil.rmtree(device.folder / "steps", ignore_errors=True)
        sweep = Sweep(device, stride)
        for activity, wanted, keys in sweep:
            old = device.version
            for command in ("identify", "download", "update", "activate"):
                code, words = device.call(command, activity, wanted, keys)
                assert code == 0, words
            if boots:
                device.boot()
            for command in ("rollback", "boot", "cleanup") if boots else ("rollback", "cleanup"):
                if command == "boot":
                    device.boot()
                elif sweep.call(command, activity, wanted, keys):
                    sweep.call(command, activity, wanted, keys)
            sweep.is_at(old)
        results.append(sweep.result())
    return "".join(results)


def cut_the_power(device, stride):
    """The device boots at each step; the command under way is called again."""
    sweep = Sweep(device, stride)
    for activity, wanted, keys in sweep:
        old = device.version
        for command in ("identify", "download", "update", "activate", "boot", "inventory", "cleanup"):
            if command == "boot":
                device.boot()
            elif sweep.call(command, activity, wanted, keys):
                device.boot()
                may_be = {"activate": (old, wanted), "inventory": (wanted,), "cleanup": (wanted,)}.get(command, (old,))
                assert device.version in may_be, f"step {sweep.step}, {command}: {device.version}"
                sweep.call(command, activity, wanted, keys)
        sweep.is_at(wanted)
    return sweep.result()


def kill_in_apply(device, stride):
    """The standalone apply: its agent is killed, and it rolls back; what it says is so."""
    sweep, ends = Sweep(device, stride), {}
    for activity, wanted, keys in sweep:
        old = device.version
        process = device.apply(activity, wanted, keys, sweep.steps.env)
        if sweep.steps.is_hit_before_end(process):
            os.killpg(os.getpgid(int(sweep.steps.hit()[0])), 9)
        out = process.communicate(timeout=PATIENCE_S)[0]
        end = next(line for line in reversed(out.splitlines()) if line.startswith(f"{activity} ")).split()[1].strip(":")
        ends[end] = ends.get(end, 0) + 1
        expected = wanted if end == "COMPLETED" else old
        sweep.would_boot(expected)
        device.boot()
        assert device.version == expected, f"step {sweep.step}: {end}, and {device.version}"
    return f"{sweep.result()}, {ends}"


def kill_apply(device, stride):
    """The standalone apply is killed itself, and called again: the new version comes."""
    sweep = Sweep(device, stride)
    for activity, wanted, keys in sweep:
        process = device.apply(activity, wanted, keys, sweep.steps.env)
        if sweep.steps.is_hit_before_end(process):
            process.kill()
            process.communicate()
            process = device.apply(activity, wanted, keys, sweep.steps.env)
        out = process.communicate(timeout=PATIENCE_S)[0]
        assert f"{activity} COMPLETED" in out, f"step {sweep.step}: {out}"
        device.boot()
        sweep.is_at(wanted)
    return sweep.result()


SCENARIOS = [kill_and_call_again, kill_and_roll_back, kill_rollback, cut_the_power, kill_in_apply, kill_apply]
