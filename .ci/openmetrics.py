"""Reads OpenMetrics text as Prometheus's own library does, which refuses what breaks the format, and
compares it with what `vaultctl stats --json` said a moment before.

usage: openmetrics.py VAULTCTL SOCKET"""

import json
import math
import pathlib
import subprocess
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

# The exit code of what is not there.
NOT_FOUND = 3
LABELS = {"method", "reason", "le"}
# Beside what the daemon counts, what every exporter tells of its process.
PREFIXES = ("vaultd_", "process_")


def main():
    program, socket = sys.argv[1], pathlib.Path(sys.argv[2])
    place = [program, "--no-autostart", "--data-dir", socket.parent, "--socket", socket]
    environment = {"HOME": str(socket.parent)}

    def vaultctl(*arguments, given="", code=0):
        done = subprocess.run([*place, *arguments], input=given, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if code else None)
        assert done.returncode == code, (arguments, done)
        return done.stdout

    vaultctl("store", "create", "notes", "--kind", "documents")
    for number in range(3):
        vaultctl("doc", "put", "notes", f"note{number}", given='{"text":"hello"}')
        vaultctl("doc", "get", "notes", f"note{number}")
    vaultctl("doc", "get", "notes", "none", code=NOT_FOUND)
    told = json.loads(vaultctl("stats", "--json"))
    text = vaultctl("stats", "--openmetrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) > 15, families.keys()
    for family in families.values():
        assert family.name.startswith(PREFIXES), family.name
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert "note" not in str(sample), sample

    calls = {}
    for sample in families["vaultd_calls"].samples:
        calls.setdefault(sample.labels["method"], {})[sample.labels["reason"]] = sample.value
    assert calls["vault.v1.Documents/Get"] == {"OK": 3, "NOT_FOUND": 1}, calls
    for method, figures in told["methods"].items():
        # Those that every run of vaultctl makes went on meanwhile.
        if method not in ("vault.v1.Vault/Status", "vault.v1.Stats/Get"):
            assert calls[method] == figures["outcomes"], method

    samples = families["vaultd_call_duration_seconds"].samples
    get = [one for one in samples if one.labels["method"] == "vault.v1.Documents/Get"]
    buckets = [one for one in get if one.name.endswith("_bucket")]
    assert math.isinf(float(buckets[-1].labels["le"])) and buckets[-1].value == 4, buckets
    total = next(one.value for one in get if one.name.endswith("_sum"))
    assert math.isclose(total, told["methods"]["vault.v1.Documents/Get"]["total_us"] / 1e6)

    value = lambda name: families[name].samples[0].value
    assert value("vaultd_syncs") == told["syncs"] and told["syncs"] > 0
    assert value("vaultd_open_stores") == told["open_stores"] == 1
    assert value("process_resident_memory_bytes") > 1 << 20
    assert value("process_start_time_seconds") > 1_700_000_000
    print(f"openmetrics: {len(families)} families, {len(samples)} samples of durations")


main()
