"""Scenarios of agents/podman with a real podman: see tests/agents/podman."""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import podman_kills
from podman_world import AGENT, COMMAND, Fault, NONE, REGISTRY, World, expect, marks, run, wait



def app(version, *config, name="app"):
    return (name, version, [("image", f"localhost/{name}-{version}"), NONE, *config])


def scenario_course(world):
    """Install, update with one kept, one added, one removed, nothing to do, remove all."""
    for name, version in (("app", "1"), ("app", "2"), ("gone", "1"), ("kept", "1"), ("added", "1")):
        world.make_image(f"localhost/{name}-{version}", f"{name} {version}")
    before = world.images()
    gone, kept, added = (app("1", name=name) for name in ("gone", "kept", "added"))
    out, end = world.apply([app("1"), gone, kept])
    expect(end, "COMPLETED", f"the install: {out}")
    expect(marks(), ["app 1", "gone 1", "kept 1"], "what runs")
    process = run("podman", "inspect", "--format", "{{.State.Pid}}", name_of("kept"))
    out, end = world.apply([app("2"), kept, added])
    expect(end, "COMPLETED", f"the update: {out}")
    expect(marks(), ["added 1", "app 2", "kept 1"], "what runs")
    expect(run("podman", "inspect", "--format", "{{.State.Pid}}", name_of("kept")), process, "the process of what is kept")
    expect(len(world.containers()), 3, "containers")
    out, end = world.apply([app("2"), kept, added])
    expect((end, "UPDATING" in out), ("COMPLETED", False), f"nothing to do: {out}")
    world.apply([])
    expect((marks(), world.containers()), ([], []), "what is left")
    expect(world.images(), before, "images that were there before")


def name_of(identifier):
    """The container of a component."""
    names = run("podman", "ps", "--all", "--format", "{{.Names}}", "--filter", "label=update-manager.domain=containers")
    return next(name for name in names.split() if name.startswith(f"{identifier}-"))


def scenario_config(world):
    """The keys arrive in the container, with what the shell would take for its own."""
    nasty = "a b'c\"d$HOME\\n`e`*\ttab\nline "
    world.make_image("localhost/app-1", "app 1")
    script = "printf '%s' \"$NASTY\" >/data/env; printf '%s' \"$OTHER\" >/data/other; " + COMMAND.format("keys")
    data = world.folder / "data"
    data.mkdir()
    config = [("env", f"NASTY={nasty}"), ("env", "OTHER=x=y"), ("mount", f"{data}:/data:rprivate"), ("cmd", "sh"), ("cmd", "-c"),
              ("cmd", script), ("host", "broker:10.1.2.3"), ("restartPolicy", "on-failure"), ("device", "/dev/null:/dev/nothing")]
    out, end = world.apply([app("1.0+b@c", ("image", "localhost/app-1"), *config)])
    expect(end, "COMPLETED", out)
    expect(marks(), ["keys"], "what runs")
    expect((data / "env").read_text(), nasty, "the variable")
    expect((data / "other").read_text(), "x=y", "the other variable")
    expect("10.1.2.3" in run("podman", "exec", name_of("app"), "cat", "/etc/hosts"), True, "the host is known")
    run("podman", "exec", name_of("app"), "ls", "/dev/nothing")
    for config, why in ((("envv", "A=b"), "the key envv is unknown"), (("restartPolicy", "never"), "the restart policy never is unknown")):
        out, end = world.apply([app("2", config)])
        expect(end, f"IDENTIFICATION_FAILED: [containers] app: {why}", out)
    expect(marks(), ["keys"], "what runs")
    world.apply([])


def scenario_failures(world):
    """What does not start, ends at once or is not healthy is rolled back."""
    world.make_image("localhost/app-1", "app 1")
    world.make_image("localhost/other-1", "other 1")
    world.make_image("localhost/other-2", "other 2")
    image = world.publish("broken", "broken", ["/missing"])
    other = app("1", name="other")
    expect(world.apply([app("1"), other])[1], "COMPLETED", "the install")
    images = world.images()
    cases = (
        ([("image", image)], "missing"),
        ([("image", f"{REGISTRY}/nothing:1")], "cannot be pulled"),
        ([("image", "localhost/nothing:1")], "cannot be pulled"),
        ([("image", "localhost/app-1"), ("cmd", "sh"), ("cmd", "-c"), ("cmd", "echo oh no; exit 3")], "it does not run: oh no"),
        ([("image", "localhost/app-1"), ("mount", "/missing/folder:/data")], "/missing/folder"),
        ([("image", "localhost/app-1"), ("healthCmd", "echo I am ill; exit 1")], "its health check fails"),
    )
    for config, why in cases:
        out, end = world.apply([("app", "2", [NONE, *config]), app("2", name="other")], EXEC_AUTHFILE=f"{world.folder}/auth.json")
        expect((end.split(":")[0], why in end), ("INCOMPLETE", True), f"{config}: {end} {out}")
        expect(marks(), ["app 1", "other 1"], f"what runs after {config}")
        expect((len(world.containers()), world.images()), (2, images), f"what is left after {config}")
    world.apply([])


def scenario_busybox(world):
    """The shell and the tools of busybox will do. That of Debian has no flock."""
    tools = world.folder / "busybox"
    tools.mkdir()
    for tool in run("busybox", "--list").split():
        (tools / tool).symlink_to(shutil.which("busybox"))
    for tool in ("podman", "conmon", "crun", "runc", "flock"):
        (tools / tool).unlink(missing_ok=True)
        (tools / tool).symlink_to(shutil.which(tool))
    agent = world.folder / "busybox-agent"
    agent.write_text(f"#!{tools}/sh\nexec {tools}/sh {AGENT} \"$@\"\n")
    agent.chmod(0o755)
    config = json.dumps({"agents": {"containers": {"exec": str(agent)}}, "stateDir": f"{world.folder}/state"})
    (world.folder / "busybox.json").write_text(config)
    for version in ("1", "2"):
        world.make_image(f"localhost/app-{version}", f"app {version}")
        out, end = world.apply([app(version)], config="busybox.json", PATH=str(tools))
        expect((end, marks()), ("COMPLETED", [f"app {version}"]), out)
    _, end = world.apply([app("3", ("image", "localhost/app-1"), ("healthCmd", "exit 1"))], config="busybox.json", PATH=str(tools))
    expect((end.split(":")[0], marks()), ("INCOMPLETE", ["app 2"]), end)
    world.apply([])


def scenario_first_install_fails(world):
    """With nothing before it, nothing is left."""
    world.make_image("localhost/app-1", "app 1")
    _, end = world.apply([app("1", ("healthCmd", "exit 1"))])
    expect(end.split(":")[0], "INCOMPLETE", end)
    expect((marks(), world.containers()), ([], []), "what is left")


def scenario_health(world):
    """A health check of the image is waited for."""
    (world.folder / "Containerfile").write_text(
        "FROM localhost/base\nHEALTHCHECK --start-period=1s CMD [ -e /tmp/healthy ]\n"
        f"CMD sh -c \"sleep 2; touch /tmp/healthy; {COMMAND.format('healthy')}\"\n")
    run("podman", "build", "--quiet", "--format=docker", "-t", "localhost/healthy", "-f",
        world.folder / "Containerfile", world.folder / "root")
    started = time.monotonic()
    out, end = world.apply([("app", "1", [("image", "localhost/healthy"), NONE, ("mount", f"{world.folder}:/tmp")])],
                           EXEC_HEALTH="20")
    expect(end, "COMPLETED", out)
    expect((world.folder / "healthy").exists() and time.monotonic() - started > 2, True, "it waited")
    world.apply([])


def scenario_archives(world):
    """Images come from archives, and go when nobody uses them."""
    for number, form in enumerate(("docker-archive", "oci-archive")):
        world.make_image(f"localhost/packed-{number}", f"packed {number}")
        archive = world.folder / f"{form}.tar"
        run("podman", "save", "--quiet", f"--format={form}", "-o", archive, f"localhost/packed-{number}")
        run("podman", "rmi", f"localhost/packed-{number}")
        before = world.images()
        out, end = world.apply([("app", form, [("image", f"{form}:{archive}"), NONE])])
        expect(end, "COMPLETED", out)
        expect(marks(), [f"packed {number}"], "what runs")
        expect(f"packed {number}" in world.images(), True, "the image is there")
        world.apply([])
        expect([mark for mark in world.images() if mark.startswith("packed")], [], f"images; before: {before}")


def scenario_registry(world):
    """With the credentials an image is pulled, by tag and by digest; a tag that moves is pulled again."""
    auth = {"EXEC_AUTHFILE": f"{world.folder}/auth.json"}
    image = world.publish("app", "app 1")
    before = world.images()
    _, end = world.apply([("app", "1", [("image", image), NONE])])
    expect((end.split(":")[0], "cannot be pulled" in end), ("INCOMPLETE", True), f"without credentials: {end}")
    expect(world.apply([("app", "1", [("image", image), NONE])], **auth)[1], "COMPLETED", "with credentials")
    expect(marks(), ["app 1"], "what runs")
    digest = run("podman", "image", "inspect", "--format", "{{index .RepoDigests 0}}", image)
    # The next one under the same tag, made elsewhere.
    run("podman", "tag", image, "localhost/put-aside")
    world.make_image(image, "app 2")
    run("podman", "push", "--quiet", "--creds", "agent:secret", image)
    run("podman", "rmi", image)
    run("podman", "tag", "localhost/put-aside", image)
    run("podman", "rmi", "localhost/put-aside")
    expect(world.apply([("app", "2", [("image", image), NONE])], **auth)[1], "COMPLETED", "the tag that has moved")
    expect(marks(), ["app 2"], "what runs")
    expect(world.apply([("app", "3", [("image", digest), NONE])], **auth)[1], "COMPLETED", "by digest")
    expect(marks(), ["app 1"], "what runs")
    expect(world.apply([], **auth)[1], "COMPLETED", "the end")
    expect(world.images(), before, "images")


def scenario_others(world):
    """Containers, images and volumes of others stay as they are; our volumes stay too."""
    for number in ("1", "2"):
        world.make_image(f"localhost/app-{number}", f"app {number}", volume="/unnamed")
    run("podman", "run", "--detach", "--name", "app", "--network=none", "localhost/base")
    run("podman", "create", "--name", "app-0-12345678", "--label", "update-manager.domain=another", "localhost/base")
    process, images = run("podman", "inspect", "--format", "{{.State.Pid}}", "app"), world.images()
    write = [("mount", "state:/state"), ("cmd", "sh"), ("cmd", "-c")]
    expect(world.apply([app("1", *write, ("cmd", f"echo 1 >>/state/starts; {COMMAND.format('app 1')}"))])[1], "COMPLETED", "install")
    expect(world.apply([app("2", *write, ("cmd", f"echo 2 >>/state/starts; {COMMAND.format('app 2')}"))])[1], "COMPLETED", "update")
    starts = pathlib.Path(run("podman", "volume", "inspect", "--format", "{{.Mountpoint}}", "state")) / "starts"
    expect(starts.read_text().split(), ["1", "2"], "what both have written")
    world.apply([])
    expect(world.containers(), ["app", "app-0-12345678"], "containers")
    expect(run("podman", "inspect", "--format", "{{.State.Pid}}", "app"), process, "the process of another's container")
    expect((world.images(), len(world.volumes()), marks()), (images, 3, ["base"]), "what is left")
    run("podman", "rm", "--force", "--time=1", "app", "app-0-12345678")
    run("podman", "volume", "rm", *world.volumes())


def ask(port):
    """What answers on a port; empty if nobody does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            return one.recv(100).decode().strip()
    except OSError:
        return ""


def scenario_ports(world):
    """The new container has the port of the old one, and the old one has it back after a rollback."""
    def server(version, *config):
        serve = f"nc -ll -p 80 -e echo {version} & {COMMAND.format(version)}"
        return [("app", version, [("image", "localhost/base"), ("port", "127.0.0.1:8088:80"), ("network", "bridge"),
                                  ("cmd", "sh"), ("cmd", "-c"), ("cmd", serve), *config])]

    for version in ("1", "2"):
        out, end = world.apply(server(version))
        expect(end, "COMPLETED", out)
        wait(f"version {version} answers", lambda: ask(8088) == version)
    _, end = world.apply(server("3", ("healthCmd", "exit 1")))
    expect(end.split(":")[0], "INCOMPLETE", end)
    wait("version 2 answers", lambda: ask(8088) == "2")
    world.cut_power()
    run(AGENT, "boot")
    wait("version 2 answers after a power cut", lambda: ask(8088) == "2")
    world.apply([])


def scenario_machine(world):
    """What the machine lacks is named."""
    bare = world.folder / "bare"
    bare.mkdir()
    for tool in ("id", "grep", "mkdir", "cat", "setsid", "flock", "timeout"):
        (bare / tool).symlink_to(f"/usr/bin/{tool}")
    cases = (
        ((), {"PATH": str(bare)}, "podman is not installed"),
        (("setpriv", "--reuid=65534", "--clear-groups"), {}, "the agent has to run as root"),
        ((), {"EXEC_AUTHFILE": "/missing"}, "EXEC_AUTHFILE: /missing cannot be read"),
        ((), {"EXEC_INIT": "systemd", "EXEC_UNITS": "/missing"}, "EXEC_UNITS: /missing is no folder that can be written"),
        (("unshare", "--mount", "sh", "-c", "umount -Rl /sys/fs/cgroup && \"$@\"", "sh"), {},
         "no control groups are mounted at /sys/fs/cgroup"),
    )
    plan = world.folder / "plan"
    plan.write_text("")
    for before, environment, why in cases:
        done = subprocess.run([*before, "/bin/sh", AGENT, "identify", "act"], stderr=subprocess.PIPE, text=True, check=False,
                              env={**os.environ, "UM_PLAN": str(plan), **environment})
        expect((done.returncode, done.stderr.strip()), (1, why), "the reason")
    done = subprocess.run([AGENT, "nonsense"], check=False)
    expect(done.returncode, 64, "another command")


def scenario_units(world):
    """The units that systemd would start are good."""
    world.make_image("localhost/app-1", "app 1")
    units = world.folder / "units"
    units.mkdir()
    plan = world.folder / "plan"
    config = "".join(f"config\tapp\t{key}\t{value}\n" for key, value in (("image", "localhost/app-1"), NONE, ("restartPolicy", "on-failure")))
    plan.write_text(f"install\tapp\t1\n{config}")
    environment = {**os.environ, "UM_PLAN": str(plan), "EXEC_INIT": "systemd", "EXEC_UNITS": str(units)}
    for command in ("identify", "download", "update"):
        run(AGENT, command, "act", env=environment)
    [unit] = units.iterdir()
    text = unit.read_text()
    expect(f"ConditionPathExists={world.folder}/agent/current/{name_of('app')}\n" in text, True, text)
    expect("\nRestart=on-failure\n" in text, True, text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    expect((said.returncode, said.stdout), (0, ""), "systemd-analyze verify")
    unit.unlink()
    for command in ("rollback", "cleanup"):
        run(AGENT, command, "act", env={**environment, "EXEC_INIT": "none"})
    expect(world.containers(), [], "containers")


def main():
    parser = argparse.ArgumentParser(prog="tests/agents/podman")
    parser.add_argument("manager", help=argparse.SUPPRESS)
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=3, help="kill only at every Nth step")
    parser.add_argument("--only", default="", help="scenarios whose name has this word")
    args = parser.parse_args()
    world = World(args.manager, args.folder)
    version = run("podman", "--version")
    print(f"{version} with {world.runtime}", flush=True)
    scenarios = {name.removeprefix("scenario_"): function for name, function in globals().items() if name.startswith("scenario_")}
    scenarios |= {f"kills_{name}": lambda world, name=name: podman_kills.play(world, name, args.every) for name in podman_kills.MODES}
    faults = 0
    try:
        for name, function in scenarios.items():
            if args.only not in name:
                continue
            begun = time.monotonic()
            try:
                told = function(world) or "ok"
            except (Fault, OSError, subprocess.SubprocessError) as fault:
                faults += 1
                told = f"FAULT {fault}"
            print(f"{name:<24} {told} ({time.monotonic() - begun:.0f} s)", flush=True)
    finally:
        world.close()
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
