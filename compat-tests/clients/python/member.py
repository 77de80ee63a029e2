"""The step member: what a member of a group says of itself, and the end of stdin, which tells it to leave."""

import os
import sys
import threading

GROUP = os.environ.get("GROUP", "")
PROTOCOL = os.environ.get("GROUP_PROTOCOL", "classic")
SESSION = 6000  # ms


def say(*words):
    print("member", *words, flush=True)


def said_to_leave():
    """Whether stdin has ended, as a question."""
    ended = threading.Event()

    def wait():
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended.is_set


class Held:
    """The partitions a member has, and per partition the offset that is still to be committed."""

    def __init__(self):
        self.partitions, self.pending, self.closing = set(), {}, False

    def gain(self, partitions):
        self.partitions |= set(partitions)
        self.say()

    def lose(self, partitions, last=False):
        """With last, nothing tells of a gain after this."""
        self.partitions -= set(partitions)
        for p in partitions:
            self.pending.pop(p, None)
        if last and not self.closing:
            self.say()

    def say(self):
        say("has", *sorted(self.partitions))

    def read(self, partition, offset, value):
        say("read", value.decode())
        self.pending[partition] = offset + 1
