"""What age-interop checks. One line a check; the first that fails ends it.

usage: age_interop.py BIN_DIR
"""

import contextlib
import hashlib
import json
import os
import pathlib
import pty
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pyrage

VAULT_PASSPHRASE = "a passphrase of the vault " + secrets.token_hex(8)
FILE_PASSPHRASE = "a passphrase of the file " + secrets.token_hex(8)
WRONG_PASSPHRASE = "none of the passphrases at all"
PATIENCE = 30
# Below the scrypt of one attempt (some 0.8 s in a debug build), above a call that does none.
AT_ONCE = 0.3


class Failed(Exception):
    """A check found something else than it should have."""


def ok(what):
    print(f"ok: {what}", flush=True)


def check(what, held, seen):
    if not held:
        raise Failed(f"{what}; seen: {seen}")
    ok(what)


class Vault:
    """A data root with the daemon that vaultctl starts for it."""

    def __init__(self, bin_dir, folder, root="root"):
        self.bin_dir, self.folder = bin_dir, folder
        self.root = folder / root
        self.passphrase = written(folder / "vault-passphrase", VAULT_PASSPHRASE)
        for name in ("home", "run"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        # Built anew: no variable of the caller's names another vault or another keyring.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "VAULTD_DATA_DIR": str(self.root),
        }

    def command(self, *arguments):
        return [str(self.bin_dir / "vaultctl"), *map(str, arguments)]

    def try_(self, *arguments):
        return subprocess.run(
            self.command(*arguments), env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE,
        )

    def do(self, *arguments):
        done = self.try_(*arguments)
        if done.returncode:
            raise Failed(f"vaultctl {' '.join(map(str, arguments))}: {told(done)}")
        return done.stdout

    def open(self, *arguments):
        return self.do("--passphrase-file", self.passphrase, *arguments)

    def status(self):
        return json.loads(self.do("status", "--json"))

    def stop(self):
        """Ends the daemon if one runs, and waits until its process is gone."""
        asked = self.try_("--no-autostart", "status", "--json")
        if asked.returncode:
            return
        pid = json.loads(asked.stdout)["pid"]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the daemon ends")

    def copy_without_key(self, name):
        """A copy of the data root that has lost its key, under a daemon of its own."""
        self.stop()
        copy = Vault(self.bin_dir, self.folder, name)
        shutil.copytree(self.root, copy.root, copy_function=shutil.copy2)
        copy.lose_key()
        return copy

    def lose_key(self):
        self.stop()
        (self.root / "storage-key.age").unlink()
        state = self.status()["key_state"]
        if state != "key-missing":
            raise Failed(f"a data root without its key file is {state}")

    def export(self, file, *options):
        if not options:
            options = ("--export-passphrase-file", phrase_file(self.folder))
        self.open("key", "export", *options, file)
        return file

    def import_options(self, file, passphrase=None, identity=None):
        if identity:
            options = ("--identity", identity, "--passphrase-file", self.passphrase)
        else:
            options = ("--export-passphrase-file", passphrase or phrase_file(self.folder))
        return ("key", "import", *options, file)

    def import_(self, file, **opener):
        """Imports as often as the daemon asks for, and waits as long as it asks for."""
        while True:
            done = self.try_(*self.import_options(file, **opener))
            rest = re.search(r"try again in (\d+) second", done.stderr)
            if not (done.returncode == 4 and rest):
                return done
            time.sleep(int(rest[1]))

    def files(self):
        """The data root's files and a digest of each."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*")) if path.is_file()
        }


def wait_until(done, what):
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise Failed(f"waited {PATIENCE} s in vain: {what}")
        time.sleep(0.02)


def told(done):
    return f"exit {done.returncode}: {(done.stdout + done.stderr).strip()}"


def written(file, text):
    file.write_text(text + "\n")
    file.chmod(0o600)
    return file


def phrase_file(folder):
    return written(folder / "file-passphrase", FILE_PASSPHRASE)


def age_on_terminal(arguments, passphrase):
    """Runs `age`, which asks for passphrases on its terminal only."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.execvp("age", ["age", *map(str, arguments)])
        finally:
            os._exit(127)
    output, answered = b"", 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            read = os.read(terminal, 4096)
        except OSError:
            # A terminal whose last process has ended cannot be read.
            read = b""
        if not read:
            break
        output += read
        asked = len(re.findall(rb"(?:Enter|Confirm) passphrase[^:]*:", output))
        while answered < asked:
            os.write(terminal, passphrase.encode() + b"\n")
            answered += 1
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), output.decode(errors="replace").strip()


def age(*arguments):
    done = subprocess.run(["age", *map(str, arguments)], capture_output=True, timeout=PATIENCE)
    if done.returncode:
        raise Failed(f"age {arguments}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def age_with_passphrase(folder, option, passphrase, file, *more):
    out = folder / "age.out"
    out.unlink(missing_ok=True)
    code, text = age_on_terminal([option, *more, "-o", out, file], passphrase)
    # `age -d -o` makes the file before it knows whether it can fill it.
    return code, text, out.read_bytes() if code == 0 else b""


def is_export(plaintext, vault_id):
    """Whether it is the one line that the format's description shows."""
    line = json.loads(plaintext)
    return (
        plaintext.count(b"\n") == 1 and plaintext.endswith(b"\n")
        and sorted(line) == ["format", "storage_key", "vault_id"]
        and line["format"] == 1 and line["vault_id"] == vault_id
        and re.fullmatch("[0-9a-f]{64}", line["storage_key"]) is not None
    )


def header(file):
    text = file.read_bytes().split(b"\n---", 1)[0].decode("ascii")
    version, *rest = text.split("\n")
    return version, [line[3:].split(" ") for line in rest if line.startswith("-> ")]


def ours_to_theirs(vault, export):
    vault_id = vault.status()["vault_id"]
    mode = export.stat().st_mode & 0o7777
    check("an export is its owner's alone", mode == 0o600, oct(mode))
    version, stanzas = header(export)
    check("its first line is age's", version == "age-encryption.org/v1", version)
    check(
        "it has one stanza, scrypt, and nothing else",
        len(stanzas) == 1 and len(stanzas[0]) == 3 and stanzas[0][0] == "scrypt", stanzas,
    )
    before = export.read_bytes()
    done = vault.try_(
        "key", "export", "--export-passphrase-file", phrase_file(vault.folder), export
    )
    check(
        "an export onto a file that is there is refused, and the file stays",
        done.returncode == 5 and "--force" in done.stderr and export.read_bytes() == before,
        told(done),
    )

    code, text, plaintext = age_with_passphrase(vault.folder, "-d", FILE_PASSPHRASE, export)
    check(
        "age opens it: one line of JSON with this vault's id and a storage key",
        code == 0 and is_export(plaintext, vault_id), f"exit {code}: {text}",
    )
    code, text, _ = age_with_passphrase(vault.folder, "-d", WRONG_PASSPHRASE, export)
    check(
        "age refuses it under a wrong passphrase",
        code != 0 and "incorrect passphrase" in text, f"exit {code}: {text}",
    )
    check(
        "pyrage opens it to the same line",
        pyrage.passphrase.decrypt(before, FILE_PASSPHRASE) == plaintext, "another plaintext",
    )
    try:
        pyrage.passphrase.decrypt(before, WRONG_PASSPHRASE)
        refused = "nothing was raised"
    except pyrage.DecryptError:
        refused = None
    check("pyrage refuses it under a wrong passphrase", not refused, refused)
    return plaintext


def restores(what, lost, file, document, **opener):
    done = lost.import_(file, **opener)
    check(f"{what} is imported", done.returncode == 0, told(done))
    check("and the documents are readable", lost.do("doc", "get", "notes", "a") == document, "not")
    lost.lose_key()


def refused(what, lost, file, exit_code, text, **opener):
    before = lost.files()
    done = lost.import_(file, **opener)
    check(
        f"{what} is refused", done.returncode == exit_code and text in done.stderr, told(done)
    )
    after = lost.files()
    state = lost.status()["key_state"]
    check(
        "and the data root is as it was",
        before == after and state == "key-missing",
        f"{state}, {dict(before.items() ^ after.items())}",
    )


def theirs_to_ours(lost, export, plaintext, document):
    folder = lost.folder
    plain = folder / "plain"
    plain.write_bytes(plaintext)
    plain.chmod(0o600)
    sealed = {}
    for name, more in (("age -p", ()), ("age -a -p", ("-a",))):
        code, text, content = age_with_passphrase(folder, "-p", FILE_PASSPHRASE, plain, *more)
        if code:
            raise Failed(f"{name}: exit {code}: {text}")
        sealed[name] = content
    sealed["pyrage"] = pyrage.passphrase.encrypt(plaintext, FILE_PASSPHRASE)
    check(
        "the armored file is text",
        sealed["age -a -p"].startswith(b"-----BEGIN AGE ENCRYPTED FILE-----"), "it is not",
    )
    file = folder / "theirs.age"
    for name, content in sealed.items():
        file.write_bytes(content)
        restores(f"a file sealed by {name}", lost, file, document)

    # Each group ends with a success, which takes the growing wait back.
    wrong = written(folder / "wrong-passphrase", WRONG_PASSPHRASE)
    refused("a wrong passphrase", lost, export, 4, "passphrase", passphrase=wrong)
    file.write_bytes(sealed["age -p"])
    refused("one for a file of age", lost, file, 4, "passphrase", passphrase=wrong)
    restores("the export itself, after that,", lost, export, document)

    whole = export.read_bytes()
    start = whole.index(b"\n---")
    middle = whole.index(b"\n", start + 1) + (len(whole) - whole.index(b"\n", start + 1)) // 2
    mac = start + 8
    # The letter after it in the alphabet, so that the header stays one.
    other = b"A" if whole[mac:mac + 1] != b"A" else b"B"
    refuse_damaged(lost, file, {
        "a flipped byte in the payload": flipped(whole, middle),
        "a changed authentication code": whole[:mac] + other + whole[mac + 1:],
        "a file cut short by a byte": whole[:-1],
    })
    restores("the export itself, after that,", lost, export, document)
    refuse_damaged(lost, file, {
        "a file cut amid its header": whole[:start // 2],
        "a file with a byte appended": whole + b"\n",
        "a file that holds something else": pyrage.passphrase.encrypt(b"{}\n", FILE_PASSPHRASE),
    })
    restores("the export itself, after that,", lost, export, document)


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def refuse_damaged(lost, file, damaged):
    for what, content in damaged.items():
        file.write_bytes(content)
        refused(what, lost, file, 1, "damaged")


def recipients(vault, lost, plaintext, document):
    folder = vault.folder
    theirs = folder / "identity"
    subprocess.run(["age-keygen", "-o", theirs], check=True, capture_output=True)
    public = re.search("age1[0-9a-z]+", theirs.read_text())[0]
    other = pyrage.x25519.Identity.generate()
    pyrages = written(folder / "identity-of-pyrage", str(other))

    export = vault.export(
        folder / "recipients.age", "--recipient", public, "--recipient", other.to_public()
    )
    _, stanzas = header(export)
    check(
        "an export to two recipients has a stanza for each, and no scrypt",
        [stanza[0] for stanza in stanzas if not stanza[0].endswith("-grease")]
        == ["X25519", "X25519"],
        stanzas,
    )
    check("age opens it by its identity", age("-d", "-i", theirs, export) == plaintext, "not")
    opened = pyrage.decrypt(export.read_bytes(), [other])
    check("pyrage opens it by another", opened == plaintext, "not")

    file = folder / "theirs.age"
    file.write_bytes(age("-r", public, folder / "plain"))
    restores("a file sealed by age -r", lost, file, document, identity=theirs)
    file.write_bytes(age("-a", "-r", public, folder / "plain"))
    restores("a file sealed by age -a -r", lost, file, document, identity=theirs)
    file.write_bytes(pyrage.encrypt(plaintext, [other.to_public()]))
    restores("a file sealed by pyrage for a recipient", lost, file, document, identity=pyrages)
    # Exit 4 as for a wrong passphrase: the file may be whole, what opens it is not at hand.
    refused("an identity that the file is not for", lost, file, 4, "", identity=theirs)
    restores("the export to both", lost, export, document, identity=pyrages)


def work_factor(lost, export):
    file = lost.folder / "work.age"
    version, rest = export.read_bytes().split(b"\n", 1)
    stanza, rest = rest.split(b"\n", 1)
    salt = stanza.split(b" ")[2]
    file.write_bytes(b"\n".join((version, b"-> scrypt %s 30" % salt, rest)))
    before = lost.files()
    begun = time.monotonic()
    done = lost.import_(file)
    took = time.monotonic() - begun
    check(
        "work factor 30 is refused at once, by its name",
        done.returncode == 1 and "work factor" in done.stderr and "30" in done.stderr and took < 2
        and lost.files() == before,
        f"{told(done)}, after {took:.1f} s",
    )


def rate_limit(lost, export, document):
    wrong = written(lost.folder / "wrong-passphrase", WRONG_PASSPHRASE)
    attempt = lost.import_options(export, passphrase=wrong)
    told_to_wait = []
    tries = 0
    deadline = time.monotonic() + PATIENCE
    while len(told_to_wait) < 3:
        if time.monotonic() > deadline:
            raise Failed(f"no third refusal by the rate limit in {tries} tries: {told_to_wait}")
        tries += 1
        begun = time.monotonic()
        done = lost.try_(*attempt)
        took = time.monotonic() - begun
        rest = re.search(r"try again in (\d+) second", done.stderr)
        if done.returncode != 4:
            raise Failed(f"a wrong passphrase: {told(done)}")
        if rest is None:
            continue
        told_to_wait.append(int(rest[1]))
        if took > AT_ONCE:
            raise Failed(f"a refusal by the rate limit took {took:.2f} s: it did the scrypt work")
        # The right passphrase has to wait as well: else the limit tells which one it is.
        done = lost.try_(*lost.import_options(export))
        if done.returncode != 4 or "try again in" not in done.stderr:
            raise Failed(f"the right passphrase amid the wait: {told(done)}")
        time.sleep(int(rest[1]))
    check(
        "wrong passphrases in a row are limited, without scrypt work, longer each time",
        told_to_wait == sorted(set(told_to_wait)), told_to_wait,
    )
    restores("after the wait the right one", lost, export, document)


def rotation(vault, export, document):
    old = vault.status()["key_fingerprint"]
    vault.open("unlock")
    vault.do("key", "rotate", "--yes")
    new = vault.status()["key_fingerprint"]
    newest = vault.export(vault.folder / "newest.age")
    lost = vault.copy_without_key("rotated")
    before = lost.files()
    done = lost.import_(export)
    check(
        "an export older than a rotation is refused, both fingerprints named",
        done.returncode == 4 and old in done.stderr and new in done.stderr and old != new
        and lost.files() == before,
        told(done),
    )
    restores("the newest export", lost, newest, document)
    lost.stop()


def another_vault(bin_dir, folder, lost, document, export):
    folder.mkdir(mode=0o700)
    other = Vault(bin_dir, folder)
    with contextlib.closing(Stopping(other)):
        other.open("init", "--keyring", "passphrase")
        foreign = other.export(folder / "key.age")
        ids = [vault.status()["vault_id"] for vault in (lost, other)]
    before = lost.files()
    done = lost.import_(foreign)
    check(
        "the key of another vault is refused, both vaults named",
        done.returncode == 4 and ids[0] != ids[1] and all(id in done.stderr for id in ids)
        and lost.files() == before,
        told(done),
    )
    restores("the vault's own", lost, export, document)


def processes_that_tell(phrases):
    """Processes in whose arguments or environment one of the phrases stands."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        for place in ("cmdline", "environ"):
            # A process of another user, or one that has just ended.
            with contextlib.suppress(OSError):
                content = (process / place).read_bytes()
                if any(phrase.encode() in content for phrase in phrases):
                    found.append(str(process / place))
    return found


def passphrases_stay_private(vault):
    # The daemon is started here with the vault's passphrase at hand.
    vault.stop()
    fifo = vault.folder / "fifo"
    os.mkfifo(fifo, 0o600)
    command = vault.command(
        "--passphrase-file", vault.passphrase,
        "key", "export", "--export-passphrase-file", fifo, vault.folder / "private.age",
    )
    export = subprocess.Popen(
        command, env=vault.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    phrases = (VAULT_PASSPHRASE, FILE_PASSPHRASE)
    try:
        # Opening waits for vaultctl to open its end: by then the vault is open.
        writing = None
        deadline = time.monotonic() + PATIENCE
        while writing is None:
            with contextlib.suppress(OSError):
                writing = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            if export.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the export did not wait for its passphrase: {export.poll()}")
            time.sleep(0.02)
        pid = vault.status()["pid"]
        for process in (export.pid, pid):
            for place in ("cmdline", "environ"):
                if not pathlib.Path(f"/proc/{process}/{place}").read_bytes():
                    raise Failed(f"/proc/{process}/{place} is empty: nothing would be found")
        found = processes_that_tell(phrases)
        os.write(writing, FILE_PASSPHRASE.encode() + b"\n")
        os.close(writing)
        looks = 0
        while export.poll() is None:
            found += processes_that_tell(phrases)
            looks += 1
    finally:
        if export.poll() is None:
            export.kill()
        _, stderr = export.communicate()
    if export.returncode or not looks:
        raise Failed(f"the export, looked at {looks} times: {stderr.decode(errors='replace')}")
    check("no passphrase stands in arguments or environment of any process", not found, found)


class Stopping:
    def __init__(self, *vaults):
        self.vaults = list(vaults)

    def close(self):
        for vault in self.vaults:
            with contextlib.suppress(Failed, subprocess.TimeoutExpired):
                vault.stop()


def main(bin_dir):
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        vault = Vault(bin_dir, folder)
        document = '{"text":"to be read again"}\n'
        (folder / "a.json").write_text(document)
        with contextlib.closing(Stopping(vault)) as started:
            vault.open("init", "--keyring", "passphrase")
            vault.do("store", "create", "notes", "--kind", "documents")
            vault.do("doc", "put", "notes", "a", folder / "a.json")
            document = vault.do("doc", "get", "notes", "a")
            export = vault.export(folder / "key.age")
            plaintext = ours_to_theirs(vault, export)
            lost = vault.copy_without_key("copy")
            started.vaults.append(lost)
            started.vaults.append(Vault(bin_dir, folder, "rotated"))
            theirs_to_ours(lost, export, plaintext, document)
            recipients(vault, lost, plaintext, document)
            work_factor(lost, export)
            rate_limit(lost, export, document)
            another_vault(bin_dir, folder / "other", lost, document, export)
            rotation(vault, export, document)
            passphrases_stay_private(vault)
    print(f"age interop: as expected, in {time.monotonic() - begun:.0f} s")


try:
    main(pathlib.Path(sys.argv[1]).resolve())
except Failed as failure:
    print(f"FAILED: {failure}")
    sys.exit(1)
