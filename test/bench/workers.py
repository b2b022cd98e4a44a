"""The driver's side of a worker process: aft-bench --serve, or worker.py."""
import json
import os
import select
import subprocess
import time

# Waiting threads must sleep: they would take the time of the worker whose turn it is.
CALM = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"}


class Failed(Exception):
    """A worker said that it failed, ended, or took too long."""


class Worker:
    """A process that answers one line of JSON to every line.

    `threads` CPUs are all that it may use, so that no library takes more.
    """

    def __init__(self, command, threads, environment=None, log=None):
        self.command, self.log = command, log
        cpus = sorted(os.sched_getaffinity(0))[:threads]
        environment = {**os.environ, **CALM, "OMP_NUM_THREADS": str(threads),
                       "NPROC": str(threads), **(environment or {})}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""

    def alive(self):
        return self.process.poll() is None

    def read(self, seconds):
        """The next line as JSON."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            if not ready:
                self.stop()
                raise Failed(f"no answer within {seconds:.0f} s")
            more = self.process.stdout.read(1 << 16)
            if not more:
                raise Failed(self.why())
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        try:
            answer = json.loads(line)
        except ValueError:
            raise Failed(f"expected a line of JSON, found {line[:200]!r}")
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def why(self):
        """What is known of an end that was not asked for."""
        code = self.process.wait()
        text = ""
        if self.log is not None:
            self.log.flush()
            with open(self.log.name, "rb") as log:
                log.seek(max(0, os.path.getsize(self.log.name) - 600))
                text = log.read().decode(errors="replace").strip()
        if code < 0:
            return f"ended by signal {-code}" + (": out of memory?" if code == -9 else "")
        return (text.splitlines() or [f"ended with exit status {code}"])[-1]

    def ask(self, message, seconds=600):
        line = message if isinstance(message, str) else json.dumps(message)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed(self.why())
        return self.read(seconds)

    def stop(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass
