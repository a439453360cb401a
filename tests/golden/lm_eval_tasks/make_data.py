"""Writes the items of the tasks, from the embedded family's own suite: `python make_data.py`."""

import csv
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from saltus.family.suite import suite

FOLDER = Path(__file__).parent / "tasks" / "data"


def lines(name, rows):
    (FOLDER / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def facts(items, start, stop):
    return [{"ask": item.input.strip("\n"), "says": item.target} for item in items["facts"][start:stop]]


def with_choices(rows, draw):
    for row in rows:
        wrong = [digit for digit in "0123456789" if digit != row["says"]]
        options = [row["says"], *draw.sample(wrong, 3)]
        draw.shuffle(options)
        row["options"] = options
        row["label"] = options.index(row["says"])
    return rows


def main():
    items = {task.name: list(task.items()) for task in suite().tasks}
    draw = random.Random(7)
    lines("facts_test.jsonl", with_choices(facts(items, 0, 20), draw))
    lines("facts_train.jsonl", with_choices(facts(items, 20, 34), draw))
    # Two pairs of the same rows, so that an item can be drawn for itself more than once.
    few = with_choices(facts(items, 34, 42), draw)
    lines("facts_twice.jsonl", [*few, few[0], few[3]])

    parity = [
        {"bits": item.input, "odd": int(item.target), "note": None if i % 3 else "é", "size": i / 2}
        for i, item in enumerate(items["parity"][:20])
    ]
    lines("parity.jsonl", parity)

    # Choices of several characters, one of them in letters that the models do not know (and of two bytes).
    lines(
        "words.jsonl",
        [
            {
                "q": item.input,
                "right": [0, 2] if i % 2 else [2],
                "options": {"a": item.target, "b": item.target[::-1] + "é", "c": item.target[:4], "d": item.target[:2]},
            }
            for i, item in enumerate(items["recite"][:14])
        ],
    )

    rows = []
    for item in items["reverse"][:16]:
        word = item.input.strip("\n<|")
        rows.append({"word": word, "answers": [item.target, item.target.upper()], "choices": [word, item.target, "xyz"]})
    lines("reverse.jsonl", rows)

    lines("recall.jsonl", [{"prompt": item.input, "answer": item.target} for item in items["recall"][:20]])
    lines("text.jsonl", [{"text": f"{item.input} {item.target}\n{item.target}  x"} for item in items["recite"][20:30]])

    with (FOLDER / "sums.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sum", "first", "share", "flag", "remark", "label"])
        for i, item in enumerate(items["addition"][:16]):
            text = item.input.strip("\n=")
            wrong = str(draw.randrange(10, 99))
            table.writerow([text, item.target, i / 4, i % 2 == 0, "" if i % 4 else "n/a, really", i % 2])

    pq.write_table(
        pa.table(
            {
                "given": [item.input for item in items["sort"][:16]],
                "wanted": [item.target for item in items["sort"][:16]],
                "keep": [i % 4 != 3 for i in range(16)],
            }
        ),
        FOLDER / "sorting.parquet",
    )


if __name__ == "__main__":
    main()
