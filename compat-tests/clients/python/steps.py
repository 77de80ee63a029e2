"""What the Python clients' programs have in common: the records, the digest of what was read, the loop over the steps."""

import hashlib
import sys
import time

RECORDS = 20
COMMIT_AT = 12
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PATIENCE = 40  # seconds


def key(i):
    return b"k%d" % i


def value(codec, i):
    return f"{codec}-{i:02} {'dohle' * 20}".encode()


def timestamp(i):
    return 1_700_000_000_000 + i * 1000


class Digest:
    def __init__(self):
        self.n = 0
        self.sum = hashlib.sha256()

    def add(self, offset, key, value, headers):
        (name, content), = headers
        self.n += 1
        self.sum.update(b"%d\t%s\t%s\t%s=%s\n" % (offset, key, value, name.encode(), content))

    def __str__(self):
        return f"{self.n} records, sha256 {self.sum.hexdigest()[:8]}"


def resumed(places):
    if places == [(0, i) for i in range(COMMIT_AT, RECORDS)]:
        return "resumed exactly"
    return f"resumed with {places}"


def restart():
    print("restart please", flush=True)
    sys.stdin.readline()


def arguments():
    if len(sys.argv) != 5 or sys.argv[1] != "--steps":
        sys.exit("usage: --steps LIST BOOTSTRAP TOPIC")
    return sys.argv[2].split(","), sys.argv[3], sys.argv[4]


def method(client, step):
    """produce-gzip is client.produce("gzip", 1), describe-topic is client.describe_topic()."""
    verb, _, codec = step.partition("-")
    if verb in ("produce", "consume"):
        return lambda: getattr(client, verb)(codec, CODECS.index(codec))
    return getattr(client, step.replace("-", "_"), None)


def again(step, result):
    """The step whose answer settles this result: a broker learns of a change a moment later. None when it is settled."""
    if step == "alter-config" and not str(result).endswith("=500000") or step == "describe-topic" and not str(result).startswith("5 "):
        return step
    return {"still there": "list-topics", "5 partitions": "describe-topic"}.get(result)


def settle(result, answer):
    """What a result becomes by the answer to the step that again named."""
    if result == "still there":
        return "gone" if answer != "in the list" else result
    if result == "5 partitions":
        return "6 partitions" if answer.startswith("6 ") else result
    return answer


def failed(error):
    return "failed: " + (repr(error)).replace("\n", " ")


def run(client, steps):
    code = 0
    for step in steps:
        do = method(client, step)
        try:
            result = do() if do else "not in this client"
            end = time.monotonic() + 10
            while (ask := again(step, result)) and time.monotonic() < end:
                time.sleep(0.05)
                result = settle(result, method(client, ask)())
        except Exception as error:  # the line says what it was
            result, code = failed(error), 1
        print(f"{step}: {result}", flush=True)
    sys.exit(code)
