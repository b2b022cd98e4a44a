"""The Python environment of the peers, made on demand in .deps/bench."""
import json
import subprocess
import sys
from pathlib import Path

TORCH = "2.13.0"
# One that works with Python 3.11, of Debian 12.
PACKAGES = {"numpy": "numpy>=1.26", "jax": "jax==0.10.2"}
VERSIONS = """
import importlib.metadata as m, json
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
print(json.dumps({n: version(n) for n in ("torch", "numpy", "jax")}))
"""


def versions(python):
    """{package: version or None} of an environment."""
    done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _pip(python, *packages):
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                    "--no-input", *packages], check=True)


def _share_torch(python, place):
    """Lets the environment see the LibTorch of the build's own, rather than install it twice."""
    own = versions(sys.executable)["torch"]
    if not own or own.split("+")[0] != TORCH:
        return
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    source, target = (subprocess.run([p, "-c", code], capture_output=True, text=True,
                                     check=True).stdout.strip() for p in (sys.executable, python))
    (Path(target) / "build-environment.pth").write_text(source + "\n")


def environment(place):
    """Makes the environment in `place` where it is not complete; returns (python, versions,
    [what could not be installed])."""
    python, missing = str(Path(place) / "bin/python"), []
    if not Path(python).exists():
        print(f"bench: making the peers' Python environment in {place}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        _share_torch(python, place)
    found = versions(python)
    wanted = {**PACKAGES, "torch": f"torch=={TORCH}"}
    for name, requirement in wanted.items():
        if found[name]:
            continue
        print(f"bench: installing {requirement}", flush=True)
        try:
            _pip(python, requirement)
        except subprocess.CalledProcessError:
            missing.append(name)
    return python, versions(python), missing
