"""Times the formulations of a peer on the GPU: torch_times.py SPEC FOLDER PEER

Prints one JSON object: the median of the fastest in ms, and what the others took.
"""
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import torch  # noqa: E402

torch.set_default_device("cuda")
import gpu_cases  # noqa: E402
import torch_peer  # noqa: E402

LEAST, MOST, SECONDS = 5, 50, 5


def median_ms(work):
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    times, start = [], time.monotonic()
    while len(times) < LEAST or (len(times) < MOST and time.monotonic() - start < SECONDS):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        work()
        after.record()
        after.synchronize()
        times.append(before.elapsed_time(after))
    return statistics.median(times)


def main(spec, folder, peer):
    gpu_cases.tell_torch(torch, spec)
    found, failed = {}, {}
    for name, make in torch_peer.forms(spec, folder, peer):
        try:
            work, _ = make()
            found[name] = median_ms(work)
        except Exception as error:  # a form that does not run is no reason to stop
            failed[name] = str(error)[:300]
        torch.cuda.empty_cache()
    row = {"forms": found, "failed": failed}
    if found:
        row["form"] = min(found, key=found.get)
        row["ms"] = found[row["form"]]
        if spec["op"] == "decode":
            import torch_models
            row["ms"] /= torch_models.TOKENS
    else:
        row["error"] = "no form runs"
    print(json.dumps(row))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
