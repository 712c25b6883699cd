"""Takes the power away at random moments of the courses; the device has to be all old or
all new afterwards, as its one final status says."""

import random
import time

from courses import COURSES, await_end, judge, story
from gateway import boot, finals, send
from machine import Broken

# Seconds after which the machine's clock is looked at again.
TICK_S = 0.02


class Cut:
    """A power cut, drawn from the seed: the same for the same seed and number."""

    def __init__(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        # Each course comes as often as the others.
        self.course = list(COURSES)[number % len(COURSES)]
        self.name = f"{self.course}-{number}"
        # The part of the course that is over by then.
        self.part = draw.random()


def run(machine, cut, server, cpu_seconds):
    """Leads an activity to its end over one power cut. What happened, in words."""
    course = COURSES[cut.course]
    machine.start()
    boot(machine)
    since = machine.mark()
    order = lambda: send(machine, cut.name, server.parts(course))
    end_s = machine.cpu_s() + cut.part * cpu_seconds[cut.course]
    order()
    while machine.is_on() and machine.cpu_s() < end_s:
        time.sleep(TICK_S)
    machine.kill()
    # What is repeated each second says nothing.
    said = [line for line in story(machine, cut.name, since) if not line.endswith(": RUNNING")]
    is_over = any(finals(machine, cut.name, since))
    machine.start()
    again = await_end(machine, cut.name, since, order, is_up=False)
    if again and said and not is_over:
        raise Broken(f"{cut.name}: {said[-1]} was told, and nothing of it is known after the cut")
    state = judge(machine, cut.name, course, since)
    status = finals(machine, cut.name, since)[-1]
    machine.kill()
    words = f"cut after '{said[-1] if said else 'nothing'}', {'sent again' if again else 'taken up'}"
    return f"{words}: {' '.join(status).strip()}; {state}"
