"""Where an architecture keeps its heads, neurons and norms: a table of paths, and the sizes of one model."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from saltus.records.errors import ModelError


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """Paths below a model of transformers; see architectures.toml for what each one is.

    A model whose `model_type` has no table can be looked into by passing one of these to `HookedModel`.
    """

    blocks: str
    norm: str
    attention: str
    out: str
    mlp: str
    down: str
    query: str = ""
    key: str = ""
    value: str = ""
    fused: str = ""
    layout: str = ""
    attention_out: str = ""
    mlp_out: str = ""


class Anatomy(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of one model.

    Attributes:
        layers: Blocks.
        heads: Query heads a layer.
        kv_heads: Key and value heads a layer.
        head_width: Numbers a head writes before the output projection.
        width: Of the residual stream.
        neurons: A layer; the most there are where layers differ.
    """

    layers: int
    heads: int
    kv_heads: int
    head_width: int
    width: int
    neurons: int


def architectures() -> tuple[str, ...]:
    """The `model_type`s with a table, sorted."""
    return tuple(sorted(_tables()))


def architecture_of(config: Any) -> Architecture:
    """The table for a configuration of transformers.

    Raises:
        ModelError: There is none.
    """
    name = str(config.model_type)
    table = _tables().get(name)
    if table is None:
        raise ModelError(
            f"there is no path table for the architecture {name!r}, there are {', '.join(architectures())}; "
            "give HookedModel an Architecture of your own",
            field="architecture",
        )
    return msgspec.convert(table, Architecture)


def anatomy_of(config: Any, neurons: int) -> Anatomy:
    """Sizes as a configuration gives them."""
    heads = int(config.num_attention_heads)
    return Anatomy(
        layers=int(config.num_hidden_layers),
        heads=heads,
        kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
        head_width=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
        width=int(config.hidden_size),
        neurons=neurons,
    )


@cache
def _tables() -> dict[str, dict[str, str]]:
    given = tomllib.loads(files(__package__).joinpath("architectures.toml").read_text(encoding="utf-8"))

    def whole(table: dict[str, str]) -> dict[str, str]:
        base = whole(given[table["like"]]) if "like" in table else {}
        return {**base, **{key: path for key, path in table.items() if key != "like"}}

    return {name: whole(table) for name, table in given.items()}
