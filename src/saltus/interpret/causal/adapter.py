"""A mitigation as a small file: components scaled by hooks, applied to a model and removed again.

No weight is changed. `dose_response` measures what each strength does to the ability and to everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from saltus.interpret.causal.ablation import Reference, sites_of
from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import change_interval, mean_interval, score_prompts
from saltus.records.errors import InputError, ModelError, UsageError
from saltus.records.explanations import Component, Effect, parse_components, set_name
from saltus.records.findings import Interval

if TYPE_CHECKING:
    from torch import Tensor

FORMAT: Literal["saltus-adapter-1"] = "saltus-adapter-1"
SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


class Scaled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One component and what becomes of it: baseline + scale * (what it writes - baseline).

    Attributes:
        component: A head, an MLP or a neuron, by name.
        scale: 0 puts the baseline in its place, 1 leaves it alone, 2 doubles what it says.
        baseline: Its mean on the task it was made for, one number a dimension; empty for zero.
    """

    component: str
    scale: float
    baseline: tuple[float, ...] = ()


class Applied:
    """Hooks in place; `remove` takes them off again."""

    def __init__(self, hooks: Sequence[Any]) -> None:
        self._hooks = list(hooks)

    def remove(self) -> None:
        """Take all hooks off; a second call does nothing."""
        while self._hooks:
            self._hooks.pop().remove()


class Adapter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Components of one model, scaled.

    Attributes:
        format: Of the file.
        model: Name of the model it was made for.
        architecture: Its `model_type`.
        layers: Its layers.
        heads: Heads a layer.
        head_width: Numbers a head writes.
        width: Of its residual stream.
        neurons: A layer.
        weights: Norm of the output projection of each head, by which other weights are told: the same names
            mean nothing in them.
        method: What stands in the place of what is suppressed: "mean" or "zero".
        components: What is scaled.
        task: The ability it was made for.
    """

    format: Literal["saltus-adapter-1"] = FORMAT
    model: str
    architecture: str
    layers: int
    heads: int
    head_width: int
    width: int
    neurons: int
    weights: tuple[float, ...]
    method: Literal["mean", "zero"]
    components: tuple[Scaled, ...]
    task: str = ""

    def edits(self, model: HookedModel, *, same_weights: bool = True) -> tuple[Edit, ...]:
        """Edits for `HookedModel.run`.

        Args:
            model: The model it was made for.
            same_weights: False allows other weights of the same architecture and sizes.

        Raises:
            ModelError: It is another model.
        """
        _check(self, model, same_weights)
        return tuple(Edit(site, change) for site, change in _changes(self, model))

    def apply(self, model: Any, *, same_weights: bool = True) -> Applied:
        """Hook it into a model of transformers, until `remove` is called on what this returns.

        Args:
            model: The model it was made for.
            same_weights: False allows other weights of the same architecture and sizes.

        Raises:
            ModelError: It is another model.
        """
        hooked = HookedModel(model)
        _check(self, hooked, same_weights)
        table = hooked.architecture
        blocks = model.get_submodule(table.blocks)
        hooks = []
        for site, change in _changes(self, hooked):
            block = blocks[site.layer]
            if site.kind == "mlp_out":
                module = block.get_submodule(table.mlp_out or table.mlp)
                hooks.append(module.register_forward_hook(_after(change)))
            else:
                shape = (self.heads, self.head_width) if site.kind == "z" else None
                module = block.get_submodule(table.out if site.kind == "z" else table.down)
                hooks.append(module.register_forward_pre_hook(_before(change, shape)))
        return Applied(hooks)

    @contextmanager
    def applied(self, model: Any, *, same_weights: bool = True) -> Iterator[Any]:
        """The model with the adapter on, for a `with` block."""
        on = self.apply(model, same_weights=same_weights)
        try:
            yield model
        finally:
            on.remove()


class Dose(msgspec.Struct, frozen=True, kw_only=True):
    """What one strength does to one task.

    Attributes:
        scale: Of all components.
        task: Which task.
        metric: Its score.
        score: With the adapter.
        change: Against no adapter, on the same samples.
        baseline: Without it.
        n: Samples.
    """

    scale: float
    task: str
    metric: str
    score: Interval
    change: Interval
    baseline: float
    n: int


def make_adapter(
    model: HookedModel,
    components: Sequence[Component] | Mapping[Component, float],
    *,
    scale: float = 0.0,
    baseline: Reference | None = None,
) -> Adapter:
    """An adapter for some components of a model.

    Args:
        model: The model.
        components: All scaled by `scale`, or a factor for each. Attentions and layers count as their parts.
        scale: 0 suppresses, 1 does nothing.
        baseline: Means to scale around, as `ablation.reference` measured them; zero when None.

    Raises:
        UsageError: There are no components, one cannot be scaled, or the baseline lacks its mean.
    """
    given = dict(components) if isinstance(components, Mapping) else dict.fromkeys(components, scale)
    if not given:
        raise UsageError("an adapter needs at least one component", field="component")
    scaled: dict[Component, Scaled] = {}
    for one, factor in given.items():
        for site, index in sites_of(model, one):
            part = _component(site, index)
            mean = _mean(baseline, site, index)
            scaled[part] = Scaled(component=str(part), scale=float(factor), baseline=mean)
    sizes = model.anatomy
    return Adapter(
        model=model.name,
        architecture=model.model_type,
        layers=sizes.layers,
        heads=sizes.heads,
        head_width=sizes.head_width,
        width=sizes.width,
        neurons=sizes.neurons,
        weights=fingerprint(model),
        method="zero" if baseline is None else "mean",
        components=tuple(scaled[one] for one in sorted(scaled)),
        task="" if baseline is None or baseline.prompts is None else baseline.prompts.task,
    )


def save_adapter(adapter: Adapter, path: str | Path) -> None:
    """Write it as JSON."""
    Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(adapter), indent=1) + b"\n")


def load_adapter(path: str | Path) -> Adapter:
    """Read one.

    Raises:
        InputError: The file is missing or is no adapter.
    """
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=Adapter)
        for one in found.components:
            parse_components(one.component)
    except (OSError, msgspec.MsgspecError, UsageError) as error:
        raise InputError(f"{path} is no adapter of Saltus ({error}); write one with save_adapter") from error
    return found


def fingerprint(model: HookedModel) -> tuple[float, ...]:
    """Norm of the output projection of each head, layer by layer: equal in all precisions to three digits."""
    return tuple(
        float(norm)
        for layer in range(model.anatomy.layers)
        for norm in model.out_weights(layer).float().norm(dim=(1, 2)).tolist()
    )


def dose_response(
    model: HookedModel,
    tasks: Mapping[str, Prompts],
    components: Sequence[Component],
    *,
    scales: Sequence[float] = SCALES,
    baseline: Reference | None = None,
    level: float = 0.9,
) -> list[Dose]:
    """Score every task at every strength of an adapter.

    Args:
        model: The model.
        tasks: Prompts by name: the ability, and what may be hurt beside it.
        components: What is scaled.
        scales: Strengths.
        baseline: Means to scale around; zero when None.
        level: Of the intervals over samples.
    """
    before = {name: score_prompts(model, prompts) for name, prompts in tasks.items()}
    doses = []
    for scale in scales:
        edits = make_adapter(model, components, scale=scale, baseline=baseline).edits(model)
        for name, prompts in tasks.items():
            after = score_prompts(model, prompts, edits).correct
            doses.append(
                Dose(
                    scale=scale,
                    task=name,
                    metric=prompts.metric,
                    score=mean_interval(after, prompts.clusters, level),
                    change=change_interval(before[name].correct, after, prompts.clusters, level),
                    baseline=before[name].score,
                    n=len(after),
                )
            )
    return doses


def dose_effects(
    doses: Sequence[Dose], model: HookedModel, components: Sequence[Component], *, run: str = ""
) -> list[Effect]:
    """Rows of `dose_response`: method "scaling", the change of each task's score."""
    return [
        Effect(
            run=run,
            model=model.name,
            task=one.task,
            component=set_name(tuple(components)),
            method="scaling",
            metric=one.metric,
            effect=one.change.value,
            low=one.change.low if np.isfinite(one.change.low) else None,
            high=one.change.high if np.isfinite(one.change.high) else None,
            level=one.change.level,
            baseline=one.baseline,
            n=one.n,
            detail=msgspec.json.encode({"scale": one.scale}).decode(),
        )
        for one in doses
    ]


def _check(adapter: Adapter, model: HookedModel, same_weights: bool) -> None:
    sizes = model.anatomy
    wanted = (adapter.layers, adapter.heads, adapter.head_width, adapter.width, adapter.neurons)
    found = (sizes.layers, sizes.heads, sizes.head_width, sizes.width, sizes.neurons)
    if adapter.architecture != model.model_type or wanted != found:
        said = "{} of {} layers, {} heads of {}, width {}, {} neurons"
        raise ModelError(
            f"the adapter was made for {adapter.model}, a {said.format(adapter.architecture, *wanted)}, and "
            f"{model.name} is a {said.format(model.model_type, *found)}; make one for this model",
            field="adapter",
        )
    if same_weights and not np.allclose(adapter.weights, fingerprint(model), rtol=1e-3, atol=1e-6):
        raise ModelError(
            f"the adapter was made for {adapter.model}, and {model.name} has other weights, in which the "
            "same names do other things; make one for this model or pass same_weights=False",
            field="adapter",
        )


def _changes(adapter: Adapter, model: HookedModel) -> list[tuple[Site, Callable[[Tensor, Batch], Tensor]]]:
    """One change a site."""
    by_site: dict[Site, list[tuple[int, Scaled]]] = {}
    for one in adapter.components:
        for part in parse_components(one.component):
            for site, index in sites_of(model, part):
                by_site.setdefault(site, []).append((index, one))
    return [(site, _scaling(site, by_site[site])) for site in sorted(by_site)]


def _scaling(site: Site, own: Sequence[tuple[int, Scaled]]) -> Callable[[Tensor, Batch], Tensor]:
    def change(value: Tensor, batch: Batch) -> Tensor:
        import torch

        value = value.clone()
        for index, one in own:
            place: Any = (slice(None), slice(None), index) if site.kind != "mlp_out" else ...
            mean = value.new_zeros(()) if not one.baseline else value.new_tensor(one.baseline)
            mean = mean.squeeze() if site.kind == "neurons" else mean
            value[place] = torch.lerp(mean.expand_as(value[place]), value[place], one.scale)
        return value

    return change


def _component(site: Site, index: int) -> Component:
    match site.kind:
        case "z":
            return Component(site.layer, index)
        case "neurons":
            return Component(site.layer, index, "neuron")
        case _:
            return Component(site.layer, part="mlp")


def _mean(baseline: Reference | None, site: Site, index: int) -> tuple[float, ...]:
    if baseline is None:
        return ()
    if site not in baseline.means:
        raise UsageError(
            "the baseline has no means of neurons; measure it with reference(model, prompts, neurons=True)",
            field="baseline",
        )
    mean = baseline.means[site]
    own = mean if site.kind == "mlp_out" else mean[index]
    return tuple(float(x) for x in own.reshape(-1).tolist())


_NO_BATCH: Any = None  # scaling does not look at its batch


def _before(change: Callable[[Tensor, Batch], Tensor], shape: tuple[int, int] | None) -> Any:
    def hook(module: Any, args: tuple[Any, ...]) -> Any:
        value = args[0] if shape is None else args[0].unflatten(-1, shape)
        value = change(value, _NO_BATCH)
        return (value if shape is None else value.flatten(-2), *args[1:])

    return hook


def _after(change: Callable[[Tensor, Batch], Tensor]) -> Any:
    def hook(module: Any, args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(output[0], _NO_BATCH), *output[1:])
        return change(output, _NO_BATCH)

    return hook
