"""Checks agents against launchd.plist(5), which no system but macOS can do by itself.

usage: launchd_lint.py FILE...

launchd ignores a key that it does not know, and one whose value is of another type: an agent with a
slip of the pen runs, and lacks what it was to have.
"""

import pathlib
import plistlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

STRINGS, INTEGERS = [str], [int]
BOOLEANS_BY_NAME = {str: bool}
LIMITS = dict.fromkeys(
    ["CPU", "Core", "Data", "FileSize", "MemoryLock", "NumberOfFiles", "NumberOfProcesses",
     "ResidentSetSize", "Stack"],
    int,
)
SOCKET = {
    "SockType": str, "SockPassive": bool, "SockNodeName": str, "SockServiceName": (str, int),
    "SockFamily": str, "SockProtocol": str, "SockPathName": str, "SecureSocketWithKey": str,
    "SockPathOwner": int, "SockPathGroup": int, "SockPathMode": int, "Bonjour": (bool, str, STRINGS),
    "MulticastGroup": str,
}
CALENDAR = dict.fromkeys(["Minute", "Hour", "Day", "Weekday", "Month"], int)
KEEP_ALIVE = {
    "SuccessfulExit": bool, "PathState": BOOLEANS_BY_NAME, "OtherJobEnabled": BOOLEANS_BY_NAME,
    "Crashed": bool, "NetworkState": bool,
}

# launchd.plist(5). A dict is a dictionary with these keys, or, by a type, with any of that type; a
# list an array of these; a tuple what is one of these.
KEYS = {
    "Label": str,
    "Disabled": bool,
    "UserName": str,
    "GroupName": str,
    "inetdCompatibility": {"Wait": bool},
    "LimitLoadToHosts": STRINGS,
    "LimitLoadFromHosts": STRINGS,
    "LimitLoadToSessionType": (str, STRINGS),
    "LimitLoadToHardware": {str: STRINGS},
    "LimitLoadFromHardware": {str: STRINGS},
    "Program": str,
    "BundleProgram": str,
    "ProgramArguments": STRINGS,
    "EnableGlobbing": bool,
    "EnableTransactions": bool,
    "EnablePressuredExit": bool,
    "OnDemand": bool,
    "ServiceIPC": bool,
    "KeepAlive": (bool, KEEP_ALIVE),
    "RunAtLoad": bool,
    "RootDirectory": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": {str: str},
    "Umask": (int, str),
    "TimeOut": int,
    "ExitTimeOut": int,
    "ThrottleInterval": int,
    "InitGroups": bool,
    "WatchPaths": STRINGS,
    "QueueDirectories": STRINGS,
    "StartOnMount": bool,
    "StartInterval": int,
    "StartCalendarInterval": (CALENDAR, [CALENDAR]),
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Debug": bool,
    "WaitForDebugger": bool,
    "SoftResourceLimits": LIMITS,
    "HardResourceLimits": LIMITS,
    "Nice": int,
    "ProcessType": str,
    "AbandonProcessGroup": bool,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "MaterializeDatalessFiles": bool,
    "LaunchOnlyOnce": bool,
    "MachServices": {str: (bool, {"ResetAtClose": bool, "HideUntilCheckIn": bool})},
    "Sockets": {str: (SOCKET, [SOCKET])},
    "LaunchEvents": {str: {str: dict}},
    "SessionCreate": bool,
    "LegacyTimers": bool,
    "AssociatedBundleIdentifiers": (str, STRINGS),
}


def mistakes(value, form, place="agent"):
    """What is not as the manual page has it."""
    if isinstance(form, tuple):
        found = [mistakes(value, one, place) for one in form]
        # What is wrong inside of one that fits says more than that another does not fit.
        of_another_type = f"{place}: {value!r} is no "
        misfits = lambda wrong: any(one.startswith(of_another_type) for one in wrong)
        return min(found, key=lambda wrong: (misfits(wrong), len(wrong)))
    if isinstance(form, type):
        # To Python, a truth value is a number as well.
        right = isinstance(value, form) and not (form is int and isinstance(value, bool))
        return [] if right else [f"{place}: {value!r} is no {form.__name__}"]
    if isinstance(form, list):
        if not isinstance(value, list):
            return [f"{place}: {value!r} is no array"]
        return [m for index, one in enumerate(value) for m in mistakes(one, form[0], f"{place}[{index}]")]
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no dictionary"]
    wrong = []
    for key, one in value.items():
        if key not in form and str not in form:
            wrong.append(f"{place}: there is no key {key}")
        else:
            wrong += mistakes(one, form.get(key, form.get(str)), f"{place}.{key}")
    return wrong


def broken_promises(agent, name):
    """What an agent of vaultd must say."""
    program = pathlib.PurePosixPath(agent.get("ProgramArguments", [""])[0])
    promises = {
        "Label is the file's name": agent.get("Label") == name,
        "the program is named in full": program.is_absolute() and program.name == name.split(".")[-1],
        "what it makes is for its user alone": agent.get("Umask") == 0o077,
        "there are no core dumps": agent.get("HardResourceLimits", {}).get("Core") == 0,
        "it is started again after a failure": agent.get("KeepAlive") == {"SuccessfulExit": False},
    }
    if program.name == "vaultd":
        sockets = agent.get("Sockets", {})
        socket = sockets.get(asked_for(), {})
        path = socket.get("SockPathName", "")
        promises |= {
            "its one socket is the one that vaultd asks for": list(sockets) == [asked_for()],
            "the socket is where clients dial": path.endswith(
                "/Library/Application Support/vaultd/vaultd.sock"
            ) and path.startswith("/Users/you/"),
            "the socket is for its user alone": socket.get("SockPathMode") == 0o600,
        }
    return [text for text, kept in promises.items() if not kept]


def asked_for():
    """The name by which vaultd asks launchd for its socket."""
    source = (ROOT / "daemon/vaultd/src/platform/activation.rs").read_text()
    return re.search(r'const NAME: &CStr = c"(\w+)";', source).group(1)


def check_the_check():
    """Slips of the pen that launchd would pass over."""
    for agent, said in [
        ({"KeepAlive": {"SuccesfulExit": False}}, "no key SuccesfulExit"),
        ({"Umask": True}, "True is no"),
        ({"HardResourceLimits": {"Core": "0"}}, "'0' is no int"),
        ({"Sockets": {"vaultd": {"SockPathMode": "0600"}}}, "'0600' is no int"),
        ({"ProgramArguments": "/bin/true"}, "no array"),
        ({"Labels": "x"}, "no key Labels"),
    ]:
        found = mistakes(agent, KEYS)
        assert any(said in one for one in found), (agent, found)
    assert not mistakes({"KeepAlive": True, "StartCalendarInterval": [{"Hour": 3}]}, KEYS)


def main():
    check_the_check()
    wrong = []
    for path in map(pathlib.Path, sys.argv[1:]):
        agent = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)
        found = mistakes(agent, KEYS) + broken_promises(agent, path.stem)
        wrong += [f"{path}: {one}" for one in found]
    if wrong or len(sys.argv) < 2:
        sys.exit("launchd: " + ("\n".join(wrong) or "no agents"))
    print(f"launchd: {len(sys.argv) - 1} agents are as launchd.plist(5) has them")


if __name__ == "__main__":
    main()
