"""Hours of mixed load on one daemon, and what it holds on to afterwards.

usage: soak.py BIN_DIR FOLDER short|long

A round is what a busy person's applications do in five minutes. After each one nothing is under way,
and all rounds are alike: whatever then grows from round to round is kept for nobody."""

import json
import os
import pathlib
import statistics
import sys
import time

import grpc
from vault.v1 import stats_pb2, stats_pb2_grpc

from soak_load import Load
from vault_gateway import PATIENCE, Gateway, running, until

ROUNDS = {"short": 8, "long": 96}
# What the allocator and SQLite's page caches have not found their level in.
WARM_UP = 1 / 3
# Growth over all that is judged, by the line that fits best.
MEMORY_BAR = {"short": 4 << 20, "long": 8 << 20}
WAL_BAR = 4 << 20


class Daemon(Gateway):
    """The daemon alone."""

    def start(self):
        # What `soak` says of the allocator, and nothing else of the caller's.
        given = os.environ.items()
        self.environment = {name: value for name, value in given if name.startswith("MALLOC_")}
        self.run("vaultd", "--ephemeral", "--log", "warn")
        until(self.socket.exists, "the daemon listens")
        self.channel = self.connect()
        grpc.channel_ready_future(self.channel).result(PATIENCE)
        self.pid = self.processes[0].pid

    def connect(self):
        options = [("grpc.default_authority", "vaultd.local"),
                   # One connection for each channel, not one for the process.
                   ("grpc.use_local_subchannel_pool", 1)]
        return grpc.insecure_channel(f"unix:{self.socket}", options=options)

    def figures(self):
        return stats_pb2_grpc.StatsStub(self.channel).Get(stats_pb2.GetStatsRequest())

    def settled(self):
        """Its figures, once nothing is under way."""
        def idle():
            now = self.figures()
            busy = (now.streams, now.transactions, now.statements, now.connections - 1)
            return now if now.unary_calls == 1 and not any(busy) else None
        return until(idle, "nothing is under way")

    def files(self):
        return [path for path in (self.folder / "root").rglob("*") if path.is_file()]

    def wal(self):
        """Bytes of each write-ahead log."""
        return [path.stat().st_size for path in self.files() if path.name.endswith("-wal")]

    def sample(self, wal):
        """What it holds now; `wal` is what there was of logs before they were emptied."""
        now = self.settled()
        process = pathlib.Path(f"/proc/{self.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return {
            "memory": int(status["VmRSS"].split()[0]) << 10,
            "handles": len(list((process / "fd").iterdir())),
            "threads": int(status["Threads"]),
            "files": len(self.files()),
            "wal_files": len(wal),
            "wal_bytes": sum(wal),
            "sqlite": now.sqlite_bytes,
            "calls": sum(outcome.calls for method in now.methods for outcome in method.outcomes),
        }


def growth(values):
    """Over all of them, by the line that fits best."""
    if len(set(values)) == 1:
        return 0
    line = statistics.linear_regression(range(len(values)), values)
    return line.slope * (len(values) - 1)


def judged(samples, length):
    """What has grown that must not."""
    kept = samples[round(len(samples) * WARM_UP):]
    column = lambda name: [sample[name] for sample in kept]
    half = len(kept) // 2
    grown = {name: round(growth(column(name))) for name in ("memory", "wal_bytes", "sqlite")}
    wrong = []
    if grown["memory"] > MEMORY_BAR[length]:
        wrong.append(f"memory grew by {grown['memory']} bytes")
    if grown["wal_bytes"] > WAL_BAR:
        wrong.append(f"write-ahead logs grew by {grown['wal_bytes']} bytes")
    # Threads that wait for work come and go, and each may have a file of its own open; what is
    # there at the best moment of each half is what stays.
    for name, room in (("handles", 2), ("files", 0), ("wal_files", 0), ("threads", 4)):
        early, late = min(column(name)[:half]), min(column(name)[half:])
        grown[name] = late - early
        if late > early + room:
            wrong.append(f"{name}: {early}, later {late}")
    print(json.dumps({
        "figure": "soak", "rounds": len(samples), "calls": samples[-1]["calls"], "growth": grown,
        "memory": samples[-1]["memory"], "bars": {"memory": MEMORY_BAR[length], "wal_bytes": WAL_BAR},
        "met": not wrong,
    }))
    return wrong


def main():
    bin_dir, folder, length = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    begun, samples = time.monotonic(), []
    with running(Daemon(bin_dir, folder)) as vault:
        load = Load(vault)
        load.prepare()
        for number in range(ROUNDS[length]):
            load.work()
            wal = vault.wal()
            load.upkeep()
            samples.append(vault.sample(wal))
            took = round(time.monotonic() - begun, 1)
            print(json.dumps({"round": number + 1, "seconds": took, **samples[-1]}), flush=True)
        load.verify()
    wrong = judged(samples, length)
    if wrong:
        sys.exit("the daemon holds on to something: " + "; ".join(wrong))


main()
