"""Looks for plaintext at every position of every file of a folder."""

import numpy

RUN = 16


class Runs:
    """A set of runs of 16 bytes, to be looked up fast.

    Most positions are passed over by the last three bytes of the eight that stand there.
    """

    def __init__(self, runs):
        self.runs = set(runs)
        assert all(len(run) == RUN for run in self.runs)
        self.words = numpy.unique(numpy.array([run[:8] for run in self.runs], "S8").view("<u8"))
        self.begun = numpy.zeros(1 << 24, bool)
        self.begun[self.words >> numpy.uint64(40)] = True

    def found_in(self, content):
        """Which of them stand in `content`, wherever they begin."""
        found = set()
        if len(content) < RUN:
            return found
        for offset in range(8):
            words = numpy.frombuffer(content, "<u8", (len(content) - offset) // 8, offset)
            at = numpy.flatnonzero(self.begun[words >> numpy.uint64(40)])
            at = at[numpy.isin(words[at], self.words)]
            begin = (at * 8 + offset).tolist()
            found |= self.runs.intersection(content[i : i + RUN] for i in begin)
        return found

    def assert_absent(self, folder):
        files = size = 0
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            files += 1
            size += len(content)
            found = self.found_in(content)
            assert not found, f"{len(found)} runs of plaintext stand in {path}"
        print(f"{files} files, {size} bytes: none of {len(self.runs)} runs of {RUN} bytes found")
