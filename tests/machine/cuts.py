"""Takes the power away at random moments of activities; what the disk has must do."""

import random
import time

from gateway import LOG, apply, await_final, boot, check_kernel, finals, succeed, told
from machine import Broken

# Phases that an activity may be told to fail, and its end.
ENDS = {
    None: "COMPLETED",
    "identify": "IDENTIFICATION_FAILED",
    "download": "INCOMPLETE",
    "update": "INCOMPLETE",
    "activate": "INCOMPLETE",
}


class Activity:
    """What happens to one, drawn from the seed: the same for the same seed and
    number, but for the host's speed."""

    def __init__(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        self.name = f"cut-{number}"
        self.fails = draw.choice([None] * 6 + list(ENDS)[1:])
        self.delay_ms = draw.randrange(10, 300)
        # Parts of the time that an activity takes; the second follows the next start.
        self.cuts = [draw.random()] + [draw.random() for _ in range(draw.randrange(4) // 3)]

    def agents(self):
        return f"--delay {self.delay_ms}" + (f" --fail {self.fails}" if self.fails else "")


def run(machine, seed, count, say):
    """Cuts the power in each of so many activities, one after another, of which the
    machine and its disk are the same."""
    machine.start()
    boot(machine)
    took = measure(machine)
    say(f"an activity takes {took:.1f} s of ours; the power is cut within that, seed {seed}")
    totals = {"cut": 0, "taken up": 0, "told before": 0, "told again": 0, "sent again": 0}
    for number in range(1, count + 1):
        activity = Activity(seed, number)
        begin = time.monotonic()
        try:
            what = lead(machine, activity, took, totals)
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


def lead(machine, activity, took, totals):
    """Leads one activity to its end over its cuts. What happened, in words."""
    name = activity.name
    since = machine.mark()
    succeed(machine, f"agents {activity.agents()}")
    apply(machine, name)
    stories = []
    for cut in activity.cuts:
        time.sleep(cut * took)
        machine.kill()
        totals["cut"] += 1
        story = [words for _, words, _ in told(machine, name, since)]
        stories.append(f"cut after {story[-1] if story else 'nothing'}")
        totals["told before"] += any(finals(machine, name, since))
        # The agents come up anew and have forgotten.
        machine.start(f'AGENTS="{activity.agents()}"')
        boot(machine)
    # Who would be taken up is in the log by then.
    known = succeed(machine, f"grep -c '{name}' {LOG} || true").strip() != "0"
    totals["taken up"] += known
    if not known:
        # The backend cannot know whether it was taken, and sends it again.
        apply(machine, name)
        totals["sent again"] += 1
    await_final(machine, name, since)
    # Whoever still wanted something of it had a minute of the machine's.
    succeed(machine, "sleep 60")
    judge(machine, activity, since, totals)
    check_kernel(machine)
    return f"{'; '.join(stories)}; {'taken up' if known else 'sent again'}, {finals(machine, name, since)[0][0]}"


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
