"""A causal language model as a function from token ids to logits, computed only where they are asked for.

What an architecture can do (a tree mask, left padding) is found out by a trial, not looked up in a list.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltus.models.checkpoint import first_line, missing_extra
from saltus.records.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_HALF = ("float16", "bfloat16")
_PROBE = 7  # tokens


class Network:
    """Weights in inference mode. Made by `load_network`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = next(model.parameters()).device
        self.dtype: torch.dtype = next(model.parameters()).dtype
        self.vocabulary = int(model.config.get_text_config().vocab_size)
        self.context = _context_length(model.config.get_text_config())
        self.window = _attention_window(model.config.get_text_config())
        self._at: Tensor | None = None
        self._arguments = inspect.signature(model.forward).parameters
        head = model.get_output_embeddings()
        self._head_is_hooked = head is not None
        if head is not None:
            head.register_forward_pre_hook(self._keep_asked_places)

    def logits(self, ids: Tensor, at: Tensor, **inputs: Any) -> tuple[Tensor, Any]:
        """One forward pass.

        Args:
            ids: Token ids, batch x length.
            at: Places where logits are wanted, as indices into the flattened batch.
            inputs: attention_mask, position_ids, past_key_values, use_cache; position_ids are left out where
                the architecture has none.

        Returns:
            Logits in float32, places x vocabulary; and the key-value cache, or None.
        """
        import torch

        if "position_ids" not in self._arguments:
            inputs.pop("position_ids", None)
        self._at = at
        try:
            with torch.inference_mode():
                output = self.model(ids, **inputs)
        finally:
            self._at = None
        logits = output.logits.reshape(-1, output.logits.shape[-1])
        if not self._head_is_hooked:
            logits = logits[at]
        return logits.float(), getattr(output, "past_key_values", None)

    @cached_property
    def takes_tree_mask(self) -> bool:
        """Whether one row may hold several continuations side by side that do not see each other."""
        if "position_ids" not in self._arguments:
            return False
        ids, positions, mask = self._probe_tree()
        rows = [[0, 1, 2, 3], [0, 1, 4, 5, 6]]
        asked = [[3], [2, 3, 4]]
        return self.agrees(
            [self._plain(self._probe_ids(row), at) for row, at in zip(rows, asked, strict=True)],
            lambda: [
                self.logits(
                    ids, self.tensor(at), position_ids=positions, attention_mask=mask, use_cache=False
                )[0]
                for at in ([3], [4, 5, 6])
            ],
        )

    @cached_property
    def takes_left_padding(self) -> bool:
        """Whether a row gives the same answer with padding before it, also in the step after that."""
        import torch

        short = list(range(4))
        padded = self._probe_ids([0, 0, *short])

        def in_a_padded_batch() -> list[Tensor]:
            mask = self.tensor([[0, 0, 1, 1, 1, 1]])
            positions = self.tensor([[0, 0, 0, 1, 2, 3]])
            first, cache = self.logits(
                padded, self.tensor([5]), attention_mask=mask, position_ids=positions, use_cache=True
            )
            if cache is None:
                return [first]
            then, _ = self.logits(
                self._probe_ids([4]),
                self.tensor([0]),
                attention_mask=torch.cat([mask, mask[:, -1:]], 1),
                position_ids=self.tensor([[4]]),
                past_key_values=cache,
                use_cache=True,
            )
            return [first, then]

        alone = self._plain(self._probe_ids([*short, 4]), [3, 4])
        return self.agrees([alone[:1], alone[1:]], in_a_padded_batch)

    @cached_property
    def takes_prefix(self) -> bool:
        """Whether rows can go on from copies of one cache."""
        from saltus.models.prefix import takes_prefix

        return takes_prefix(self)

    def close(self) -> None:
        """Let the weights go."""
        self.model = None

    def _keep_asked_places(self, module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if self._at is None:
            return None
        hidden, *rest = inputs
        return (hidden.reshape(-1, hidden.shape[-1])[self._at].unsqueeze(0), *rest)

    def agrees(self, expected: Sequence[Tensor], attempt: Any) -> bool:
        """Whether an attempt gives the expected logits; one that the architecture refuses does not."""
        tolerance = 1e-4 if str(self.dtype) == "torch.float32" else 0.1
        try:
            found = attempt()
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError):
            return False  # the architecture refuses the input; the plain way always works
        return all(
            float((one.log_softmax(-1) - other.log_softmax(-1)).abs().max()) < tolerance
            for one, other in zip(expected, found, strict=False)
        )

    def _plain(self, ids: Tensor, at: Sequence[int]) -> Tensor:
        return self.logits(ids, self.tensor(at), use_cache=False)[0]

    def probe_ids(self, places: Sequence[int]) -> list[int]:
        """Tokens for a trial."""
        return [(11 + 7 * place) % self.vocabulary for place in places]

    def _probe_ids(self, places: Sequence[int]) -> Tensor:
        return self.tensor([self.probe_ids(places)])

    def _probe_tree(self) -> tuple[Tensor, Tensor, Tensor]:
        """A context of two tokens (0, 1) with the branches (2, 3) and (4, 5, 6)."""
        branch = [0, 0, 1, 1, 2, 2, 2]
        positions = self.tensor([[0, 1, 2, 3, 2, 3, 4]])
        return self._probe_ids(range(_PROBE)), positions, tree_mask(self.tensor([branch]), self.dtype)

    def tensor(self, values: Any) -> Tensor:
        """A tensor on the model's device."""
        import torch

        return torch.tensor(values, device=self.device)


def tree_mask(branch: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive attention mask for rows that hold a context and branches that continue it.

    Args:
        branch: Batch x length; 0 for the context, 1, 2, ... for the branches, -1 for padding.
        dtype: Of the model's weights.

    Returns:
        Batch x 1 x length x length: 0 where a token sees another, the smallest number where it does not.
    """
    import torch

    length = branch.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    sees = earlier & ((branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None]))
    mask = torch.zeros(sees.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)[:, None]


def load_network(folder: Path, *, device: str, dtype: str, compiled: bool = False) -> Network:
    """Load the weights of a causal language model.

    Args:
        folder: A directory in the Hugging Face layout.
        device: "cpu", "cuda", "cuda:1", "mps".
        dtype: What `resolve_numerics` said.
        compiled: Let torch compile the forward pass.

    Raises:
        ModelError: The directory does not hold a causal language model whose weights are complete.
    """
    torch, transformers = require_torch()
    try:
        with quiet(transformers):
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder),
                dtype=getattr(torch, dtype),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # weights and configurations of others: whatever goes wrong is the model's
        raise ModelError(
            f"the model cannot be loaded ({first_line(error)}); check that the files are whole and that "
            f"transformers {transformers.__version__} knows the architecture",
            path=str(folder),
        ) from error
    missing = sorted(info["missing_keys"]) or sorted(str(key) for key in info.get("mismatched_keys", ()))
    if missing:
        raise ModelError(
            f"the weights lack {len(missing)} tensors that config.json asks for, such as {missing[0]}; "
            "the files are of two models, or incomplete",
            path=str(folder),
        )
    network = Network(model.to(device).eval())
    if compiled:
        model.forward = torch.compile(model.forward, dynamic=True)
    return network


def resolve_numerics(source: str, device: str, dtype: str, *, commit: str = "") -> tuple[str, str]:
    """Turn "auto" into a device and a data type.

    Args:
        source: The model's directory, or its name on the hub; its configuration says what the weights are
            stored in.
        device: "auto" is the GPU where there is one.
        dtype: "auto" is float32 on a CPU, whose half precision is slow, and the stored one elsewhere.
        commit: On the hub.

    Raises:
        UsageError: There is no such data type, or the device is not there.
    """
    torch, transformers = require_torch()
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"the device {place!r} cannot be used ({first_line(error)})", field="device"
        ) from error
    if dtype == "auto":
        config: dict[str, Any] = {}
        if place != "cpu":
            config, _ = transformers.PretrainedConfig.get_config_dict(source, revision=commit or None)
        stored = str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")
        return place, stored
    name = dtype.removeprefix("torch.")
    if name not in ("float32", "float64", *_HALF):
        raise UsageError(
            f"{dtype!r} is no data type for a model; choose auto, float32, float16, bfloat16 or float64",
            field="dtype",
        )
    return place, name


def require_torch() -> tuple[Any, Any]:
    """Import torch and transformers, or say how to install them."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise missing_extra() from error
    return torch, transformers


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers from drawing its own bars and warnings; what matters is raised."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _context_length(config: Any) -> int | None:
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None  # recurrent models, for instance


def _attention_window(config: Any) -> int | None:
    windows = [
        getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size")
    ]
    return min((window for window in windows if isinstance(window, int) and window > 0), default=None)
