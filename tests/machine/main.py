"""Boots a machine and goes through one of its courses."""

import argparse
import os
import random
import signal
import sys
import time

import commit
import course
import cuts
from machine import Broken, Machine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("debian", choices=["armhf", "arm64"])
    parser.add_argument("packages")
    parser.add_argument("folder", help="with initramfs.gz and state.ext4; the console's words go there")
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--commit-after-reboot", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    disk, console = os.path.join(args.folder, "state.ext4"), os.path.join(args.folder, "console")
    machine = Machine(args.debian, args.packages, os.path.join(args.folder, "initramfs.gz"), disk, console)

    def say(line):
        print(f"{args.debian}: {line}", flush=True)

    # So that no machine stays on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.monotonic()
    try:
        if args.cuts:
            cuts.run(machine, args.seed, args.cuts, say)
        elif args.commit_after_reboot:
            commit.run(machine, args.seed, say)
        else:
            course.run(machine, say)
    except Broken as broken:
        sys.exit(f"tests/boot: {args.debian}: {broken}")
    finally:
        machine.kill()
    say(f"all is well after {time.monotonic() - begin:.0f} s")


main()
