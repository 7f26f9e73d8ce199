"""Attaches images to documents, reads them back, saves all of it again and searches the data root.

usage: real_attachments.py SOURCE WORK VAULTCTL
"""

import array
import base64
import collections
import hashlib
import json
import pathlib
import subprocess
import sys

STORE = "chat/conversations"
THRESHOLD = 16 << 10
IMAGES = 500
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp", ".jpg": "image/jpeg"}


def choose(folder):
    """500 images: all that are large, as many that are not quite, and small ones of every size."""
    files = [path for path in folder.rglob("*") if path.suffix in TYPES and path.is_file()]
    files = sorted((path for path in files if not path.is_symlink()),
                   key=lambda path: (path.stat().st_size, path))
    large = [path for path in files if path.stat().st_size >= THRESHOLD]
    small = [path for path in files if path.stat().st_size < THRESHOLD]
    nearly = small[-len(large):]
    rest = small[: -len(large)]
    wanted = IMAGES - len(large) - len(nearly)
    return large + nearly + [rest[at * len(rest) // wanted] for at in range(wanted)]


def attached(path, content, spilled):
    """An attachment, as it is sent or as it is stored."""
    entry = {"name": path.name, "content_type": TYPES[path.suffix], "kind": "image"}
    if spilled and len(content) >= THRESHOLD:
        return entry | {"ref": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return entry | {"data": base64.b64encode(content).decode()}


class Vault:
    def __init__(self, vaultctl, work):
        self.vaultctl, self.work = vaultctl, work

    def do(self, *arguments):
        done = subprocess.run([self.vaultctl, *map(str, arguments)], check=True, capture_output=True)
        return done.stdout

    def save(self, documents):
        file = self.work / "documents.json"
        file.write_text(json.dumps(documents), encoding="utf-8")
        told = self.do("import", STORE, file).decode()
        assert f"imported {len(documents)}\n" in told, told
        file.unlink()

    def documents(self):
        lines = self.do("doc", "ls", STORE, "--bodies").splitlines()
        return {entry["id"]: entry["body"] for entry in map(json.loads, lines)}


def blob_files(root, vault):
    """Every file of the store of blobs, with all that a write would change."""
    marks = {}
    for store in (root / "stores").iterdir():
        if (store / "uploads").is_dir():
            for path in store.rglob("*"):
                found = path.stat()
                marks[path] = (found.st_ino, found.st_mtime_ns, found.st_size)
    return marks


def search(root, contents):
    """Looks for eight bytes of the images, and of them in base64, at every place of every file."""
    wanted = set()
    for content in contents:
        for text in (content, base64.b64encode(content)):
            # Past the headers, which images have in common.
            for at in range(64, min(len(text) - 8, 20_000), 509):
                run = text[at : at + 8]
                if len(set(run)) >= 7:
                    wanted.add(int.from_bytes(run, sys.byteorder))
    size = files = 0
    for path in root.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        files, size = files + 1, size + len(content)
        for shift in range(8):
            words = array.array("Q")
            words.frombytes(content[shift : len(content) - (len(content) - shift) % 8])
            hits = wanted.intersection(words)
            assert not hits, f"bytes of an image stand in {path}"
    print(f"{files} files, {size} bytes: none of {len(wanted)} runs of 8 bytes found")


def main(source, work, vaultctl):
    work = pathlib.Path(work)
    root, vault = work / "root", Vault(vaultctl, work)
    documents = json.load(open(source, encoding="utf-8"))
    images = [(path, path.read_bytes()) for path in choose(work / "images")]
    assert len(images) == IMAGES
    # One in each of 500 documents; every tenth in one more.
    ids = iter(documents)
    places = [(next(ids), image) for image in images + images[::10]]
    sent, wanted = dict(documents), dict(documents)
    for doc_id, (path, content) in places:
        for target, spilled in ((sent, False), (wanted, True)):
            entry = attached(path, content, spilled)
            target[doc_id] = documents[doc_id] | {"attachments": [entry]}
    vault.save(sent)
    assert vault.documents() == wanted, "a document is not what was saved"
    spilled = [content for _, (_, content) in places if len(content) >= THRESHOLD]
    unique = {hashlib.sha256(content).hexdigest(): len(content) for content in spilled}
    print(f"{len(places)} attachments of {IMAGES} images: {len(spilled)} in {len(unique)} blobs, the rest inline")
    assert 40 < len(unique) < len(spilled) < IMAGES

    listed = [json.loads(line) for line in vault.do("--json", "blob", "ls").splitlines()]
    assert {blob["ref"]: blob["size"] for blob in listed} == unique
    assert len(listed) == len(unique), "a duplicate is stored twice"

    for number, (doc_id, (path, content)) in enumerate(places):
        folder = work / "out" / str(number)
        vault.do("doc", "get", STORE, doc_id, "--attachments", folder)
        (found,) = folder.iterdir()
        assert (found.name, found.read_bytes()) == (path.name, content), doc_id
    print(f"{len(places)} attachments equal their source")
    doc_id = places[0][0]
    inlined = json.loads(vault.do("doc", "get", STORE, doc_id, "--inline"))
    base = inlined["attachments"][0]
    assert base64.b64decode(base["data"]) == places[0][1][1] and "ref" not in base

    before = blob_files(root, vault)
    again = {doc_id: body | {"saved": 2} for doc_id, body in wanted.items()}
    vault.save(again)
    assert vault.documents() == again
    assert blob_files(root, vault) == before, "a second save touched the blobs"
    print(f"{len(again)} documents saved again: none of {len(before)} files of blobs touched")

    collected = vault.do("--json", "blob", "gc", "--grace", "0s")
    assert json.loads(collected.splitlines()[-1])["removed"] == 0, collected
    search(root, [content for _, content in images])
    counts = collections.Counter(path.suffix for path, _ in images)
    print("images: " + ", ".join(f"{count} {suffix}" for suffix, count in counts.items()))


main(*sys.argv[1:])
