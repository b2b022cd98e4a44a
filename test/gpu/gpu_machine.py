"""What the machine is: its GPU, driver, CPU and PyTorch."""
import ctypes
import platform
import subprocess
import sys


def _gpu():
    """(properties of the first GPU or None, why there is none), by CUDA's driver alone."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return None, f"the system loads no libcuda.so.1 ({error})"
    status, count, version = driver.cuInit(0), ctypes.c_int(), ctypes.c_int()
    if status or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0:
        return None, f"the driver finds no GPU (status {status})"
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, 100, device)
    driver.cuDriverGetVersion(ctypes.byref(version))

    def attribute(number):
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, device)
        return value.value
    # Numbers of CUdevice_attribute.
    return {"name": name.value.decode(), "count": count.value, "cuda": version.value,
            "capability": f"{attribute(75)}.{attribute(76)}", "multiprocessors": attribute(16),
            "clock_mhz": attribute(13) // 1000, "memory_clock_mhz": attribute(36) // 1000,
            "memory_bus_bits": attribute(37), "l2_bytes": attribute(38)}, None


def _output(command, env):
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


_FIND_CUBLASLT = """
import ctypes
for name in ("libcublasLt.so.13", "libcublasLt.so.12"):
    try:
        print(name, ctypes.CDLL(name).cublasLtGetVersion())
        break
    except OSError:
        pass
"""


def _cpu():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


def describe(env):
    gpu, reason = _gpu()
    query = "driver_version,memory.total,clocks.max.sm,power.limit"
    return {"gpu": gpu, "reason": reason, "cpu": _cpu(), "system": platform.platform(),
            "nvidia_smi": _output(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"],
                                  env),
            "cublaslt": _output([sys.executable, "-c", _FIND_CUBLASLT], env),
            "torch": _output([sys.executable, "-c", "import torch; print(torch.__version__, "
                              "torch.version.cuda, torch.cuda.is_available())"], env)}
