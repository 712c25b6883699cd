"""Activities that one version of the manager begins and another one takes up: see
tests/fallback.

The manager's connection goes through a relay that counts MQTT packets and kills the
manager when a certain one comes by, before it is passed on. So a case is a course (the
versions, in turn), a shape (what the activity comes to) and a moment (the number of the
packet, from the desired state on). After a kill the next version starts with the same
state folder, and the last one has to bring the activity to a right end, or, where 0.1.0
reads what it does not know, to none; then it has to take the next activity. One that went
before it, and has ended, must not come to another end.

Which end is right is the matter of the world that the course is played in: one that stays
up (fallback_world), or one that boots for each version (fallback_host).
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import sys
import tempfile
import time

from fallback_host import Host
from fallback_world import QUIET_S, RIGHT_ENDS, Fault, World, wait

# Courses, and the outcomes that the activity may have beside a right end: none; turned back
# where the shape asks for no failure, because the host has booted the old system; or with
# domains that are named as inconsistent, for `before` restores none.
COURSES = {
    "ours,0.1.0": ("none",),
    "0.1.0,ours": (),
    "ours,0.1.0,ours": ("none",),
    "ours,before": ("back", "named"),
    "before,ours": ("back", "named"),
    "ours,before,ours": ("back", "named"),
}
OUTCOMES = ("right", "back", "named", "none", "wrong")
# Moments that are found by the message: the end does not reach the broker, or its
# acknowledgement does not reach the manager.
AT_THE_END = ("end unsent", "end unacknowledged")
# On a host that boots: the manager has asked for it.
AT_THE_REBOOT = "reboot"


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
        world = world_of(self.course, programs)
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
        usual = world.usual_end(self.shape)
        wait("the activity is over", world.is_idle)
        world.take_stock()
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
        self.outcome, words = world.judge(self.shape)
        if self.outcome not in ("right", *COURSES[self.course]):
            self.faults.append(words)
        for place, one in (("before", "zero"), ("next", activity)):
            if (ends := set(world.ends(one))) != {usual}:
                self.faults.append(f"the activity {place} has the ends {ends or 'none'}, not {usual}")
        if world.manager.poll() is not None:
            self.faults.append(f"the manager ended with {world.manager.returncode}")


def world_of(course, programs):
    return Host(programs) if "before" in course else World(programs)


def measure(programs, course, shape):
    """How many packets go by from the desired state on, without a kill."""
    world = world_of(course, programs)
    try:
        world.begin(shape, "strict")
        world.start(course.split(",")[0], None, is_first=True)
        world.apply("one", "2")
        world.await_end("one")
        time.sleep(0.2)
        return world.relay.passed
    finally:
        world.close()


def cases(programs, courses, every):
    for course in courses:
        for shape in RIGHT_ENDS:
            count = measure(programs, course, shape)
            print(f"{course:<16} {shape:<10} {count} packets without a kill", flush=True)
            reboot = (AT_THE_REBOOT,) if "before" in course and shape == "all well" else ()
            for moment in (*range(1, count + 1, every), *AT_THE_END, *reboot):
                yield Case(course, shape, moment)


def table(done):
    rows = collections.defaultdict(list)
    for case in done:
        rows[case.course, case.shape].append(case)
    heads = ("cases", *OUTCOMES, "faults", "errors")
    print(f"\n{'course':<16} {'shape':<10}", *(f"{head:>6}" for head in heads))
    for (course, shape), row in rows.items():
        counts = [sum(case.outcome == outcome for case in row) for outcome in OUTCOMES]
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
    parser.add_argument("programs", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help="kill only at every Nth packet")
    parser.add_argument("--lanes", type=int, default=8, help="cases at a time")
    parser.add_argument("--only", choices=("0.1.0", "before"), default="", help="only the courses with this release")
    parser.add_argument("--times", type=int, default=1, help="play the one case so often")
    parser.add_argument("replay", nargs="*", metavar="COURSE SHAPE MOMENT", help="one case")
    args = parser.parse_intermixed_args()
    programs = dict(zip(("ours", "0.1.0", "before", "agent"), args.programs))
    if args.replay:
        course, shape, moment = args.replay
        moment = int(moment) if moment.isdigit() else moment
        todo = [Case(course, shape, moment) for _ in range(args.times)]
    else:
        todo = cases(programs, [one for one in COURSES if args.only in one.split(",") or not args.only], args.every)
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
