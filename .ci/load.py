"""The gateway under load.

usage: load.py BIN_DIR FOLDER short|long"""

import asyncio
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

from vault.v1 import auth_pb2, documents_pb2, documents_pb2_grpc, stores_pb2, stores_pb2_grpc

from vault_gateway import PATIENCE, gateway

# As many readers on either side.
CONNECTIONS = 16
ROUNDS = 3
BODY = json.dumps({"text": "x" * 1012}).encode()
DOCUMENT = "/api/stores/load/documents/one"
BAR = 0.4
# The slow ones: how many, and for how many seconds.
SLOW = {"short": (2_000, 20), "long": (10_000, 60)}
# Whoever opens a connection is turned away only while nobody dawdles, which is for a moment.
TRIES = 3
TEN_GIGABYTES = 10_000_000_000


def documents(vault):
    stores_pb2_grpc.StoresStub(vault.channel).Create(
        stores_pb2.CreateStoreRequest(name="load", kind=stores_pb2.STORE_KIND_DOCUMENTS))
    request = documents_pb2.PutDocumentRequest(
        store="load", id="one", body=BODY, content_type="application/json")
    documents_pb2_grpc.DocumentsStub(vault.channel).Put(request)


def over_http(vault, token, seconds):
    """Reads a second, by wrk."""
    said = subprocess.run(
        ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s",
         "--header", f"authorization: Bearer {token}", vault.origin + DOCUMENT],
        capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])


def over_grpc(vault, bin_dir, seconds):
    """The same over gRPC, each reader on a connection of its own."""
    command = [bin_dir / "probe-reads", vault.folder / "root", vault.socket, "load", "one"]
    command += [str(CONNECTIONS), str(seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def rates(vault, bin_dir, token, seconds):
    """The two take turns, since a machine's clock drifts; medians of their rounds."""
    over_http(vault, token, 1), over_grpc(vault, bin_dir, 1)
    pairs = [(over_http(vault, token, seconds), over_grpc(vault, bin_dir, seconds))
             for _ in range(ROUNDS)]
    http, grpc = (sorted(rates)[ROUNDS // 2] for rates in zip(*pairs))
    ratio = http / grpc
    print(json.dumps({
        "figure": "gateway_reads_1k", "value": round(http), "unit": "1/s", "floor": round(grpc),
        "floor_what": f"the same document over gRPC, {CONNECTIONS} readers each",
        "ratio": round(ratio, 2), "bar": f">= {BAR}", "met": ratio >= BAR,
    }))
    return ratio >= BAR


async def dawdle(vault, counts):
    """One slow connection: a byte of its header every few seconds. Where it is closed, it comes back
    a while later: at once, they would all keep this program busy."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", vault.port)
        except OSError:
            await asyncio.sleep(1)
            continue
        counts["opened"] += 1
        counts["open"] += 1
        counts["most"] = max(counts["most"], counts["open"])
        try:
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                # Not by `wait_for`, which loses a cancellation that comes at the same moment.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(3):
                        await reader.read(1000)
        except OSError:
            pass
        finally:
            counts["open"] -= 1
            writer.transport.abort()
        await asyncio.sleep(3)


async def attempt(vault, head, expected):
    """One request on a connection of its own: whether it was answered so, and how long that took."""
    begun = time.monotonic()
    writer = None
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", vault.port)
            writer.write(head)
            line = await reader.readline()
        answered = line.startswith(expected)
    except (OSError, TimeoutError):
        answered = False
    finally:
        if writer is not None:
            writer.transport.abort()
    return answered, time.monotonic() - begun


async def sign_in(vault, until, taken):
    """Somebody who would sign in meanwhile: the page, and the beginning of a ceremony."""
    host = f"localhost:{vault.port}"
    body = "{}"
    page = f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    begin = (f"POST /api/auth/login/begin HTTP/1.1\r\nhost: {host}\r\norigin: {vault.origin}\r\n"
             f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}").encode()
    # There is no passkey yet, and that is the answer: the daemon's own.
    wanted = [(page, b"HTTP/1.1 200"), (begin, b"HTTP/1.1 401")]
    while time.monotonic() < until:
        for head, expected in wanted:
            for number in range(1, TRIES + 1):
                answered, seconds = await attempt(vault, head, expected)
                if answered:
                    break
            assert answered, f"not answered in {TRIES} tries: {head!r}"
            taken.append((number, seconds))
        await asyncio.sleep(0.2)


async def slow(vault, count, seconds):
    counts, taken = {"opened": 0, "open": 0, "most": 0}, []
    gathered = time.monotonic() + PATIENCE
    crowd = [asyncio.create_task(dawdle(vault, counts)) for _ in range(count)]
    try:
        while counts["opened"] < count:
            assert time.monotonic() < gathered, f"only {counts} of {count} slow ones came about"
            await asyncio.sleep(0.05)
        await sign_in(vault, time.monotonic() + seconds, taken)
    finally:
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    times = sorted(seconds for _, seconds in taken)
    assert len(times) >= seconds // 4, f"only {len(times)} answers in {seconds} s"
    print(json.dumps({
        "figure": "sign_in_beside_slow_connections", "slow": count, "opened": counts["opened"],
        "open_at_most": counts["most"], "answers": len(times),
        "tries_at_most": max(number for number, _ in taken),
        "median_ms": round(times[len(times) // 2] * 1000, 1),
        "slowest_ms": round(times[-1] * 1000, 1),
    }))


def too_large(vault, token):
    """413 before a byte of the body is read: none is ever sent."""
    for method, path in [
        ("PUT", DOCUMENT), ("PATCH", DOCUMENT), ("POST", "/api/auth/login/begin"),
        ("POST", "/api/auth/token"), ("PUT", "/api/connections/one"),
    ]:
        with socket.create_connection(("127.0.0.1", vault.port), timeout=10) as peer:
            peer.sendall(
                (f"{method} {path} HTTP/1.1\r\nhost: localhost:{vault.port}\r\n"
                 f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
                 f"content-length: {TEN_GIGABYTES}\r\n\r\n").encode())
            line = peer.makefile("rb").readline()
        assert line.startswith(b"HTTP/1.1 413"), (method, path, line)
    print(json.dumps({"figure": "too_large_before_the_body", "met": True}))


def main():
    bin_dir, folder, length = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    count, seconds = SLOW[length]
    with gateway(bin_dir, folder) as vault:
        documents(vault)
        vault.configure(loopback_bypass=False)
        token = vault.token("*", auth_pb2.PERMISSION_ADMIN)
        too_large(vault, token)
        # A bar that is missed is no failure: the machine is shared.
        rates(vault, bin_dir, token, 2 if length == "short" else 8)
        asyncio.run(slow(vault, count, seconds))
        too_large(vault, token)


main()
