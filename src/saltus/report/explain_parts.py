"""What is drawn by hand in the page: the circuit as nodes and edges, and attention of heads over tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saltus.records.explanations import Circuit, Effect, Explanation, View
from saltus.records.metrics import metric_info
from saltus.report.explain_rows import ABLATIONS, after_text, depth, role_word, short_name
from saltus.report.explain_strip import where
from saltus.report.words import interval_text, number

MOST_VIEWS = 6
MOST_VIEW_HEADS = 6
MOST_TOKENS = 96
MOST_EDGES = 60
OUTPUT = "LOGITS"
INPUT = "EMBED"


def circuit_rows(explanation: Explanation, effects: Sequence[Effect]) -> dict[str, Any] | None:
    """Nodes with layers and roles, edges with effects, and how well the circuit stands its tests."""
    circuit = explanation.circuit
    if circuit is None or not circuit.components:
        return None
    edges = circuit.edges[:MOST_EDGES]
    names = [*circuit.components, *(name for edge in edges for name in (edge.source, edge.target))]
    nodes = [_node(explanation, circuit, effects, name) for name in dict.fromkeys([INPUT, *names, OUTPUT])]
    return {
        "title": circuit_answer(explanation, circuit),
        "nodes": sorted(nodes, key=lambda node: (node["layer"], node["mlp"], node["name"])),
        "edges": [
            [
                edge.source,
                edge.target,
                edge.into,
                *(round(value, 4) for value in (edge.effect.value, edge.effect.low, edge.effect.high)),
            ]
            for edge in edges
        ],
        "of": len(circuit.edges),
        "level": f"{edges[0].effect.level * 100:g} %" if edges else "",
        "facts": _facts(explanation, circuit),
    }


def circuit_answer(explanation: Explanation, circuit: Circuit) -> str:
    """The title: how many parts keep the ability, and what is left without them."""
    unit = metric_info(explanation.metric).unit
    task = explanation.task
    necessary = circuit.necessary
    without = (
        short_name("+".join(necessary)) if necessary and set(necessary) != set(circuit.components) else "them"
    )
    kept, left = interval_text(circuit.kept, unit), interval_text(circuit.removed, unit)
    return f"{len(circuit.components)} of {circuit.of} parts keep {task} at {kept}; without {without} {left}"


def view_rows(explanation: Explanation, places: Mapping[str, float]) -> list[dict[str, Any]]:
    """Attention in whole percents, below the diagonal: few prompts and heads, ends of long prompts."""
    return [
        _view(explanation, view, places)
        for view in explanation.views[:MOST_VIEWS]
        if view.tokens and view.heads
    ]


def _view(explanation: Explanation, view: View, places: Mapping[str, float]) -> dict[str, Any]:
    cut = max(0, len(view.tokens) - MOST_TOKENS)
    roles = {one.component: role_word(one.role).lower() for one in reversed(explanation.roles)}
    heads = list(view.heads[:MOST_VIEW_HEADS])
    return {
        "model": view.model,
        "at": where(explanation.axis, view.model, places),
        "sample": view.sample,
        "tokens": list(view.tokens[cut:]),
        "cut": cut,
        "target": view.target,
        "sources": [place - cut for place in view.sources if place >= cut],
        "heads": [[head, roles.get(head, "")] for head in heads],
        "weights": [
            [
                [round(100 * value) for value in row[cut : query + 1]]
                for query, row in enumerate(weights)
                if query >= cut
            ]
            for weights in view.weights[: len(heads)]
        ],
    }


def _node(explanation: Explanation, circuit: Circuit, effects: Sequence[Effect], name: str) -> dict[str, Any]:
    roles = [
        f"{role_word(one.role).lower()} {interval_text(one.score)}"
        for one in explanation.roles
        if one.component == name
    ]
    unit = metric_info(explanation.metric).unit
    alone = next(
        (
            one
            for one in effects
            if one.component == name
            and one.method in ABLATIONS
            and (one.task, one.metric, one.model) == (explanation.task, explanation.metric, explanation.model)
        ),
        None,
    )
    return {
        "name": name,
        "layer": _layer(name),
        "mlp": "MLP" in name,
        "roles": roles,
        "inside": name in circuit.components,
        "necessary": name in circuit.necessary,
        "alone": "" if alone is None else after_text(alone, unit),
    }


def _layer(name: str) -> int:
    """The column of a node; the output stands after every layer."""
    return 10_000 if name == OUTPUT else depth(name)[0]


def _facts(explanation: Explanation, circuit: Circuit) -> list[list[str]]:
    unit = metric_info(explanation.metric).unit
    spread = f"{interval_text(circuit.random, unit)} over {circuit.random_sets}"
    random = (
        f"{spread}, worst {number(circuit.worst_random, unit)}" if circuit.random_sets else "none to draw"
    )
    complete = "not checked" if circuit.completeness is None else number(circuit.completeness, unit)
    necessary = "+".join(circuit.necessary)
    others = [short_name("+".join(one)) for one in circuit.sets if set(one) != set(circuit.necessary)]
    pairs = [
        ["Parts", f"{len(circuit.components)} of {circuit.of}"],
        ["Necessary", short_name(necessary)],
        ["Kept with all else ablated", interval_text(circuit.kept, unit)],
        ["Left without the necessary", interval_text(circuit.removed, unit)],
        ["Left without as many at random", random],
        ["Completeness gap", complete],
        ["Other sets that destroy it", ", ".join(others)],
        ["Backups", ", ".join(circuit.backups)],
        ["MLPs that destroy it", ", ".join(circuit.mlps)],
        ["Needed by other tasks too", ", ".join(circuit.shared)],
        ["Ablation", ABLATIONS.get(circuit.method, circuit.method.replace("_", " "))],
    ]
    return [pair for pair in pairs if pair[1]]
