"""lm-evaluation-harness with its `hf` backend on one multiple-choice task; run by the peers' Python.

    python lm_eval_local.py MODEL TASK-FOLDER BATCH-SIZE

Prints one JSON line: seconds of the evaluation alone (model loaded, imports done), accuracy and the
log-likelihood of every choice of every item, in the items' order.
"""

import json
import sys
import time

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager


def main(folder: str, tasks: str, batch: str) -> None:
    torch.set_num_threads(1)
    model = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=batch)
    manager = TaskManager(include_path=tasks, include_defaults=False)
    started = time.perf_counter()
    found = simple_evaluate(
        model, tasks=["choices"], task_manager=manager, log_samples=True, bootstrap_iters=0
    )
    seconds = time.perf_counter() - started
    samples = sorted(found["samples"]["choices"], key=lambda sample: sample["doc_id"])
    totals = [[float(one[0]) for one in sample["filtered_resps"]] for sample in samples]
    accuracy = found["results"]["choices"]["acc,none"]
    print("\n" + json.dumps({"seconds": seconds, "accuracy": accuracy, "totals": totals}))


if __name__ == "__main__":
    main(*sys.argv[1:])
