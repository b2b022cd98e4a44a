"""What is being measured, and the time left."""
import sys
import time


def clock(seconds):
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{seconds:02d}"


class Progress:
    """Expects each step to take its share of what its `seconds` say, scaled by how long the
    steps before took."""

    def __init__(self, seconds, out=sys.stderr, now=time.monotonic):
        self.expected, self.out, self.now = list(seconds), out, now
        self.start, self.done = now(), 0

    def left(self):
        spent, before = self.now() - self.start, sum(self.expected[: self.done])
        # The first steps say little about the others.
        factor = (spent + 30) / (before + 30)
        return factor * sum(self.expected[self.done:])

    def show(self, title):
        spent = self.now() - self.start
        self.out.write(f"[{self.done + 1}/{len(self.expected)}] {title}  "
                       f"{clock(spent)} spent, {clock(self.left())} left\n")
        self.out.flush()

    def finished(self):
        self.done += 1
