"""Compares a listing with its source and searches a data root for the source's text.

usage: real_data.py SOURCE LISTING ROOT [VAULTCTL]
"""

import json
import pathlib
import subprocess
import sys

RUN = 16


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)


def main(source, listing, root, vaultctl=None):
    wanted = json.load(open(source, encoding="utf-8"))
    found = {}
    for line in open(listing, encoding="utf-8"):
        entry = json.loads(line)
        found[entry["id"]] = entry["body"]
    assert found == wanted, "a document differs from its source"
    print(f"{len(found)} documents equal their source")

    if vaultctl:
        for doc_id in list(wanted)[::100]:
            body = subprocess.run(
                [vaultctl, "doc", "get", "chat/conversations", doc_id],
                check=True, capture_output=True,
            ).stdout
            assert json.loads(body) == wanted[doc_id], doc_id

    # Every 16-byte run of every message, looked up at every position of every file.
    runs = set()
    for document in wanted.values():
        for messages in document["messages"]:
            for message in messages:
                text = message["text"].encode()
                for at in range(0, len(text) - RUN + 1):
                    runs.add(text[at : at + RUN])
    files = size = 0
    for path in sorted(pathlib.Path(root).rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        files += 1
        size += len(content)
        for at in range(0, len(content) - RUN + 1):
            if content[at : at + RUN] in runs:
                sys.exit(f"plaintext of a message stands in {path} at {at}")
    print(f"{files} files, {size} bytes: none of {len(runs)} runs of {RUN} bytes found")


main(*sys.argv[1:])
