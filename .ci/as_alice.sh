# shellcheck shell=bash
# For scripts that check something of the user alice, as root under the private systemd: one line a
# check; the first that fails ends the script, with what the user's units logged.
home=/home/alice
useradd --create-home --shell /bin/bash alice
uid=$(id -u alice)
runtime=/run/user/$uid

ok() { echo "ok: $*"; }
fail() {
    # In a command substitution the caller tells, as this would be taken for a value.
    [ "$BASH_SUBSHELL" = 0 ] || exit 1
    trap - ERR
    echo "FAILED: $*"
    journalctl --sync
    journalctl --no-pager --quiet --output=short-monotonic _UID="$uid" | tail -n 100
    exit 1
}
trap 'fail "line $LINENO, called from ${BASH_LINENO[*]}: $BASH_COMMAND"' ERR
check() {
    local what=$1
    shift
    "$@" || fail "$what"
    ok "$what"
}
same() { [ "$1" = "$2" ] || { echo "found '$1' where '$2' was expected"; return 1; }; }
differ() { [ -n "$2" ] && [ "$1" != "$2" ] || { echo "found '$2' again"; return 1; }; }
holds() { [[ $1 == *"$2"* ]] || { echo "found '$1' without '$2'"; return 1; }; }
refused() { ! "$@" >/dev/null 2>&1 || { echo "not refused: $*"; return 1; }; }
# Once a condition holds; how long it took is not what is checked.
soon() {
    local what=$1
    shift
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then
            ok "$what"
            return
        fi
        sleep 0.1
    done
    fail "$what"
}
as() {
    setpriv --reuid=alice --regid=alice --init-groups \
        env -i HOME=$home USER=alice PATH="$home/.local/bin:/usr/bin:/bin" XDG_RUNTIME_DIR="$runtime" "$@"
}
log_in() {
    loginctl enable-linger alice
    soon "alice has a service manager and a bus" test -S "$runtime/bus"
}
