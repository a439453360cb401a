"""TransformerLens on the same checkpoints and tokens: head scores and ablations, one JSON line on stdout.

Runs in the environment of the peer: `transformer_lens_local.py FOLDER`, where benchmarks/interpret.py wrote
job.json and tokens.npz. Imports and the first use of each kind are not timed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformer_lens.model_bridge import TransformerBridge

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)


def opened(location: str) -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(location, attn_implementation="eager")
    tokenizer = transformers.AutoTokenizer.from_pretrained(location)
    return TransformerBridge.boot_transformers(
        location, hf_model=model.float(), tokenizer=tokenizer, device="cpu"
    )


def head_scores(locations: list[str], probes: list[dict[str, torch.Tensor]]) -> list[list[list[float]]]:
    """Previous-token and induction scores, the largest head of each checkpoint."""
    found = []
    for location in locations:
        model = opened(location)
        previous, induction = 0.0, 0.0
        with torch.inference_mode():
            for probe in probes:
                tokens, query, key = probe["tokens"], probe["queries"], probe["earlier"]
                _, cache = model.run_with_cache(tokens, names_filter=_is_pattern)
                patterns = torch.stack([value for name, value in cache.items() if _is_pattern(name)])
                row = torch.arange(len(tokens))[:, None]
                previous = previous + patterns[:, row, :, key + 1, key].mean((1, 2)) / len(probes)
                induction = induction + patterns[:, row, :, query, key + 1].mean((1, 2)) / len(probes)
        found.append([float(previous.max()), float(induction.max())])
    return found


def _is_pattern(name: str) -> bool:
    return name.endswith("hook_pattern")


def ablations(
    location: str, tokens: torch.Tensor, starts: torch.Tensor, answers: torch.Tensor
) -> list[float]:
    """Share of right answers with the mean of each head in its place."""
    model = opened(location)
    names = [f"blocks.{layer}.attn.hook_z" for layer in range(model.cfg.n_layers)]
    rows = torch.arange(len(tokens))
    found = []
    with torch.inference_mode():
        _, cache = model.run_with_cache(tokens, names_filter=lambda name: name in names)
        means = {name: cache[name].mean((0, 1)) for name in names}
        for name in names:
            for head in range(model.cfg.n_heads):

                def mean(value: torch.Tensor, hook: Any, name: str = name, head: int = head) -> torch.Tensor:
                    value = value.clone()
                    value[:, :, head] = means[name][head]
                    return value

                logits = model.run_with_hooks(tokens, fwd_hooks=[(name, mean)])
                right = logits[rows, starts].argmax(-1) == answers
                found.append(float(right.float().mean()))
    return found


def timed(what: Any, *given: Any) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = what(*given)
    return found, time.perf_counter() - wall, time.process_time() - cpu


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    arrays = {name: torch.from_numpy(value) for name, value in np.load(folder / "tokens.npz").items()}
    probes = [
        {key: arrays[f"{key}{i}"] for key in ("tokens", "queries", "earlier")} for i in range(job["probes"])
    ]
    recall = [arrays[name] for name in ("recall_tokens", "recall_starts", "recall_answers")]
    head_scores(job["checkpoints"][:1], probes)
    scores, wall, cpu = timed(head_scores, job["checkpoints"], probes)
    shares, ablation_wall, ablation_cpu = timed(ablations, job["final"], *recall)
    print(
        "\n"
        + json.dumps(
            {
                "heads": {"found": scores, "wall": wall, "cpu": cpu},
                "ablations": {"found": shares, "wall": ablation_wall, "cpu": ablation_cpu},
            }
        )
    )


main(Path(sys.argv[1]))
