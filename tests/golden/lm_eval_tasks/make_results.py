"""Runs lm-evaluation-harness itself on the tasks: `python make_results.py NAME DIRECTORY [NAME DIRECTORY ...]`.

Run it in the folder `tasks`, in an environment that has lm_eval and transformers. NAME is that of the file to write,
DIRECTORY a checkpoint of the embedded family.
"""

import json
import math
import sys
from pathlib import Path

TASKS = (
    "parity_columns facts_drawn facts_rule facts_same_split facts_first words_several facts_loglikelihood text_rolling "
    "reverse_filters reverse_several reverse_letter recall_corpus sums_csv sorting_functions"
).split()


def main():
    import datasets
    import lm_eval
    import transformers
    from lm_eval.tasks import TaskManager

    arguments = sys.argv[1:]
    for name, directory in zip(arguments[::2], arguments[1::2], strict=True):
        written = {
            "versions": {module.__name__: module.__version__ for module in (lm_eval, datasets, transformers)},
            "tasks": {},
        }
        for wanted in (TASKS, ["golden_group"]):
            found = lm_eval.simple_evaluate(
                model="hf",
                model_args={"pretrained": directory, "dtype": "float32"},
                tasks=wanted,
                task_manager=TaskManager(include_path="."),
                log_samples=True,
                bootstrap_iters=0,
                device="cpu",
                batch_size=8,
            )
            tasks = {task: compact(found["samples"][task], found["results"][task]) for task in found["samples"]}
            if wanted == ["golden_group"]:
                written["group"] = {
                    "order": list(found["samples"]),
                    "n_shot": {task: found["n-shot"][task] for task in found["samples"]},
                    "results": {task: one["results"] for task, one in tasks.items()},
                }
            else:
                written["tasks"] = tasks
        path = Path(__file__).parent / f"{name}.json"
        path.write_text(json.dumps(written, indent=0, ensure_ascii=False, sort_keys=True) + "\n")


def compact(samples, results):
    """Prompts and answers once an item, and each metric under each filter."""
    items = {}
    for sample in samples:
        item = items.setdefault(sample["doc_id"], {"arguments": [], "answers": [], "metrics": {}})
        asked = [list(one) for one in sample["arguments"]]
        item["arguments"] = [[part for part in one if isinstance(part, str)] for one in asked]
        item["answers"] = [plain(answer) for answer in sample["resps"]]
        for metric in sample["metrics"]:
            item["metrics"][f"{metric},{sample['filter']}"] = plain(sample[metric])
    kept = {key: plain(value) for key, value in results.items() if "," in key and "_stderr" not in key}
    return {"items": [items[number] for number in sorted(items)], "results": kept}


def plain(value):
    if isinstance(value, str | bool) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, int) or not math.isfinite(value) else round(value, 7)


if __name__ == "__main__":
    main()
