"""The runner beside its peers: whole processes, one after another, on the same items and the same server.

    python benchmarks/runner.py                    # Saltus and a bare aiohttp loop
    python benchmarks/runner.py --peers FOLDER     # and lm-evaluation-harness and Inspect, installed there

Exact match on one request a sample; nothing is cached but where it says so. Saltus writes all that it
is told, with log-probabilities of 16 tokens; the bare loop writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from loopback import Loopback

HERE = Path(__file__).parent
PEERS = ("torch==2.13.0", "lm-eval[api,hf]==0.4.13", "inspect-ai", "openai")


class Measured(msgspec.Struct):
    """One process, from its start to its end."""

    seconds: float
    megabytes: float  # most resident memory
    started: float = 0.0
    output: str = ""


def measure(command: list[str], **env: str) -> Measured:
    started, begun = time.time(), time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | env, cwd=HERE / "peers"
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output[-3000:]}")
    return Measured(time.perf_counter() - begun, usage.ru_maxrss / 1024, started, output)


def write_items(folder: Path, count: int) -> Path:
    items = folder / f"sums-{count}.jsonl"
    with items.open("w") as file:
        for i in range(count):
            one, other = 1000 + i * 7 % 90_001, 100 + i * 13 % 9_001
            row = {
                "id": f"s{i}",
                "input": f"What is {one} + {other}? Item {i}. Answer:",
                "target": str(one + other),
            }
            file.write(json.dumps(row) + "\n")
    (folder / f"suite-{count}.toml").write_text(
        f"""[[tasks]]
name = "sums"
items = "{items.name}"
kind = "generation"
metrics = ["exact_match"]
max_tokens = 16
"""
    )
    return items


def saltus(folder: Path, count: int, url: str, store: Path, connections: int = 64) -> Measured:
    command = [sys.executable, "-m", "saltus", "run", str(folder / f"suite-{count}.toml"), "--json"]
    command += ["-M", f"{url}#bench", "-O", f"connections={connections}", "-O", "api=completions"]
    return measure([*command, "--store", str(store)])


def bytes_of(store: Path) -> int:
    return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())


def zero_delay(folder: Path, count: int) -> tuple[float, float]:
    """Saltus and the bare loop; gives the rates of both."""
    store = folder / f"store-{count}"
    with Loopback() as server:
        bare = measure(
            [
                sys.executable,
                str(HERE / "peers/bare.py"),
                server.url,
                str(folder / f"sums-{count}.jsonl"),
                "64",
            ]
        )
        assert json.loads(bare.output)["samples"] == count
    with Loopback() as server:
        ours = saltus(folder, count, server.url, store)
        summary, stats = json.loads(ours.output), server.stats()
        assert (summary["samples"], stats["requests"]) == (count, count), (summary, stats)
        again = saltus(folder, count, server.url, store)
        assert server.stats()["requests"] == count
        stored = bytes_of(store) / count
        shutil.rmtree(store / "lake")
        cached = saltus(folder, count, server.url, store)
        assert (json.loads(cached.output)["samples"], server.stats()["requests"]) == (count, count)
    rates = count / ours.seconds, count / bare.seconds
    say(f"{count:,} samples, zero delay, 64 connections")
    say(
        "  samples/s, whole process",
        f"{rates[0]:,.0f}",
        f"bare aiohttp {rates[1]:,.0f}, ratio {rates[0] / rates[1]:.2f}",
    )
    say("  resident memory", f"{ours.megabytes:.0f} MB", f"bare aiohttp {bare.megabytes:.0f} MB")
    say("  first request after", f"{stats['first'] - ours.started:.2f} s")
    say("  stored a sample", f"{stored:.0f} bytes")
    say("  again, finished run", f"{again.seconds:.2f} s", "no request")
    say("  again, from the cache", f"{cached.seconds:.2f} s", "no request; the lake was deleted")
    return rates[0], ours.megabytes


def slow_server(folder: Path) -> None:
    count, connections, delay = 2_000, 200, 0.2
    with Loopback(delay) as server:
        ours = saltus(folder, count, server.url, folder / "store-slow", connections)
        stats = server.stats()
    rate = count / (ours.started + ours.seconds - stats["first_sample"])
    begun = stats["first_sample"] - ours.started
    say(f"{count:,} samples, {delay * 1000:.0f} ms a request, {connections} connections")
    say(
        "  first sample asked after",
        f"{begun:.2f} s",
        f"{stats['others']} requests to see what the server can do",
    )
    say(
        "  samples/s from then to the end",
        f"{rate:,.0f}",
        f"{rate / (connections / delay):.0%} of the ideal {connections / delay:,.0f}",
    )


def peers(folder: Path, python: Path, count: int, ours: float) -> None:
    (folder / "lm").mkdir(exist_ok=True)
    (folder / "lm/sums.yaml").write_text(
        f"""task: sums
dataset_path: json
dataset_kwargs:
  data_files: {{"test": "{folder / f"sums-{count}.jsonl"}"}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{input}}}}"
doc_to_target: "{{{{target}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 16, do_sample: false}}
metric_list:
  - metric: exact_match
"""
    )
    with Loopback() as server:
        arguments = f"model=bench,base_url={server.url}/completions,num_concurrent=64,tokenizer_backend=none"
        command = [str(python.parent / "lm_eval"), "--model", "local-completions", "--model_args", arguments]
        command += [
            "--tasks",
            "sums",
            "--include_path",
            str(folder / "lm"),
            "--output_path",
            str(folder / "lm/out"),
        ]
        lm = measure(
            [*command, "--log_samples"],
            HF_HOME=str(folder / "hf"),
            HF_DATASETS_OFFLINE="1",
            HF_HUB_OFFLINE="1",
            OPENAI_API_KEY="none",
        )
        assert server.stats()["requests"] == count, server.stats()
    say(
        "  lm-evaluation-harness 0.4.13",
        f"{count / lm.seconds:,.0f}",
        f"{lm.megabytes:.0f} MB; Saltus is {ours / (count / lm.seconds):.0f} x",
    )
    with Loopback() as server:
        command = [
            str(python.parent / "inspect"),
            "eval",
            "inspect_task.py",
            "--model",
            "openai-api/bench/bench",
        ]
        command += [
            "--max-connections",
            "64",
            "--max-samples",
            "64",
            "--display",
            "none",
            "--log-dir",
            str(folder / "inspect"),
            "--max-tokens",
            "16",
        ]
        inspect = measure(
            command,
            BENCH_ITEMS=str(folder / f"sums-{count}.jsonl"),
            BENCH_BASE_URL=server.url,
            BENCH_API_KEY="none",
        )
        assert server.stats()["requests"] == count, server.stats()
    say(
        "  Inspect",
        f"{count / inspect.seconds:,.0f}",
        f"{inspect.megabytes:.0f} MB; Saltus is {ours / (count / inspect.seconds):.0f} x",
    )


def say(what: str, figure: str = "", beside: str = "") -> None:
    print(f"{what:38} {figure:>10}  {beside}".rstrip(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument(
        "--many", type=int, default=0, help="measure memory at this number of samples as well"
    )
    parser.add_argument(
        "--peers", type=Path, help="folder of a virtual environment for the peers; made when missing"
    )
    parser.add_argument("--peer-samples", type=int, default=2_000)
    options = parser.parse_args()
    if options.peers and not (options.peers / "bin/lm_eval").exists():
        subprocess.run([sys.executable, "-m", "venv", str(options.peers)], check=True)
        for package in (PEERS[:1], PEERS[1:]):  # torch first and by its version
            subprocess.run([str(options.peers / "bin/pip"), "install", "--quiet", *package], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in {options.samples, options.many, 2_000, options.peer_samples} - {0}:
            write_items(folder, count)
        rate, memory = zero_delay(folder, options.samples)
        if options.many:
            _, more = zero_delay(folder, options.many)
            say(
                "  memory grows by",
                f"{more / memory - 1:.0%}",
                f"from {options.samples:,} samples to {options.many:,}",
            )
        if options.peers:
            say(f"peers, {options.peer_samples:,} samples, zero delay, 64 connections, samples/s")
            peers(folder, options.peers / "bin/python", options.peer_samples, rate)
        slow_server(folder)


if __name__ == "__main__":
    main()
