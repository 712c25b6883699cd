"""A machine for agents/podman: a podman with a storage of its own, a registry on loopback,
and a power switch. See tests/agents/podman."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

AGENT = pathlib.Path("agents/podman").resolve()
# The password is "secret".
HTPASSWD = "agent:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"
REGISTRY = "127.0.0.1:5000"
NONE = ("network", "none")
PATIENCE_S = 60
# What a boot finds empty; podman has its locks in /dev/shm.
VOLATILE = ("/run", "/dev/shm")
# What a container runs, with a mark that its process is known by.
COMMAND = "trap 'exit 0' TERM; : um-test {0}; while :; do sleep 1; done"


class Fault(Exception):
    """Something is not as it has to be."""


def expect(found, wanted, what):
    if found != wanted:
        raise Fault(f"{what}: {found!r}, not {wanted!r}")


def run(*command, **options):
    """Returns what a program has printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE_S, **options)
    if done.returncode != 0:
        raise Fault(f"{' '.join(map(str, command))}: {done.returncode} {done.stderr}")
    return done.stdout.strip()


def wait(what, is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise Fault(f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.02)


def marks():
    """The marks of the containers whose processes are there, sorted."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"sh" and len(words) > 2 and b"um-test " in words[2]:
            found.append(words[2].split(b"um-test ")[1].split(b";")[0].decode())
    return sorted(found)


class World:
    def __init__(self, manager, folder):
        self.manager, self.folder = manager, pathlib.Path(folder)
        self.registry, self.activities = None, 0
        self.cgroups = set(pathlib.Path("/sys/fs/cgroup").glob("**/libpod*"))
        # The machine's own is out of sight, and not changed.
        pathlib.Path("/var/lib/cni").mkdir(parents=True, exist_ok=True)
        for place in (self.folder, "/var/lib/cni", *VOLATILE):
            run("mount", "-t", "tmpfs", "tmpfs", place)
        self.lift_loopback()
        self.configure()
        self.runtime = self.find_runtime()
        self.start_registry()

    def lift_loopback(self):
        with socket.socket() as any_socket:
            # SIOCSIFFLAGS: IFF_UP and IFF_RUNNING.
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))

    def configure(self):
        files = {
            "storage.conf": f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/storage"\nrunroot = "/run/storage"\n',
            "registries.conf": f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n',
            "config.json": json.dumps({"agents": {"containers": {"exec": str(AGENT)}}, "stateDir": f"{self.folder}/state"}),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        # What a power cut takes of a disk is not the matter here, and the disk is everybody's.
        (self.folder / "bin").mkdir()
        (self.folder / "bin/sync").symlink_to("/bin/true")
        os.environ.update({
            "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": f"{self.folder}/registries.conf",
            "CONTAINERS_CONF": f"{self.folder}/containers.conf",
            "FILE_SYS_RQ": f"{self.folder}/rq",
            "FILE_SYS_RQ_TRIGGER": f"{self.folder}/trigger",
            "EXEC_ROOT": f"{self.folder}/agent",
            "EXEC_STOP": "5",
            "EXEC_HOLD": "1",
            "EXEC_HEALTH": "3",
            "DISABLE_HC_SYSTEMD": "true",
            "TMPDIR": str(self.folder),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        })

    def find_runtime(self):
        """Makes the image, and looks for a runtime that works with the machine's control groups."""
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        for name in ("sh", "sleep", "cat", "touch", "nc", "ls"):
            (root / "bin" / name).symlink_to("busybox")
        why = []
        for runtime in ("crun", "runc"):
            # Of the limits that podman sets, some machines forbid what others have.
            (self.folder / "containers.conf").write_text(
                f'[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
                f'[engine]\nruntime = "{runtime}"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n'
                f'tmp_dir = "/run/libpod"\n')
            self.make_image("localhost/base", "base")
            try:
                run("podman", "run", "--rm", "--network=none", "localhost/base", "sh", "-c", ":")
                return runtime
            except Fault as fault:
                why.append(str(fault))
                run("podman", "rm", "--all", "--force")
        raise Fault(f"podman runs no containers here: {why}")

    def make_image(self, name, mark, command=None, volume=None):
        """Makes an image whose containers have a mark."""
        command = json.dumps(command or ["sh", "-c", COMMAND.format(mark)])
        archive = self.folder / "root.tar"
        run("tar", "-C", self.folder / "root", "-cf", archive, ".")
        changes = ["--change", f"CMD {command}", "--change", f"LABEL mark={mark}"]
        changes += ["--change", f"VOLUME {volume}"] if volume else []
        run("podman", "import", "--quiet", *changes, archive, name)

    def publish(self, name, mark, command=None):
        """Makes an image that only the registry has."""
        image = f"{REGISTRY}/{name}"
        self.make_image(image, mark, command)
        run("podman", "push", "--quiet", "--creds", "agent:secret", image)
        run("podman", "rmi", image)
        return image

    def start_registry(self):
        (self.folder / "htpasswd").write_text(HTPASSWD)
        (self.folder / "registry.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.folder}/registry}}}}\n"
            f"http: {{addr: {REGISTRY}}}\nauth: {{htpasswd: {{realm: test, path: {self.folder}/htpasswd}}}}\n")
        with open(self.folder / "registry.log", "wb") as log:
            self.registry = subprocess.Popen(["docker-registry", "serve", self.folder / "registry.yml"],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def listens():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", 5000)) == 0

        wait("the registry listens", listens)
        run("podman", "login", "--authfile", self.folder / "auth.json", "-u", "agent", "-p", "secret", REGISTRY)

    def cut_power(self):
        """Ends all at once but for this test and the registry, and empties what is volatile."""
        spared = {1, os.getpid(), self.registry.pid}
        while victims := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in spared]:
            for pid in victims:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass
        # Mounts of a storage and of networks are in it, and do not outlive it.
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith((*VOLATILE, f"{self.folder}/")):
                subprocess.run(["umount", "--lazy", place], stderr=subprocess.DEVNULL, check=False)
        for place in VOLATILE:
            run("mount", "-t", "tmpfs", "tmpfs", place)

    def apply(self, components, config="config.json", **environment):
        """Applies a desired state: what the command printed on standard output, and its end."""
        self.activities += 1
        domain = {"id": "containers", "components": [component(*one) for one in components]}
        desired = json.dumps({"domains": [domain]})
        done = subprocess.run(
            [self.manager, "apply", "--standalone", "--activity", f"act-{self.activities}", "--config-file",
             self.folder / config, "-"],
            input=desired, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=3 * PATIENCE_S, check=False,
            env={**os.environ, **environment})
        return done.stdout, done.stdout.strip().rsplit("\n", 1)[-1].partition(" ")[2] or done.stderr

    def volumes(self):
        return sorted(run("podman", "volume", "ls", "--quiet").split())

    def containers(self):
        return sorted(run("podman", "ps", "--all", "--format", "{{.Names}}").split())

    def images(self):
        """The marks of the images."""
        return sorted(run("podman", "images", "--format", "{{.Labels.mark}}").splitlines())

    def close(self):
        self.cut_power()
        self.registry.kill()
        self.registry.wait()
        for cgroup in sorted(set(pathlib.Path("/sys/fs/cgroup").glob("**/libpod*")) - self.cgroups, reverse=True):
            try:
                cgroup.rmdir()
            except OSError:
                pass


def component(identifier, version, config):
    return {"id": identifier, "version": version, "config": [{"key": key, "value": value} for key, value in config]}
