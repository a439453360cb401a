"""One model taken apart for one ability: every intervention that `explain` makes, as rows of effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from saltus.interpret.causal.ablation import METHODS, Reference, ablate, reference
from saltus.interpret.causal.adapter import Adapter, dose_effects, dose_response, make_adapter
from saltus.interpret.causal.effects import ablation_effects, patching_effects, screen_effects
from saltus.interpret.causal.patching import patch
from saltus.interpret.causal.screening import Screen, screen, screen_ablation
from saltus.interpret.circuits.circuit import Bystander, CircuitFinding, CircuitSettings, find_circuit
from saltus.interpret.network.checkpoints import Opened, open_checkpoints
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import answer_places
from saltus.interpret.readout.direct import direct_effects
from saltus.interpret.readout.lens import lens_effects
from saltus.records.errors import InputError
from saltus.records.evidence import ModelRecord
from saltus.records.explanations import Component, Effect, Example

if TYPE_CHECKING:
    from saltus.interpret.explanation import ExplainSettings
    from saltus.models.encoding import Encoder

_SINGLES = 200  # components that are all taken out one by one; of larger models those the screen puts first
_TUNED = 1e7  # vocabulary x width x layers up to which a tuned lens takes seconds on a CPU
_PATCHED = 24
_EXAMPLES = 12

Set = tuple[Component, ...]


class Dissection(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to one model.

    Attributes:
        circuit: What was found.
        effects: All rows.
        adapter: What suppresses the named set; None when there is none.
        examples: Prompts whose answer changes without the named set.
    """

    circuit: CircuitFinding
    effects: tuple[Effect, ...]
    adapter: Adapter | None = None
    examples: tuple[Example, ...] = ()


def dissect(
    opened: Opened,
    prompts: Prompts,
    chance: float | None,
    bystanders: Sequence[Bystander],
    *,
    seed: int = 0,
    run: str = "",
    report: Callable[[str, int, int], None] | None = None,
) -> Dissection:
    """Find the circuit, then screen, ablate, patch and read out.

    A model that cannot do the task is only read out: what would be taken from it?

    Args:
        opened: The model and its tokenizer.
        prompts: Of the task.
        chance: Of guessing.
        bystanders: Other tasks.
        seed: Of everything random.
        run: The explanation that the effects belong to.
        report: Told of progress.
    """
    model = opened.model
    settings = CircuitSettings(seed=seed)
    tell = report or (lambda stage, done, total: None)
    most = settings.search.passes
    circuit = find_circuit(
        model,
        prompts,
        chance=chance,
        bystanders=bystanders,
        settings=settings,
        run=run,
        progress=lambda done: tell("search", done, most),
    )
    tell("search", most, most)
    size = model.vocabulary * model.anatomy.width * model.anatomy.layers
    tuned = model.device.type != "cpu" or size <= _TUNED
    rows = list(circuit.effects)
    rows += lens_effects(model, prompts, run=run, model_id=model.name, tuned=tuned, seed=seed)
    if circuit.verdict == "nothing":
        return Dissection(circuit=circuit, effects=tuple(rows))
    baseline = reference(model, prompts)
    named = circuit.named
    tasks = {one.prompts.task: one.prompts for one in bystanders} | {prompts.task: prompts}
    stages: list[Callable[[], Iterable[Effect]]] = [
        lambda: direct_effects(model, prompts, run=run, model_id=model.name),
        lambda: _interventions(model, prompts, circuit, seed, run),
        lambda: dose_effects(
            dose_response(model, tasks, named, baseline=baseline) if named else [], model, named, run=run
        ),
    ]
    for done, stage in enumerate(stages):
        tell("effects", done, len(stages))
        rows += stage()
    tell("effects", len(stages), len(stages))
    return Dissection(
        circuit=circuit,
        effects=tuple(rows),
        adapter=make_adapter(model, named, baseline=baseline) if named else None,
        examples=_examples(model, opened.encoder, prompts, circuit.named),
    )


def around(
    records: Sequence[ModelRecord],
    opened: Opened,
    prompts: Prompts,
    circuit: CircuitFinding,
    settings: ExplainSettings,
    *,
    run: str,
    problems: list[str],
) -> list[Effect]:
    """Take the same sets out of other checkpoints: what did they carry before the onset, and just after?

    Args:
        records: The checkpoints.
        opened: The model that was taken apart; the others share its tokenizer.
        prompts: Of the task.
        circuit: What was found in it.
        settings: Of the explanation.
        run: The explanation that the effects belong to.
        problems: Gets a sentence for each checkpoint that cannot be used.
    """
    rows: list[Effect] = []
    sets: list[Set] = [circuit.named, *((one,) for one in circuit.named if len(circuit.named) > 1)]
    how = {"device": settings.device, "dtype": settings.dtype}
    for record, model in open_checkpoints(records, encoder=opened.encoder, problems=problems, **how):
        rows += lens_effects(model, prompts, run=run, model_id=record.id, tuned=False)
        # In a model of another size the same names are other parts.
        if circuit.named and model.anatomy == opened.model.anatomy:
            baseline = reference(model, prompts)
            found = ablation_effects(model, prompts, sets, baseline=baseline, run=run)
            rows += [row for row in found if row.metric == prompts.metric]
    return rows


def _interventions(
    model: HookedModel, prompts: Prompts, circuit: CircuitFinding, seed: int, run: str
) -> list[Effect]:
    """Screen, single ablations, other ways of ablation, patches."""
    baseline = reference(model, prompts)
    estimated = _screened(model, prompts, baseline)
    rows = screen_effects(estimated, model, prompts, run=run)
    order = np.argsort(-np.abs(estimated.effects), kind="stable")
    ranked = [estimated.components[i] for i in order]
    singles = [*ranked[:_SINGLES], *model.components("layer")]
    rows += ablation_effects(model, prompts, singles, baseline=baseline, run=run, seed=seed)
    if circuit.named:
        for method in METHODS[1:]:
            found = ablation_effects(
                model, prompts, [circuit.named], method, baseline=baseline, run=run, seed=seed
            )
            rows += [row for row in found if row.metric == prompts.metric]
    if prompts.twins is not None:
        sets: list[Set] = [(one,) for one in ranked[:_PATCHED]]
        sets += [(one,) for one in circuit.named if one not in ranked[:_PATCHED]]
        sets += [circuit.named] if len(circuit.named) > 1 else []
        rows += patching_effects(patch(model, prompts, sets), model, prompts, run=run)
    return rows


def _screened(model: HookedModel, prompts: Prompts, baseline: Reference) -> Screen:
    """Between the prompts and their twins where those say something else, towards the means elsewhere."""
    if prompts.twins is not None:
        try:
            return screen(model, prompts)
        except InputError:  # twins whose answers begin alike: there is no margin to follow
            pass
    return screen_ablation(model, prompts, baseline)


def _examples(model: HookedModel, encoder: Encoder, prompts: Prompts, named: Set) -> tuple[Example, ...]:
    """Prompts whose first answer token changes without the named set, right ones first to go."""
    if not named:
        return ()
    own = prompts.take(np.flatnonzero(prompts.right))
    edits = ablate(model, named, baseline=reference(model, own))
    found: list[Example] = []
    for batch in own.batches(model.device):
        at, answers = answer_places(own, batch.rows)
        first = (at[0][:, :1], at[1][:, :1])
        before = model.run(batch, at=first).logits[:, 0].argmax(-1)
        after = model.run(batch, at=first, edits=edits).logits[:, 0].argmax(-1)
        lost = (before == answers[:, 0]) & (after != before)
        for i in lost.nonzero()[:, 0].tolist():
            row = int(batch.rows[i])
            shown = own.tokens[row][: own.starts[row] + 1].tolist()
            found.append(
                Example(
                    sample=own.samples[own.items[row]],
                    component="+".join(map(str, sorted(named))),
                    input=encoder.text(shown),
                    target=encoder.text([t for t in own.answers[row].tolist() if t >= 0]),
                    before=encoder.text([int(before[i])]),
                    after=encoder.text([int(after[i])]),
                )
            )
            if len(found) == _EXAMPLES:
                return tuple(found)
    return tuple(found)
