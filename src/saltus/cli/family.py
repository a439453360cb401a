"""`saltus family`: train, list or find the embedded model family."""

from __future__ import annotations

import click

from saltus.cli.output import emit, json_option, next_step, progress_bar, say, table


@click.group("family")
def command() -> None:
    """Train, list or find the embedded model family."""


@command.command("train")
@click.option("--out", required=True, metavar="DIR", help="Where the checkpoints go.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="Train seeds 0 to N-1."
)
@click.option("--sizes", multiple=True, metavar="LxW", help="Only these sizes, e.g. --sizes 2x64.")
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes, one thread each."
)
@json_option
def train(out: str, seeds: int, sizes: tuple[str, ...], workers: int, as_json: bool) -> int:
    """Train the family again; an interrupted training goes on where it stopped."""
    from saltus.family import train_family

    with progress_bar() as bar:
        lines: dict[str, object] = {}

        def update(model: str, step: int, steps: int) -> None:
            if model not in lines:
                lines[model] = bar.add_task(model, total=steps)
            bar.update(lines[model], completed=step)  # type: ignore[arg-type]

        records = train_family(
            out, seeds=tuple(range(seeds)), sizes=sizes or None, workers=workers, progress=update
        )
    if as_json:
        emit({"models": records})
    else:
        say(f"{len(records)} checkpoints in {out}.")
        next_step(f"saltus run family --series {out}")
    return 0


@command.command("ls")
@json_option
def ls(as_json: bool) -> int:
    """List the checkpoints that are shipped."""
    from saltus.family import checkpoints

    records = checkpoints(seed=None)
    if as_json:
        emit({"models": records})
    else:
        table(
            ("model", "params", "layers", "width", "heads", "step", "seed", "role"),
            ((m.id, m.params, m.layers, m.width, m.heads, m.step, m.seed, m.role) for m in records),
        )
        next_step("saltus run family --series family")
    return 0


@command.command("path")
@click.argument("model")
def path(model: str) -> int:
    """Print the directory of MODEL, e.g. tiro-2x64@step500: a plain Hugging Face checkpoint."""
    from saltus.family import locate

    say(str(locate(model)))
    return 0
