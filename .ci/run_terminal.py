"""Transcripts of `vaultctl run` on a terminal: a shell inside tmux, its keys and its screen."""

import contextlib
import itertools
import os
import signal
import subprocess

from run_vault import KEY, children, in_foreground, stopped, until

OPTIONS = "--file KEY=test:key --env VALUE=test:key"
# Counts Ctrl-C, and ends by `q`. Writes without a buffer: a signal may come while it writes.
COUNTER = """
import os, signal, sys
count = 0
def tell(text):
    os.write(1, f"{text}\\n".encode())
def interrupted(number, frame):
    global count
    count += 1
    tell(f"interrupt {count}")
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGCONT, lambda *_: tell("went on"))
tell("counting")
while sys.stdin.readline() != "q\\n":
    pass
tell(f"{count} in all")
"""
# The server that used a socket before may not have ended.
NUMBERS = itertools.count()


class Screen:
    """A shell with job control on a terminal of its own."""

    def __init__(self, vault):
        self.vault = vault
        socket = vault.folder / f"tmux-{next(NUMBERS)}"
        self.tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        # As words, so that the pane is this shell, and not another one that has started it.
        shell = ["bash", "--norc", "--noprofile", "-i"]
        self.do("new-session", "-d", "-x", "100", "-y", "30", *shell)
        self.type("PS1='> '; clear; echo $((40 + 2))", "Enter")
        self.shows("42")

    def do(self, *arguments):
        return subprocess.run([*self.tmux, *arguments], env=self.vault.environment, check=True,
                              capture_output=True, text=True).stdout

    def type(self, *keys):
        self.do("send-keys", *keys)

    def run(self, options, program):
        self.type(f"clear; {self.vault.vaultctl} run {options} -- {program}", "Enter")

    def text(self):
        return self.do("capture-pane", "-p")

    def shows(self, *texts):
        try:
            until(lambda: all(text in self.text() for text in texts), f"{texts} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from error

    def shell(self):
        return int(self.do("display-message", "-p", "#{pane_pid}"))


@contextlib.contextmanager
def screen(vault):
    given = Screen(vault)
    try:
        yield given
    finally:
        given.do("kill-server")


def a_full_screen_program_stops_and_goes_on(vault):
    page = vault.folder / "page"
    page.write_text("".join(f"line {number}\n" for number in range(1000)))
    with screen(vault) as s:
        # With a file, so that vaultctl stays; without, it becomes the program.
        for options in (OPTIONS, "--env KEY=test:key"):
            s.run(options, f"less {page}")
            s.shows("line 0", "line 28")
            s.type("G")
            s.shows("line 999")
            s.type("C-z")
            s.shows("Stopped")
            s.type("clear; echo between", "Enter")
            s.shows("between")
            s.type("fg", "Enter")
            s.shows("line 999")
            s.type("C-z")
            s.shows("Stopped")
            s.type("clear; fg", "Enter")
            s.shows("line 999")
            s.type("g")
            s.shows("line 0")
            s.type("q")
            s.type("echo ended $?", "Enter")
            s.shows("ended 0")
            s.type("jobs; echo none", "Enter")
            s.shows("none")
    assert vault.folders() == []


def ctrl_c_reaches_the_program_once(vault):
    program = vault.program("counter", COUNTER)
    with screen(vault) as s:
        s.run(OPTIONS, program)
        s.shows("counting")
        for count in (1, 2, 3):
            s.type("C-c")
            s.shows(f"interrupt {count}")
        s.type("q", "Enter")
        s.shows("3 in all")


def ctrl_c_ends_a_program_and_the_shell_sees_it(vault):
    with screen(vault) as s:
        s.run(OPTIONS, "sh -c 'echo $((300 + 33)); exec sleep 1000'")
        s.shows("333")
        s.type("C-c")
        s.type("echo code $?", "Enter")
        s.shows("code 130")
        until(lambda: vault.folders() == [], "the files are removed")


def masked_in_a_pipeline_of_a_stopped_job(vault):
    program = vault.program("counter", COUNTER)
    with screen(vault) as s:
        s.run(OPTIONS, f"sh -c 'echo =$VALUE=; exec {program}' | (trap '' INT; cat)")
        s.shows("counting", "=*****=")
        s.type("C-z")
        s.shows("Stopped")
        s.type("fg", "Enter")
        s.shows("went on")
        s.type("C-c")
        s.shows("interrupt 1")
        s.type("q", "Enter")
        s.shows("1 in all")
        assert KEY.decode() not in s.text()


def a_job_is_stopped_from_outside(vault):
    program = vault.program("counter", COUNTER)
    with screen(vault) as s:
        s.run(OPTIONS, program)
        s.shows("counting")
        vaultctl, = children(s.shell())
        os.kill(vaultctl, signal.SIGTSTP)
        s.shows("Stopped")
        s.type("bg", "Enter")
        s.shows("went on")
        # It reads from the terminal, which stops it in the background.
        until(lambda: stopped(vaultctl), "it stops again")
        s.type("fg", "Enter")
        # The shell reads keys in another way than the program.
        until(lambda: in_foreground(vaultctl), "it has the terminal")
        s.type("q", "Enter")
        s.shows("0 in all")


TRANSCRIPTS = [
    a_full_screen_program_stops_and_goes_on,
    ctrl_c_reaches_the_program_once,
    ctrl_c_ends_a_program_and_the_shell_sees_it,
    masked_in_a_pipeline_of_a_stopped_job,
    a_job_is_stopped_from_outside,
]
