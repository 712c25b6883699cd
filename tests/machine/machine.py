"""A machine in qemu, with its serial console in our hands."""

import os
import re
import subprocess
import threading
import time

# Seconds of ours in which anything at the console has to happen. A loaded host
# takes long, and the machine's own clock stands still meanwhile.
PATIENCE_S = 240

# What tests/machine/init makes the shell say when it waits for a command.
PROMPT = re.compile(rb"/ # ")

# What the kernel says when the manager resets the machine.
RESET = re.compile(rb"sysrq: Resetting")

# What it makes mosquitto_sub say: topic and payload.
TOLD = re.compile(rb"~ (\S+) (\{.*\})\r?\n")

CPUS = {"armhf": ["qemu-system-arm", "-cpu", "cortex-a7"], "arm64": ["qemu-system-aarch64", "-cpu", "cortex-a53"]}

# A Linux of Debian's for every board there is; that for arm64 alone takes 33 MB.
MEMORY = {"armhf": "64M", "arm64": "96M"}


class Broken(Exception):
    """The machine did not do what it has to."""


class Reset(Broken):
    """The machine was reset while a command ran at its console."""


class Machine:
    """A machine that can be switched on and off. `seen` is all that its console has
    said; it is kept in the file `path`, too."""

    def __init__(self, debian, packages, initramfs, disk, path, patience_s=PATIENCE_S):
        self.debian, self.packages, self.initramfs, self.disk = debian, packages, initramfs, disk
        self.path, self.patience_s = path, patience_s
        self.process = None
        self.seen = b""
        self.more = threading.Condition()
        # Where in `seen` it was switched on last.
        self.begin = 0

    def start(self, words=""):
        """Switches it on; `words` follow the kernel's own on its command line."""
        append = f"console=ttyAMA0 panic=-1 quiet cma=0 {words}"
        command = CPUS[self.debian] + ["-M", "virt", "-m", MEMORY[self.debian], "-nographic", "-nodefaults"]
        command += ["-serial", "stdio", "-monitor", "none", "-kernel", f"{self.packages}/vmlinuz"]
        command += ["-initrd", self.initramfs, "-append", append]
        # Flushes end here: what is written is the host's to keep, and its power stays on.
        command += ["-drive", f"if=none,id=disk,file={self.disk},format=raw,cache=unsafe"]
        command += ["-device", "virtio-blk-device,drive=disk"]
        # Time goes with instructions, and jumps to the next timer where nothing is
        # to be done: a loaded host makes nothing late, and no wait takes long.
        command += ["-icount", "shift=1,sleep=off"]
        self.begin = len(self.seen)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout.fileno(),), daemon=True)
        self.reader.start()

    def _read(self, console):
        while some := os.read(console, 65536):
            self._keep(some)

    def _keep(self, some):
        with self.more, open(self.path, "ab") as file:
            self.seen += some
            file.write(some)
            self.more.notify_all()

    def kill(self):
        """Takes the power away."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
            # Not on a line of its own: the last one may be cut.
            self._keep(b" -- the power is off\n")

    def is_on(self):
        return self.process is not None and self.process.poll() is None

    def cpu_s(self):
        """Seconds of the host's processors that it has taken since it was switched on.
        It is a clock that a loaded host slows down as it does the machine."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            # Those behind the name, which may have blanks.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mark(self):
        """The place in the console's words that is reached."""
        return len(self.seen)

    def expect(self, pattern, what, since=0):
        """Waits until the console says `pattern`; the match."""
        pattern = re.compile(pattern)
        return self.wait(lambda: pattern.search(self.seen, since), what)

    def wait(self, condition, what):
        """Waits until something that the console says fulfils the condition; what
        that returned."""
        end = time.monotonic() + self.patience_s
        with self.more:
            while True:
                if result := condition():
                    return result
                left = end - time.monotonic()
                if left <= 0 or not self.is_on():
                    tail = self.seen[-3000:].decode(errors="replace")
                    why = f"not in {self.patience_s} s" if self.is_on() else "the machine has ended"
                    raise Broken(f"{what}: {why}\n-- the console says:\n{tail}")
                self.more.wait(min(left, 1))

    def run(self, command):
        """Runs a shell command; its exit code and what it printed, without what was
        told over the broker meanwhile."""
        start = self.mark()
        self.process.stdin.write(command.encode() + b"; echo =$?=\n")
        self.process.stdin.flush()
        match = self.expect(RESET.pattern + rb"|=(\d+)=\r?\n", command, start)
        if not match.group(1):
            raise Reset(f"{command}: the machine was reset")
        said = TOLD.sub(b"", self.seen[start : match.start()])
        # The terminal shows the command first.
        return int(match.group(1)), said.split(b"echo =$?=", 1)[-1].decode(errors="replace")
