"""Takes the power away at random moments of activities; what the disk has must do."""

import random
import time

from gateway import LOG, apply, await_final, boot, check_kernel, finals, succeed, told
from machine import Broken

# For the manager's environment: an activity follows the other at once.
NO_REBOOT = "REBOOT_ENABLED=false"

# Phases that an activity may be told to fail, and its end.
ENDS = {
    None: "COMPLETED",
    "identify": "IDENTIFICATION_FAILED",
    "download": "INCOMPLETE",
    "update": "INCOMPLETE",
    "activate": "INCOMPLETE",
}

# What is told of an activity without failures: statuses, and commands to two agents.
MESSAGES = 13


class Activity:
    """What happens to one, drawn from the seed: the same for the same seed and
    number, but for the host's speed."""

    def __init__(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        self.name = f"cut-{number}"
        self.fails = draw.choice([None] * 6 + list(ENDS)[1:])
        self.delay_ms = draw.randrange(10, 300)
        # After how many messages, and what part of the time to the next. One in four
        # is cut again when it goes on.
        self.cuts = [(draw.randrange(MESSAGES), draw.random())]
        if draw.randrange(4) == 0:
            self.cuts.append((draw.randrange(MESSAGES // 2), draw.random()))

    def agents(self):
        return f"--delay {self.delay_ms}" + (f" --fail {self.fails}" if self.fails else "")


def run(machine, seed, count, say):
    """Cuts the power in each of so many activities, one after another, of which the
    machine and its disk are the same."""
    machine.start(NO_REBOOT)
    boot(machine)
    gap_s = measure(machine) / MESSAGES
    say(f"a message comes each {gap_s:.2f} s of ours; the power is cut in between; --seed {seed}")
    totals = {"cut": 0, "taken up": 0, "told before": 0, "told again": 0, "sent again": 0}
    for number in range(1, count + 1):
        activity = Activity(seed, number)
        begin = time.monotonic()
        try:
            what = lead(machine, activity, gap_s, totals)
        except Broken as broken:
            log = machine.run(f"tail -n 40 {LOG}")[1] if machine.is_on() else ""
            raise Broken(f"{activity.name} of seed {seed}: {broken}\n-- the manager says:\n{log}") from None
        say(f"{activity.name}: {what}; {time.monotonic() - begin:.0f} s")
    say(f"{count} activities ended once and rightly: " + ", ".join(f"{n} {words}" for words, n in totals.items()))


def measure(machine):
    """Seconds of ours that an activity takes with agents of medium speed."""
    succeed(machine, "agents --delay 150")
    begin = time.monotonic()
    apply(machine, "cut-0")
    await_final(machine, "cut-0")
    return time.monotonic() - begin


def lead(machine, activity, gap_s, totals):
    """Leads one activity to its end over its cuts. What happened, in words."""
    name = activity.name
    since = machine.mark()
    succeed(machine, f"agents {activity.agents()}")
    apply(machine, name)
    story = []
    for messages, part in activity.cuts:
        reach(machine, name, since, messages)
        time.sleep(part * gap_s)
        machine.kill()
        totals["cut"] += 1
        said = [words for _, words, _ in told(machine, name, since)]
        story.append(f"cut after {said[-1] if said else 'nothing'}")
        totals["told before"] += any(finals(machine, name, since))
        # The agents come up anew and have forgotten.
        machine.start(f'{NO_REBOOT} AGENTS="{activity.agents()}"')
        boot(machine)
        # What is taken up is in the log by then.
        if succeed(machine, f"grep -c '{name}' {LOG} || true").strip() != "0":
            totals["taken up"] += 1
            story.append("taken up")
        elif said and not any(finals(machine, name, since)):
            raise Broken(f"{said[-1]} was told, and nothing of it is known after the cut")
        else:
            # The backend cannot know that it was not saved, or has ended.
            apply(machine, name)
            totals["sent again"] += 1
            story.append("sent again")
    status, _ = await_final(machine, name, since)
    # Whoever still wants something of it has a minute of the machine's.
    succeed(machine, "sleep 60")
    judge(machine, activity, since, totals)
    check_kernel(machine)
    return f"{', '.join(story)}: {status}"


def reach(machine, name, since, messages):
    """Waits until so many more messages are told, or the end."""
    wanted = messages + sum(1 for _ in told(machine, name, machine.begin))
    is_there = lambda: any(finals(machine, name, since)) or sum(1 for _ in told(machine, name, machine.begin)) >= wanted
    machine.wait(is_there, f"{messages} messages of {name}")


def judge(machine, activity, since, totals):
    """One end, the right one, and no command after it."""
    ends = finals(machine, activity.name, since)
    wanted = ENDS[activity.fails]
    if {status for status, _ in ends} != {wanted}:
        raise Broken(f"it has to end with {wanted}, and ended with {ends}")
    totals["told again"] += len(ends) - 1
    has_ended = False
    for topic, words, _ in told(machine, activity.name, since):
        if has_ended and topic.endswith("/command"):
            raise Broken(f"{topic} {words} after the end")
        has_ended = has_ended or words == wanted
