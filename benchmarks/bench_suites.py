"""Processor time and memory of suites of 200,000 items: checked and read, beside decoding the same lines."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ITEMS = 200_000
TASK = "tasks:\n  - name: t\n    items: items.jsonl\n"
SUITES = {
    "{input}": "    prompt: 'Q: {input}'\n",
    "{{ columns }}": "    prompt: 'Q: {{ input }} {{ id }}'\n",
    "Jinja filters": "    prompt: 'Q: {{ input | trim }} {{ band | default(id) }}'\n    slices: [id]\n",
    "few-shot, shuffled": "    few_shot: 3\n    shuffle: true\n",
}


def write(folder: Path) -> None:
    draw = random.Random(0)  # noqa: S311
    with (folder / "items.jsonl").open("w") as file:
        for i in range(ITEMS):
            item = {"id": f"q{i}", "input": f"{i} " + "word " * draw.randint(5, 40), "target": str(i)}
            file.write(json.dumps(item) + "\n")


def resident(what: str = "VmHWM") -> float:
    """Megabytes: VmHWM the most until now, VmRSS now."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def measure(path: str) -> None:
    """Measure one suite in a process of its own."""
    import msgspec
    import numpy  # noqa: F401 - loaded before the memory is looked at

    from saltus.tasks import get_suite
    from saltus.tasks.validate import check_suite

    (Path(path).parent / "one.jsonl").write_text('{"input": "a", "target": "b"}\n')
    check_suite(str(Path(path).parent / "one.jsonl"))
    before = resident("VmRSS")
    times = []
    for step in (
        lambda: check_suite(path),
        lambda: get_suite(path),
        lambda: sum(1 for _ in get_suite(path, check=False).tasks[0].items()),
    ):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    grown = resident() - before
    decode = msgspec.json.Decoder().decode
    start = time.process_time()
    with (Path(path).parent / "items.jsonl").open("rb") as file:
        for line in file:
            decode(line)
    print(json.dumps([*times, time.process_time() - start, grown]))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        print(f"{ITEMS:,} items, {(folder / 'items.jsonl').stat().st_size / 1e6:.0f} MB")
        head = ("validate s", "get_suite s", "iterate s", "decode s", "grows MB")
        print(f"{'suite':<20}" + "".join(f"{word:>12}" for word in head))
        for what, options in SUITES.items():
            (folder / "s.yaml").write_text(TASK + options)
            run = subprocess.run(
                [sys.executable, __file__, str(folder / "s.yaml")], capture_output=True, text=True, check=True
            )
            check, found, read, floor, grown = json.loads(run.stdout)
            print(f"{what:<20}{check:>12.2f}{found:>12.2f}{read:>12.2f}{floor:>12.2f}{grown:>12.1f}")


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
