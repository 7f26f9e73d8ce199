"""Prints the licences of the libraries that the programs hold, each text once.

usage: third_party_licences.py    (in the workspace, whose dependencies cargo has fetched)
"""

import collections
import json
import pathlib
import re
import subprocess

PROGRAMS = ("vaultd", "vaultctl", "vault-gateway")
NAMES = re.compile(r"(?i)^(un)?licen[cs]e|^copying|^copyright|^notice")
# Libraries in C lie in a folder of their crate.
DEPTH = 3
RULE = "=" * 80


def main():
    target = printed("rustc", "--print=host-tuple").strip()
    metadata = json.loads(printed(
        "cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}",
    ))
    packages = {package["id"]: package for package in metadata["packages"]}
    held = [packages[identity] for identity in sorted(reached(metadata, packages))]
    users, without = collections.defaultdict(list), []
    for package in held:
        if package["source"] is None:
            continue
        name = f"{package['name']} {package['version']} ({package['license']})"
        texts = set(licences(pathlib.Path(package["manifest_path"]).parent))
        for text in texts:
            users[text].append(name)
        if not texts:
            without.append(name)
    for text, names in sorted(users.items(), key=lambda item: item[1]):
        print(RULE, *names, RULE, "", text, "", sep="\n")
    if without:
        where = "Under the licence that each names; /usr/share/common-licenses has Apache-2.0 and MPL-2.0:"
        print(RULE, where, *without, RULE, sep="\n")


def printed(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def reached(metadata, packages):
    """Every package that a program is built with."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    left = [identity for identity, package in packages.items()
            if package["source"] is None and package["name"] in PROGRAMS]
    found = set()
    while left:
        identity = left.pop()
        if identity in found:
            continue
        found.add(identity)
        for dependency in nodes[identity]["deps"]:
            # What only tests need is no part of a program.
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                left.append(dependency["pkg"])
    return found


def licences(folder):
    """The texts of the licences of a crate."""
    for path in sorted(folder.rglob("*")):
        depth = len(path.relative_to(folder).parts)
        is_text = path.suffix.lower() in ("", ".txt", ".md", ".apache2", ".mit")
        if depth <= DEPTH and NAMES.match(path.name) and is_text and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            yield "\n".join(line.rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    main()
