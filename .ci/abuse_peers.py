"""Peers that abuse a socket: HTTP/2 by hand (RFC 9113), without the manners of a library.

usage: abuse_peers.py KIND SOCKET BLOB MOST

Says "at it" once it is, goes on until SIGTERM or, where it counts bytes, until MOST of them, and then
prints what it has done as JSON."""

import collections
import itertools
import json
import random
import signal
import socket
import sys
import threading
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS = 1, 4
CANCEL = (8).to_bytes(4, "big")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PEERS, IDLE = 64, 1_000
GET, UPLOAD, DOWNLOAD = (
    f"/vault.v1.{method}" for method in ("Documents/Get", "Blobs/Upload", "Blobs/Download"))

counts = collections.Counter()
ended = threading.Event()


def frame(kind, flags=0, stream=0, content=b""):
    head = len(content).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + content


def headers(method):
    block = b"\x83\x86"
    for name, value in ((":path", method), (":authority", "vaultd.local"),
                        ("content-type", "application/grpc"), ("te", "trailers")):
        block += b"".join([b"\0", bytes([len(name)]), name.encode(),
                           bytes([len(value)]), value.encode()])
    return block


def call(stream, method):
    return frame(HEADERS, END_HEADERS, stream, headers(method))


def field(number, text):
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def message(*fields):
    content = b"".join(fields)
    return b"\0" + len(content).to_bytes(4, "big") + content


def greeting(window=None):
    setting = b"" if window is None else b"\0\x04" + window.to_bytes(4, "big")
    return PREFACE + frame(SETTINGS, content=setting)


class Peer:
    """One connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, content):
        """Whether the other side took it."""
        try:
            self.socket.sendall(content)
            return True
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False

    def drain(self):
        """Takes whatever has come, without waiting."""
        patience = self.socket.gettimeout()
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 16):
                pass
        except (BlockingIOError, ConnectionResetError):
            pass
        self.socket.settimeout(patience)

    def await_data(self):
        """Takes what comes until something of a body has."""
        content, at = b"", 0
        while True:
            while len(content) < at + 9:
                more = self.socket.recv(1 << 16)
                assert more, "closed before anything of a body came"
                content += more
            length, kind = int.from_bytes(content[at:at + 3], "big"), content[at + 3]
            if kind == DATA and length:
                return
            at += 9 + length

    def read_to_end(self):
        try:
            while self.socket.recv(1 << 16):
                pass
        except (ConnectionResetError, TimeoutError):
            pass


def begin():
    print("at it", flush=True)


def resets(path, _blob, _most):
    """Calls that are taken back in the same breath, 1,000 on a connection; it is ended by then."""
    get = message(field(1, "honest"), field(2, "one"))
    burst = greeting() + b"".join(
        call(stream, GET) + frame(DATA, END_STREAM, stream, get)
        + frame(RST_STREAM, 0, stream, CANCEL) for stream in range(1, 2_001, 2))
    begin()
    while not ended.is_set() or counts["calls"] < 10_000:
        with Peer(path) as peer:
            counts["connections"] += 1
            counts["calls"] += 1_000
            peer.send(burst)
            peer.read_to_end()


def resets_begun(path, _blob, _most):
    """Calls that are taken back once they have begun, 100 at a time."""
    part = message(field(1, "honest"), field(2, "one"))[:6]
    begin()
    while not ended.is_set() or counts["calls"] < 10_000:
        with Peer(path) as peer:
            counts["connections"] += 1
            going = peer.send(greeting())
            for first in itertools.count(1, 200):
                streams = range(first, first + 200, 2)
                going = going and peer.send(b"".join(
                    call(stream, GET) + frame(DATA, 0, stream, part) for stream in streams))
                time.sleep(0.002)
                going = going and peer.send(b"".join(
                    frame(RST_STREAM, 0, stream, CANCEL) for stream in streams))
                peer.drain()
                if not going or ended.is_set() and counts["calls"] >= 10_000:
                    break
                counts["calls"] += 100


def idle(path, _blob, _most):
    """Connections that greet and say nothing more."""
    peers = [Peer(path) for _ in range(IDLE)]
    counts["connections"] = sum(peer.send(greeting()) for peer in peers)
    begin()
    ended.wait()
    assert counts["connections"] == IDLE


def slow(path, blob, _most):
    """Half of them send a byte at a time, the others take one."""
    # How it begins, and what announces a chunk of 100,000 bytes.
    start = message(bytes([1 << 3 | 2, 2, 3 << 3, 100])) + b"\0" + (100_000).to_bytes(4, "big")
    download = message(field(2, blob))
    senders = [Peer(path) for _ in range(PEERS // 2)]
    takers = [Peer(path) for _ in range(PEERS // 2)]
    for peer in senders:
        peer.send(greeting() + call(1, UPLOAD) + frame(DATA, 0, 1, start))
    for peer in takers:
        peer.send(greeting(window=1) + call(1, DOWNLOAD) + frame(DATA, END_STREAM, 1, download))
    # What is read ahead for them is, by then.
    for peer in takers:
        peer.await_data()
    begin()
    byte, room = frame(DATA, 0, 1, b"\0"), frame(WINDOW_UPDATE, 0, 1, (1).to_bytes(4, "big"))
    while not ended.wait(0.05):
        for peers, said in ((senders, byte), (takers, room)):
            for peer in peers:
                counts["bytes"] += peer.send(said)
                peer.drain()


def unread(path, _blob, _most):
    """Pings whose answers nobody reads: until nothing more is taken."""
    peers = [Peer(path) for _ in range(PEERS)]
    asked = frame(PING, content=b"\7" * 8) * 4_096
    for peer in peers:
        peer.send(greeting())
        peer.socket.setblocking(False)
    begin()
    while not ended.wait(0.02):
        for peer in peers:
            try:
                counts["bytes"] += peer.socket.send(asked)
            except BlockingIOError:
                counts["refused"] += 1


def malformed(path, _blob, _most):
    """Frames that make no sense, each on a connection of its own."""
    dice = random.Random(7)
    begin()
    while not ended.is_set():
        with Peer(path) as peer:
            counts["connections"] += 1
            said = greeting() + call(1, GET)
            for _ in range(dice.randrange(20)):
                said += frame(dice.randrange(12), dice.randrange(256), dice.randrange(8),
                              dice.randbytes(dice.randrange(64)))
            said = bytearray(said)
            for _ in range(dice.randrange(4)):
                said[dice.randrange(len(said))] ^= 1 << dice.randrange(8)
            if peer.send(bytes(said)):
                peer.socket.shutdown(socket.SHUT_WR)
                peer.read_to_end()


def pings(path, _blob, most):
    """As many as there is time for, each answered."""
    asked = frame(PING, content=b"\7" * 8) * 16_384
    with Peer(path) as peer:
        peer.socket.settimeout(None)
        peer.send(greeting())

        def take():
            answered = 0
            try:
                while content := peer.socket.recv(1 << 20):
                    answered += len(content)
                    # What else it says is little.
                    counts["answered"] = answered // 17
            except ConnectionResetError:
                pass

        taker = threading.Thread(target=take)
        taker.start()
        begin()
        while not ended.is_set() and counts["bytes"] < most and peer.send(asked):
            counts["bytes"] += len(asked)
        peer.socket.shutdown(socket.SHUT_WR)
        taker.join()


def main():
    kind, path, blob, most = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    globals()[kind](path, blob, int(most))
    print(json.dumps(counts))


main()
