"""The pages on explanations: charts against golden files, words, what is left out, and missing parts."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import saltus
from saltus.records import Effect, Explanation, Interval
from saltus.report import write_report
from saltus.report.explain import explain_page, explain_pages, finding_of, load_effects
from saltus.report.explain_effects import (
    ablation_chart,
    direct_chart,
    dose_chart,
    lens_chart,
    recovered_chart,
    specificity_chart,
)
from saltus.report.explain_parts import circuit_rows, view_rows
from saltus.report.explain_rows import ablation_label, main_row, short_name
from saltus.report.explain_strip import cell_edges, head_scores, shown_heads, strip_chart
from saltus.report.scales import x_scale
from saltus.report.theme import theme

GOLDEN = Path(__file__).parent / "golden"
PLACES = {"m@step10": 10.0, "m@step100": 100.0, "m@step1000": 1000.0}


def a_world() -> Any:
    path = Path(__file__).with_name("explain_world.py")
    spec = importlib.util.spec_from_file_location("explain_world", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORLD = a_world()


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with one full explanation and two thin ones, and its findings; only read."""
    return WORLD.explained_store(str(tmp_path_factory.mktemp("explained") / "store"))


def an_effect(component: str, method: str, value: float, **more: Any) -> Effect:
    row = {"run": "r", "model": "m@step1000", "task": "recall", "metric": "exact_match", "n": 100}
    ends = {"low": round(value - 0.05, 4), "high": round(value + 0.05, 4)}
    return Effect(**{**row, "component": component, "method": method, "effect": value, **ends, **more})


def an_explanation(**changes: Any) -> Explanation:
    small = {"model": "m@step1000", "before": "m@step100", "checkpoints": tuple(PLACES), "series": "m"}
    return WORLD.an_explanation(**{**small, "onset": Interval(300.0, 150.0, 500.0), "views": (), **changes})


def golden(name: str, spec: dict[str, Any]) -> None:
    assert spec.pop("config") == theme()
    text = json.dumps(spec, indent=1, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("SALTUS_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def some_scores() -> list[Effect]:
    shares = {"L0H0": (0.1, 0.1, 0.2), "L0H1": (0.1, 0.5, 0.9), "L1H2": (0.02, 0.03, 0.95)}
    return [
        an_effect(head, "induction", value, model=model, metric="attention", baseline=0.03)
        for head, values in shares.items()
        for model, value in zip(PLACES, values, strict=True)
        if (head, model) != ("L0H0", "m@step100")
    ]


def ablations() -> list[Effect]:
    found = {"purpose": "control"}
    return [
        an_effect("L0H1+L1H2", "mean_ablation", -0.8, baseline=0.97, detail='{"purpose": "necessary"}'),
        an_effect("L0H1", "mean_ablation", -0.3, baseline=0.97),
        an_effect("L0H0+L1H0", "mean_ablation", -0.01, baseline=0.97, detail=json.dumps(found)),
        an_effect("L0H3+L1H1", "mean_ablation", -0.02, baseline=0.97, detail=json.dumps(found)),
        an_effect("RANDOM", "mean_ablation", -0.02, baseline=0.97, detail='{"size": 2, "sets": 20}'),
    ]


def test_heads_by_checkpoints_under_the_score() -> None:
    finding = WORLD.a_finding()
    points = tuple(msgspec.structs.replace(point, x=point.x) for point in finding.points[::8])
    few = msgspec.structs.replace(finding, points=points)
    scores = head_scores(some_scores())["induction"]
    golden("explain_strip", strip_chart(an_explanation(), "induction", scores, PLACES, finding=few))


def test_ablations_before_and_after() -> None:
    golden("explain_ablation", ablation_chart(an_explanation(), ablations(), "step 1,000"))


def test_the_same_ablation_on_other_tasks() -> None:
    others = [
        an_effect("L0H1+L1H2", "mean_ablation", drop, task=task, baseline=0.9)
        for task, drop in (("facts", 0.0), ("rhyme", -0.2))
    ]
    golden("explain_specificity", specificity_chart(an_explanation(), ablations()[:1], others))


def test_patching_beside_its_estimate() -> None:
    rows = [
        an_effect(head, method, value, metric="recovered")
        for method, share in (("activation_patching", 1.0), ("attribution_patching", 0.9))
        for head, value in (("L1H2", 0.93 * share), ("L0H1", 0.5 * share), ("L0H3", -0.1 * share))
    ]
    golden("explain_patching", recovered_chart(an_explanation(), rows, "recovered"))


def test_both_lenses_by_layer() -> None:
    rows = [
        an_effect(layer, method, value - shift, metric="target_logprob", baseline=-0.1)
        for method, shift in (("logit_lens", 0.5), ("tuned_lens", 0.0))
        for layer, value in (("L1", -0.1), ("EMBED", -4.0), ("L0", -3.0))
    ]
    spec = lens_chart(an_explanation(), rows)
    assert [row["component"] for row in spec["datasets"]["rows"]][::2] == ["EMBED", "L0", "L1"]
    golden("explain_lens", spec)


def test_direct_effects() -> None:
    rows = [
        an_effect(name, "direct_logit", value, metric="logit_difference")
        for name, value in (("L0H1", -0.4), ("L1H2", 6.0), ("MLP1", 1.2))
    ]
    golden("explain_direct", direct_chart(an_explanation(), rows))


def test_dose_and_response() -> None:
    rows = [
        an_effect("L0H1+L1H2", "scaling", value, baseline=0.97, detail=json.dumps({"scale": at}))
        for at, value in ((1.0, 0.0), (0.0, -0.8), (0.5, -0.4))
    ]
    golden("explain_dose", dose_chart(an_explanation(), rows))


def test_titles_say_the_answer() -> None:
    one = an_explanation()
    title = ablation_chart(one, ablations(), "step 1,000")["title"]["text"]
    assert title == (
        "Recall at step 1,000 falls from 0.97 to 0.17 [0.12, 0.22] without L0H1+L1H2; "
        "without random parts 0.95 [0.90, 1.00]"
    )
    idle = [an_effect("L0H0", "mean_ablation", 0.01, baseline=0.25)]
    assert ablation_chart(one, idle, "step 10")["title"]["text"].startswith("Recall at step 10 stays at 0.25")
    kept = [an_effect("L0H1+L1H2", "mean_ablation", 0.0, task="facts", baseline=0.99)]
    title = specificity_chart(one, [], kept)["title"]["text"]
    assert title == "Without L0H1+L1H2 no other task falls: facts goes from 0.99 to 0.99 [0.94, 1.04]"
    scores = head_scores(some_scores())["induction"]
    title = strip_chart(one, "induction", scores, PLACES)["title"]["text"]
    assert (
        title
        == "Induction: L1H2 stands highest at step 1,000, 0.95 [0.90, 1.00], 0.03 if attention were even"
    )


def test_charts_style_what_both_themes_know_and_join_no_dots() -> None:
    one = an_explanation()
    strip = strip_chart(one, "induction", head_scores(some_scores())["induction"], PLACES)
    for spec in (ablation_chart(one, ablations(), "now"), *strip["vconcat"]):
        for layer in spec["layer"]:
            assert layer["mark"]["style"] in theme("dark")["style"]
            assert layer["mark"]["type"] not in ("line", "area", "trail")
        json.dumps(spec, allow_nan=False)


def test_cells_meet_halfway_on_the_drawn_axis() -> None:
    scale = x_scale("step", [10, 100, 2000])
    edges = cell_edges(scale, [10, 100, 2000])
    assert edges[1] == pytest.approx(10**1.5)
    assert (edges[0], edges[-1]) == (scale.low, scale.high)
    bent = x_scale("step", [0, 20, 3000])
    for value in (0.0, 5.0, 20.0, 2500.0):
        assert bent.value(bent.place(value)) == pytest.approx(value, abs=1e-9)


def test_many_heads_keep_those_that_ever_score_high() -> None:
    rows = [
        an_effect(f"L{layer}H{head}", "induction", 0.01 * head + 0.0001 * layer)
        for layer in range(12)
        for head in range(12)
    ]
    heads = shown_heads(head_scores(rows)["induction"])
    assert len(heads) == 48
    assert heads[0] == "L0H8"
    assert heads[-1] == "L11H11"
    assert heads.index("L2H11") < heads.index("L10H8")


def test_rows_name_what_was_taken_out() -> None:
    assert short_name("L0H0+L0H1+L0H2") == "L0H0+L0H1+L0H2"
    assert ablation_label(an_effect("RANDOM", "mean_ablation", 0, detail='{"size": 2}')) == "2 at random"
    kept = an_effect("L0H1", "mean_ablation", 0, detail='{"purpose": "kept"}')
    assert ablation_label(kept) == "all but L0H1"
    backup = an_effect("L1H0", "mean_ablation", 0, detail='{"purpose": "backup", "given": "L1H2"}')
    assert ablation_label(backup) == "L1H0 after L1H2"
    assert ablation_label(an_effect("L0H1", "mean_ablation", 0, detail="not JSON")) == "L0H1"
    top = main_row(an_explanation(), [kept, backup, *ablations()])
    assert top is not None
    assert top.component == "L0H1+L1H2"


def test_patching_is_one_direction_and_says_where() -> None:
    rows = [
        an_effect("L1H2", "activation_patching", 0.9, metric="recovered", detail='{"direction": "denoise"}'),
        an_effect("L1H2", "activation_patching", 0.2, metric="recovered", detail='{"direction": "noise"}'),
        an_effect("L0", "activation_patching", 0.4, metric="recovered", detail='{"places": "last"}'),
    ]
    patching = explain_page(an_explanation(), rows, None, {})["patching"]
    assert [row["component"] for row in patching["spec"]["datasets"]["rows"]] == ["L1H2", "L0, last"]
    assert [row["y"] for row in patching["spec"]["datasets"]["rows"]] == [0.9, 0.4]


def test_a_circuit_has_its_nodes_edges_and_tests() -> None:
    circuit = circuit_rows(an_explanation(), ablations())
    assert circuit is not None
    assert [node["name"] for node in circuit["nodes"]] == ["EMBED", "L0H1", "MLP0", "L1H2", "LOGITS"]
    assert circuit["nodes"][1]["alone"] == "0.67 [0.62, 0.72]"
    assert circuit["edges"][0] == ["L1H2", "LOGITS", "", 0.9, 0.86, 0.94]
    assert (
        circuit["title"]
        == "3 of 27 parts keep recall at 0.95 [0.91, 0.99]; without L0H1+L1H2 0.18 [0.14, 0.22]"
    )
    assert circuit_rows(an_explanation(circuit=None), []) is None


def test_attention_is_cut_to_the_last_tokens_and_below_the_diagonal() -> None:
    view = WORLD.a_view(130)
    (short,) = view_rows(an_explanation(views=(view,)), PLACES)
    assert (len(short["tokens"]), short["cut"], short["sources"]) == (96, 34, [])
    assert [len(row) for row in short["weights"][0]] == list(range(1, 97))
    assert short["heads"][0] == ["L1H2", "induction"]
    assert max(map(max, short["weights"][1])) <= 100
    many = view_rows(an_explanation(views=(WORLD.a_view(),) * 9), PLACES)
    assert len(many) == 6


def test_missing_parts_leave_a_page() -> None:
    for one in WORLD.thin_explanations():
        page = explain_page(one, [], None, {})
        assert page["strip"] is page["circuit"] is page["patching"] is page["lens"] is page["dose"] is None
        assert page["views"] == page["ablations"] == page["examples"] == []
        json.dumps(page)
    page = explain_page(an_explanation(before="", onset=None, chance=None), ablations(), None, {})
    (ablation,) = page["ablations"]
    assert [panel["model"] for panel in ablation["panels"]] == ["m@step1000"]
    assert ablation["others"] is None


def test_an_explanation_finds_its_finding() -> None:
    finding = WORLD.a_finding()
    full = WORLD.an_explanation()
    assert finding_of(full, [finding]) is finding
    assert finding_of(msgspec.structs.replace(full, finding="older"), [finding]) is finding
    assert finding_of(msgspec.structs.replace(full, finding="", task="facts"), [finding]) is None
    assert finding_of(msgspec.structs.replace(full, finding="", series="tiro-1x48"), [finding]) is None


def test_without_a_finding_the_score_comes_from_the_store(explained: Any) -> None:
    store, _ = explained
    pages = explain_pages(store, [])
    strip = pages[0]["strip"]
    assert len(strip["datasets"]["points"]) == 40
    assert pages[0]["finding"] is None
    assert not any(linked for _, _, linked, _ in strip["models"])


def test_only_shown_methods_are_read(tmp_path: Path) -> None:
    store = saltus.open(tmp_path / "store")
    store.append("effects", WORLD.ablation_rows())
    store.append("effects", [an_effect("L0H0", "local_learning", 3.0, run=WORLD.RUN)])
    store.append("effects", [an_effect("L0H0", "mean_ablation", -0.1, run="another")])
    rows = load_effects(store, [WORLD.RUN])
    assert list(rows) == [WORLD.RUN]
    assert "local_learning" not in {one.method for one in rows[WORLD.RUN]}
    assert all(isinstance(one, Effect) for one in rows[WORLD.RUN])


def test_the_report_stays_small_and_the_same(explained: Any, tmp_path: Path) -> None:
    store, findings = explained
    pages = [tmp_path / name for name in ("a.html", "b.html")]
    sizes = [write_report(store, findings, page, samples=2).bytes for page in pages]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert sizes[0] < 1_400_000
    text = pages[0].read_text("utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert block
    shown = json.loads(block[1])["explanations"]
    assert [one["verdict"] for one in shown] == ["carried", "nothing", "unclear"]
    assert len(json.dumps(shown)) < 260_000
    assert 'data-tab="explain"' in text


def test_a_report_without_explanations_has_no_such_page(world: Any, store: Any, tmp_path: Path) -> None:
    write_report(store, world.findings, tmp_path / "r.html", samples=0)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert 'data-tab="explain"' not in text
    assert "What carries it" not in text
