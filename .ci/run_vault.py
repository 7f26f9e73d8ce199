"""A vault with secrets, and programs that are run with them."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

PATIENCE = 20
# Of this process only: another may run the same transcripts beside it.
KEY = b"sk-live-%016d" % os.getpid()
PREFIX = KEY[:16]
SHORT = b"abc"
NUL = b"one\0two"
MULTI = b"first line\nsecond line\n"


def until(condition, what):
    """Waits for a condition, and gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (given := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return given


def states(pid):
    """The state of each thread of a process; none where it is not there."""
    tasks = []
    with contextlib.suppress(OSError):
        tasks = os.listdir(f"/proc/{pid}/task")
    stats = [told(pid, f"task/{task}/stat") for task in tasks]
    return [stat.rsplit(b")", 1)[1].split()[0] for stat in stats if stat]


def gone(pid):
    """Whether a process has ended; one that nobody has waited for has. All its threads have: the
    last one holds its files and locks until then."""
    return all(state in b"ZX" for state in states(pid))


def stopped(pid):
    return states(pid)[:1] == [b"T"]


def in_foreground(pid):
    """Whether the terminal of a process is its group's."""
    fields = told(pid, "stat").rsplit(b")", 1)[1].split()
    return fields[2] == fields[5]


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def told(pid, name):
    """What the system tells of a process; nothing where it has ended, or hides it."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def command(pid):
    return told(pid, "cmdline").split(b"\0")


def keeper_and_program(pid):
    """The process that keeps the files of a run, and the program, once it has begun."""
    def both():
        keepers = [child for child in children(pid) if b"run-files" in command(child)]
        others = [child for child in children(pid) if b"vaultctl" not in command(child)[:1]]
        return keepers and others and (keepers[0], others[0])
    return until(both, "a supervisor and a program")


class Vault:
    """A daemon of one's own, with a few secrets, and a runtime directory for the files."""

    def __init__(self, bin_dir, folder):
        self.folder, self.vaultctl = folder, str(bin_dir / "vaultctl")
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        root = folder / "root"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "VAULTD_DATA_DIR": str(root), "VAULTD_SOCKET": str(root / "s.sock"),
        }
        command = [bin_dir / "vaultd", "--ephemeral", "--log", "error"]
        command += ["--data-dir", root, "--socket", root / "s.sock"]
        self.daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=self.environment)
        until(lambda: self.do("--no-autostart", "status").returncode == 0, "the daemon answers")
        for name, value in [("key", KEY), ("prefix", PREFIX), ("short", SHORT), ("nul", NUL),
                            ("multi", MULTI)]:
            set_ = self.do("secret", "set", f"test:{name}", stdin=value)
            assert set_.returncode == 0, set_.stderr

    def do(self, *arguments, stdin=b""):
        return subprocess.run([self.vaultctl, *arguments], env=self.environment, input=stdin,
                              capture_output=True, timeout=PATIENCE)

    def run(self, *arguments, **options):
        """What `vaultctl run` gives."""
        return self.do("run", *arguments, **options)

    def code(self, *arguments):
        return self.run(*arguments).returncode

    @contextlib.contextmanager
    def running(self, *arguments, **options):
        """A run that goes on meanwhile."""
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, "env": self.environment, **options}
        with subprocess.Popen([self.vaultctl, "run", *arguments], **options) as process:
            try:
                yield process
            finally:
                process.kill()

    def folders(self):
        """The folders of files that are there."""
        return sorted((self.runtime / "vaultd").glob("run-*"))

    def program(self, name, text):
        """A Python program, to be run by its path."""
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o700)
        return str(path)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(PATIENCE)
