"""Looking inside networks, with TransformerLens beside it in one run: seconds, passes, memory.

    python benchmarks/interpret.py                    # Saltus alone
    python benchmarks/interpret.py --peers FOLDER     # and TransformerLens, from its environment there

`python -m venv FOLDER && FOLDER/bin/pip install torch==2.13.0 transformer-lens==4.3.0 safetensors` makes the
environment. One thread each; imports and the first use of everything are not timed. Head scores load every
checkpoint anew on both sides, and TransformerLens computes two of the scores where Saltus computes all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

HERE = Path(__file__).parent
LIMITS = {"heads": 3.0, "ablations": 5.0, "passes": 5, "memory": 3_000.0}  # s, s, passes, MB
LONG, PROMPTS, VOCABULARY = 1_024, 4, 50_304


def timed(what: Callable[[], Any], repeats: int = 3) -> tuple[Any, float, float]:
    """Its answer, and the least wall-clock and processor seconds of some repeats, after one that warms up."""
    found = what()
    seconds = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        found = what()
        seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return found, min(wall for wall, _ in seconds), min(cpu for _, cpu in seconds)


def family() -> tuple[list[Any], Any]:
    """The 42 checkpoints, and the model whose heads are ablated."""
    from saltus.family import checkpoints, finals

    last = {record.name: record for record in finals(0)}
    return [*checkpoints("2x64"), *checkpoints("1x48"), last["tiro-2x48"], last["tiro-3x80"]], last[
        "tiro-3x80"
    ]


def prompts_of(record: Any) -> tuple[Any, Any]:
    """The recall task of the family as tokens, and the opened model."""
    from saltus.interpret.network.checkpoints import open_model
    from saltus.interpret.network.prompts import make_prompts
    from saltus.tasks import get_suite

    opened = open_model(record)
    [task] = [one for one in get_suite("family").tasks if one.name == "recall"]
    return make_prompts(list(task.items()), opened.encoder, context=opened.context), opened


def head_scores_of(records: list[Any], probes: Any, prompts: Any) -> list[Any]:
    """All scores of all heads at all checkpoints."""
    from saltus.interpret.attention.heads import head_scores
    from saltus.interpret.network.checkpoints import open_checkpoints

    return [head_scores(model, probes, prompts) for _, model in open_checkpoints(records)]


def ablated(model: Any, prompts: Any) -> list[float]:
    """Share of right answers with the mean of each head in its place."""
    from saltus.interpret.causal.ablation import ablate, reference
    from saltus.interpret.network.scoring import score_prompts

    # TransformerLens is given the mean over all places, so that is what is compared.
    means = msgspec.structs.replace(reference(model, prompts), places={})
    return [
        score_prompts(model, prompts, ablate(model, [head], baseline=means)).score
        for head in model.components("head")
    ]


@contextmanager
def counted(model: Any) -> Iterator[dict[str, int]]:
    """Count rows that go forward with gradients and without."""
    rows, run = {"backward": 0, "forward": 0}, model.run

    def counting(batch: Any, **how: Any) -> Any:
        rows["backward" if how.get("gradients") else "forward"] += len(batch.rows)
        return run(batch, **how)

    model.run = counting
    try:
        yield rows
    finally:
        del model.run


def passes(model: Any, prompts: Any) -> tuple[float, float, int]:
    """Forward-backward passes over all prompts, forward passes alone, and components of one screen."""
    from saltus.interpret.causal.screening import screen

    with counted(model) as rows:
        found = screen(model, prompts)
    return rows["backward"] / len(prompts), rows["forward"] / len(prompts), len(found.components)


def memory() -> None:
    """Head scores and screen of a random 160M GPT-NeoX on long prompts; prints the most resident memory."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    from saltus.interpret.attention.heads import head_scores
    from saltus.interpret.attention.probes import Vocabulary, make_probes
    from saltus.interpret.causal.screening import screen
    from saltus.interpret.network.hooked import HookedModel
    from saltus.interpret.network.prompts import Prompts

    torch.set_num_threads(os.cpu_count() or 1)  # its memory is asked for, not its time
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=768, num_hidden_layers=12, num_attention_heads=12
    )
    config.intermediate_size, config.max_position_embeddings = 3_072, 2_048
    model = HookedModel(GPTNeoXForCausalLM(config), name="random-160M")
    rng = np.random.default_rng(0)
    tokens, twins = (rng.integers(VOCABULARY, size=(PROMPTS, LONG)) for _ in range(2))
    twins[:, LONG // 2 :] = tokens[:, LONG // 2 :]
    answers = rng.integers(VOCABULARY, size=(PROMPTS, 2))
    prompts = Prompts(
        task="random",
        metric="exact_match",
        samples=tuple(map(str, range(PROMPTS))),
        tokens=tokens,
        lengths=np.full(PROMPTS, LONG),
        starts=np.full(PROMPTS, LONG - 1),
        answers=answers[:, :1],
        items=np.arange(PROMPTS),
        right=np.ones(PROMPTS, bool),
        rivals=answers[:, 1],
        sources=np.full((PROMPTS, 1), LONG // 2),
        twins=twins,
    )
    words = Vocabulary(tokens=tuple(range(VOCABULARY)))
    loaded = resident()
    start = time.perf_counter()
    head_scores(model, make_probes(words, context=LONG, lengths=(400,)), prompts)
    scored = resident()
    screen(model, prompts)
    print(
        json.dumps({"loaded": loaded, "scored": scored, "most": resident(), "s": time.perf_counter() - start})
    )


def resident() -> float:
    """Most resident memory of this process until now, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(command: list[str]) -> Any:
    """The JSON that a process prints last."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def peer(folder: Path, records: list[Any], last: Any, probes: Any, prompts: Any) -> Any:
    """What TransformerLens finds on the same tokens."""
    with tempfile.TemporaryDirectory() as name:
        arrays: dict[str, Any] = {
            f"{key}{i}": getattr(one, key)
            for i, one in enumerate(probes.repeats)
            for key in ("tokens", "queries", "earlier")
        }
        arrays |= {"recall_tokens": prompts.tokens, "recall_starts": prompts.starts}
        np.savez(Path(name) / "tokens.npz", **arrays, recall_answers=prompts.answers[:, 0])
        job = {"checkpoints": [one.location for one in records], "final": last.location}
        (Path(name) / "job.json").write_text(json.dumps(job | {"probes": len(probes.repeats)}))
        script = str(HERE / "peers/transformer_lens_local.py")
        return child([str(folder / "bin/python"), script, name])


def say(what: str, ours: str, limit: str, theirs: str = "") -> None:
    print(f"{what:<58} {ours:>18} {limit:>12} {theirs:>34}", flush=True)


def against(ours: float, cpu: float, theirs: Any) -> str:
    """The peer's seconds, and how many times as long that is by processor time."""
    return f"{theirs['wall']:.2f} s ({theirs['cpu'] / cpu:.1f} x)" if theirs else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder of a virtual environment with TransformerLens")
    parser.add_argument("--inside", choices=["memory"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        memory()
        return
    import torch

    from saltus.interpret.attention.probes import make_probes, probe_vocabulary

    torch.set_num_threads(1)
    records, last = family()
    prompts, opened = prompts_of(last)
    probes = make_probes(probe_vocabulary(opened.encoder, prompts), context=opened.context or LONG)
    theirs = peer(options.peers, records, last, probes, prompts) if options.peers else {}
    say("", "Saltus", "at most", "TransformerLens (processor time)")
    _, wall, cpu = timed(partial(head_scores_of, records, probes, prompts))
    what = f"all head scores, {len(records)} checkpoints, loading included"
    say(what, f"{wall:.2f} s, cpu {cpu:.2f}", f"{LIMITS['heads']} s", against(wall, cpu, theirs.get("heads")))
    shares, wall, cpu = timed(partial(ablated, opened.model, prompts))
    what = f"all {len(shares)} single-head ablations of 3x80, {len(prompts)} items"
    say(
        what,
        f"{wall:.2f} s, cpu {cpu:.2f}",
        f"{LIMITS['ablations']} s",
        against(wall, cpu, theirs.get("ablations")),
    )
    if theirs:
        gap = np.abs(np.array(shares) - np.array(theirs["ablations"]["found"])).max()
        say("  largest difference between the two in a share", f"{gap:.4f}", "")
    backward, forward, components = passes(opened.model, prompts)
    what = f"attribution patching of all {components} components of 3x80"
    say(what, f"{backward:g} passes", f"{LIMITS['passes']} passes", f"and {forward:g} forward passes")
    found = child([sys.executable, str(HERE / "interpret.py"), "--inside", "memory"])
    what = f"random 160M GPT-NeoX, {PROMPTS} prompts of {LONG:,} tokens: heads, screen"
    said = f"{found['loaded']:,.0f} with weights, {found['scored']:,.0f} after heads; {found['s']:.0f} s"
    say(what, f"{found['most']:,.0f} MB", f"{LIMITS['memory']:,.0f} MB", said)


if __name__ == "__main__":
    main()
