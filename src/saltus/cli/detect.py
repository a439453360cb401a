"""`saltus detect`: from the evidence to findings; prints them and records them in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from saltus.cli.output import (
    emit,
    json_option,
    magnitude,
    next_step,
    open_store,
    progress_bar,
    say,
    store_option,
    table,
)
from saltus.cli.progress import counter
from saltus.records.errors import UsageError
from saltus.records.findings import AXES, Finding, Interval

if TYPE_CHECKING:
    from saltus.store import Store

GLYPHS = {
    "emergent": "▲",
    "accelerating": "◢",
    "gradual": "∕",
    "declining": "▼",
    "u_shaped": "∪",
    "no_change": "─",
    "not_above_chance": "─",
    "below_threshold": "─",
    "too_few_scales": "?",
}
JUMPS = ("emergent", "accelerating")


@click.command("detect")
@click.option("--task", "tasks", multiple=True, help="Only these tasks; * is a wildcard.")
@click.option("--family", help="Only this family of models.")
@click.option("--axis", "axes", multiple=True, type=click.Choice(AXES), help="Scale axis.")
@click.option(
    "--metric", "metrics", multiple=True, help="These metrics instead of each task's headline metric."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--bootstraps", default=1000, show_default=True, type=click.IntRange(min=99), help="Draws a test."
)
@click.option(
    "--alpha", default=0.05, show_default=True, type=click.FloatRange(0, 0.5), help="False discovery rate."
)
@click.option(
    "--why", metavar="FINDING", help="Explain one recorded finding (its id, or the first letters of it)."
)
@store_option
@json_option
def command(
    tasks: tuple[str, ...],
    family: str | None,
    axes: tuple[str, ...],
    metrics: tuple[str, ...],
    seed: int,
    bootstraps: int,
    alpha: float,
    why: str | None,
    store_path: str,
    as_json: bool,
) -> int:
    """Find the jumps, date them with an interval, and say whether each is in the model or in the metric."""
    from saltus.emergence import detect_all, usable_axes
    from saltus.store import record_findings

    if why:
        return _explain(why, store_path, as_json)
    with open_store(store_path) as store:
        points = store.points(family=family, task=list(tasks) or None)
        if points.num_rows == 0:
            raise _nothing(store, family, tasks)
        there = () if axes else usable_axes(points)
        findings: list[Finding] = []
        with progress_bar() as bar:
            for axis in axes or there[:1]:
                findings += detect_all(
                    points,
                    axis=axis,
                    metrics=metrics or None,
                    seed=seed,
                    bootstraps=bootstraps,
                    alpha=alpha,
                    progress=counter(bar, f"by {axis}"),
                )
        record_findings(store, findings)
    if as_json:
        emit({"findings": findings})
        return 0
    explain(finding for finding in findings if finding.verdict in JUMPS)
    show(findings)
    if there[1:]:
        say(f"Looked along {there[0]}; the evidence also reaches along {', '.join(there[1:])} (--axis).")
    next_step(f"saltus report --store {store_path} -o report.html")
    return 0


def show(findings: Sequence[Finding]) -> None:
    """Print findings, one line each, jumps first and then by onset."""
    table(
        (
            "verdict",
            "task",
            "metric",
            "axis",
            "series",
            "onset [90 %]",
            "rise [90 %]",
            "q trend/accel/sharp",
            "artifact",
        ),
        (
            (
                f"{GLYPHS[f.verdict]} {f.verdict.replace('_', ' ')}"
                + (f", {f.sharpness}" if f.sharpness else ""),
                f.task,
                f.metric,
                f.axis,
                f.series or f.family,
                _interval(f.onset),
                _interval(f.rise),
                "/".join(
                    "–" if q is None else f"{q:.3f}" for q in (f.q.trend, f.q.acceleration, f.q.sharpness)
                ),
                (f.artifact or "–").replace("_", " "),
            )
            for f in sort_findings(findings)
        ),
    )


def explain(findings: Iterable[Finding]) -> None:
    """Say each finding in words, with its first reasons: three for a jump, one for the others."""
    for finding in sort_findings(list(findings)):
        where = f"{finding.series or finding.family} by {finding.axis}"
        say(f"{GLYPHS[finding.verdict]} {finding.headline} ({where})")
        for reason in finding.reasons[: 3 if finding.verdict in JUMPS else 1]:
            say(f"    {reason}")


def _nothing(store: Store, family: str | None, tasks: Sequence[str]) -> UsageError:
    """What to say when the filters leave no score, or there is none."""
    families = sorted({str(name) for name in store.models()["family"].to_pylist() if name})
    names = store.tasks()["task"].to_pylist()
    if not names:
        return UsageError(
            "The store has no scores yet; `saltus run`, `saltus import` or `saltus demo` bring some."
        )
    asked = " ".join([*([f"--family {family}"] if family else []), *(f"--task {task}" for task in tasks)])
    return UsageError(
        f"Nothing matches {asked}; the store has the families {_few(families)} and the tasks {_few(names)}.",
        field="family" if family else "task",
    )


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Jumps first, by onset; then the rest by verdict and task."""
    order = list(GLYPHS)

    def key(finding: Finding) -> tuple[object, ...]:
        onset = finding.onset.value if finding.onset else float("inf")
        return (
            order.index(finding.verdict),
            finding.axis,
            onset,
            finding.task,
            finding.metric,
            finding.series,
        )

    return sorted(findings, key=key)


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{magnitude(interval.value)} [{magnitude(interval.low)}, {magnitude(interval.high)}]"


def _explain(prefix: str, store_path: str, as_json: bool) -> int:
    from saltus.store import load_findings

    with open_store(store_path) as store:
        matches = [finding for finding in load_findings(store) if finding.id.startswith(prefix)]
    if len(matches) != 1:
        raise UsageError(
            f"--why {prefix} names {len(matches)} findings, and it takes one; "
            f"`saltus ls findings --json` lists their ids.",
            field="why",
        )
    finding = matches[0]
    if as_json:
        emit({"findings": [finding]})
        return 0
    say(finding.headline)
    for reason in finding.reasons:
        say(f"  - {reason}")
    table(
        ("curve", "BIC", "excluded", "parameters"),
        (
            (fit.shape, f"{fit.bic:.1f}", "yes" if fit.excluded else "no", _parameters(fit.params))
            for fit in sorted(finding.fits, key=lambda fit: fit.bic)
        ),
    )
    next_step(f"saltus report --store {store_path} -o report.html")
    return 0


def _parameters(params: dict[str, float]) -> str:
    return ", ".join(f"{name} {magnitude(value)}" for name, value in params.items())
