"""Real conversations in an encrypted database, beside plain SQLite and another SQLCipher.

usage: real_databases.py BIN_DIR SOURCE WORK
"""

import contextlib
import datetime
import hashlib
import json
import pathlib
import shutil
import sqlite3
import sys
import tarfile
import time
import tomllib

import sqlcipher3

from plaintext_search import RUN, Runs
from vault_daemon import CALL_BYTES, run, vaults
from vault_formats import DatabaseFile

NAME = "assistant/history"
PASSPHRASE = "a passphrase of the file"

SESSION = """INSERT INTO sessions (id, session_id, title, created_ms, updated_ms)
    VALUES (?, ?, ?, ?, ?)"""
TURN = """INSERT INTO turns (id, turn_id, session, position, role, text, created_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""

# Shadow tables hold the index in an order of their own; what they answer is compared instead.
CONTENT = [
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
    "SELECT * FROM sessions ORDER BY id",
    "SELECT * FROM turns ORDER BY id",
    "SELECT * FROM attachments ORDER BY id",
]

FOUND = "SELECT rowid FROM turns_text WHERE turns_text MATCH ? ORDER BY rowid"
RANKED = """SELECT rowid, round(bm25(turns_text), 9) FROM turns_text WHERE turns_text MATCH ?
    ORDER BY rank, rowid LIMIT 200"""
SHOWN = """SELECT s.session_id, t.position, t.role, highlight(turns_text, 0, '[', ']'),
        snippet(turns_text, 0, '<', '>', '…', 6)
    FROM turns_text JOIN turns t ON t.id = turns_text.rowid JOIN sessions s ON s.id = t.session
    WHERE turns_text MATCH ? ORDER BY t.id"""
COUNTED = """SELECT t.role, count(*), count(DISTINCT t.session), min(t.created_ms)
    FROM turns_text JOIN turns t ON t.id = turns_text.rowid
    WHERE turns_text MATCH ? GROUP BY t.role ORDER BY t.role"""
SEARCHES = [
    *((FOUND, words) for words in (
        "pizza", "the", "cafe", '"how are you"', '"nice to meet you"',
        "NEAR(dog cat, 5)", "NEAR(music favorite love, 10)", "piz*", '"good mor" *', "^hello",
        "(coffee OR tea) NOT milk", "music AND movie", "text : travel", "xyzzyplugh",
    )),
    *((RANKED, words) for words in ("pizza", "favorite movie", '"new york"', "school OR work")),
    *((SHOWN, words) for words in ("guitar", "NEAR(summer beach)", "astro*")),
    *((COUNTED, words) for words in ("hello", "weather", "cat OR dog")),
]


def milliseconds(timestamp):
    return int(datetime.datetime.fromisoformat(timestamp).timestamp() * 1000)


def rows_of(source):
    """For each conversation its session and its turns, as rows of the preset's tables."""
    turn_id = 0
    for session_id, (name, conversation) in enumerate(source.items(), 1):
        messages = [message for part in conversation["messages"] for message in part]
        times = [milliseconds(message["timestamp"]) for message in messages]
        session = (session_id, name, conversation.get("prompt", ""), times[0], times[-1])
        turns = []
        for position, (message, at) in enumerate(zip(messages, times)):
            turn_id += 1
            role = "user" if message["sender"] == messages[0]["sender"] else "assistant"
            key = f"{name}/{position}"
            turns.append((turn_id, key, session_id, position, role, message["text"], at))
        yield session, turns


def load(database, rows):
    """As an application with much to bring would: many rows a call, each call a transaction."""
    sessions, turns, size = [], [], 0
    for session, its_turns in rows:
        sessions.append(run(session))
        size += sessions[-1].ByteSize() + 8
        for turn in its_turns:
            turns.append(run(turn))
            size += turns[-1].ByteSize() + 8
            # A turn comes in the call of its session or in a later one.
            if size > CALL_BYTES:
                database.batch([(SESSION, sessions), (TURN, turns)])
                sessions, turns, size = [], [], 0
    database.batch([(SESSION, sessions), (TURN, turns)])


def plain_with(file, steps, rows):
    """The same steps and rows in plain SQLite."""
    plain = sqlite3.connect(file)
    for step in steps:
        plain.executescript(step)
    plain.executemany(SESSION, (session for session, _ in rows))
    plain.executemany(TURN, (turn for _, turns in rows for turn in turns))
    plain.commit()
    return plain


def content(query):
    """How many rows the tables have, and a hash over every value of them."""
    count, digest = 0, hashlib.sha256()
    for sql in CONTENT:
        for row in query(sql):
            count += 1
            digest.update(repr(tuple(row)).encode())
    return count, digest.hexdigest()


def answers(query):
    return [[tuple(row) for row in query(sql, words)] for sql, words in SEARCHES]


def same(what, query, expected, found):
    assert content(query) == expected, f"{what}: other rows"
    for (sql, words), one, other in zip(SEARCHES, answers(query), found):
        assert one == other, f"{what}: {words}: {len(one)} rows, not {len(other)}, or others: {sql}"
    print(f"{what}: the same rows, and the same for {len(SEARCHES)} searches")


def bound(connection):
    return lambda sql, *values: connection.execute(sql, values)


def refused(connect, what):
    """SQLite's words for a file that is none of its own, or sealed by another key."""
    with contextlib.closing(connect()) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except (sqlite3.DatabaseError, sqlcipher3.DatabaseError) as error:
            assert "file is not a database" in str(error), error
            return print(f"{what}: {error}")
    sys.exit(f"{what} reads the file")


def keyed(path, raw_key):
    connection = sqlcipher3.connect(path)
    # A wrong key is written to stderr otherwise.
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f'PRAGMA key = "{raw_key}"')
    return connection


class Opener:
    """Opens the database of a stopped vault by its documented format alone."""

    def __init__(self, vault, label):
        export = vault.folder / f"{label}.age"
        phrase = vault.file("export-passphrase", PASSPHRASE + "\n")
        vault.do("key", "export", "--export-passphrase-file", phrase, export)
        vault.stop()
        self.file = DatabaseFile(vault.root, export, PASSPHRASE, NAME)
        # Opened where a log may be written back without a word to the vault.
        self.copy = vault.folder / label
        shutil.copytree(self.file.folder, self.copy)
        self.path = self.copy / self.file.path.name

    def same(self, what, expected, found):
        assert self.path.read_bytes()[:16] == self.file.beginning
        refused(lambda: sqlite3.connect(self.path), f"plain sqlite3 on {what}")
        with contextlib.closing(keyed(self.path, self.file.raw_key())) as sealed:
            same(what, bound(sealed), expected, found)
            assert sealed.execute("PRAGMA cipher_integrity_check").fetchall() == []
            assert sealed.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def close(self):
        shutil.rmtree(self.copy)


def independently(vault, expected, found):
    """Before and after a rotation, what is on disk opens under the key of the time and no other."""
    old = Opener(vault, "before")
    version = sqlcipher3.connect(":memory:").execute("PRAGMA cipher_version").fetchone()[0]
    old.same(f"SQLCipher {version} and the raw key", expected, found)
    vault.do("key", "rotate", "--reencrypt", "--yes")
    new = Opener(vault, "after")
    new.same("the same after new keys", expected, found)
    refused(lambda: keyed(new.path, old.file.raw_key()), "the old raw key on the new file")
    # Object names are hashed under a key of their own, which stays: hashes cannot be renewed.
    old_keys = {key for _, key in old.file.keys.values()}
    kept = [purpose for purpose, key in new.file.keys.values() if key in old_keys]
    assert kept == ["names"], f"data keys that outlived the rotation: {kept}"
    files = [path.name for path in new.file.folder.iterdir() if path.name.endswith(".db")]
    assert files == [new.file.path.name], f"files of the database: {files}"
    old.close()
    new.close()


def in_the_clear(vault, expected, found, texts):
    """A plaintext export holds a plain database, which comes in again."""
    texts.assert_absent(vault.root)
    tar = vault.folder / "out.tar"
    vault.do("export", "--plaintext", tar)
    with tarfile.open(tar) as archive:
        (member,) = (m for m in archive.getmembers() if m.name.startswith(f"stores/{NAME}"))
        plain = vault.folder / "plain.sqlite"
        plain.write_bytes(archive.extractfile(member).read())
    tar.unlink()
    found_in_plain = len(texts.found_in(plain.read_bytes()))
    print(f"of those runs, {found_in_plain} stand in the export")
    assert found_in_plain > len(texts.runs) * 0.9, "the search finds nothing: it proves nothing"
    with contextlib.closing(sqlite3.connect(plain)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        same(f"{member.name} of the export in plain sqlite3", bound(connection), expected, found)
    begun = time.monotonic()
    vault.do("db", "import", "copy", plain)
    print(f"imported in {time.monotonic() - begun:.1f} s")
    with vault.database("copy") as database:
        same("the export, imported", database.query, expected, found)


def backed_up(vault, other, expected, found):
    backup = vault.folder / "out.vbk"
    phrase = ("--export-passphrase-file", vault.file("backup-passphrase", "of the backup\n"))
    vault.do("db", "backup", NAME, backup, *phrase)
    vault.do("backup", "verify", backup, *phrase)
    other.do("restore", "--merge", backup, *phrase)
    with other.database(NAME) as database:
        same("the backup, restored into another vault", database.query, expected, found)


def main(bin_dir, source, work):
    rows = list(rows_of(json.loads(source.read_text("utf-8"))))
    turns = sum(len(turns) for _, turns in rows)
    preset = tomllib.loads(pathlib.Path("client/lib/presets/assistant.toml").read_text("utf-8"))
    (steps,) = (store["steps"] for store in preset["store"] if store["name"] == NAME)
    plain = plain_with(work / "plain", steps, rows)
    expected, found = content(bound(plain)), answers(bound(plain))
    print(f"{len(rows)} conversations, {turns} messages; searches find {sum(map(len, found))} rows")
    # Only the search for a word that nobody used may find nothing.
    assert sum(not rows for rows in found) == 1, [len(rows) for rows in found]
    texts = Runs(turn[5].encode()[:RUN] for _, turns in rows for turn in turns)

    with vaults(bin_dir, work, "vault", "other") as (vault, other):
        vault.do("store", "preset", "apply", "assistant")
        with vault.database(NAME) as database:
            load(database, rows)
            rate = (len(rows) + turns) / database.seconds
            print(f"{database.calls} calls, {database.seconds:.1f} s in them: {rate:.0f} rows/s")
            same("the daemon beside plain sqlite3", database.query, expected, found)
        independently(vault, expected, found)
        in_the_clear(vault, expected, found, texts)
        backed_up(vault, other, expected, found)
    print("real databases: as expected")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
