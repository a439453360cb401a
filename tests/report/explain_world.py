"""Explanations with made-up but plausible numbers: 3 layers of 8 heads over 40 checkpoints, and thin ones."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

import saltus
from saltus.records import (
    Circuit,
    Edge,
    Effect,
    Example,
    Explanation,
    Interval,
    ModelRecord,
    Response,
    Role,
    RunRecord,
    Sample,
    Score,
    Statement,
    View,
)
from saltus.records.findings import Band, Finding, Fit, Point
from saltus.store import Store, record_explanations

HOSTILE = '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">'
SERIES = "tiro-2x64"
STEPS = (0, *(round(x) for x in np.geomspace(20, 3000, 39)))
IDS = tuple(f"{SERIES}@step{step}" for step in STEPS)
AFTER, BEFORE = IDS[-1], IDS[20]
HEADS = tuple(f"L{layer}H{head}" for layer in range(3) for head in range(8))
NAMED = ("L0H1", "L1H2", "MLP0")
SET = "+".join(NAMED)
LONG = "L0H1+L0H3+L0H7+L1H2+L1H5+L2H0+MLP0+MLP1+MLP2"
RUN = "e" * 32


def around(value: float, half: float = 0.04, level: float = 0.9) -> Interval:
    return Interval(round(value, 4), round(value - half, 4), round(value + half, 4), level)


def rise(step: float, middle: float, low: float, high: float) -> float:
    return low + (high - low) / (1 + math.exp(-(math.log10(step + 1) - math.log10(middle)) * 22))


def head_rows(run: str = RUN) -> list[Effect]:
    """Scores of all heads at all checkpoints; some are missing."""
    rng = np.random.default_rng(3)
    rows = []
    for place, head in enumerate(HEADS):
        quiet = {"induction": 0.03, "previous_token": 0.05, "source": 0.04}
        for role, floor in quiet.items():
            top = {("L1H2", "induction"): 0.93, ("L0H1", "previous_token"): 0.88, ("L1H2", "source"): 0.8}
            late = {("L2H0", "induction"): 0.35, ("L1H5", "source"): 0.4}
            for at, step in enumerate(STEPS):
                if place == 5 and at % 7 == 0:
                    continue
                high = top.get((head, role), late.get((head, role), floor * (1 + 2 * rng.random())))
                middle = 300 if role == "previous_token" else 480 if (head, role) in top else 900
                value = min(1.0, max(0.0, rise(step, middle, floor, high) + 0.01 * rng.standard_normal()))
                rows.append(
                    effect(
                        run,
                        IDS[at],
                        "recall" if role == "source" else "internals",
                        head,
                        role,
                        "attention",
                        value,
                        0.02,
                        baseline=0.031,
                        n=128,
                    )
                )
    return rows


def effect(
    run: str,
    model: str,
    task: str,
    component: str,
    method: str,
    metric: str,
    value: float,
    half: float = 0.03,
    **more: Any,
) -> Effect:
    return Effect(
        run=run,
        model=model,
        task=task,
        component=component,
        method=method,
        metric=metric,
        effect=round(value, 4),
        low=round(value - half, 4),
        high=round(value + half, 4),
        **more,
    )


def ablation_rows(run: str = RUN) -> list[Effect]:
    """Sets, random sets and single parts at both checkpoints, by mean and by zero, and two other tasks."""
    rows = []
    singles = {"L0H1": 0.52, "L1H2": 0.61, "MLP0": 0.2, "L2H0": 0.03, "MLP1": 0.02, "MLP2": 0.004}
    singles |= {head: 0.003 for head in HEADS if head not in singles}
    size = {"size": 3, "sets": 20}
    for method, share in (("mean_ablation", 1.0), ("zero_ablation", 1.1)):
        for model, base in ((BEFORE, 0.27), (AFTER, 0.98)):
            loss = share if model == AFTER else 0.02
            make = {"metric": "exact_match", "method": method, "baseline": base, "n": 256}
            for name, drop in {SET: 0.8, LONG: 0.84, "L0H1+L1H2": 0.71, **singles}.items():
                value = -min(drop * loss, base - 0.02)
                rows.append(effect(run, model, "recall", name, value=value, **make))
            rows.append(
                effect(
                    run,
                    model,
                    "recall",
                    "RANDOM",
                    value=-0.02 * loss,
                    half=0.04,
                    detail=json.dumps(size),
                    **make,
                )
            )
    for task, base, drop in (("facts", 0.99, 0.01), ("a-task-with-quite-a-long-name_and_parts", 0.61, 0.19)):
        make = {"metric": "exact_match", "method": "mean_ablation", "baseline": base, "n": 200}
        rows += [effect(run, AFTER, task, name, value=-drop, **make) for name in (SET, "L1H2")]
    return rows


def other_rows(run: str = RUN) -> list[Effect]:
    """Patching and its estimate, both lenses, direct effects, strengths of an adapter."""
    rows = []
    for method, scale in (("activation_patching", 1.0), ("attribution_patching", 0.8)):
        for name, share in {"L1H2": 0.93, "L0H1": 0.58, "MLP0": 0.12, "L2H0": -0.06, "L1H5": 0.02}.items():
            rows.append(effect(run, AFTER, "recall", name, method, "recovered", share * scale, n=256))
    lenses = {"logit_lens": (-6.1, -5.2, -1.4, -0.1), "tuned_lens": (-4.2, -3.1, -0.8, -0.1)}
    for method, levels in lenses.items():
        for name, value in zip(("EMBED", "L0", "L1", "L2"), levels, strict=True):
            rows.append(
                effect(run, AFTER, "recall", name, method, "target_logprob", value, 0.2, baseline=-0.1, n=256)
            )
    for name, value in {"L1H2": 6.2, "MLP2": 1.1, "L2H0": 0.6, "L0H1": -0.2}.items():
        rows.append(effect(run, AFTER, "recall", name, "direct_logit", "logit_difference", value, 0.3, n=256))
    for task, base, loss in (("recall", 0.98, 0.8), ("facts", 0.99, 0.02), ("rhyme", 0.55, 0.1)):
        for x in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5):
            value = -loss * max(0.0, 1 - x) ** 1.5
            detail = json.dumps({"scale": x})
            rows.append(
                effect(
                    run,
                    AFTER,
                    task,
                    SET,
                    "scaling",
                    "exact_match",
                    value,
                    baseline=base,
                    n=256,
                    detail=detail,
                )
            )
    return rows


def attention(length: int, target: int, sharp: float) -> tuple[tuple[float, ...], ...]:
    rows = []
    for query in range(length):
        weights = np.full(query + 1, (1 - sharp) / (query + 1))
        weights[min(target, query) if query == length - 1 else max(query - 1, 0)] += sharp
        rows.append(tuple(round(float(one), 4) for one in weights) + (0.0,) * (length - query - 1))
    return tuple(rows)


def a_view(length: int = 28, sample: str = "recall-000") -> View:
    tokens = (*(f" {'kmtr'[place % 4]}{place}" for place in range(length - 1)), "\n")
    weights = (attention(length, 9, 0.9), attention(length, length - 2, 0.7))
    return View(
        model=AFTER,
        sample=sample,
        tokens=tokens,
        target="9",
        sources=(9,),
        heads=("L1H2", "L0H1"),
        weights=weights,
    )


def a_circuit() -> Circuit:
    edges = (
        Edge(source="L1H2", target="LOGITS", effect=around(0.9)),
        Edge(source="EMBED", target="L1H2", into="v", effect=around(0.7)),
        Edge(source="L0H1", target="L1H2", into="k", effect=around(0.64)),
        Edge(source="EMBED", target="L0H1", into="q", effect=around(0.3)),
        Edge(source="MLP0", target="L1H2", into="q", effect=around(0.12)),
        Edge(source="EMBED", target="MLP0", effect=around(-0.1)),
    )
    return Circuit(
        components=NAMED,
        necessary=NAMED[:2],
        edges=edges,
        kept=around(0.95),
        removed=around(0.18),
        random=around(0.96),
        random_sets=20,
        worst_random=0.9,
        completeness=0.07,
        of=27,
    )


def an_explanation(**changes: Any) -> Explanation:
    """The full one; leave parts out with changes."""
    said = (
        Statement("shown", f"Ablating {SET} drops recall from 0.98 to 0.18 [0.15, 0.21]."),
        Statement("shown", "20 random sets of three parts leave it at 0.96 [0.92, 1.00]."),
        Statement("correlated", "The previous-token score of L0H1 stood at 0.46 before recall moved."),
        Statement("not_tested", f"Whether other positions would do. {HOSTILE}"),
    )
    whole: dict[str, Any] = {
        "id": RUN,
        "model": AFTER,
        "before": BEFORE,
        "checkpoints": IDS,
        "family": "tiro",
        "series": SERIES,
        "task": "recall",
        "metric": "exact_match",
        "finding": "recall-tiro",
        "onset": Interval(475.0, 420.0, 560.0),
        "verdict": "carried",
        "headline": f"{' and '.join(NAMED[:2])} carry recall in {SERIES}: without them it falls to chance.",
        "score": around(0.98, 0.01),
        "chance": 0.25,
        "n": 256,
        "roles": (
            Role(component="L1H2", role="induction", score=around(0.93), baseline=0.03),
            Role(component="L0H1", role="previous_token", score=around(0.88), baseline=0.03),
            Role(component="L1H2", role="source", score=around(0.8), baseline=0.03),
        ),
        "circuit": a_circuit(),
        "statements": said,
        "views": (a_view(), a_view(64, f"sample{HOSTILE}"), a_view(130, "recall-002")),
        "examples": tuple(
            Example(
                sample=f"recall-{place:03d}",
                component=SET if place else LONG,
                input=f"k1 7 m4 2 {HOSTILE} k1",
                target="7",
                before="7",
                after="2" if place else "",
            )
            for place in range(5)
        ),
        "version": "0.1.0",
    }
    return Explanation(**{**whole, **changes})


def thin_explanations() -> list[Explanation]:
    """What is left where parts are missing: nothing carries the ability; or no small set was found."""
    bare: dict[str, Any] = {
        "before": "",
        "checkpoints": (),
        "finding": "",
        "onset": None,
        "circuit": None,
        "views": (),
        "examples": (),
        "roles": (),
    }
    nothing = an_explanation(
        **bare,
        id="n" * 32,
        task="parity",
        verdict="nothing",
        headline="Nothing carries parity: the model guesses.",
        score=around(0.51),
        chance=0.5,
        statements=(Statement("not_tested", "There is no score to lose."),),
    )
    unclear = an_explanation(
        **bare,
        id="u" * 32,
        task="a-task-with-quite-a-long-name_and_parts",
        model="a-laboratory/with-a-very-long-model-name-v12-instruct@step143000",
        verdict="unclear",
        headline="No set of up to eight parts carries it.",
        chance=None,
        score=around(0.61),
        statements=(),
        text="Every part alone moves the score by less than 0.02.",
    )
    return [nothing, unclear]


def a_finding(chance: float | None = 0.25) -> Finding:
    points = []
    for step, model in zip(STEPS, IDS, strict=True):
        y = rise(step, 475, 0.25, 0.98)
        points.append(Point(model, "r" * 32, float(step), y, max(0.0, y - 0.05), min(1.0, y + 0.05), 256.0))
    grid = tuple(float(f"{x:.6g}") for x in np.geomspace(20, 3000, 60))
    curve = tuple(rise(x, 475, 0.25, 0.98) for x in grid)
    return Finding(
        id="recall-tiro",
        family="tiro",
        axis="step",
        task="recall",
        metric="exact_match",
        series=SERIES,
        n_scales=40,
        n_samples=256.0,
        verdict="emergent",
        sharpness="sharp",
        artifact="jump_persists",
        headline="recall appears",
        onset=Interval(475.0, 420.0, 560.0),
        rise=Interval(0.73, 0.68, 0.78),
        chance=chance,
        points=tuple(points),
        band=Band(grid, curve, tuple(y - 0.04 for y in curve), tuple(y + 0.04 for y in curve)),
        fits=(Fit("logistic", 12.0, 9.5, {}, excluded=False, x=grid, y=curve),),
    )


def fill(store: Store, *, thin: bool = True) -> list[Finding]:
    """Put models, scores, effects and explanations into a store, and give its findings."""
    store.append(
        "models",
        [
            ModelRecord(name=SERIES, family="tiro", revision=f"step{step}", params=1e5, step=float(step))
            for step in STEPS
        ],
    )
    run = RunRecord(id="r" * 32, kind="run", source="family", format="saltus", created=1.75e9)
    store.append("runs", [run])
    names = [f"recall-{place:03d}" for place in range(4)]
    asked = {"task": "recall", "task_version": "1", "target": "7"}
    store.append("samples", [Sample(id=name, input=f"k1 7 {name} k1", **asked) for name in names])
    answers, scores = [], []
    for step, model in zip(STEPS, IDS, strict=True):
        for place, name in enumerate(names):
            hit = step > 475 or place == 0
            key = {"run": run.id, "model": model, "task": "recall", "sample": name}
            answers.append(Response(**key, output="7" if hit else "3"))
            scores.append(Score(**key, metric="exact_match", value=float(hit)))
    store.append("responses", answers)
    store.append("scores", scores)
    store.append("effects", [*head_rows(), *ablation_rows(), *other_rows()])
    record_explanations(store, [an_explanation(), *(thin_explanations() if thin else [])])
    return [a_finding()]


def explained_store(path: str) -> tuple[Store, list[Finding]]:
    """A store with one full explanation and two thin ones."""
    store = saltus.open(path)
    return store, fill(store)
