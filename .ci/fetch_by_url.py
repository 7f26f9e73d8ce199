"""What fetch-by-url checks. One line a check; the first that fails ends it.

usage: fetch_by_url.py BIN_DIR FOLDER
Runs in a network and mount namespace of its own.
"""

import hashlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

PATIENCE = 60
# Nobody's here; public everywhere.
PUBLIC = "93.184.216.34"
# Of the class `download`, in bytes.
LIMIT = 200 << 20
PIECE = os.urandom(1 << 20)
CONTENT = PIECE[:300_000]
HOSTS = f"""
{PUBLIC} public.example
{PUBLIC} other.example
127.0.0.1 loopback.example
10.0.0.1 private.example
{PUBLIC} mixed.example
127.0.0.1 mixed.example
"""


class Failed(Exception):
    """A check found something else than it should have."""


def check(what, held, seen):
    if not held:
        raise Failed(f"{what}; seen: {seen}")
    print(f"ok: {what}", flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append(self.path)
        self.close_connection = True
        if self.path.startswith("/to/"):
            self.answer(302, {"Location": self.path.removeprefix("/to/"), "Content-Length": "0"})
        elif self.path == "/announced":
            self.answer(200, {"Content-Length": str(LIMIT + 1)}, [PIECE])
        elif self.path == "/endless":
            self.answer(200, {}, [PIECE] * (LIMIT >> 20) + [b"x"])
        elif self.path == "/short":
            self.answer(200, {"Content-Length": str(len(CONTENT) + 1)}, [CONTENT])
        else:
            fields = {"Content-Length": str(len(CONTENT)), "Content-Type": "image/png"}
            self.answer(200, fields, [CONTENT])

    def answer(self, status, fields, pieces=()):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            # The client has seen enough.
            pass

    def log_message(self, *_):
        pass


def serve(address, port, tls=None):
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    server.requests = []
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        # A client that trusts nobody breaks off; that is no news.
        server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def run(*command):
    subprocess.run(command, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Vault:
    """A daemon whose key is in memory, and the command line for it."""

    def __init__(self, bin_dir, folder):
        root = folder / "root"
        root.mkdir(mode=0o700)
        self.vaultctl = bin_dir / "vaultctl"
        # Built anew, with a proxy that nobody must ask.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "VAULTD_DATA_DIR": str(root),
            "VAULTD_SOCKET": str(root / "s.sock"),
            "http_proxy": "http://127.0.0.1/",
            "HTTPS_PROXY": "http://127.0.0.1/",
            "ALL_PROXY": "http://127.0.0.1/",
        }
        # Of its own accord an ephemeral daemon takes another folder than the environment's.
        place = ["--data-dir", root, "--socket", root / "s.sock"]
        command = [bin_dir / "vaultd", "--ephemeral", "--log", "warn", *place]
        self.daemon = subprocess.Popen(command, env=self.environment)

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while self("status")[0]:
            assert self.daemon.poll() is None and time.monotonic() < deadline, "no daemon"
            time.sleep(0.05)

    def __call__(self, *arguments, **environment):
        done = subprocess.run(
            [self.vaultctl, "--no-autostart", *map(str, arguments)],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
        )
        return done.returncode, done.stdout, done.stderr.decode()


def prepare(folder):
    """Addresses, names and a certificate for one of the names."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{PUBLIC}/32", "dev", "lo")
    hosts = folder / "hosts"
    hosts.write_text(HOSTS)
    run("mount", "--bind", hosts, "/etc/hosts")
    names = folder / "nsswitch"
    names.write_text("hosts: files\n")
    if pathlib.Path("/etc/nsswitch.conf").exists():
        run("mount", "--bind", names, "/etc/nsswitch.conf")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", "/CN=public.example",
        "-addext", "subjectAltName=DNS:public.example",
        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return certificate, tls


def fetched(vault, certificate):
    """What is public comes."""
    reference = hashlib.sha256(CONTENT).hexdigest()
    code, out, err = vault("blob", "put", "--url", "http://public.example/a.png")
    expected = f"{reference}  {len(CONTENT)}  http://public.example/a.png\n".encode()
    check("a public address is fetched", (code, out) == (0, expected), (code, out, err))
    code, out, err = vault("blob", "get", reference)
    check("what was fetched is what was served", out == CONTENT, (code, len(out), err))
    code, out, _ = vault("blob", "stat", reference, "--json")
    blob = json.loads(out)
    check("with its content type", blob["content_type"] == "image/png", blob)
    url = "http://public.example/to//to/http://other.example/b.png"
    code, out, err = vault("blob", "put", "--url", url, "--json", "--store", "pictures")
    told = code == 0 and json.loads(out)
    final = told and (told["url"], told["file_name"], told["ref"])
    check("redirects are followed, and the last URL is told",
          final == ("http://other.example/b.png", "b.png", reference), (code, out, err))
    vault("store", "create", "pictures/plain", "--kind", "files")
    place = ["pictures/plain", "a.png"]
    code, out, err = vault("file", "put", *place, "--url", "http://public.example/a.png")
    got = vault("file", "get", *place)[1]
    check("a file is fetched", code == 0 and got == CONTENT, (code, out, err, len(got)))
    trusted = {"SSL_CERT_FILE": str(certificate)}
    code, out, err = vault("blob", "put", "--url", "https://public.example/c.png", **trusted)
    check("https is fetched where the certificate is trusted",
          code == 0 and out.startswith(reference.encode()), (code, out, err))
    cut = vault("file", "put", *place, "--url", "http://public.example/endless")
    got = vault("file", "get", *place)[1]
    check("a file is not replaced by the beginning of one that does not end",
          cut[0] == 1 and got == CONTENT, (cut, len(got)))
    return trusted


def refused(vault, trusted, url, status, words, **environment):
    code, out, err = vault("blob", "put", "--url", url, **{**trusted, **environment})
    held = code == status and not out and words in err
    check(f"exit code {status} for {url}", held, (code, out, err))


def nothing_else(vault, trusted):
    """What is not public is not reached, however it is spelled and whoever leads there."""
    for host in ("127.0.0.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
                 "169.254.169.254", "loopback.example", "private.example", "mixed.example"):
        refused(vault, trusted, f"http://{host}/a.png", 4, "only public addresses")
        refused(vault, trusted, f"http://public.example/to/http://{host}/", 4, "only public")
    refused(vault, trusted, "https://public.example/to/http://public.example/", 4, "https to http")
    refused(vault, trusted, "https://other.example/", 1, "no trusted connection")
    refused(vault, trusted, "https://public.example/", 1, "", SSL_CERT_FILE="/dev/null")
    refused(vault, trusted, "http://nowhere.example/", 1, "has no address")
    refused(vault, trusted, "http://public.example:81/", 1, "no connection")
    refused(vault, trusted, "http://public.example/announced", 1, "more than the 209715200 bytes")
    refused(vault, trusted, "http://public.example/endless", 1, "more than the 209715200 bytes")
    refused(vault, trusted, "http://public.example/short", 1, "broke off")
    refused(vault, trusted, "ftp://public.example/", 2, "only http and https")
    refused(vault, trusted, "http://name:word@public.example/", 2, "without them")


def main():
    bin_dir, folder = map(pathlib.Path, sys.argv[1:])
    certificate, tls = prepare(folder)
    servers = [serve(PUBLIC, 80), serve(PUBLIC, 443, tls)]
    hidden = serve("127.0.0.1", 80)
    vault = Vault(bin_dir, folder)
    try:
        vault.wait()
        trusted = fetched(vault, certificate)
        nothing_else(vault, trusted)
        check("nobody asked the server on loopback", not hidden.requests, hidden.requests)
        _, listed, _ = vault("blob", "ls", "--json")
        check("of what was refused nothing is kept", len(listed.splitlines()) == 1, listed)
    finally:
        vault.daemon.terminate()
        vault.daemon.wait(PATIENCE)
        for server in [*servers, hidden]:
            server.shutdown()


try:
    main()
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
