"""Checks a plaintext export by the standard library's tar reader: every file is what the manifest
says, and every document is what its source says.

usage: real_archive.py SOURCE ARCHIVE
"""

import hashlib
import json
import sys
import tarfile


def main(source, archive):
    wanted = json.load(open(source, encoding="utf-8"))
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        assert members[0].name == "manifest.json", members[0].name
        assert all(member.isfile() and member.mode == 0o600 for member in members)
        names = [member.name for member in members]
        assert len(set(names)) == len(names), "a name comes twice"
        manifest = json.load(tar.extractfile(members[0]))
        found, listed = {}, set()
        for store in manifest["stores"]:
            size = 0
            for entry in store["list"]:
                body = tar.extractfile(entry["path"]).read()
                assert len(body) == entry["size"], entry["path"]
                assert hashlib.sha256(body).hexdigest() == entry["sha256"], entry["path"]
                listed.add(entry["path"])
                size += len(body)
                if store["name"] == "chat/conversations":
                    found[entry["id"]] = json.loads(body)
            assert (len(store["list"]), size) == (store["objects"], store["bytes"]), store["name"]
        assert listed == set(names[1:]), "the archive and its manifest list other files"
    assert found == wanted, "a document differs from its source"
    print(f"{len(found)} exported documents equal their source and their manifest")


main(*sys.argv[1:])
