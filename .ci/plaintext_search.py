"""Looks for plaintext at every position of every file of a folder."""

import functools

import numpy

RUN = 16


def words_of(content):
    """The eight bytes at every position: for each of eight offsets an array of them."""
    for offset in range(8):
        yield numpy.frombuffer(content, "<u8", (len(content) - offset) // 8, offset)


class Runs:
    """The runs of 16 bytes that begin at every `step`th byte of texts, to be looked up fast.

    Most positions are passed over by the last three bytes of the eight that stand there, nearly all
    others by the eight, which a text may have anywhere.
    """

    def __init__(self, texts, step=1):
        self.texts, self.step = [text for text in texts if len(text) >= RUN], step
        self.words = numpy.sort(numpy.concatenate(list(words_of(b"".join(self.texts)))))
        self.begun = numpy.zeros(1 << 24, bool)
        self.begun[self.words >> numpy.uint64(40)] = True

    @functools.cached_property
    def runs(self):
        """All of them."""
        return {text[at : at + RUN] for text in self.texts
                for at in range(0, len(text) - RUN + 1, self.step)}

    def found_in(self, content):
        """Which of them stand in `content`, wherever they begin."""
        found = set()
        if len(content) < RUN:
            return found
        for offset, words in enumerate(words_of(content)):
            at = numpy.flatnonzero(self.begun[words >> numpy.uint64(40)])
            nearest = numpy.searchsorted(self.words, words[at]).clip(max=len(self.words) - 1)
            at = at[self.words[nearest] == words[at]]
            begin = (at * 8 + offset).tolist()
            if begin:
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
        count = sum((len(text) - RUN) // self.step + 1 for text in self.texts)
        print(f"{files} files, {size} bytes: none of {count} runs of {RUN} bytes found")
