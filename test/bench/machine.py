"""What the measurements ran on."""
import os
import platform

FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")


def _cpuinfo():
    facts = {}
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    return facts


def features():
    """Those of FEATURES that the CPU has."""
    flags = _cpuinfo().get("flags", "").split()
    return [name for name in FEATURES if name in flags]


def facts(versions):
    info = _cpuinfo()
    pages = os.sysconf("SC_PHYS_PAGES")
    return {"cpu": info.get("model name", platform.machine()),
            "cpus": len(os.sched_getaffinity(0)),
            "features": features(),
            "memory_gib": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
            "versions": versions}
