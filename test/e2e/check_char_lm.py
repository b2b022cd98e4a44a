"""The character language model's commands end to end, on a tiny model.

usage: check_char_lm.py CHAR-LM

Training learns, an interrupted run goes on bit for bit, generation is
repeatable, and what is refused gets one line and leaves nothing half written.
"""
import os
import json
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

CHAR_LM = sys.argv[1]
MODEL = ["--layers=1", "--dim=16", "--context=16", "--window=4", "--rank=4", "--batch=4",
         "--dropout=0.1", "--threads=1", "--plain"]
results = []


def check(name, good, detail=""):
    print(f"{'ok  ' if good else 'FAIL'} {name}" + ("" if good else f": {detail}"))
    results.append(bool(good))


def run(*arguments, **options):
    return subprocess.run([CHAR_LM, *arguments], capture_output=True, text=True, errors="replace",
                          timeout=300, **options)


def refused(name, pattern, *arguments, status=1, **options):
    done = run(*arguments, **options)
    lines = done.stderr.strip().splitlines()
    good = done.returncode == status and lines and re.search(pattern, lines[0])
    # A usage error is followed by a pointer to the help.
    check(name, good and len(lines) <= (1 if status == 1 else 2),
          f"exit {done.returncode}: {done.stderr[:300]}")


def held_out(text, when):
    return float(re.search(rf"held out {when}: ([0-9.]+) bits/char", text).group(1))


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def write_transformer(path, channels):
    """A Transformer as GPT-2 stores it that knows by its head which byte follows another."""
    pairs = list(zip(b"abcd", b"bcab"))
    embedding = [[0.0] * channels for _ in range(256)]
    head = [[0.0] * channels for _ in range(256)]
    for place, (byte, following) in enumerate(pairs):
        embedding[byte][place] = 1.0
        head[following][place] = 4.0
    tensors = {"wte.weight": embedding, "lm_head.weight": head,
               "h.0.attn.c_proj.weight": [[0.0] * channels] * channels,
               "h.0.mlp.c_proj.weight": [[0.0] * channels] * (4 * channels)}
    header, data = {}, b""
    for name, rows in tensors.items():
        flat = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
        header[name] = {"dtype": "F32", "shape": [len(rows), len(rows[0])],
                        "data_offsets": [len(data), len(data) + len(flat)]}
        data += flat
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


with tempfile.TemporaryDirectory() as folder:
    os.environ["AFT_CACHE_DIR"] = os.path.join(folder, "cache")
    data = os.path.join(folder, "data.bin")
    with open(data, "wb") as file:  # any bytes, with something to learn
        file.write(b"abcabd\xff\x00 " * 2000)
    train = ["train", f"--data={data}", *MODEL]
    steps = ["--steps=400", "--lr=0.01"]

    whole = os.path.join(folder, "whole")
    done = run(*train, *steps, f"--model-dir={whole}")
    check("training runs", done.returncode == 0, done.stderr)
    before, after = held_out(done.stdout, "before"), held_out(done.stdout, "after")
    check("training learns", before > 7 and after < 1, f"{before} to {after} bits/char")
    check("progress says steps, loss, rate and time left",
          re.search(r"training 400/400 .*bits/char, \d+ tokens/s .* left", done.stdout), done.stdout)

    parts = os.path.join(folder, "parts")
    process = subprocess.Popen([CHAR_LM, *train, *steps, f"--model-dir={parts}",
                                "--checkpoint-every=1"], stdout=subprocess.PIPE, text=True)
    checkpoint = os.path.join(parts, "checkpoint.pt")
    while not os.path.exists(checkpoint) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    stopped = re.search(r"interrupted after step (\d+)", output)
    check("an interrupt stops after a step", process.returncode == 130 and stopped
          and int(stopped.group(1)) < 400, output)
    done = run(*train, *steps, f"--model-dir={parts}", "--resume")
    check("resuming finishes", done.returncode == 0 and "resumed after step" in done.stdout,
          done.stdout + done.stderr)
    check("and is the uninterrupted run bit for bit",
          read(checkpoint) == read(os.path.join(whole, "checkpoint.pt")), "checkpoints differ")
    extended = os.path.join(folder, "extended")
    run(*train, "--steps=120", "--lr=0.01", f"--model-dir={extended}")
    done = run(*train, *steps, f"--model-dir={extended}", "--resume")
    check("a run that is resumed for more steps is the longer run bit for bit",
          "resumed after step 120" in done.stdout and
          read(os.path.join(extended, "checkpoint.pt")) == read(checkpoint), done.stderr)

    generate = ["generate", f"--model-dir={whole}", "--prompt=abcab", "--length=40", "--seed=3"]
    first, again = run(*generate), run(*generate)
    check("generation is repeatable", first.returncode == 0 and first.stdout == again.stdout,
          first.stderr)
    check("and begins with the prompt", first.stdout.startswith("abcab"), first.stdout)
    greedy = run(*generate, "--temperature=0").stdout
    check("and has learned the text", "abcabd" in greedy[5:], greedy)

    bench = run("bench", *MODEL[:5], "--batch=2", "--threads=1")
    check("bench compares", bench.returncode == 0 and
          re.search(r"training step +\| +[\d.]+ ms \| +[\d.]+ ms", bench.stdout), bench.stderr)

    # The kernels for a GPU train the same model, here on the CPU; dropout aside, which the steps
    # draw alike.
    few = [*train, "--steps=3", "--dropout=0"]
    found = {target: run(*few, f"--model-dir={folder}/{target}", f"--target={target}").stdout
             for target in ("cpu", "cuda-emulated")}
    for when in ("before", "after"):
        cpu, gpu = (held_out(found[target], when) for target in ("cpu", "cuda-emulated"))
        check(f"held out {when} training is the same with the kernels for a GPU",
              abs(cpu - gpu) <= 0.002 and cpu > 5, f"{cpu} and {gpu} bits/char")
    check("three steps change the model",
          held_out(found["cpu"], "after") < held_out(found["cpu"], "before") - 0.01, found["cpu"])
    text = {target: run(*generate[:1], f"--model-dir={folder}/cuda-emulated", "--prompt=ab",
                        "--length=5", f"--target={target}").stdout
            for target in ("cpu", "cuda-emulated")}
    check("and so is the text that it writes",
          len(set(text.values())) == 1 and text["cpu"].startswith("ab"), text)
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    refused("training without a GPU", "no CUDA driver|no GPU", *few, f"--model-dir={folder}/gpu",
            "--target=cuda", env=hidden)
    refused("generating without a GPU", "no CUDA driver|no GPU", *generate, "--target=cuda",
            env=hidden)
    refused("tuning for a GPU", "measured for target cpu alone, found target 'cuda-emulated'", *few,
            f"--model-dir={folder}/gpu", "--target=cuda-emulated", "--tune")
    refused("an unknown target", "--target expects cpu, cuda, cuda:sm_XX or cuda-emulated, found 'tpu'",
            *few, "--target=tpu", status=2)
    refused("products in TF32 on the CPU", "--f32-products=tf32 expects --target=cuda", *few,
            "--f32-products=tf32", status=2)
    refused("unknown products", "--f32-products expects one of exact, tf32, found 'fast'", *few,
            "--f32-products=fast", status=2)

    # The blocks add nothing and the head knows three bytes of nine.
    weights = os.path.join(folder, "transformer.safetensors")
    write_transformer(weights, 16)
    started = [*train, "--steps=1", f"--model-dir={folder}/started"]
    done = run(*started, f"--init-from={weights}")
    check("training begins with a Transformer's weights",
          done.returncode == 0 and held_out(done.stdout, "before") < before - 1, done.stdout)
    check("and says which", "tokens.weight <- wte.weight" in done.stdout
          and "kept as initialised:\n  positions" in done.stdout, done.stdout)
    done = run(*started, f"--init-from={weights}", "--init-without=head,query,key")
    check("but for those that are not wanted", done.returncode == 0
          and "lm_head.weight: 'head' does not carry over" in done.stdout, done.stdout)
    write_transformer(weights, 8)
    refused("a Transformer of another size",
            r"'wte.weight' for tokens.weight: expected the shape \[256, 16\], found \[256, 8\]",
            *started, f"--init-from={weights}")
    refused("a Transformer's file that is none", "expected a .safetensors file", *started,
            f"--init-from={data}")
    refused("a Transformer's weights and a checkpoint", "exclude each other", *started,
            f"--init-from={weights}", "--resume", status=2)

    empty, short = os.path.join(folder, "empty"), os.path.join(folder, "short")
    open(empty, "w").close()
    with open(short, "w") as file:
        file.write("short")
    for name, path in (("an empty file", empty), ("a short file", short)):
        refused(name, r"too short: expected at least \d+ bytes .* found \d", "train",
                f"--data={path}", *MODEL)
    refused("no file", "cannot be opened: No such file", "train", "--data=/nowhere/x", *MODEL)
    refused("a folder as data", "data|folder|directory|read", "train", f"--data={folder}", *MODEL)
    refused("no checkpoint", "no checkpoint there", "generate", f"--model-dir={folder}/none")
    refused("a checkpoint of another model", "another model: dim is 16 there, expected 32",
            *train, *steps, f"--model-dir={whole}", "--resume", "--dim=32")
    broken = os.path.join(folder, "broken")
    os.mkdir(broken)
    with open(os.path.join(broken, "checkpoint.pt"), "wb") as file:
        file.write(read(checkpoint)[:1000])
    refused("a damaged checkpoint", "not a checkpoint of char-lm, or damaged", "generate",
            f"--model-dir={broken}")

    whole_file = read(checkpoint)
    with zipfile.ZipFile(checkpoint) as records:  # the largest is a tensor
        place = whole_file.index(records.read(max(records.infolist(), key=lambda r: r.file_size)))
    with open(os.path.join(broken, "checkpoint.pt"), "wb") as file:
        file.write(whole_file[:place] + bytes([whole_file[place] ^ 64]) + whole_file[place + 1:])
    refused("a checkpoint with another number", "damaged: its numbers do not have its checksum",
            "generate", f"--model-dir={broken}")
    refused("no checkpoint to go on from", "no checkpoint there", *train, "--steps=3", "--resume",
            f"--model-dir={folder}/none")

    kept = read(checkpoint)
    refused("a full disk", "checkpoint.pt: cannot be written", *train, "--steps=3",
            f"--model-dir={parts}", preexec_fn=limit_file_size)
    check("leaves the old checkpoint and nothing else",
          read(checkpoint) == kept and os.listdir(parts) == ["checkpoint.pt"], os.listdir(parts))
    victim, linked = os.path.join(folder, "victim"), os.path.join(folder, "linked")
    with open(victim, "w") as file:
        file.write("precious")
    os.mkdir(linked)
    done = run(*train, "--steps=3", f"--model-dir={linked}",
               preexec_fn=lambda: os.symlink(victim, f"{linked}/checkpoint.pt.tmp{os.getpid()}"))
    check("a link in the checkpoint's way is not followed",
          done.returncode == 0 and read(victim) == b"precious" and os.listdir(linked) == ["checkpoint.pt"],
          f"{os.listdir(linked)} {read(victim)[:9]} {done.stderr}")
    refused("a loss that is not a number", "loss of step .* is not a number", *train,
            "--steps=200", "--lr=9", "--clip=0", "--weight-decay=10", f"--model-dir={folder}/nan")
    # What cannot be written is found out before the training, not after it.
    for name, flag, pattern in (
            ("a report that cannot be written", "--report=/nowhere/x.html", "cannot be written"),
            ("a report that is a folder", f"--report={folder}", "expected a file, found a folder"),
            ("a timeline that cannot be written", "--trace=/nowhere/x.json", "cannot be written"),
            ("a model directory that is a file", f"--model-dir={data}", "cannot be made"),
            ("a model directory below a file", f"--model-dir={data}/x", "cannot be made")):
        refused(name, pattern, *train, "--steps=1000000", f"--model-dir={folder}/early", flag)
    refused("a device as data", "found a device", "train", "--data=/dev/zero", *MODEL)
    refused("a model directory without a name", "--model-dir expects a name, found nothing",
            *train, "--model-dir=", status=2)
    refused("too many threads", "--threads expects an integer from 0 to 4096, found '5000'", *train,
            "--threads=5000", status=2)
    refused("an unknown option", "unknown option --speed", "train", "--speed=1", status=2)
    refused("a wrong number", "--steps expects", *train, "--steps=none", status=2)
    refused("no command", "expected a command", status=2)

print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
