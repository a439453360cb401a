"""The torch side of `hooked`: a copy of a model that shares its weights, and hooks that show a tensor."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from saltus.interpret.network.architecture import Anatomy, Architecture, anatomy_of
from saltus.records.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

See = Callable[["Tensor"], "Tensor"]


def shallow_copy(model: Any) -> Any:
    """A copy of the modules, in evaluation mode, that shares the memory of all weights.

    It has none of the model's hooks, which may hold anything, and its weights ask for no gradients: those of
    the model stay as they are.
    """
    import torch

    shared: dict[int, Any] = {
        id(one): torch.nn.Parameter(one.detach(), requires_grad=False) for one in model.parameters()
    }
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor):
                shared[id(value)] = value.detach()
            elif name.startswith(("_forward_", "_backward_")) and isinstance(value, dict):
                shared[id(value)] = type(value)()
    shared |= {id(one): one for one in model.buffers()}
    return copy.deepcopy(model, memo=shared).train(False)


def check_weights(model: Any, name: str) -> None:
    """Refuse what cannot be looked into.

    Raises:
        ModelError: The weights are quantised, or not all in the memory of one device.
    """
    packed = any("quantized" in type(module).__module__ for module in model.modules())
    whole = any(not (one.is_floating_point() or one.is_complex()) for one in model.parameters())
    if getattr(model.config, "quantization_config", None) is not None or packed or whole:
        raise ModelError(
            f"the weights of {name} are quantised, and their activations and gradients are not those of the "
            "model; load it without quantisation",
            field="model",
        )
    devices = sorted({str(one.device) for one in model.parameters()})
    if len(devices) != 1 or devices == ["meta"]:
        raise ModelError(
            f"the weights of {name} lie on {', '.join(devices) or 'no device'}; load it on one device, "
            "without device_map",
            field="model",
        )


def check_paths(model: Any, table: Architecture, name: str) -> tuple[list[Any], Anatomy]:
    """The blocks and sizes of a model, once every path of its table leads to a module of the right size.

    Raises:
        ModelError: A path does not.
    """
    if (table.fused == "") == ("" in (table.query, table.key, table.value)):
        raise _unfit(name, "it names neither query, key and value nor one fused projection, or both")
    if table.fused and table.layout not in {"per_head", "blocks"}:
        raise _unfit(name, f"the layout of its fused projection is {table.layout!r}, not per_head or blocks")
    try:
        blocks = list(model.get_submodule(table.blocks))
        for path in filter(None, (table.norm, *(f"{table.blocks}.0.{one}" for one in _below_a_block(table)))):
            model.get_submodule(path)
        for block in blocks:
            for path in _below_a_block(table):
                block.get_submodule(path)
        sizes = anatomy_of(
            model.config.get_text_config(),
            max(matrix(block.get_submodule(table.down)).shape[0] for block in blocks),
        )
        heads = {matrix(block.get_submodule(table.out)).shape[0] for block in blocks}
    except (AttributeError, TypeError, ValueError) as error:
        raise _unfit(name, str(error)) from error
    if model.get_output_embeddings() is None:
        raise _unfit(name, "the model has no output layer; load it as a causal language model")
    if len(blocks) != sizes.layers or heads != {sizes.heads * sizes.head_width}:
        raise _unfit(
            name,
            f"it finds {len(blocks)} blocks whose output projections read {sorted(heads)} numbers, and the "
            f"configuration says {sizes.layers} of {sizes.heads} heads of {sizes.head_width}",
        )
    return blocks, sizes


def _below_a_block(table: Architecture) -> tuple[str, ...]:
    own = (table.attention, table.out, table.mlp, table.down, table.attention_out, table.mlp_out)
    return tuple(filter(None, (*own, table.query, table.key, table.value, table.fused)))


def _unfit(name: str, why: str) -> ModelError:
    return ModelError(
        f"the path table does not fit {name}: {why.rstrip('.')}; give HookedModel an Architecture that does",
        field="architecture",
    )


def matrix(module: Any) -> Tensor:
    """Weights of a projection, inputs x outputs, whichever way the class stores them."""
    weight: Tensor = module.weight
    return weight if type(module).__name__ == "Conv1D" else weight.T


def on_input(see: See, edited: bool) -> Any:
    """A hook with keywords on what enters a module."""

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            value = see(args[0])
            return ((value, *args[1:]), kwargs) if edited else None
        value = see(kwargs["hidden_states"])
        return ((), {**kwargs, "hidden_states": value}) if edited else None

    return hook


def on_output(see: See, edited: bool) -> Any:
    """A hook on what leaves a module, or on the first thing where there are several."""

    def hook(module: Any, args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            value = see(output[0])
            return (value, *output[1:]) if edited else None
        value = see(output)
        return value if edited else None

    return hook


def on_pattern(see: See, name: str) -> Any:
    """A hook on the second thing that leaves an attention module: its weights."""

    def hook(module: Any, args: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, tuple) or len(output) < 2 or output[1] is None:
            raise ModelError(
                f"the attention of {name} gives no pattern, not even the eager one; read query, key, "
                "value or z",
                field="architecture",
            )
        see(output[1])

    return hook


def reshaped(see: See, shape: tuple[int, int]) -> See:
    """See the last axis as two."""

    def inside(value: Tensor) -> Tensor:
        return see(value.reshape(*value.shape[:-1], *shape)).flatten(-2)

    return inside


def in_fused(see: See, place: int, sizes: Anatomy, layout: str) -> See:
    """See query (place 0), key (1) or value (2) in the output of one projection for all; hand on a copy."""

    def per_head(value: Tensor) -> Tensor:
        parts = value.reshape(*value.shape[:-1], sizes.heads, 3, sizes.head_width)
        new = see(parts[..., place, :])
        parts = parts.clone()
        parts[..., place, :] = new
        return parts.flatten(-3)

    def blocks(value: Tensor) -> Tensor:
        many = (sizes.heads, sizes.kv_heads, sizes.kv_heads)
        first, width = sum(many[:place]) * sizes.head_width, many[place] * sizes.head_width
        own = value[..., first : first + width]
        new = see(own.reshape(*own.shape[:-1], many[place], sizes.head_width))
        value = value.clone()
        value[..., first : first + width] = new.flatten(-2)
        return value

    return per_head if layout == "per_head" else blocks


@contextmanager
def only_at(head: Any, at: tuple[Tensor, Tensor]) -> Iterator[None]:
    """Have the output layer see only the asked places, as one row."""

    def hook(module: Any, args: tuple[Any, ...]) -> Any:
        hidden, *rest = args
        return (hidden[at[0].reshape(-1), at[1].reshape(-1)].unsqueeze(0), *rest)

    handle = head.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def differentiable(embedding: Any) -> Iterator[None]:
    """Begin the graph of gradients at the embedding: no weight asks for one."""

    def hook(module: Any, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return output if output.requires_grad else output.requires_grad_()

    handle = embedding.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
