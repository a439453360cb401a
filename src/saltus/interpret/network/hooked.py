"""A causal language model with a name for every activation: read them, change them, leave the model alone.

`HookedModel` stands at the bottom of this room; all other files ask questions through its `run`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from saltus.interpret.network import hooking
from saltus.interpret.network.architecture import Anatomy, Architecture, architecture_of
from saltus.records.errors import ModelError
from saltus.records.explanations import Component, Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KINDS = (
    "resid_pre",  # enters a block; of block 0 it is the embedding. batch, length, width
    "query",  # of each head, before any rotation. batch, length, heads, head width
    "key",  # batch, length, kv heads, head width
    "value",  # batch, length, kv heads, head width
    "pattern",  # attention weights, read only. batch, heads, query, key
    "z",  # what each head writes, before the output projection. batch, length, heads, head width
    "attention_out",  # what the attention adds to the residual stream. batch, length, width
    "neurons",  # input of the MLP's last projection. batch, length, neurons
    "mlp_out",  # what the MLP adds to the residual stream. batch, length, width
    "resid_post",  # leaves a block. batch, length, width
)


class Site(NamedTuple):
    """One activation: one of `KINDS`, and its layer counted from 0."""

    kind: str
    layer: int


class Batch(NamedTuple):
    """Rows that are run together, padded on the right.

    Attributes:
        tokens: Rows x length.
        lengths: Real tokens of each row.
        rows: Which rows of their set of prompts they are.
    """

    tokens: Tensor
    lengths: Tensor
    rows: Tensor


class Edit(NamedTuple):
    """A change of one activation on the way; it gets the activation in the shape of `KINDS` and its batch."""

    site: Site
    change: Callable[[Tensor, Batch], Tensor]


class Run(NamedTuple):
    """What a forward pass gave.

    Attributes:
        logits: Float32: places x vocabulary where places were asked for, else rows x length x vocabulary.
        values: What was read, by site.
    """

    logits: Tensor
    values: dict[Site, Any]


Read = Callable[["Tensor"], Any]


class HookedModel:
    """A model to look into.

    It works on a copy of the modules that shares the memory of the weights: hooks and settings never reach
    the model that was handed in, its own hooks do nothing here, and no gradient is ever left on a weight.

    Args:
        model: A causal language model of transformers.
        architecture: Where its parts are; by the configuration's `model_type` when None.
        name: What to call it, in effects and errors.

    Attributes:
        anatomy: Its sizes.
        device: Where it runs.
        name: As given.

    Raises:
        ModelError: There is no table for the architecture, it does not fit, or the weights are quantised or
            spread over devices.
    """

    def __init__(self, model: Any, *, architecture: Architecture | None = None, name: str = "") -> None:
        config = model.config.get_text_config()
        self.name = name or str(getattr(model, "name_or_path", "") or config.model_type)
        hooking.check_weights(model, self.name)
        self.architecture = architecture or architecture_of(config)
        self._model = hooking.shallow_copy(model)
        self.anatomy: Anatomy
        self._blocks, self.anatomy = hooking.check_paths(self._model, self.architecture, self.name)
        self._norm = self._model.get_submodule(self.architecture.norm)
        self._head = self._model.get_output_embeddings()
        self.device: torch.device = next(model.parameters()).device
        self._attention = str(getattr(self._model.config, "_attn_implementation", "eager") or "eager")

    def __repr__(self) -> str:
        sizes = self.anatomy
        return f"HookedModel({self.name!r}, {sizes.layers} layers, {sizes.heads} heads, width {sizes.width})"

    def close(self) -> None:
        """Let the weights go; whoever runs it afterwards is told so."""
        self._model = self._norm = self._head = None
        self._blocks = []
        for name in ("final_norm", "unembedding"):
            self.__dict__.pop(name, None)

    def copied_network(self) -> Any:
        """The modules with weights of their own, for what changes weights.

        Raises:
            ModelError: The model has been closed.
        """
        if self._model is None:
            raise ModelError(f"{self.name} has been closed; open it again with open_model")
        network = copy.deepcopy(self._model)
        for weight in network.parameters():
            weight.requires_grad_(True)
        return network

    def components(self, *parts: Part) -> tuple[Component, ...]:
        """All components of these kinds, in order of the layers; heads and MLPs when none is given."""
        found: list[Component] = []
        for layer in range(self.anatomy.layers):
            for part in parts or ("head", "mlp"):
                many = {"head": self.anatomy.heads, "neuron": self.anatomy.neurons}.get(part)
                found += [Component(layer, i, part) for i in (range(many) if many is not None else (-1,))]
        return tuple(found)

    def run(
        self,
        batch: Batch,
        *,
        read: Mapping[Site, Read | None] | Sequence[Site] = (),
        edits: Sequence[Edit] = (),
        at: tuple[Tensor, Tensor] | None = None,
        gradients: bool = False,
        logits: bool = True,
    ) -> Run:
        """One forward pass.

        Args:
            batch: The rows.
            read: Sites to keep; with a function, what it makes of the activation is kept instead, which
                bounds the memory. Reads see the edited values.
            edits: Changes, in order.
            at: Rows and places (two index tensors of one shape) whose logits are wanted; all when None.
            gradients: Record what `torch.autograd.grad` needs; reads are then part of the graph.
            logits: False skips the output layer; `Run.logits` is then empty.

        Raises:
            ModelError: A site does not exist in this model.
        """
        import torch

        if self._model is None:
            raise ModelError(f"{self.name} has been closed; open it again with open_model")
        wanted = dict(read) if isinstance(read, Mapping) else dict.fromkeys(read)
        kept: dict[Site, Any] = {}
        by_site: dict[Site, list[Edit]] = {}
        for edit in edits:
            by_site.setdefault(edit.site, []).append(edit)
        with ExitStack() as stack:
            stack.enter_context(self._attending("eager" if _has_pattern(wanted) else self._attention))
            for site in dict.fromkeys((*by_site, *wanted)):
                keep = (kept, wanted[site]) if site in wanted else None
                stack.enter_context(self._hook(site, by_site.get(site, ()), batch, keep, gradients))
            if gradients:
                stack.enter_context(hooking.differentiable(self._model.get_input_embeddings()))
            if at is not None and logits:
                stack.enter_context(hooking.only_at(self._head, at))
            stack.enter_context(torch.enable_grad() if gradients else torch.no_grad())
            if not logits:
                self._model.base_model(batch.tokens, use_cache=False)
                return Run(torch.empty(0), kept)
            found = self._model(batch.tokens, use_cache=False).logits
        if at is not None:
            found = found.reshape(*at[0].shape, found.shape[-1])
        return Run(found.float(), kept)

    def apart(self) -> HookedModel:
        """The same model on the same weights, with hooks of its own: it runs inside a hook of this one."""
        return HookedModel(self._model, architecture=self.architecture, name=self.name)

    def unembed(self, residual: Tensor) -> Tensor:
        """Logits of a residual stream: the last norm, the output layer and what the model does after it."""
        import torch

        logits: Tensor = self._head(self._norm(residual.to(self._dtype))).float()
        cap = self.softcap
        return torch.tanh(logits / cap) * cap if cap else logits

    @property
    def softcap(self) -> float | None:
        """Where the model squeezes its logits between plus and minus a cap, the cap."""
        cap = getattr(self._model.config.get_text_config(), "final_logit_softcapping", None)
        return float(cap) if cap else None

    @cached_property
    def final_norm(self) -> Any:
        """The last norm, a module."""
        return self._norm

    @cached_property
    def unembedding(self) -> Tensor:
        """Weights of the output layer, width x vocabulary."""
        return hooking.matrix(self._head).detach()

    @property
    def unembedding_bias(self) -> Tensor | None:
        """Bias of the output layer, vocabulary; None where it has none."""
        bias: Tensor | None = getattr(self._head, "bias", None)
        return None if bias is None else bias.detach()

    def module(self, layer: int, name: str) -> Any:
        """A module of a block by its name in the path table ("out", "down"); None without a path."""
        path = getattr(self.architecture, name)
        return self._at(layer, path) if path else None

    def out_weights(self, layer: int) -> Tensor:
        """Output projection by head: heads x head width x width."""
        matrix = hooking.matrix(self._at(layer, self.architecture.out)).detach()
        return matrix.reshape(self.anatomy.heads, self.anatomy.head_width, -1)

    def down_weights(self, layer: int) -> Tensor:
        """What each neuron writes: neurons x width."""
        return hooking.matrix(self._at(layer, self.architecture.down)).detach()

    @property
    def model_type(self) -> str:
        """Its architecture as transformers calls it."""
        return str(self._model.config.get_text_config().model_type)

    @property
    def vocabulary(self) -> int:
        """Tokens that the output layer tells apart."""
        return int(self._head.weight.shape[0])

    @property
    def number_bytes(self) -> int:
        """Bytes of a number in its weights and activations."""
        return int(self._dtype.itemsize)

    @property
    def attends_eagerly(self) -> bool:
        """Whether its attention writes the whole pattern out even when nobody reads it."""
        return self._attention == "eager"

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = next(self._model.parameters()).dtype
        return dtype

    def _fitting(self, site: Site, value: Tensor, before: Tensor) -> Tensor:
        if value.shape != before.shape:
            raise ModelError(
                f"an edit made {site.kind} of layer {site.layer} of shape {tuple(before.shape)} into "
                f"{tuple(value.shape)}; return as many rows, tokens and numbers as it gets",
                field="edits",
            )
        return value.to(before.dtype)

    def _at(self, layer: int, path: str) -> Any:
        return self._blocks[layer].get_submodule(path)

    @contextmanager
    def _attending(self, how: str) -> Iterator[None]:
        """Compute attention this way: only the plain one gives its pattern."""
        if how == self._model.config._attn_implementation:
            yield
            return
        before = self._model.config._attn_implementation
        self._model.set_attn_implementation(how)
        try:
            yield
        finally:
            self._model.set_attn_implementation(before)

    @contextmanager
    def _hook(
        self,
        site: Site,
        edits: Sequence[Edit],
        batch: Batch,
        keep: tuple[dict[Site, Any], Read | None] | None,
        gradients: bool,
    ) -> Iterator[None]:
        """See an activation in its documented shape, change it, keep it."""

        def see(value: Tensor) -> Tensor:
            for edit in edits:
                value = self._fitting(site, edit.change(value, batch), value)
            if keep is not None:
                keep[0][site] = value if keep[1] is None else keep[1](value)
            return value

        # A read tensor is a view: only when it is handed on is it what the logits depend on.
        passed_on = bool(edits) or (gradients and site.kind != "pattern")
        handle = self._register(site, see, edited=passed_on)
        try:
            yield
        finally:
            handle.remove()

    def _register(  # noqa: PLR0911 - one line a kind of activation
        self, site: Site, see: Callable[[Tensor], Tensor], *, edited: bool
    ) -> Any:
        if not 0 <= site.layer < self.anatomy.layers:
            raise ModelError(
                f"{self.name} has no layer {site.layer}, its layers are 0 to {self.anatomy.layers - 1}",
                field="component",
            )
        table, block = self.architecture, self._blocks[site.layer]
        sizes = self.anatomy
        match site.kind:
            case "resid_pre":
                return block.register_forward_pre_hook(hooking.on_input(see, edited), with_kwargs=True)
            case "resid_post":
                return block.register_forward_hook(hooking.on_output(see, edited))
            case "attention_out":
                path = table.attention_out or table.attention
                return block.get_submodule(path).register_forward_hook(hooking.on_output(see, edited))
            case "mlp_out":
                path = table.mlp_out or table.mlp
                return block.get_submodule(path).register_forward_hook(hooking.on_output(see, edited))
            case "neurons":
                module = block.get_submodule(table.down)
                return module.register_forward_pre_hook(hooking.on_input(see, edited), with_kwargs=True)
            case "z":
                module = block.get_submodule(table.out)
                shaped = hooking.reshaped(see, (sizes.heads, sizes.head_width))
                return module.register_forward_pre_hook(hooking.on_input(shaped, edited), with_kwargs=True)
            case "pattern":
                if edited:
                    raise ModelError("attention patterns can be read, not changed; change query, key or z")
                return block.get_submodule(table.attention).register_forward_hook(
                    hooking.on_pattern(see, self.name)
                )
            case "query" | "key" | "value":
                return self._register_projection(site, see)
            case _:
                raise ModelError(f"no activation is called {site.kind!r}; there are {', '.join(KINDS)}")

    def _register_projection(self, site: Site, see: Callable[[Tensor], Tensor]) -> Any:
        """A hook that always hands on a copy: some models clip or rotate projections where they lie."""
        table, sizes = self.architecture, self.anatomy
        if table.fused:
            place = ("query", "key", "value").index(site.kind)
            inside = hooking.in_fused(see, place, sizes, table.layout)
            return self._at(site.layer, table.fused).register_forward_hook(hooking.on_output(inside, True))
        heads = sizes.heads if site.kind == "query" else sizes.kv_heads
        shaped = hooking.reshaped(see, (heads, sizes.head_width))
        return self._at(site.layer, getattr(table, site.kind)).register_forward_hook(
            hooking.on_output(lambda value: shaped(value).clone(), True)
        )


def _has_pattern(sites: Mapping[Site, Any]) -> bool:
    return any(site.kind == "pattern" for site in sites)
