"""Which parts of a network carry an ability: components, effects with intervals, circuits, statements."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from saltus.records.errors import UsageError
from saltus.records.findings import Interval

Part = Literal["head", "mlp", "attention", "layer", "neuron", "embedding", "bias"]
Carried = Literal["carried", "nothing", "unclear"]
Standing = Literal["shown", "correlated", "not_tested"]

_NAMES = {
    "head": re.compile(r"L(\d+)H(\d+)"),
    "mlp": re.compile(r"MLP(\d+)()"),
    "attention": re.compile(r"ATTN(\d+)()"),
    "layer": re.compile(r"L(\d+)()"),
    "neuron": re.compile(r"MLP(\d+)N(\d+)"),
    "embedding": re.compile(r"EMBED()()"),
    "bias": re.compile(r"BIAS()()"),
}


class Component(msgspec.Struct, frozen=True, order=True):
    """One part of a network, counted from 0.

    Attributes:
        layer: Its block; -1 for the embedding and the biases.
        index: Of the head or the neuron in its layer; -1 for parts that are one a layer.
        part: "head", "mlp" (all of it), "attention" (all heads of a layer), "layer" (both), "neuron",
            "embedding" or "bias" (all that are added to the residual stream, as one).

    Examples:
        >>> str(Component(1, 2)), str(Component(0, part="mlp")), str(Component(0, 37, "neuron"))
        ('L1H2', 'MLP0', 'MLP0N37')
    """

    layer: int
    index: int = -1
    part: Part = "head"

    def __str__(self) -> str:  # noqa: PLR0911 - one line a kind
        match self.part:
            case "head":
                return f"L{self.layer}H{self.index}"
            case "neuron":
                return f"MLP{self.layer}N{self.index}"
            case "mlp":
                return f"MLP{self.layer}"
            case "attention":
                return f"ATTN{self.layer}"
            case "layer":
                return f"L{self.layer}"
            case "bias":
                return "BIAS"
            case _:
                return "EMBED"


def parse_components(text: str) -> tuple[Component, ...]:
    """Read one component or a set of them.

    Args:
        text: "L1H2", "MLP0", "ATTN1", "L1", "MLP0N37", "EMBED", or several with + between them.

    Raises:
        UsageError: One is none of these.

    Examples:
        >>> [one.part for one in parse_components("L1H2+MLP0")]
        ['head', 'mlp']
    """
    return tuple(_parse(name.strip()) for name in text.split("+"))


def set_name(components: tuple[Component, ...] | list[Component]) -> str:
    """The name of a set, the same whatever the order."""
    return "+".join(str(one) for one in sorted(components))


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One number about one component, as a row of the evidence store.

    Attributes:
        run: The explanation that measured it.
        model: Id of the checkpoint.
        task: What was asked; the task whose score moved, where an ablation made for one task is tried on
            another. `saltus.records.INTERNALS` for probes that belong to no task.
        component: As `Component` or `set_name` writes it.
        method: What was done: "mean_ablation", "zero_ablation", "resample_ablation", "activation_patching",
            "path_patching", "attribution_patching", "scaling" (by an adapter), "direct_logit", "logit_lens",
            "tuned_lens", "integrated_gradients", or the head score: "previous_token", "induction",
            "duplicate", "copying", "delimiter", "source"; or of geometry:
            "probe", "cka", "procrustes", "participation_ratio", "effective_rank", "between_share",
            "silhouette", "nc1".
        metric: What moved: "exact_match", "choice_correct", "target_logprob", "logit_difference",
            "target_logit" (less the mean logit), "target_log_odds", "recovered" (share), "attention"
            (share); of a lens also "first_correct", "entropy" and "divergence" (nats).
        effect: The change of the metric (after less before) for ablations, else the value itself.
        low: Lower end of its interval, None where there is none.
        high: Upper end.
        level: Of the interval.
        baseline: What to hold it against: the metric before an ablation, the score of uniform attention, ...
        n: Prompts behind it.
        detail: JSON, empty when there is none: set by the method (probe lengths, positions, purpose).
    """

    run: str
    model: str
    task: str
    component: str
    method: str
    metric: str
    effect: float
    low: float | None = None
    high: float | None = None
    level: float = 0.9
    baseline: float | None = None
    n: int = 0
    detail: str = ""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What a head does, by its attention over all probes.

    Attributes:
        component: The head.
        role: "previous_token", "induction", "duplicate", "delimiter", "source", or "fixed_distance" for a
            head that attends so many tokens back whatever stands there.
        score: Mean attention share, with an interval.
        baseline: Of uniform attention.
        distance: Of "fixed_distance", tokens.
    """

    component: str
    role: str
    score: Interval
    baseline: float
    distance: int | None = None


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One way in a circuit: how much of the ability goes from one component into another.

    Attributes:
        source: Component that writes.
        target: Component that reads; "LOGITS" for the output.
        into: "q", "k" or "v" of the reading head; "" where it reads the residual stream as one.
        effect: Share of the clean-to-corrupt difference that this path carries.
    """

    source: str
    target: str
    into: str = ""
    effect: Interval


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest set found that keeps an ability and whose removal destroys it.

    Attributes:
        components: Names, in order of the layers.
        necessary: Those of them that are named: the set whose removal destroys the ability, most harmful
            first; of several such sets the one nearest to the output.
        edges: Ways between them, strongest first.
        kept: Score with everything else ablated (faithfulness).
        removed: Score with only the necessary components ablated.
        random: Score with random sets of as many other heads (or MLPs) as are necessary ablated: mean over
            the sets, and the central range. The whole model's score where no set could be drawn.
        random_sets: How many random sets; 0 where too few components are left to draw one.
        worst_random: Score with the most harmful of them ablated.
        completeness: Largest difference between circuit and whole model when the same part of the circuit is
            ablated in both (Wang et al. 2023, section 4); None when not checked.
        of: Components there are.
        method: Of ablation.
        sets: All sets found, disjoint, each of which destroys the ability alone; `necessary` is one of them.
            Each is a stage that the ability passes; members of one stage stand in for each other.
        backups: Necessary components that do significantly more once the others of their set are out.
        mlps: MLPs each of which destroys the ability alone.
        shared: Members of `sets` and `mlps` that other tasks need as well.
    """

    components: tuple[str, ...]
    necessary: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    kept: Interval
    removed: Interval
    random: Interval
    random_sets: int
    worst_random: float
    completeness: float | None = None
    of: int
    method: str = "mean_ablation"
    sets: tuple[tuple[str, ...], ...] = ()
    backups: tuple[str, ...] = ()
    mlps: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


class Statement(msgspec.Struct, frozen=True):
    """One sentence and what stands behind it: an intervention, a correlation, or nothing yet."""

    standing: Standing
    text: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What some heads attend to on one prompt, for looking at.

    Attributes:
        model: Id of the checkpoint.
        sample: Id of the sample.
        tokens: The prompt's tokens as text.
        target: The right answer.
        sources: Places of the tokens that hold the answer.
        heads: Names of heads.
        weights: Shape (heads, length, length), query by key, rounded; each row sums to about one.
    """

    model: str
    sample: str
    tokens: tuple[str, ...]
    target: str = ""
    sources: tuple[int, ...] = ()
    heads: tuple[str, ...]
    weights: tuple[tuple[tuple[float, ...], ...], ...]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says to one prompt with and without a component."""

    sample: str
    component: str
    input: str
    target: str
    before: str
    after: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What carries an ability in one model, and when that came to be. Its effects are rows of the store.

    Attributes:
        id: Content hash of what it says; also the run of its effects.
        model: Id of the checkpoint that was taken apart.
        before: Id of the checkpoint before the onset, empty when there is none.
        checkpoints: Ids of all checkpoints whose heads were scored, in the order of the axis.
        family: Of the model.
        series: Name of the model, whose checkpoints they are.
        axis: "step", or the axis of the finding.
        task: The ability.
        metric: Its score.
        finding: Id of the finding it belongs to, empty when there is none.
        onset: Of that finding.
        verdict: "carried": a set of components was shown to carry it; "nothing": the model cannot do the
            task, so nothing carries it; "unclear": it can, and no small set was found.
        headline: One sentence.
        score: Of the whole model.
        chance: Of guessing.
        n: Prompts.
        roles: What the heads do.
        circuit: None unless one was found.
        statements: What was shown, what is only correlated, what was not tested.
        text: The statements as a short text.
        views: Attention to look at.
        examples: Prompts whose answer an ablation changes.
        seed: Of everything random.
        version: Of Saltus.
    """

    id: str
    model: str
    before: str = ""
    checkpoints: tuple[str, ...] = ()
    family: str = ""
    series: str = ""
    axis: str = "step"
    task: str
    metric: str
    finding: str = ""
    onset: Interval | None = None
    verdict: Carried
    headline: str
    score: Interval
    chance: float | None = None
    n: int
    roles: tuple[Role, ...] = ()
    circuit: Circuit | None = None
    statements: tuple[Statement, ...] = ()
    text: str = ""
    views: tuple[View, ...] = ()
    examples: tuple[Example, ...] = ()
    seed: int = 0
    version: str = ""


def _parse(name: str) -> Component:
    for part, pattern in _NAMES.items():
        found = pattern.fullmatch(name)
        if found:
            layer, index = (int(group) if group else -1 for group in found.groups())
            return Component(layer, index, part)  # type: ignore[arg-type]
    raise UsageError(
        f"{name!r} names no component; write a head as L1H2, an MLP as MLP0, the heads of a layer as ATTN1, "
        "a layer as L1, a neuron as MLP0N37, and + between several",
        field="component",
    )
