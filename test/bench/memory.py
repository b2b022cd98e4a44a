"""Peak memory of a training step beyond parameters, gradients and the optimiser's state."""


def _peak(profile):
    """The most bytes that were allocated at once beyond those at the start."""
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def peak_of_step(spec, folder, peer, threads):
    """Bytes, as LibTorch's allocator counts them: what the process holds says less, for
    freed memory stays with it. Two steps run before, so that gradients and state are there."""
    import torch
    import torch_models
    torch.set_num_threads(threads)
    form = peer if peer in ("sdpa", "softmax") else torch_models.mixer_forms(spec, False)[0]
    training = torch_models.Training(spec, folder, form, lambda f: f)
    for _ in range(2):
        training.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU],
                                profile_memory=True) as profile:
        training.step()
    return _peak(profile)
