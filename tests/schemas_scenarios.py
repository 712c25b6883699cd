# A scenario of our own for the black-box recorder, which the checker's lack.
import time


@R.scenario  # noqa: F821, the recorder puts itself here
def status_topic(env):
    "a status topic is configured; the manager is told to end, then killed"
    R.setup(env, connection={"statusTopic": "device/update-manager"})  # noqa: F821
    env.stop_um()
    env.start_um()
    env.stop_um(9)
    time.sleep(0.2)
