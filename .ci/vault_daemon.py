"""A vault of one's own for a check: its folder, its daemon, its databases over gRPC."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import grpc
from vault.v1 import databases_pb2 as pb
from vault.v1 import databases_pb2_grpc

PATIENCE = 120
# Well below the limit of a message, the statement and the last run included.
CALL_BYTES = 900_000


class Vault:
    """A data root with the daemon that vaultctl starts for it."""

    def __init__(self, bin_dir, folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder, self.root = folder, folder / "root"
        self.vaultctl = str(bin_dir / "vaultctl")
        self.socket = self.root / "s.sock"
        passphrase = self.file("passphrase", "a passphrase of the vault\n")
        # Built anew: no variable of the caller's names another vault or another keyring.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "VAULTD_DATA_DIR": str(self.root),
            "VAULTD_SOCKET": str(self.socket),
            "VAULTD_PASSPHRASE_FILE": str(passphrase),
        }

    def file(self, name, text):
        """A file beside the data root, for its owner alone."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def try_(self, *arguments):
        return subprocess.run(
            [self.vaultctl, *map(str, arguments)], env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
        )

    def do(self, *arguments):
        done = self.try_(*arguments)
        if done.returncode:
            told = (done.stdout + done.stderr).strip()
            raise AssertionError(f"vaultctl {arguments}: exit {done.returncode}: {told}")
        return done.stdout

    def stop(self):
        """Ends the daemon if one runs, and waits until its process is gone."""
        asked = self.try_("--no-autostart", "status", "--json")
        if asked.returncode:
            return
        pid = json.loads(asked.stdout)["pid"]
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while pathlib.Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, f"the daemon {pid} does not end"
            time.sleep(0.02)

    @contextlib.contextmanager
    def database(self, name):
        self.do("status")
        # The authority is not looked up, but HTTP/2 wants a plain one.
        options = [("grpc.default_authority", "vaultd.local")]
        with grpc.insecure_channel(f"unix:{self.socket}", options=options) as channel:
            yield Database(databases_pb2_grpc.DatabasesStub(channel), name)


@contextlib.contextmanager
def vaults(bin_dir, folder, *names):
    """New vaults, whose daemons end with the block."""
    made = [Vault(bin_dir, folder / name) for name in names]
    try:
        for vault in made:
            vault.do("init", "--keyring", "passphrase")
        yield made
    finally:
        for vault in made:
            vault.stop()


class Database:
    """One database, as a client in another language sees it."""

    def __init__(self, stub, name):
        self.stub, self.name = stub, name
        self.calls = self.seconds = 0

    def query(self, sql, *parameters):
        """The rows, as they come."""
        request = pb.QueryRequest(database=self.name, sql=sql, parameters=run(parameters))
        for answer in self.stub.Query(request):
            for row in answer.rows:
                yield tuple(map(native, row.values))

    def batch(self, statements):
        """Runs SQL with its runs, all in one transaction; counts the calls and their time."""
        sent = [pb.Statement(sql=sql, runs=runs) for sql, runs in statements if runs]
        request = pb.BatchStatementsRequest(database=self.name, statements=sent)
        begun = time.monotonic()
        results = self.stub.Batch(request).results
        self.seconds += time.monotonic() - begun
        self.calls += 1
        changes = [result.changes for result in results]
        assert changes == [len(statement.runs) for statement in sent], changes


def run(values):
    return pb.Parameters(positional=map(value, values))


def value(given):
    kinds = {int: "integer", float: "real", str: "text", bytes: "blob"}
    return pb.Value() if given is None else pb.Value(**{kinds[type(given)]: given})


def native(given):
    kind = given.WhichOneof("kind")
    assert kind not in ("long", "invalid_text"), kind
    return kind and getattr(given, kind)
