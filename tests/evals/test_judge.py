"""Judges: marks, comparisons, agreement with people; asked through the cache, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import saltus
from saltus.cli import main
from saltus.evals.agreement import agreement
from saltus.evals.judge import RUBRICS, Judge, Rubric, find_rubric, judge_metric, pointwise_prompt, read_score
from saltus.evals.pairwise import compare, read_verdict
from saltus.evals.scoring import score
from saltus.records import (
    GenerateRequest,
    Generation,
    InputError,
    Loglikelihood,
    LoglikelihoodRequest,
    ModelError,
    ModelRecord,
    Response,
    RunRecord,
    Sample,
    Score,
    UsageError,
)
from saltus.store import Store

Says = Callable[[str], str]


class StandInJudge:
    """Stands in for a judge: answers each prompt by a rule, and counts what it is asked."""

    def __init__(self, says: Says, name: str = "stand-in-judge") -> None:
        self._says, self._record = says, ModelRecord(name=name)
        self.asked: list[GenerateRequest] = []

    @property
    def record(self) -> ModelRecord:
        return self._record

    @property
    def fingerprint(self) -> str:
        return f"rule of {self._record.name}"

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        self.asked += requests
        return [Generation(self._says(one.prompt or one.messages[0].content)) for one in requests]

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        raise ModelError("it only speaks")

    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return saltus.open(tmp_path / "evidence")


def fill(store: Store, answers: dict[str, list[str]], targets: Sequence[str] = ()) -> None:
    """One run: the answers of each model to questions 0, 1, ..."""
    n = max(map(len, answers.values()))
    names = targets or ["x"] * n
    store.append("runs", [RunRecord(id="r1", kind="run", source="s", format="saltus", created=1.0)])
    store.append(
        "samples",
        [
            Sample(task="t", task_version="1", id=f"{i:04d}", input=f"Question {i}", target=names[i])
            for i in range(n)
        ],
    )
    store.append(
        "responses",
        [
            Response(run="r1", model=model, task="t", sample=f"{i:04d}", output=text, finish="stop")
            for model, several in answers.items()
            for i, text in enumerate(several)
        ],
    )


def answer_in(prompt: str, mark: str = "Answer") -> str:
    found = re.search(rf"\[{mark}\]\n(.*?)\n\[End of", prompt, re.DOTALL)
    assert found
    return found[1]


def marks(prompt: str) -> str:
    """5 for long answers, 1 for short ones; no verdict for an answer that says so."""
    said = answer_in(prompt)
    return "I cannot say." if "unreadable" in said else f"Because.\nScore: {5 if len(said) > 5 else 1}"


def test_marks_become_scores(store: Store) -> None:
    fill(store, {"m": ["a long answer", "short", "an unreadable one"]})
    model = StandInJudge(marks)
    judge = Judge(model, store)
    metric = judge_metric(judge, RUBRICS["helpfulness"])
    assert metric.name == "judge:helpfulness:stand-in-judge"
    summary = score("r1", [metric], store=store)
    rows = store.sql("SELECT sample, metric, value FROM scores ORDER BY sample").to_pylist()
    assert [(row["sample"], row["value"]) for row in rows] == [("0000", 1.0), ("0001", 0.0)]
    assert {row["metric"] for row in rows} == {metric.name}
    assert (summary.added, summary.without, judge.failed) == (2, 1, 1)
    assert list(judge.problems) == ["the verdict does not end with a line 'Score: 1 to 5'"]


def test_a_judge_is_asked_once(store: Store) -> None:
    fill(store, {"m": ["a long answer", "short", "an unreadable one"]})
    model = StandInJudge(marks)
    score("r1", [judge_metric(Judge(model, store), RUBRICS["helpfulness"])], store=store)
    again = Judge(model, store)
    summary = score("r1", [judge_metric(again, RUBRICS["helpfulness"])], store=store)
    assert (len(model.asked), summary.added, summary.present) == (3, 0, 2)
    assert (again.asker.sent, again.asker.known, again.failed) == (0, 1, 1)
    other = Judge(StandInJudge(marks, "another"), store)
    assert score("r1", [judge_metric(other, RUBRICS["helpfulness"])], store=store).added == 2


def test_transcripts_are_kept_apart(store: Store) -> None:
    fill(store, {"m": ["a long answer"]})
    score("r1", [judge_metric(Judge(StandInJudge(marks), store), RUBRICS["clarity"])], store=store)
    [row] = store.sql("SELECT * FROM responses WHERE model = 'stand-in-judge'").to_pylist()
    assert (row["task"], row["sample"], row["output"]) == ("judge:t", "r1/m/0000//0", "Because.\nScore: 5")
    assert "a long answer" in row["prompt"]
    [run] = store.sql("SELECT * FROM runs WHERE kind = 'judge'").to_pylist()
    assert run["id"] == row["run"]
    assert json.loads(run["config"])["fingerprint"] == "rule of stand-in-judge"
    assert {point["model"] for point in store.points().to_pylist()} == {"m"}


def test_the_prompt_holds_what_the_judge_needs_and_no_more(store: Store) -> None:
    fill(store, {"m": ["Paris"]}, targets=["Secret"])
    chat, plain = StandInJudge(marks), StandInJudge(marks, "plain")
    score("r1", [judge_metric(Judge(chat, store), RUBRICS["helpfulness"])], store=store)
    score("r1", [judge_metric(Judge(plain, store, chat=False), RUBRICS["correctness"])], store=store)
    assert chat.asked[0].prompt == ""
    text = chat.asked[0].messages[0].content
    assert "Question 0" in text
    assert "Secret" not in text
    assert plain.asked[0].messages == ()
    assert "[Reference answer]\nSecret" in plain.asked[0].prompt


def test_earlier_turns_are_shown() -> None:
    sample = Sample(
        task="t", task_version="1", id="s", input="First?", target="", extra={"turns": ["Second?"]}
    )
    said = Response(run="r", model="m", task="t", sample="s", output="Late", turns=("Early",))
    prompt = pointwise_prompt(RUBRICS["clarity"], sample, said)
    places = [prompt.index(part) for part in ("First?", "Early", "Second?", "Late")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ("Good.\nScore: 4", 4),
        ("**Score: 4**\n", 4),
        ("score 3.", 3),
        ("Score: 4/5", None),
        ("Score: 6", None),
        ("Score: 0", None),
        ("I give it a 4", None),
        ("Score: 4\nOr rather 3.", None),
        ("The answer says Score: 5", None),
        ("", None),
    ],
)
def test_verdicts_are_read_strictly(said: str, mark: int | None) -> None:
    assert read_score(RUBRICS["helpfulness"], said) == mark


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Verdict: A", 1.0),
        ("So.\nverdict: tie", 0.5),
        ("**Verdict: B**", 0.0),
        ("A", None),
        ("Verdict: A or B", None),
    ],
)
def test_comparisons_are_read_strictly(said: str, value: float | None) -> None:
    assert read_verdict(said) == value


def test_rubrics_from_files(tmp_path: Path) -> None:
    file = tmp_path / "tone.toml"
    file.write_text('name = "tone"\ncriteria = "Polite?"\nlow = 0\nhigh = 2\n')
    assert find_rubric(str(file)) == Rubric(name="tone", criteria="Polite?", low=0, high=2)
    with pytest.raises(UsageError, match="no rubric is called 'tone'; there are correctness"):
        find_rubric("tone")
    for content, message in (
        ('name = "x"', "no rubric"),
        ('name = "x"\ncriteria = "y"\nlow = 3\nhigh = 3', "low must be below high"),
        ('name = "a:b"\ncriteria = "y"', "no rubric"),
    ):
        file.write_text(content)
        with pytest.raises(InputError, match=message):
            find_rubric(str(file))
    with pytest.raises(InputError, match="cannot be read"):
        find_rubric(str(tmp_path / "gone.toml"))


def better(prompt: str) -> str:
    """The answer with the higher number is better; two with the same are a tie."""
    one, other = (int(re.findall(r"\d+", answer_in(prompt, f"Answer {side}"))[0]) for side in "AB")
    return f"Verdict: {'tie' if one == other else 'A' if one > other else 'B'}"


def test_the_better_answer_wins_in_both_orders(store: Store) -> None:
    fill(store, {"new": ["5", "3", "7", "1"], "old": ["4", "3", "9", "0"]})
    model = StandInJudge(better)
    [found] = compare("r1", "old", Judge(model, store), store=store)
    assert (found.model, found.n, found.wins, found.ties, found.losses) == ("new", 4, 2, 1, 1)
    assert (found.win_rate, found.position_bias, found.first_preferred) == (0.625, 0.0, 0.5)
    assert len(model.asked) == 7  # two equal answers are one question in both orders
    rows = store.sql("SELECT model, metric, value FROM scores ORDER BY sample").to_pylist()
    assert [row["value"] for row in rows] == [1.0, 0.5, 0.0, 1.0]
    assert {row["metric"] for row in rows} == {"pairwise:old:stand-in-judge"}
    [same] = compare("last", "old", Judge(model, store), store=store)
    assert (len(model.asked), same) == (7, found)
    assert store.sql("SELECT count(*) AS n FROM scores")["n"].to_pylist() == [4]


def test_a_judge_that_prefers_a_place_decides_nothing(store: Store) -> None:
    fill(store, {"new": ["5"] * 6, "old": ["4"] * 6})
    [found] = compare("r1", "old", Judge(StandInJudge(lambda prompt: "Verdict: A"), store), store=store)
    assert (found.ties, found.win_rate, found.position_bias, found.first_preferred) == (6, 0.5, 1.0, 1.0)


def test_a_judge_that_counts_words_is_even_at_equal_length(store: Store) -> None:
    rng = np.random.default_rng(0)

    def longer(prompt: str) -> str:
        one, other = (len(answer_in(prompt, f"Answer {side}").split()) for side in "AB")
        preference = np.tanh((one - other) / 6)
        noise = np.random.default_rng(int.from_bytes(prompt[-200:].encode(), "little") % 2**32 + one * other)
        return f"Verdict: {'A' if noise.random() < 0.5 + 0.5 * preference else 'B'}"

    fill(
        store,
        {
            "new": ["w " * int(k) for k in rng.integers(8, 22, 300)],
            "old": ["w " * int(k) for k in rng.integers(5, 19, 300)],
        },
    )
    [found] = compare("r1", "old", Judge(StandInJudge(longer), store), store=store)
    controlled = found.length_controlled
    assert controlled is not None
    assert found.win_rate is not None
    assert found.win_rate > 0.6
    assert controlled.low < 0.5 < controlled.high
    assert controlled.length_effect > 0


def test_unreadable_comparisons_are_failures(store: Store) -> None:
    fill(store, {"new": ["5", "3"], "old": ["4", "3"]})
    judge = Judge(StandInJudge(lambda prompt: better(prompt) if "Question 0" in prompt else "Both."), store)
    [found] = compare("r1", "old", judge, store=store)
    assert (found.n, found.failed, judge.failed) == (1, 1, 1)
    assert found.length_controlled is None


def test_a_reference_may_be_in_another_run(store: Store) -> None:
    fill(store, {"new": ["5", "3"]})
    store.append("runs", [RunRecord(id="r2", kind="run", source="s", format="saltus", created=0.5)])
    store.append(
        "responses",
        [
            Response(run="r2", model="new", task="t", sample=f"{i:04d}", output="4", finish="stop")
            for i in (0, 1, 2)
        ],
    )
    [found] = compare("r1", "new", Judge(StandInJudge(better), store), store=store, reference_run="r2")
    assert (found.metric, found.wins, found.losses) == ("pairwise:new@r2:stand-in-judge", 1, 1)
    with pytest.raises(UsageError, match="no model but new has responses to the same tasks"):
        compare("r1", "new", Judge(StandInJudge(better), store), store=store)


def test_failing_requests_are_named(store: Store) -> None:
    fill(store, {"m": ["a long answer"]})

    def fails(prompt: str) -> str:
        raise ModelError("the judge is out")

    judge = Judge(StandInJudge(fails), store)
    summary = score("r1", [judge_metric(judge, RUBRICS["clarity"])], store=store)
    assert (summary.added, judge.failed, judge.problems) == (0, 1, {"the judge is out": 1})


def test_agreement_with_people(store: Store) -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(400) < 0.6
    judged = np.where(rng.random(400) < 0.9, truth, True)  # it is too kind
    rows = [
        Score(run="r1", model="m", task="t", sample=f"{i:04d}", metric=metric, value=float(values[i]))
        for metric, values, where in (("judge:x:j", judged, range(400)), ("human", truth, range(0, 400, 4)))
        for i in where
    ]
    fill(store, {"m": ["x"] * 400})
    store.append("scores", rows)
    [found] = agreement("r1", "judge:x:j", "human", store=store)
    assert found.n == 100
    assert found.kappa is not None
    assert 0.8 < found.kappa < 1
    assert found.mean is not None
    assert found.mean.low < truth.mean() < found.mean.high
    assert found.mean.high - found.mean.low < found.mean.labels_high - found.mean.labels_low
    with pytest.raises(UsageError, match="no response of run r1 has both judge:x:j and nobody"):
        agreement("r1", "judge:x:j", "nobody", store=store)


def test_the_command_asks_a_model_of_the_family(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from saltus.family.catalog import checkpoints

    fill(store, {"new": ["5", "3"], "old": ["4", "3"]})
    [record] = checkpoints("2x64", steps=[2000])
    arguments = ["-m", "judge:clarity", "-m", "pairwise", "--reference", "old", "--judge", record.location]
    code = main(["score", "r1", *arguments, "--no-chat", "--store", str(store.path), "--json"])
    document = json.loads(capsys.readouterr().out)
    # A model of 100,000 parameters gives no verdict that can be read: all are failures, none is a bad mark.
    assert (code, document["added"], document["failed"], document["requests"]) == (1, 0, 6, 6)
    assert document["comparisons"][0]["n"] == 0
