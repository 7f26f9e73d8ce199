"""Compares a listing with its source and searches a data root for the source's text.

usage: real_data.py SOURCE LISTING ROOT [VAULTCTL]
"""

import json
import pathlib
import subprocess
import sys

from plaintext_search import Runs


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

    messages = (message for document in wanted.values() for turn in document["messages"] for message in turn)
    Runs(message["text"].encode() for message in messages).assert_absent(pathlib.Path(root))


main(*sys.argv[1:])
