"""The daemon for Windows, under Wine: set up, used over its pipe, ended, and started again.

usage: windows.py WINE BIN_DIR
"""

import json
import subprocess
import sys
import time
from pathlib import Path

WINE, BIN = sys.argv[1], Path(sys.argv[2])
COUNT = 1000
# `EX_TEMPFAIL`: another daemon does already what this one was started for.
ALREADY_SERVED = 75


def start(name, *arguments, **options):
    """Starts a program under Wine."""
    program = str(BIN / f"{name}.exe")
    return subprocess.Popen([WINE, program, *arguments], **options)


def run(name, *arguments, text=None, expected=0):
    """What a program prints, of one that ends within two minutes as expected."""
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(name, *arguments, **piped)
    out, error = process.communicate(text.encode() if text else b"", timeout=120)
    if process.returncode != expected:
        sys.exit(f"{name} {' '.join(arguments)}: {process.returncode}\n{error.decode()}")
    return out.decode() if expected == 0 else error.decode()


def ctl(*arguments, **options):
    return run("vaultctl", "--no-autostart", *arguments, **options)


def serve(*arguments):
    """A daemon that answers."""
    daemon = start("vaultd", "--log", "info", *arguments)
    for _ in range(240):
        asked = start(
            "vaultctl", "--no-autostart", "status", "--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        out, _ = asked.communicate(timeout=60)
        if asked.returncode == 0:
            return daemon, json.loads(out)
        if daemon.poll() is not None:
            sys.exit(f"the daemon ended: {daemon.returncode}")
        time.sleep(0.5)
    sys.exit("the daemon does not answer")


def end(daemon):
    """As the task manager ends it: at once."""
    daemon.kill()
    daemon.wait(timeout=60)


daemon, status = serve()
pipe, root = status["socket"], status["data_root"]
assert pipe.startswith("\\\\.\\pipe\\vaultd-"), pipe
assert "AppData\\Local\\vaultd" in root, root
print(f"answers at {pipe}, data in {root}")

ctl("init")
ctl("store", "create", "notes", "--kind", "documents")
ctl("doc", "put", "notes", "greeting", text='{"text":"hello"}')
assert json.loads(ctl("doc", "get", "notes", "greeting")) == {"text": "hello"}
begun = time.monotonic()
told = run("probe-round-trips", root, "notes", str(COUNT))
assert told.strip() == f"{COUNT} documents came back", told
print(f"{COUNT} documents put and got over the pipe in {time.monotonic() - begun:.1f} s")

ctl("secret", "set", "connection:openai", text="sk-test")
assert ctl("secret", "get", "connection:openai") == "sk-test"
assert ctl("doc", "get", "notes", "none", expected=3)

# Another vault whose daemon is told to use the same pipe.
refused = run("vaultd", "--data-dir", "C:\\other", "--socket", pipe, expected=ALREADY_SERVED)
assert "another vaultd already listens" in refused, refused
print("a second server of the pipe's name is refused")

# What was acknowledged is there after an end without warning, and the Credential Manager has the key.
fingerprint = json.loads(ctl("status", "--json"))["key_fingerprint"]
end(daemon)
daemon, _ = serve()
again = json.loads(ctl("status", "--json"))
assert (again["key_state"], again["key_fingerprint"]) == ("open", fingerprint), again
assert again["keyring_backend"] == "os", again
told = json.loads(ctl("doc", "get", "notes", f"document-{COUNT - 1}"))
assert told == {"number": COUNT - 1}, told
assert ctl("secret", "get", "connection:openai") == "sk-test"
print("after the daemon was ended: the key is in the Credential Manager, the documents are there")

codes = json.loads(ctl("doctor", "--json"))["reason_codes"]
assert "healthy" in codes, codes
print(f"doctor: {', '.join(codes)}")
end(daemon)
