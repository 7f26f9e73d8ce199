"""A vault of one's own for a check, with its gateway: both processes, the owner's calls, and HTTP."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time

import grpc
from vault.v1 import (
    auth_pb2, auth_pb2_grpc, pairing_pb2, pairing_pb2_grpc, tokens_pb2, tokens_pb2_grpc, vault_pb2,
    vault_pb2_grpc,
)

PATIENCE = 60


class Gateway:
    """A daemon whose key is in memory, and the gateway before it."""

    def __init__(self, bin_dir, folder):
        self.bin_dir, self.folder, self.socket = bin_dir, folder, folder / "s.sock"
        self.processes, self.channel, self.environment = [], None, {}

    def run(self, program, *arguments):
        place = ["--data-dir", self.folder / "root", "--socket", self.socket]
        with open(self.folder / f"{program}.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                [self.bin_dir / program, *place, *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment},
            ))

    def start(self):
        self.run("vaultd", "--ephemeral", "--log", "warn")
        until(self.socket.exists, "the daemon listens")
        self.run("vault-gateway", "--no-autostart", "--bind", "127.0.0.1:0", "--log", "info")
        log = self.folder / "vault-gateway.log"
        ready = until(lambda: re.search(r"http://localhost:(\d+)/", log.read_text()),
                      "the gateway listens")
        self.port = int(ready[1])
        self.origin = f"http://localhost:{self.port}"
        self.channel = grpc.insecure_channel(
            f"unix:{self.socket}", options=[("grpc.default_authority", "vaultd.local")])
        # Nobody can sign in to a vault that is not there yet.
        vault_pb2_grpc.VaultStub(self.channel).Init(vault_pb2.InitRequest())

    def pairing_code(self):
        stub = pairing_pb2_grpc.PairingStub(self.channel)
        return stub.Create(pairing_pb2.CreatePairingRequest()).code

    def token(self, stores, permission):
        """A bearer token for stores of a pattern."""
        stub = tokens_pb2_grpc.TokensStub(self.channel)
        scope = auth_pb2.Scope(stores=stores, permission=permission)
        request = tokens_pb2.CreateTokenRequest(label="a check", scopes=[scope])
        return stub.Create(request).secret

    def configure(self, **settings):
        stub = auth_pb2_grpc.AuthStub(self.channel)
        stub.Configure(auth_pb2.ConfigureAuthRequest(**settings))

    def ask(self, method, path, body=None, **headers):
        """One request on a connection of its own: status, headers, and what the JSON says."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None:
                body = json.dumps(body)
                sent["content-type"] = "application/json"
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, answer.headers, json.loads(content) if is_json else content

    def stop(self):
        if self.channel:
            self.channel.close()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(PATIENCE)


@contextlib.contextmanager
def running(started):
    """Starts what ends with the block. What it said is shown where the block fails."""
    try:
        started.start()
        yield started
    except BaseException:
        for log in started.folder.glob("*.log"):
            print(f"-- {log.name}\n{log.read_text()[-4000:]}")
        raise
    finally:
        started.stop()


def gateway(bin_dir, folder):
    """One that ends with the block."""
    return running(Gateway(bin_dir, folder))


def until(condition, what):
    """Waits for a condition, and gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (given := condition()):
        assert time.monotonic() < deadline, f"it never came to be that {what}"
        time.sleep(0.01)
    return given
