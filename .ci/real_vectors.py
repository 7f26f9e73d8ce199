"""Vectors in an encrypted database: nearest neighbours as numpy finds them, nothing in the clear.

usage: real_vectors.py BIN_DIR WORK
"""

import contextlib
import pathlib
import sys
import tarfile
import time

import numpy
import sqlcipher3
import sqlite_vec

from plaintext_search import Runs
from vault_daemon import CALL_BYTES, run, vaults

NAME = "assistant/memory"
TABLE = "transcript_vectors"
COUNT, DIMENSIONS, NEAREST = 50_000, 384, 10
INSERT = f"INSERT INTO {TABLE} (rowid, embedding) VALUES (?, ?)"
SEARCH = f"SELECT rowid, distance FROM {TABLE} WHERE embedding MATCH ? AND k = ? ORDER BY distance"
# Both sum in single precision, in another order.
TOLERANCE = 1e-5


def made():
    """Vectors of length 1, 1,000 of them twice and 1,000 with a neighbour very near; queries."""
    random = numpy.random.default_rng(20_240_607)
    vectors = random.standard_normal((COUNT, DIMENSIONS))
    vectors[-1000:] = vectors[:1000]
    vectors[-2000:-1000] = vectors[1000:2000] + 0.001 * random.standard_normal((1000, DIMENSIONS))
    queries = random.standard_normal((20, DIMENSIONS))
    queries[:5] = vectors[:5]
    queries[5:10] = vectors[1000:1005]
    queries[10:15] = vectors[5000:5005] + 0.3 * random.standard_normal((5, DIMENSIONS))
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    queries /= numpy.linalg.norm(queries, axis=1, keepdims=True)
    return vectors.astype("<f4"), queries.astype("<f4")


def load(database, vectors):
    per_call = CALL_BYTES // (4 * DIMENSIONS + 16)
    for begin in range(0, COUNT, per_call):
        some = enumerate(vectors[begin : begin + per_call], begin + 1)
        database.batch([(INSERT, [run((rowid, vector.tobytes())) for rowid, vector in some])])


def check(query, vectors, queries):
    """Every answer beside the distances to all vectors; how long the answers took, in seconds."""
    took = []
    for wanted in queries:
        begun = time.monotonic()
        rows = list(query(SEARCH, wanted.tobytes(), NEAREST))
        took.append(time.monotonic() - begun)
        distances = numpy.linalg.norm(vectors.astype("f8") - wanted, axis=1)
        nearest = numpy.sort(distances)[:NEAREST]
        ids = [rowid for rowid, _ in rows]
        assert len(set(ids)) == NEAREST, ids
        close = {"rtol": TOLERANCE, "atol": TOLERANCE}
        assert numpy.allclose([distance for _, distance in rows], nearest, **close), rows
        # Which of several that are as far away are the last ones is open.
        assert numpy.allclose(distances[[rowid - 1 for rowid in ids]], nearest, **close), rows
        certain = numpy.flatnonzero(distances < nearest[-1] * (1 - TOLERANCE)) + 1
        assert set(certain.tolist()) <= set(ids), rows
    return took


def runs_of(vectors):
    """All runs of four floats of every 250th vector."""
    return Runs((vector.tobytes() for vector in vectors[::250]), step=4)


def exported(vault, vectors, queries, runs):
    """In a plaintext export the same search finds them, which shows that it can."""
    tar = vault.folder / "out.tar"
    vault.do("export", "--plaintext", tar)
    with tarfile.open(tar) as archive:
        (member,) = (m for m in archive.getmembers() if m.name.startswith(f"stores/{NAME}"))
        plain = vault.folder / "plain.sqlite"
        plain.write_bytes(archive.extractfile(member).read())
    found = len(runs.found_in(plain.read_bytes()))
    print(f"of those runs, {found} stand in the export")
    # Where a vector crosses from a page to the next, what lies across is in two pieces.
    assert found > len(runs.runs) * 0.9, "the search finds nothing: it proves nothing"
    # Without a key SQLCipher is SQLite; Python's own is often built without extensions.
    with contextlib.closing(sqlcipher3.connect(plain)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        check(lambda sql, *values: connection.execute(sql, values), vectors, queries)
    print("the export, outside the vault with PyPI's sqlite-vec: the same neighbours")


def main(bin_dir, work):
    vectors, queries = made()
    runs = runs_of(vectors)
    with vaults(bin_dir, work, "vault") as (vault,):
        vault.do("store", "preset", "apply", "assistant")
        with vault.database(NAME) as database:
            load(database, vectors)
            rate = COUNT / database.seconds
            print(f"{database.calls} calls, {database.seconds:.1f} s in them: {rate:.0f} vectors/s")
            took = check(database.query, vectors, queries)
            median, worst = 1000 * numpy.median(took), 1000 * max(took)
            print(f"{len(took)} queries as numpy: {median:.0f} ms, at most {worst:.0f} ms")
            # With the log as the daemon has it now, and once more when it has ended.
            runs.assert_absent(vault.root)
        vault.stop()
        runs.assert_absent(vault.root)
        with vault.database(NAME) as database:
            check(database.query, vectors, queries)
        exported(vault, vectors, queries, runs)
    print("real vectors: as expected")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
