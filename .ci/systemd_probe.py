"""What a process may do, as it finds out by trying: outside of a unit first, then inside of one.

usage: systemd_probe.py outside|daemon|gateway REFERENCE

Outside, as the same user, it writes down what a unit is to keep it from in REFERENCE, and all of it
must be allowed there: what is refused anyway proves nothing of the unit. A line a check; the exit
status is 1 where one is not as it has to be.
"""

import errno
import json
import mmap
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys

HOME = pathlib.Path.home()
DATA = HOME / ".local/share/vaultd"
RUNTIME = pathlib.Path(os.environ["XDG_RUNTIME_DIR"])
IN_TMP = pathlib.Path("/tmp/systemd-probe")
# Programs for x86-64. This one calls getpid by the 32-bit table (`int 0x80`), and exits with 0 if that
# gave a number above 0, else with 1.
FOREIGN_CALL = "b814000000cd8085c00f9ec00fb6f8b83c0000000f05"
# keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), written to standard output.
SESSION_KEYRING = (
    "bf00000000" "48c7c6fdffffff" "31d2" "b8fa000000" "0f05" "50"
    "bf01000000" "4889e6" "ba08000000" "b801000000" "0f05" "31ff" "b83c000000" "0f05"
)

ALLOWED, REFUSED, EITHER = "allowed", "refused", None
NOWHERE = {"daemon": REFUSED, "gateway": REFUSED}
DAEMON = {"daemon": ALLOWED, "gateway": REFUSED}
GATEWAY = {"daemon": REFUSED, "gateway": ALLOWED}
EVERYWHERE = {"daemon": ALLOWED, "gateway": ALLOWED}


def attempts():
    """Each with where it is allowed."""
    return {
        "a socket of the Internet": (lambda: socket.socket(socket.AF_INET), GATEWAY),
        "a socket to the kernel": (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), NOWHERE),
        "a socket of this machine": (lambda: socket.socket(socket.AF_UNIX), EVERYWHERE),
        "writing to the vault": (lambda: write(DATA / "probe"), DAEMON),
        "writing beside its socket": (lambda: write(RUNTIME / "vaultd/probe"), DAEMON),
        "writing beside the vault": (lambda: write(DATA.parent / "probe"), NOWHERE),
        "writing to the home": (lambda: write(HOME / "probe"), NOWHERE),
        "writing to the runtime directory": (lambda: write(RUNTIME / "probe"), NOWHERE),
        "seeing what is in /tmp": (IN_TMP.stat, NOWHERE),
        "a namespace of its own": (lambda: run("unshare", "--user", "true"), NOWHERE),
        "memory to write to and execute": (writable_code, NOWHERE),
        "a file that runs as its owner": (setuid, NOWHERE),
        "another personality": (lambda: run("setarch", "linux32", "true"), NOWHERE),
        "a system call of another architecture": (lambda: machine_code(FOREIGN_CALL), NOWHERE),
        "a lower priority": (lambda: os.nice(1), NOWHERE),
        "a control group of its own": (control_group, NOWHERE),
        "the kernel's symbols": (lambda: open("/proc/kallsyms", "rb").close(), NOWHERE),
        "the kernel's modules": (lambda: os.listdir("/usr/lib/modules"), NOWHERE),
        "the kernel's log": (lambda: run("dmesg"), NOWHERE),
        "the clock": (lambda: run("date", "--set", "now"), NOWHERE),
        "the host's name": (lambda: socket.sethostname("probe"), NOWHERE),
        "real-time scheduling": (realtime, NOWHERE),
    }


# Refused to every user, or on some machines: inside a unit all the same.
REFUSED_ANYWAY = {
    "a system call of another architecture",
    "the kernel's log",
    "the clock",
    "the host's name",
    "real-time scheduling",
}


def write(path):
    path.write_text("")
    path.unlink()


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def writable_code():
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def scratch(name):
    """A place that may be written to: the vault's folder, or what PrivateTmp= gives."""
    folder = DATA if os.access(DATA, os.W_OK) else pathlib.Path("/tmp")
    return folder / name


def setuid():
    path = scratch("setuid")
    path.touch()
    try:
        path.chmod(0o4700)
    finally:
        path.unlink()


def machine_code(code):
    """Runs the smallest program there is, one segment that is entered behind its two headers."""
    code = bytes.fromhex(code)
    start, length = 0x400000, 120 + len(code)
    number = lambda value, size: value.to_bytes(size, "little")
    header = b"\x7fELF\2\1\1" + bytes(9) + number(2, 2) + number(62, 2) + number(1, 4)
    header += number(start + 120, 8) + number(64, 8) + bytes(12) + number(64, 2) + number(56, 2)
    header += number(1, 2) + bytes(6)
    segment = number(1, 4) + number(5, 4) + bytes(8) + number(start, 8) * 2
    segment += number(length, 8) * 2 + number(4096, 8)
    path = scratch("machine-code")
    path.write_bytes(header + segment + code)
    path.chmod(0o700)
    try:
        return run(str(path))
    finally:
        path.unlink()


def own_group():
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    group = next(line for line in lines if line.startswith("0::/"))
    return pathlib.Path("/sys/fs/cgroup") / group.removeprefix("0::/")


def control_group():
    group = own_group() / "probe"
    group.mkdir()
    group.rmdir()


def realtime():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def facts():
    """What needs no attempt."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    swap = own_group() / "memory.swap.max"
    mask = os.umask(0o077)
    os.umask(mask)
    namespaces = ("user", "mnt", "net", "ipc", "uts")
    return {
        **{f"namespace {name}": os.readlink(f"/proc/self/ns/{name}") for name in namespaces},
        "devices": str(os.stat("/dev").st_dev),
        "session keyring": machine_code(SESSION_KEYRING).hex(),
        "capabilities at most": status["CapBnd"],
        "no new privileges": status["NoNewPrivs"],
        "filter of system calls": status["Seccomp"],
        "umask": f"{mask:03o}",
        "core dumps": str(resource.getrlimit(resource.RLIMIT_CORE)),
        "locked memory": str(resource.getrlimit(resource.RLIMIT_MEMLOCK)),
        # Where the machine lets users bound memory.
        "swap": swap.read_text().strip() if swap.exists() else "0",
    }


INSIDE = {
    "capabilities at most": "0" * 16,
    "no new privileges": "1",
    "filter of system calls": "2",
    "umask": "077",
    "core dumps": "(0, 0)",
    "locked memory": "(0, 0)",
    "swap": "0",
}


def is_right(where, name, value, known):
    """Whether a fact is as the unit has to make it."""
    if where == "outside":
        return True
    if name in INSIDE:
        return value == INSIDE[name]
    kept = where == "gateway" and name == "namespace net"
    return (value == known[name]) == kept


def outcome(attempt):
    """`allowed`, or `refused` with what said so."""
    try:
        attempt()
        return ALLOWED, ""
    except OSError as error:
        return REFUSED, errno.errorcode.get(error.errno, str(error))
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:
            return REFUSED, signal.Signals(-error.returncode).name
        return REFUSED, error.stderr.decode(errors="replace").strip() or str(error.returncode)


def main():
    where, reference = sys.argv[1], pathlib.Path(sys.argv[2])
    if where == "outside":
        IN_TMP.touch()
        reference.write_text(json.dumps(facts()))
    known = json.loads(reference.read_text())
    wrong = 0

    def tell(right, name, found):
        nonlocal wrong
        wrong += not right
        print(f"{'ok' if right else 'FAILED'}: {where}: {name}: {found}", flush=True)

    for name, (attempt, allowed) in attempts().items():
        found, by = outcome(attempt)
        expected = allowed.get(where, EITHER if name in REFUSED_ANYWAY else ALLOWED)
        tell(expected in (EITHER, found), name, f"{found} {by}".strip())
    for name, value in facts().items():
        tell(is_right(where, name, value, known), name, value)
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
