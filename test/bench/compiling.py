"""What torch.compile takes for a training step, and how often it compiles for other shapes."""
import resource
import time

PAIRS = [(1 + i % 3, 16 * (i + 1)) for i in range(8)]   # B, T


def _graphs():
    import torch._dynamo
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def _compilations(spec, folder, form):
    """How many graphs the blocks take for 8 pairs of B and T."""
    import torch
    import torch_models
    w = torch_models.block_weights(torch_models.load_weights(spec, folder, torch.float32), 0)
    run = torch.compile(lambda w, x, length: torch_models.block(
        {**spec, "length": length}, w, "block", x, form))
    before = _graphs()
    with torch.no_grad():
        for batch, length in PAIRS:
            run(w, torch.zeros(batch, length, spec["dim"]), length)
    return _graphs() - before


def of_step(spec, folder, threads, shapes):
    """Milliseconds that the first step takes more than the next, and the process's peak
    memory; with `shapes` also the compilations after the first for other B and T."""
    import torch
    import torch_models
    import torch_peer
    torch.set_num_threads(threads)
    form = torch_models.mixer_forms(spec, True)[0]
    training = torch_models.Training(spec, folder, form, torch_peer.compiled)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        training.step()
        times.append((time.perf_counter() - start) * 1e3)
    facts = {"compile_ms": times[0] - times[1],
             "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if shapes:
        facts["recompilations"] = _compilations(spec, folder, form) - 1
    return facts
