"""What a finding was made with: its tests, its settings, and how little its samples can resolve."""

from __future__ import annotations

import numpy as np

from saltus.emergence.analysis import Analysis, Options
from saltus.records import QValues, Settings, TestRecord
from saltus.stats import design_effect, resolution_at

JUMPS = ("emergent", "accelerating")


def tests_of(analysis: Analysis, q: QValues) -> tuple[TestRecord, ...]:
    """Every test with its statistic, p, q and draws."""
    return tuple(
        TestRecord(name, round(result.statistic, 6), result.p, getattr(q, name), result.draws, result.reading)
        for name, result in analysis.tests.items()
    )


def settings_of(analysis: Analysis, options: Options) -> Settings:
    """What the verdict was made with."""
    series = analysis.series
    effect = design_effect(series.y, series.column("n"), series.column("stderr"))
    return Settings(
        alpha=options.alpha,
        threshold=options.threshold,
        level=options.level,
        tau=float(f"{analysis.noise.tau:.4g}"),
        tau_from=_tau_from(analysis, options),
        dispersion=float(f"{analysis.refined.fit.dispersion:.5g}"),
        design_effect=None if effect is None else float(f"{effect:.5g}"),
        paired=analysis.noise.correlation is not None,
        bootstraps=options.bootstraps,
        min_scales=options.min_scales,
    )


def resolution_of(analysis: Analysis) -> float | None:
    """Largest true share that a score at chance, measured at the bottom of the axis, cannot exclude."""
    if analysis.noise.n is None:
        return None
    n = float(np.median(analysis.noise.n[analysis.u == analysis.u.min()]))
    return float(f"{resolution_at(analysis.series.chance or 0.0, n):.5g}")


def _tau_from(analysis: Analysis, options: Options) -> str:
    if options.tau is not None:
        return "given"
    for note in analysis.notes:
        if note.startswith("Noise between checkpoints"):
            return "checkpoints"
        if note.startswith("Noise between like models"):
            return "replicates"
    return "default"
