"""Boots the gateway and goes through its courses and power cuts."""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time

import courses
import cuts
from machine import Broken, Machine

# Seconds of ours that an activity may take from one step to the next.
PATIENCE_S = 900


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("packages")
    parser.add_argument("folder", help="with what tests/gateway has built")
    parser.add_argument("--cuts", type=int, default=30)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--from", type=int, dest="first", help="continues at this cut")
    args = parser.parse_args()
    # So that no machine stays on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    gateway = Gateway(args.packages, args.folder)
    begin = time.monotonic()
    try:
        if args.first is None:
            gateway.go_through(random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed)
        gateway.cut(args.first or 1, args.cuts, args.seed)
    except Broken as broken:
        sys.exit(f"tests/gateway: {broken}\n{gateway.logs()}")
    finally:
        gateway.machine.kill()
    say(f"all is well after {time.monotonic() - begin:.0f} s")


def say(line):
    print(line, flush=True)


class Gateway:
    """The machine and its disk; the disk when it is new, and as each course begins with it."""

    def __init__(self, packages, folder):
        path = lambda name: os.path.join(folder, name)
        self.new, self.first, self.disk, self.drawn = (
            path(name) for name in ("new.disk", "first.disk", "disk", "drawn.json")
        )
        self.server = courses.Server(path("server"))
        self.machine = Machine("arm64", packages, path("initramfs.gz"), self.disk, path("console"), PATIENCE_S)

    def go_through(self, seed):
        """All courses without a cut. What each takes is kept for the cuts."""
        shutil.copyfile(self.new, self.disk)
        courses.prepare(self.machine, self.server, say)
        shutil.copyfile(self.disk, self.first)
        cpu_seconds = {}
        for name in courses.COURSES:
            shutil.copyfile(self.first, self.disk)
            cpu_seconds[name] = courses.run(self.machine, name, self.server, say)
        with open(self.drawn, "w", encoding="utf-8") as file:
            json.dump({"seed": seed, "cpu_seconds": cpu_seconds}, file)

    def cut(self, first, last, seed):
        """The cuts with these numbers, each from the first disk."""
        with open(self.drawn, encoding="utf-8") as file:
            drawn = json.load(file)
        seed = drawn["seed"] if seed is None else seed
        for number in range(first, last + 1):
            cut = cuts.Cut(seed, number)
            begin = time.monotonic()
            shutil.copyfile(self.first, self.disk)
            try:
                what = cuts.run(self.machine, cut, self.server, drawn["cpu_seconds"])
            except Broken as broken:
                raise Broken(f"--seed {seed} --from {number}: {broken}") from None
            say(f"{number}: {cut.course} {cut.part * 100:.0f} %, {what}; {time.monotonic() - begin:.0f} s")

    def logs(self):
        """What the manager and the agents of this boot have logged."""
        if not self.machine.is_on():
            return ""
        try:
            return self.machine.run("tail -n 60 /var/log/kanto-update-manager/* /var/log/agent-* /var/log/rauc")[1]
        except Broken as broken:
            return str(broken)


main()
