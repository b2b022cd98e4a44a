"""Peak memory of a training step beyond parameters, gradients and the optimiser's state."""
import re


def _status(key):
    with open("/proc/self/status") as lines:
        return int(re.search(rf"^{key}:\s+(\d+) kB", lines.read(), re.M).group(1)) * 1024


def peak_of_step(spec, folder, peer, threads):
    """Bytes. The process gives memory back as soon as it is free (MALLOC_TRIM_THRESHOLD_),
    so that what is resident before a step is what stays."""
    import torch
    import torch_models
    torch.set_num_threads(threads)
    form = peer if peer in ("sdpa", "softmax") else torch_models.mixer_forms(spec, False)[0]
    training = torch_models.Training(spec, folder, form, lambda f: f)
    for _ in range(2):
        training.step()
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    training.step()
    return _status("VmHWM") - before
