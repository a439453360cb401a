"""`saltus detect --why`: one recorded finding in plain words, from what was tested to what would tell."""

from __future__ import annotations

from collections.abc import Sequence

from saltus.cli.findings import GLYPHS
from saltus.cli.output import emit, magnitude, next_step, open_store, say, table
from saltus.records.errors import UsageError
from saltus.records.findings import ArtifactCheck, Finding, Settings

_MEANING = {
    "trend": "does the score move at all? A flat line against every curve",
    "acceleration": "does it accelerate? Curves that never do against hinges, steps and sigmoids",
    "sharpness": "within a decade? Those and broad sigmoids against steps and narrow ones",
}
_METHOD = {
    "counted": "counted",
    "stopped": "counted until 50 reached it",
    "tail": "read off the fitted tail",
}
_TAU = {
    "given": "given with --tau",
    "replicates": "estimated from models at the same place",
    "checkpoints": "estimated from neighbouring checkpoints",
    "default": "the default",
}


def explain_one(asked: str, store_path: str, as_json: bool) -> int:
    """Explain the finding whose id begins so, or the only one on a task of that name."""
    from saltus.store import load_findings

    with open_store(store_path) as store:
        findings = load_findings(store)
    finding = _chosen(asked, findings)
    if as_json:
        emit({"findings": [finding]})
        return 0
    where = f"{finding.series or finding.family} by {finding.axis}"
    say(f"{GLYPHS[finding.verdict]} {finding.headline} ({where})")
    say(f"  {finding.metric}, {finding.n_scales} places, id {finding.id[:8]}")
    settled = {one.text for one in finding.settle}
    for reason in finding.reasons:
        if reason not in settled:
            say(f"  - {reason}")
    _tests(finding)
    _curves(finding)
    if finding.check is not None:
        _check(finding.check, finding)
    if finding.settings is not None:
        _assumed(finding.settings, finding)
    if finding.settle:
        say("\nWhat would tell")
        for one in finding.settle:
            say(f"  - {one.text}")
    next_step(f"saltus report --store {store_path} -o report.html")
    return 0


def _chosen(asked: str, findings: Sequence[Finding]) -> Finding:
    matches = [f for f in findings if f.id.startswith(asked)] or [f for f in findings if f.task == asked]
    if len(matches) == 1:
        return matches[0]
    some = "; ".join(f"{f.id[:8]} {f.task} {f.series or f.family} by {f.axis}" for f in matches[:6])
    more = f" ({some}{' ...' if len(matches) > 6 else ''})" if matches else ""
    raise UsageError(
        f"--why {asked} names {len(matches)} findings{more}, and it takes one; "
        f"`saltus ls findings --json` lists their ids.",
        field="why",
    )


def _tests(finding: Finding) -> None:
    if not finding.tests:
        return
    say(f"\nWhat was tested, with {finding.n_tests} series together")
    table(
        ("test", "gain (chi-square)", "p", "q", "simulated", "asks"),
        (
            (
                test.name,
                test.statistic,
                f"{test.p:.3g}",
                None if test.q is None else f"{test.q:.3g}",
                None if test.draws is None else f"{test.draws:,} {_METHOD.get(test.method, '')}".strip(),
                _MEANING.get(test.name, ""),
            )
            for test in finding.tests
        ),
    )


def _curves(finding: Finding) -> None:
    if not finding.fits:
        return
    say("What fits, best first")
    table(
        ("curve", "BIC", "excluded", "parameters"),
        (
            (fit.shape, f"{fit.bic:.1f}", "yes" if fit.excluded else "no", _parameters(fit.params))
            for fit in sorted(finding.fits, key=lambda fit: fit.bic)
        ),
    )
    if finding.open:
        say(f"Not excluded: {', '.join(finding.open)}.")


def _check(check: ArtifactCheck, finding: Finding) -> None:
    say("\nArtifact check")
    if check.partner is None:
        say(f"  - No continuous metric of the same answers; record {' or '.join(check.advice)}.")
        return
    said = (check.outcome or "nothing").replace("_", " ")
    say(f"  - {finding.metric} beside {check.partner} of the same answers: {said}.")
    if check.acceleration is not None:
        does = "accelerates" if check.accelerates else "does not accelerate"
        say(f"  - {check.partner} by itself {does} (p = {check.acceleration:.3g}).")
    if check.window is not None:
        rate = "nothing lies before" if check.pace is None else f"{check.pace:.3g} times its rate before"
        low, high = (magnitude(v) for v in check.window)
        breaks = "it breaks" if check.breaks else "no break"
        say(f"  - Where the score jumps ({low} to {high}) it moves at: {rate}; {breaks}.")
    if not check.links:
        say("  - No link could be tested: fewer than two points follow the onset.")
        return
    say(
        f"  - Links fitted on {check.fitted} points up to {magnitude(check.fitted_to or 0)}, asked about the "
        f"other {check.asked}; guessing scores {check.chance:.2f} in them."
    )
    table(
        ("link", "L", "exponent", "ceiling", "fits (p)", "RMSE", "R2", "counts"),
        (
            (one.name, one.rate, one.exponent, one.ceiling, one.fits, one.rmse, one.r2, one.refused or "yes")
            for one in check.links
        ),
    )


def _assumed(used: Settings, finding: Finding) -> None:
    say("\nWhat it assumes")
    say(f"  - A q-value of {used.alpha:g} counts, and so does a rise of {used.threshold:g}.")
    say(f"  - Like models differ by {used.tau:.3g} (one standard deviation, {_TAU.get(used.tau_from, '')}).")
    if used.dispersion <= 1:
        say("  - Scores scatter about the best curve by no more than their noise.")
    else:
        say(
            f"  - Scores scatter {used.dispersion:.3g} times their noise (variance) about the best curve; "
            "tests and intervals allow for it."
        )
    if used.design_effect is not None:
        say(f"  - {used.design_effect:.3g} samples count as one (design effect).")
    shared = "counted: their errors are correlated" if used.paired else "not counted: errors are independent"
    say(f"  - Items that the models share are {shared}.")
    if finding.resolution is not None:
        level = "chance" if finding.chance else "0"
        say(
            f"  - A score at {level} at the bottom of the axis cannot exclude a true one of up to "
            f"{finding.resolution:.3g} (95 %)."
        )


def _parameters(params: dict[str, float]) -> str:
    return ", ".join(f"{name} {magnitude(value)}" for name, value in params.items())
