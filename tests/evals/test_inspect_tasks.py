"""Tasks of Inspect, run on the embedded family: what Inspect's own log says is what the store holds."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals.inspect_tasks import InspectSettings, run_inspect_task
from saltus.family import path as checkpoint
from saltus.models import load_model
from saltus.records import GenerateRequest, InputError, UsageError

TASKS = """
from inspect_ai import Epochs, Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import choice, includes, match
from inspect_ai.solver import generate, multiple_choice, solver

WORDS = {"jesygh": "hgysej", "erwcxo": "oxcwre", "abcdef": "fedcba", "zzyyxx": "xxyyzz"}


@task
def reverse(shout: bool = False):
    change = str.upper if shout else str
    return Task(
        dataset=MemoryDataset(
            [
                Sample(id=word, input=f"\\n<{word}|", target=change(back), metadata={"length": len(word)})
                for word, back in WORDS.items()
            ]
        ),
        solver=generate(),
        scorer=[match(location="exact"), includes(ignore_case=False)],
        config=GenerateConfig(max_tokens=8, stop_seqs=["\\n"]),
    )


@task
def pick():
    return Task(
        dataset=MemoryDataset(
            [Sample(id=i, input="?wh:", choices=["0", "2"], target="AB"[i % 2]) for i in range(1, 4)]
        ),
        solver=multiple_choice(template="\\n{question}{choices}"),
        scorer=choice(),
        config=GenerateConfig(max_tokens=4),
    )


@task
def sampled():
    return Task(
        dataset=MemoryDataset([Sample(id="one", input="\\n<", target="x")]),
        solver=generate(),
        scorer=includes(),
        epochs=Epochs(6, "mean"),
        config=GenerateConfig(max_tokens=6, temperature=1.0),
    )


@solver
def breaks():
    async def solve(state, generate):
        if state.sample_id == "erwcxo":
            raise RuntimeError("broken on purpose")
        return await generate(state)

    return solve


@task
def partly():
    made = reverse()
    made.solver = breaks()
    return made


@task
def impossible():
    raise ValueError("no such data")
"""
MODELS = (("tiro-2x64", 550), ("tiro-3x80", 2000))

# Inspect uses what others deprecate, and leaves streams open, which Python says when it collects them.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def store(tmp_path: Path) -> saltus.Store:
    return saltus.open(tmp_path / "evidence")


def records() -> list[saltus.ModelRecord]:
    return [
        saltus.ModelRecord(name=name, revision=f"step{step}", location=str(checkpoint(name, step)))
        for name, step in MODELS
    ]


def scores(store: saltus.Store, run: str) -> dict[tuple[str, str, int, str], float]:
    rows = store.sql(
        "SELECT model, sample, epoch, metric, value FROM scores WHERE run = ?", [run]
    ).to_pylist()
    return {(row["model"], row["sample"], row["epoch"], row["metric"]): row["value"] for row in rows}


def test_scores_and_outputs_are_those_of_the_log(file: Path, store: saltus.Store, tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    done = run_inspect_task(f"{file}@reverse", records(), store=store, log_dir=tmp_path / "logs")
    assert done.problems == ()
    assert (done.samples, done.failed) == (8, 0)
    found = scores(store, done.run)
    logs = [read_eval_log(info) for info in list_eval_logs(str(tmp_path / "logs"))]
    assert {log.eval.model for log in logs} == {f"saltus/{record.id}" for record in records()}
    compared = 0
    for log in logs:
        model = log.eval.model.removeprefix("saltus/")
        said = store.samples("reverse", model=model).to_pylist()
        outputs = {row["sample"]: row["output"] for row in said}
        for sample in log.samples or []:
            assert outputs[str(sample.id)] == sample.output.completion
            for scorer, score in (sample.scores or {}).items():
                assert found[model, str(sample.id), 0, scorer] == float(score.value == "C")
                compared += 1
    assert compared == 16
    assert sum(found.values()) > 0  # the large one reverses


def test_the_model_says_what_it_says_elsewhere(file: Path, store: saltus.Store) -> None:
    record = records()[1]
    done = run_inspect_task(f"{file}@reverse", [record], store=store)
    model = load_model(record)
    rows = store.sql(
        "SELECT sample, output FROM responses WHERE run = ? ORDER BY sample", [done.run]
    ).to_pylist()
    requests = [GenerateRequest(f"\n<{row['sample']}|", max_tokens=8, stop=("\n",)) for row in rows]
    assert [row["output"] for row in rows] == [answer.text for answer in model.generate(requests)]
    model.close()


def test_a_second_run_asks_and_writes_nothing(file: Path, store: saltus.Store) -> None:
    first = run_inspect_task(f"{file}@reverse", records(), store=store)
    before = len(scores(store, first.run)), store.sql("SELECT count(*) AS n FROM responses").to_pylist()
    again = run_inspect_task(f"{file}@reverse", records(), store=store)
    assert (again.run, again.requests, again.cached) == (first.run, 0, first.requests)
    after = len(scores(store, first.run)), store.sql("SELECT count(*) AS n FROM responses").to_pylist()
    assert before == after


def test_arguments_and_settings_make_another_run(file: Path, store: saltus.Store) -> None:
    plain = run_inspect_task(f"{file}@reverse", records()[1:], store=store)
    loud = run_inspect_task(
        f"{file}@reverse", records()[1:], store=store,
        settings=InspectSettings(arguments={"shout": True}, limit=2),
    )  # fmt: skip
    assert loud.run != plain.run
    assert loud.samples == 2
    assert {value for key, value in scores(store, loud.run).items() if key[3] == "includes"} == {0.0}


def test_multiple_choice(file: Path, store: saltus.Store) -> None:
    done = run_inspect_task(f"{file}@pick", records()[:1], store=store)
    assert (done.samples, done.failed) == (3, 0)
    [sample] = [row for row in store.samples("pick").to_pylist() if row["sample"] == "1"]
    assert (sample["choices"], sample["answer"]) == (["0", "2"], 1)


def test_epochs_are_asked_apart(file: Path, store: saltus.Store) -> None:
    done = run_inspect_task(f"{file}@sampled", records()[1:], store=store)
    rows = store.sql("SELECT epoch, output FROM responses WHERE run = ?", [done.run]).to_pylist()
    assert sorted(row["epoch"] for row in rows) == [0, 1, 2, 3, 4, 5]
    assert len({row["output"] for row in rows}) > 1


def test_a_sample_that_fails_costs_no_other(file: Path, store: saltus.Store) -> None:
    done = run_inspect_task(f"{file}@partly", records()[1:], store=store)
    assert (done.samples, done.failed) == (3, 1)
    assert any("broken on purpose" in problem for problem in done.problems)
    assert not any(key[1] == "erwcxo" for key in scores(store, done.run))


def test_all_tasks_of_a_file(tmp_path: Path, store: saltus.Store) -> None:
    file = tmp_path / "two.py"
    file.write_text(TASKS[: TASKS.index("@solver")])
    done = run_inspect_task(file, records()[1:], store=store, settings=InspectSettings(epochs=1))
    tasks = store.sql("SELECT DISTINCT task FROM scores WHERE run = ?", [done.run]).to_pylist()
    assert {row["task"] for row in tasks} == {"reverse", "pick", "sampled"}


def test_what_cannot_be_run_is_said_in_a_sentence(file: Path, store: saltus.Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        run_inspect_task(tmp_path / "none.py", records(), store=store)
    with pytest.raises(InputError, match="no such data"):
        run_inspect_task(f"{file}@impossible", records(), store=store)
    with pytest.raises(InputError, match="cannot run this task"):
        run_inspect_task(f"{file}@nowhere", records(), store=store)
    with pytest.raises(UsageError, match="no model"):
        run_inspect_task(f"{file}@reverse", [], store=store)


def test_a_model_that_cannot_be_loaded_costs_no_other(
    file: Path, store: saltus.Store, tmp_path: Path
) -> None:
    broken = saltus.ModelRecord(name="broken", location=str(tmp_path / "nothing"))
    done = run_inspect_task(f"{file}@reverse", [broken, records()[1]], store=store)
    assert done.samples == 4
    assert any(problem.startswith("broken") for problem in done.problems)


def test_inspect_finds_the_provider() -> None:
    import anyio
    from inspect_ai.model import GenerateConfig, get_model

    from saltus.evals.inspect_provider import SaltusAPI

    found = get_model(f"saltus/{checkpoint('tiro-3x80', 2000)}", memoize=False)
    assert isinstance(found.api, SaltusAPI)

    async def ask() -> list[str]:
        said = []

        async def one(word: str) -> None:
            config = GenerateConfig(max_tokens=8, stop_seqs=["\n"])
            said.append((await found.generate(f"\n<{word}|", config=config)).completion)

        async with anyio.create_task_group() as group:
            for word in ("jesygh", "erwcxo", "jesygh"):
                group.start_soon(one, word)
        return sorted(said)

    assert anyio.run(ask) == ["hgysej", "hgysej", "oxcwre"]


def test_the_run_says_what_was_measured(file: Path, store: saltus.Store) -> None:
    done = run_inspect_task(f"{file}@reverse", records(), store=store)
    [run] = store.sql("SELECT * FROM runs WHERE id = ?", [done.run]).to_pylist()
    config: dict[str, Any] = json.loads(run["config"])
    assert (run["format"], run["kind"], config["task"]) == ("inspect", "run", "tasks.py@reverse")
    assert [model["id"] for model in config["models"]] == [record.id for record in records()]
