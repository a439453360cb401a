"""Write the report: evidence and findings in, one HTML file out that needs no network and no server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus._version import __version__
from saltus.records.errors import StoreError, UsageError
from saltus.records.findings import Finding
from saltus.report.pages import (
    MODEL_COLUMNS,
    NUMERIC,
    RUN_COLUMNS,
    day_and_time,
    figures,
    finding_row,
    sparkline,
    table_of,
)
from saltus.report.payload import Gathered, embed, gather
from saltus.report.robustness import robustness_page
from saltus.report.words import KINDS, kind

if TYPE_CHECKING:
    import jinja2

    from saltus.emergence import RobustnessTable
    from saltus.store import Store

LIBRARIES = ("vega", "vega-lite", "vega-interpreter", "vega-embed")
SCRIPTS = (
    "dom.js",
    "charts.js",
    "finding.js",
    "training.js",
    "forecast.js",
    "samples.js",
    "robustness.js",
    "circuit.js",
    "attention.js",
    "explain.js",
    "router.js",
)


class ReportInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        path: The file.
        bytes: Its size.
        findings: Verdicts in it.
        points: Measured points behind them.
        models: Models and checkpoints.
        samples: Responses of models that can be read in it.
        samples_per_point: At most so many samples a point; less than asked when `max_bytes` was short.
    """

    path: str
    bytes: int
    findings: int
    points: int
    models: int
    samples: int
    samples_per_point: int


def write_report(
    store: Store,
    findings: Sequence[Finding],
    path: str | os.PathLike[str],
    *,
    samples: int = 20,
    title: str | None = None,
    max_bytes: int | None = None,
    robustness: RobustnessTable | None = None,
) -> ReportInfo:
    """Write one self-contained HTML file: verdicts, charts, tables, and the samples behind each point.

    Args:
        store: Where the evidence is; only read.
        findings: What `detect` found; the report computes no statistic of its own.
        path: The file to write; it is replaced in one step.
        samples: At most so many samples a point, the same ones for every model of a task; 0 for none.
        title: Of the report; by default the families it speaks of.
        max_bytes: Largest file to write. Samples are halved until it fits.
        robustness: What `compare_variants` found, for a page of its own.

    Returns:
        Size and contents of the file.

    Raises:
        UsageError: There are neither findings nor explanations, or they alone do not fit into `max_bytes`.
        StoreError: The file cannot be written.
    """
    from saltus.store import load_explanations

    if not findings and not load_explanations(store):
        raise UsageError(
            "A report needs a finding or an explanation, and there are none; run `saltus detect` first.",
            field="findings",
        )
    if samples < 0:
        raise UsageError(f"samples is {samples}, and it has to be 0 or more.", field="samples")
    variants = robustness_page(robustness) if robustness is not None else []
    page = _page(gathered := gather(store, findings, samples), samples, title, variants)
    while max_bytes is not None and len(page) > max_bytes:
        if samples == 0:
            raise UsageError(
                f"The report is {len(page):,} bytes without any samples and max_bytes is {max_bytes:,}; "
                "allow more, or report fewer findings.",
                field="max_bytes",
            )
        samples //= 2
        page = _page(gathered := gather(store, findings, samples), samples, title, variants)
    target = Path(path)
    _replace(target, page)
    return ReportInfo(
        path=str(target),
        bytes=len(page),
        findings=len(gathered.findings),
        points=sum(len(finding.points) for finding in gathered.findings),
        models=len(gathered.models),
        samples=sum(
            sum(answer is not None for answer in answers)
            for task in gathered.samples.values()
            for answers in task.responses.values()
        ),
        samples_per_point=samples,
    )


def _page(gathered: Gathered, samples: int, title: str | None, variants: list[dict[str, Any]]) -> bytes:
    findings = gathered.findings
    families = list(dict.fromkeys(finding.family for finding in findings if finding.family))
    title = title or (f"What emerges in {', '.join(families)}" if families else "What emerges")
    scripts = [_library(name) for name in LIBRARIES]
    app = "\n".join(_asset(name) for name in SCRIPTS)
    scripts.append(f'(() => {{\n"use strict";\n{app}\n}})();')
    rows: list[dict[str, Any]] = [
        {**finding_row(finding), "spark": sparkline(finding)} for finding in findings
    ]
    created = max((run["created"] or 0.0 for run in gathered.runs), default=0.0)
    facts = {
        "Families": ", ".join(families),
        "Tasks": len({finding.task for finding in findings}),
        "Models and checkpoints": len(gathered.models),
        "Runs": len(gathered.runs),
        "Evidence of": day_and_time(created)[:10],
        "Saltus": __version__,
    }
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            facts={name: value for name, value in facts.items() if value},
            figures=figures(findings),
            findings=rows,
            kinds=KINDS,
            present=list(dict.fromkeys(kind(finding) for finding in findings)),
            models=table_of(gathered.models, MODEL_COLUMNS),
            runs=table_of(gathered.runs, RUN_COLUMNS),
            numeric=NUMERIC,
            seeds=sorted({finding.seed for finding in findings}),
            versions=sorted({finding.version for finding in findings} - {""}),
            css=_asset("report.css"),
            scripts=scripts,
            csp=_policy(scripts),
            robustness=bool(variants),
            forecasts=bool(gathered.payload["forecasts"]),
            explanations=gathered.payload["explanations"],
            data=embed({**gathered.payload, "robustness": variants, "title": title, "limit": samples}),
        )
    )
    return html.encode("utf-8", errors="replace")


def _policy(scripts: Sequence[str]) -> str:
    """Content security policy: exactly these scripts run, nothing is fetched, no string becomes code."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _library(name: str) -> str:
    """A bundled library under its licence, which has to travel with it."""
    licence = _asset(f"{name}.LICENSE").strip()
    if name == "vega":
        licence += "\n\n" + _asset("bundled.LICENSE").strip()
    return f"/*! {name}\n{licence}\n*/\n{_asset(f'{name}.min.js').strip()}"


def _asset(name: str) -> str:
    return files("saltus.report").joinpath("assets", name).read_text("utf-8")


def _environment() -> jinja2.Environment:
    import jinja2

    loader = jinja2.FunctionLoader(
        lambda name: files("saltus.report").joinpath("templates", name).read_text("utf-8")
    )
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _replace(target: Path, page: bytes) -> None:
    """Write beside the target and rename, so that a reader never sees half a file."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(page)
        part.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise StoreError(
            f"The report cannot be written ({reason}); choose another place with -o.", path=str(target)
        ) from error
