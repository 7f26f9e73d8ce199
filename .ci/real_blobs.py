"""A large blob, from outside: what comes back, what memory it takes, what is sent twice."""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

MIB = 1 << 20
MEMORY_LIMIT_KIB = 64 << 10
PART = 0.6
# What may be sent again: what was on its way when the other side was killed.
ON_ITS_WAY = 32 * MIB


def generate(path: str, mib: int, seed: bytes) -> str:
    """Writes a file that nothing compresses, and returns its SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(mib):
            block = seed + number.to_bytes(8, "big") + os.urandom(MIB - len(seed) - 8)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Proxy:
    """Stands between client and daemon, and counts what the client sends."""

    def __init__(self, path: str, daemon: str) -> None:
        self.path, self.daemon, self.sent = path, daemon, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            daemon = socket.socket(socket.AF_UNIX)
            try:
                daemon.connect(self.daemon)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.pump, args=(client, daemon, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(daemon, client, False), daemon=True).start()

    def pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        buffer = bytearray(256 << 10)
        view = memoryview(buffer)
        try:
            while count := source.recv_into(buffer):
                target.sendall(view[:count])
                if counted:
                    self.sent += count
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Vault:
    def __init__(self, ctl: str, work: str) -> None:
        self.ctl, self.work = ctl, work

    def path(self, name: str) -> str:
        return os.path.join(self.work, name)

    def run(self, *arguments: str) -> bytes:
        return subprocess.run([self.ctl, *arguments], check=True, stdout=subprocess.PIPE).stdout

    def pid(self) -> int:
        return json.loads(self.run("status", "--json"))["pid"]

    def begin(self, *arguments: str, proxy: Proxy | None = None) -> subprocess.Popen:
        environment = dict(os.environ)
        if proxy:
            environment["VAULTD_SOCKET"] = proxy.path
        return subprocess.Popen(
            [self.ctl, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )

    def measured(self, what: str, mib: int, *arguments: str) -> bytes:
        """Runs vaultctl, and says what memory it and the daemon took at most."""
        # What the passphrase took to be tried is not meant.
        with open(f"/proc/{self.pid()}/clear_refs", "w", encoding="ascii") as peaks:
            peaks.write("5")
        begun = time.monotonic()
        child = self.begin(*arguments)
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        assert child.returncode == 0, child.stderr.read()
        daemon = peak(self.pid())
        print(
            f"{what}: {mib / took:.0f} MiB/s; at most {daemon / 1024:.1f} MiB in vaultd, "
            f"{usage.ru_maxrss / 1024:.1f} MiB in vaultctl",
            flush=True,
        )
        for who, kib in (("vaultd", daemon), ("vaultctl", usage.ru_maxrss)):
            assert kib < MEMORY_LIMIT_KIB, f"{who} took {kib} KiB"
        return printed


def peak(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def through(vault: Vault, mib: int) -> None:
    """All of it in, all of it out, and ranges."""
    source, copy = vault.path("source"), vault.path("copy")
    ref = generate(source, mib, b"one")
    printed = vault.measured("put", mib, "blob", "put", source)
    assert printed.decode().strip() == ref
    vault.measured("get", mib, "blob", "get", ref, "-o", copy)
    assert sha256(copy) == ref
    os.remove(copy)
    chosen = random.Random(mib)
    with open(source, "rb") as file:
        for _ in range(24):
            first = chosen.randrange(mib * MIB)
            last = min(first + chosen.randrange(8 * MIB), mib * MIB - 1)
            file.seek(first)
            expected = file.read(last - first + 1)
            found = vault.run("blob", "get", ref, "--range", f"{first}-{last}")
            assert found == expected, f"{first}-{last}"
        file.seek(-1000, os.SEEK_END)
        assert vault.run("blob", "get", ref, "--range", "-1000") == file.read()
    again = json.loads(vault.run("blob", "put", source, "--json"))
    assert again["existed"] and again["ref"] == ref
    vault.run("blob", "rm", ref)
    print("ranges: as in the source", flush=True)


def killed(vault: Vault, mib: int, who: str) -> None:
    """An upload of which a part was sent when one side was killed."""
    source = vault.path("source")
    ref = generate(source, mib, who.encode())
    proxy = Proxy(vault.path(f"{who}.sock"), os.environ["VAULTD_SOCKET"])
    daemon = vault.pid()
    child = vault.begin("blob", "put", source, proxy=proxy)
    while proxy.sent < PART * mib * MIB:
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.001)
    if who == "client":
        child.kill()
    else:
        os.kill(daemon, signal.SIGKILL)
    child.communicate()
    assert child.returncode != 0, "it was killed in time"
    sent_before = proxy.sent
    if who == "daemon":
        assert vault.pid() != daemon, "another one runs"
    listed = vault.run("blob", "ls", "--json")
    assert ref.encode() not in listed, "half of it is no blob"

    proxy.sent = 0
    child = vault.begin("blob", "put", source, "--json", proxy=proxy)
    printed, complaint = child.communicate()
    assert child.returncode == 0, complaint
    stored = json.loads(printed)
    assert stored["ref"] == ref
    size = mib * MIB
    print(
        f"kill -9 of the {who} after {sent_before / size:.0%}: {stored['resumed'] / size:.0%} were "
        f"there, {proxy.sent / size:.0%} sent again",
        flush=True,
    )
    assert stored["resumed"] > sent_before - ON_ITS_WAY
    assert proxy.sent < size - stored["resumed"] + size * 0.01 + MIB
    copy = vault.path("copy")
    vault.run("blob", "get", ref, "-o", copy)
    assert sha256(copy) == ref
    os.remove(copy)
    vault.run("blob", "verify")
    vault.run("blob", "rm", ref)


def main(ctl: str, work: str, mib: str) -> None:
    vault = Vault(ctl, work)
    through(vault, int(mib))
    killed(vault, int(mib), "client")
    killed(vault, int(mib), "daemon")
    print("a large blob: as expected")


if __name__ == "__main__":
    main(*sys.argv[1:])
