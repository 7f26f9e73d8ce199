"""Transcripts of `vaultctl run`, each a function; run in the order in which they stand here."""

import base64
import inspect
import os
import pathlib
import pty
import resource
import signal
import subprocess
import sys
import time
import urllib.parse

import run_terminal
from run_vault import KEY, MULTI, NUL, PREFIX, Vault, children, gone, keeper_and_program, told, until

ENV = ["--env", "KEY=test:key"]
FILE = ["--file", "KEY=test:key"]
# Prints each signal that it gets; ends by `q` on its standard input.
LISTENER = """
import os, signal, sys
for name in "HUP INT QUIT USR1 USR2 TERM WINCH".split():
    number = getattr(signal, "SIG" + name)
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda number, _: os.write(1, b"%d\\n" % number))
os.write(1, b"ready\\n")
while os.read(0, 1) not in (b"q", b""):
    pass
"""


def shell(script):
    return ["--", "sh", "-c", script]


def exit_codes_pass_through(vault):
    for code in (0, 1, 3, 7, 125, 255):
        assert vault.code(*ENV, *shell(f"exit {code}")) == code, code
        assert vault.code(*FILE, *shell(f"exit {code}")) == code, code
        assert vault.code("--no-mask", *ENV, *shell(f"exit {code}")) == code, code


def programs_that_cannot_be_run(vault):
    for options in (ENV, FILE, [*ENV, "--no-mask"], []):
        absent = vault.run(*options, "--", "no-such-program")
        assert absent.returncode == 127 and b"no-such-program" in absent.stderr, absent
        assert vault.code(*options, "--", "/etc/passwd") == 126
        assert vault.code(*options, "--", "/") == 126
    assert vault.folders() == []


def usage_errors_come_before_anything(vault):
    for options in (["--env", "A"], ["--env", "1A=a:b"], ["--env", "A=b"], ["--file", "../A=a:b"],
                    [*ENV, *FILE], ["--env-file", "-"], ["--env-file", "/nonexistent"]):
        assert vault.code(*options, "--", "true") == 2, options
    assert vault.code(*ENV) == 2, "no program"


def a_missing_secret_stops_before_the_program(vault):
    marker = vault.folder / "marker"
    missing = [*ENV, "--env", "B=test:absent", *FILE[:1], "C=test:key"]
    stopped = vault.run(*missing, "--", "touch", marker)
    assert stopped.returncode == 3 and b"test:absent" in stopped.stderr, stopped
    assert not marker.exists() and vault.folders() == []


def a_locked_vault(vault):
    assert vault.do("lock").returncode == 0
    assert vault.code(*ENV, "--", "true") == 4
    assert vault.code("--", "true") == 0, "no secret is asked for"
    assert vault.do("unlock").returncode == 0


def a_zero_byte_fits_a_file_only(vault):
    refused = vault.run("--env", "A=test:nul", "--", "true")
    assert refused.returncode == 2 and b"--file" in refused.stderr, refused
    given = vault.run("--no-mask", "--file", "A=test:nul", *shell('cat "$A"'))
    assert given.stdout == NUL, given


def the_environment_holds_the_value(vault):
    given = vault.run("--no-mask", *ENV, "--env", "M=test:multi", *shell('printf %s "$KEY$M"'))
    assert given.stdout == KEY + MULTI, given


def files_of_variables(vault):
    path = vault.folder / ".env"
    path.write_text("# of a project\nexport A='vault:test:key'\nB=\"two\\nlines\" # b\nC=$A vault:\n"
                    "KEY=plain\nD=vault:test:prefix\n")
    options = ["--no-mask", "--env-file", path]
    given = vault.run(*options, *shell('printf "%s|" "$A" "$B" "$C" "$KEY" "$D"'))
    assert given.stdout == b"%s|two\nlines|$A vault:|plain|%s|" % (KEY, PREFIX), given
    given = vault.run(*options, *ENV, *shell('printf %s "$KEY"'))
    assert given.stdout == KEY, "the command line beats the file"
    path.write_text("A=1\nB='vault:nothing\n")
    wrong = vault.run("--env-file", path, "--", "true")
    assert wrong.returncode == 2 and b".env:2:" in wrong.stderr and b"nothing" not in wrong.stderr


def nobody_else_has_the_value(vault):
    with vault.running(*ENV, "--file", "F=test:key", "--", "cat") as process:
        _, program = keeper_and_program(process.pid)
        until(lambda: KEY in told(program, "environ"), "its variable")
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            if int(entry.name) not in (program, os.getpid()):
                for name in ("cmdline", "environ"):
                    assert KEY not in told(entry.name, name), (entry, name)


def the_program_takes_our_place_where_it_can(vault):
    with vault.running("--no-mask", *ENV, *shell("echo $$; cat")) as process:
        assert int(process.stdout.readline()) == process.pid


def standard_input_is_the_programs(vault):
    data = os.urandom(1 << 20)
    assert vault.run(*ENV, "--", "cat", stdin=data).stdout == data


def a_secret_in_two_writes_is_masked(vault):
    half = len(KEY) // 2
    program = vault.program("halves", f"""
import os
os.write(1, b"key: "); os.read(0, 1)
os.write(1, {KEY[:half]!r}); os.read(0, 1)
os.write(1, {KEY[half:]!r} + b"!")
""")
    with vault.running(*ENV, "--", program) as process:
        assert os.read(process.stdout.fileno(), 100) == b"key: ", "not held back"
        process.stdin.write(b"12")
        process.stdin.close()
        assert process.stdout.read() == b"*****!"


def every_form_is_masked_in_both_streams(vault):
    encoded = [base64.b64encode(b"user:" + KEY).decode(), urllib.parse.quote(MULTI), KEY.decode()]
    options = [*ENV, "--env", "M=test:multi", "--env", "P=test:prefix", "--env", "S=test:short"]
    for text in encoded:
        given = vault.run(*options, "--", "sh", "-c", 'echo "<$1>"; echo "<$1>" >&2', "sh", text)
        for stream in (given.stdout, given.stderr):
            assert b"*****" in stream and text.encode() not in stream, given
            assert KEY not in base64.b64decode(stream[1:-2] + b"==="), given
    given = vault.run(*options, *shell('echo "$KEY $P $S $M"; echo "$M" >&2'))
    assert given.stdout == b"***** ***** abc *****\n" and given.stderr == b"*****\n", given


def the_order_of_joined_streams_is_kept(vault):
    script = "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    with vault.running(*ENV, *shell(script), stderr=subprocess.STDOUT) as process:
        expected = "".join(f"o{i}\ne{i}\n" for i in range(300))
        assert process.stdout.read().decode() == expected


def a_mask_can_be_turned_off(vault):
    assert vault.run("--no-mask", *FILE, *shell('cat "$KEY"')).stdout == KEY


def much_output_goes_through_quickly(vault):
    block = os.urandom(1 << 20)
    program = vault.program("much", """
import os, sys
block = sys.stdin.buffer.read()
for _ in range(64):
    sys.stdout.buffer.write(block)
""")
    seconds = {}
    for options in (["--no-mask"], []):
        begun = time.monotonic()
        with vault.running(*options, *ENV, "--", program) as process:
            process.stdin.write(block)
            process.stdin.close()
            for number in range(64):
                assert process.stdout.read(1 << 20) == block, number
            assert process.stdout.read() == b"" and process.wait() == 0
        seconds[" ".join(options)] = time.monotonic() - begun
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        assert peak < 128, f"{peak} MiB"
    rates = {name or "masked": round(64 / taken) for name, taken in seconds.items()}
    print(f"    64 MiB, MiB/s: {rates}")
    # An unoptimised build searches a hundred times slower, and a busy machine a few times.
    optimised = pathlib.Path(vault.vaultctl).parent.name == "release"
    assert rates["masked"] > (10 if optimised else 1), rates


def a_reader_that_goes_away_ends_the_program(vault):
    with vault.running(*ENV, "--", "yes") as process:
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE


def what_the_program_leaves_running_is_heard_out(vault):
    script = "exec 3<&0; (read x <&3; echo later $KEY) & echo $$; exit 5"
    with vault.running(*ENV, *shell(script)) as process:
        program = int(process.stdout.readline())
        until(lambda: gone(program), "the program ends")
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.stdout.read() == b"later *****\n" and process.wait() == 5


def files_are_private_and_go_with_the_program(vault):
    script = 'echo "$KEY"; stat -c "%a %U" "$KEY" "$(dirname "$KEY")"; cat "$KEY" | wc -c; ls -A "$(dirname "$KEY")"'
    told = vault.run(*FILE, *shell(script)).stdout.decode().split("\n")
    user = told[1].split()[1]
    assert told[1:] == [f"600 {user}", f"700 {user}", str(len(KEY)), "KEY", ""], told
    assert told[0].startswith(str(vault.runtime / "vaultd" / "run-")), told
    assert vault.folders() == []


def without_a_runtime_directory(vault):
    environment = {**vault.environment, "XDG_RUNTIME_DIR": "/nonexistent"}
    with vault.running(*FILE, *shell('echo "$KEY"'), env=environment) as process:
        path = process.stdout.readline().decode()
        process.wait()
    user = os.getuid()
    assert path.startswith((f"/run/user/{user}/vaultd/run-", f"/dev/shm/vaultd-{user}/run-")), path
    assert not pathlib.Path(path.strip()).parent.exists()


def vaultctl_is_killed(vault):
    with vault.running(*FILE, *ENV[:1], "V=test:key", *shell("echo $$; cat >/dev/null")) as process:
        program = int(process.stdout.readline())
        assert len(vault.folders()) == 1
        process.kill()
        until(lambda: vault.folders() == [], "the files are removed")
        assert not gone(program), "the program goes on"
        process.stdin.close()
        until(lambda: gone(program), "the program ends by itself")


def the_supervisor_is_killed(vault):
    with vault.running(*FILE, "--", "cat") as process:
        keeper, _ = keeper_and_program(process.pid)
        os.kill(keeper, signal.SIGKILL)
        until(lambda: gone(keeper), "the supervisor is gone")
        assert vault.code("--", "true") == 0 and len(vault.folders()) == 1, "not swept meanwhile"
        process.stdin.close()
        assert process.wait(20) == 0 and vault.folders() == []


def both_are_killed_and_the_next_run_sweeps(vault):
    with vault.running(*FILE, "--", "cat") as alive, vault.running(*FILE, "--", "cat") as process:
        keeper, _ = keeper_and_program(process.pid)
        keeper_and_program(alive.pid)
        os.kill(keeper, signal.SIGSTOP)
        process.kill()
        process.wait()
        os.kill(keeper, signal.SIGKILL)
        until(lambda: gone(keeper), "the supervisor is gone")
        assert len(vault.folders()) == 2
        assert vault.code("--", "true") == 0 and len(vault.folders()) == 1, "the other's are left"
    until(lambda: vault.folders() == [], "the files are removed")


def signals_reach_the_program_once(vault):
    program = vault.program("listener", LISTENER)
    with vault.running(*FILE, "--", program) as process:
        assert process.stdout.readline() == b"ready\n"
        for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH"):
            number = getattr(signal, f"SIG{name}")
            process.send_signal(number)
            assert int(process.stdout.readline()) == number, name
        assert process.communicate(b"q") == (b"", b"") and process.returncode == 0


def a_program_that_is_killed(vault):
    for name in ("TERM", "INT", "HUP", "KILL", "SEGV", "QUIT", "ABRT", "USR1", "PIPE", "ALRM"):
        code = vault.code(*FILE, *shell(f"kill -{name} $$"))
        assert code == -getattr(signal, f"SIG{name}"), (name, code)
    assert vault.folders() == []


def a_killed_vaultctl_by_term_ends_the_program(vault):
    with vault.running(*FILE, "--", "cat") as process:
        _, program = keeper_and_program(process.pid)
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM and gone(program) and vault.folders() == []


def as_the_first_process_of_a_container(vault):
    namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    if os.getuid() != 0:
        namespace += ["--user", "--map-root-user"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        print("    skipped: this kernel lets only root have a PID namespace")
        return
    # A daemon of its own in it: one outside is not to be seen from there.
    root = vault.folder / "container"
    environment = {**vault.environment, "VAULTD_DATA_DIR": str(root), "VAULTD_SOCKET": str(root / "s.sock"),
                   "BIN": str(pathlib.Path(vault.vaultctl).parent)}
    script = """
"$BIN/vaultd" --ephemeral --log error --data-dir "$VAULTD_DATA_DIR" --socket "$VAULTD_SOCKET" &
until "$BIN/vaultctl" --no-autostart status >/dev/null 2>&1; do sleep 0.1; done
printf 0123456789 | "$BIN/vaultctl" secret set test:key >/dev/null
exec "$BIN/vaultctl" run --env KEY=test:key -- sh -c "echo ready; exec cat"
"""
    with subprocess.Popen([*namespace, "sh", "-c", script], env=environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            [first] = children(process.pid)
            os.kill(first, signal.SIGTERM)
            assert process.wait(20) == 128 + signal.SIGTERM, process.returncode
        finally:
            process.kill()


def what_is_ignored_stays_ignored(vault):
    program = vault.program("listener", LISTENER)
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with vault.running(*FILE, "--", program, preexec_fn=ignore) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        assert int(process.stdout.readline()) == signal.SIGUSR1
        assert process.communicate(b"q") == (b"", b"") and process.returncode == 0


def a_terminal_is_not_masked(vault):
    leader, follower = pty.openpty()
    with vault.running(*ENV, *shell('echo "$KEY"; echo "$KEY" >&2; test -t 1'), stdout=follower,
                       stderr=subprocess.PIPE) as process:
        assert os.read(leader, 100) == KEY + b"\r\n"
        assert process.stderr.read() == b"*****\n" and process.wait() == 0
    os.close(leader)
    os.close(follower)


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # In the background, or under nohup, a caller ignores some, and whoever it starts would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    vault = Vault(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    here = [value for value in globals().values() if inspect.isfunction(value)]
    transcripts = [f for f in here if f.__module__ == __name__ and list(
        inspect.signature(f).parameters) == ["vault"]] + run_terminal.TRANSCRIPTS
    try:
        for transcript in transcripts:
            begun = time.monotonic()
            transcript(vault)
            print(f"  {transcript.__name__.replace('_', ' ')} ({time.monotonic() - begun:.2f}s)", flush=True)
    finally:
        vault.stop()
    print(f"{len(transcripts)} transcripts")


if __name__ == "__main__":
    main()
