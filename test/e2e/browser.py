"""A headless Chromium over the DevTools protocol, through a pair of pipes."""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find():
    """The browser: AFT_CHROMIUM, else the first that the path has."""
    named = os.environ.get("AFT_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        if shutil.which(name):
            return shutil.which(name)
    raise SystemExit("no browser found: expected one of " + ", ".join(NAMES) +
                     ", or AFT_CHROMIUM (`.ci/setup tests` installs chromium)")


class Browser:
    """Use as a context; `open` shows a page, `faults` are the errors it had."""

    def __init__(self, seconds=60):
        self.seconds = seconds
        self.folder = tempfile.TemporaryDirectory(prefix="aft-browser-")
        self.pending, self.count, self.session = b"", 0, None
        self.faults, self.requests, self.events = [], [], []

    def __enter__(self):
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        # The browser reads from 3 and writes to 4, whatever these are here.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]

        def connect():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
             "--disable-extensions", "--disable-component-update", "--remote-debugging-pipe",
             "--user-data-dir=" + os.path.join(self.folder.name, "profile")],
            preexec_fn=connect, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        for fd in high + [theirs_in, theirs_out]:
            os.close(fd)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        self.log.close()
        # The browser's children may still write for a moment.
        for _attempt in range(20):
            try:
                self.folder.cleanup()
                return
            except OSError:
                time.sleep(0.1)

    def _message(self, deadline):
        while b"\0" not in self.pending:
            ready = select.select([self.into], [], [], max(0, deadline - time.monotonic()))[0]
            part = os.read(self.into, 1 << 16) if ready else b""
            if not part:
                self.log.seek(0)
                raise RuntimeError("the browser does not answer:\n" + self.log.read()[-2000:])
            self.pending += part
        text, self.pending = self.pending.split(b"\0", 1)
        return json.loads(text)

    def _take(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.faults.append(details.get("exception", {}).get("description",
                                                                details.get("text")))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.faults.append(str(params["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if method:
            self.events.append(method)

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self.seconds
        while True:
            answer = self._message(deadline)
            if answer.get("id") != self.count:
                self._take(answer)
                continue
            if "error" in answer:
                raise RuntimeError(method + ": " + answer["error"]["message"])
            return answer["result"]

    def open(self, path, width=1280, height=900, mobile=False):
        """Loads a file; forgets what earlier pages did."""
        self.faults, self.requests, self.events = [], [], []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        deadline = time.monotonic() + self.seconds
        while "Page.loadEventFired" not in self.events:
            self._take(self._message(deadline))

    def evaluate(self, script):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(script + ": " + json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def screenshot(self, path, top=None, height=0):
        """The whole page as a PNG, or a strip of it: for people to look at."""
        clip = {}
        if top is not None:
            width = self.evaluate("innerWidth")
            clip = {"clip": {"x": 0, "y": top, "width": width, "height": height, "scale": 1}}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, **clip)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
