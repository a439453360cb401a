"""Tables: what is understood without options, what --map changes, and what each bad row costs."""

from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.evals.importers import ImportResult, import_results
from saltus.evals.importers.mapping import Mapping, read_mapping
from saltus.evals.importers.parsed import Parsed
from saltus.evals.importers.table import open_table
from saltus.records import InputError, UsageError
from saltus.store import Store

Import = Callable[..., ImportResult]

HEAD = (
    "family,model,params,tokens,flops,step,loss,date,task,metric,score,n,stderr,chance,variant,shots,seed\n"
)
PLAIN = "model,params,task,metric,score,n\n"


def rows(store: Store, table: str = "aggregates") -> list[dict[str, Any]]:
    return store.sql(f"SELECT * FROM {table} ORDER BY ALL").to_pylist()


def test_every_column(store: Store, import_csv: Import) -> None:
    result = import_csv(HEAD + "f,m,1e6,2e9,3e15,500,2.5,2024-03,t,acc,0.25,400,0.02,0.2,hard,5,7\n")
    assert (result.added, result.skipped, result.failed, result.notes) == (1, 0, (), ())
    assert (result.models, result.tasks, result.files) == (1, 1, 1)
    (row,) = rows(store)
    del row["run"]
    assert row == {
        "model": "m@step500",
        "task": "t",
        "metric": "acc",
        "variant": "hard",
        "value": 0.25,
        "stderr": 0.02,
        "n": 400.0,
        "chance": 0.2,
        "shots": 5,
        "seed": 7,
    }
    (model,) = rows(store, "models")
    facts = (
        "id",
        "name",
        "family",
        "revision",
        "params",
        "tokens",
        "flops",
        "step",
        "loss",
        "released",
        "source",
    )
    assert [model[fact] for fact in facts] == [
        "m@step500", "m", "f", "step500", 1e6, 2e9, 3e15, 500, 2.5, "2024-03-01", "table.csv",
    ]  # fmt: skip


def test_samples_become_scores(store: Store, import_csv: Import) -> None:
    text = "model,params,task,metric,score,sample,chance,shots,seed\n" + "".join(
        f"m,1e6,t,acc,{i % 2},item-{i},0.5,{shots},{seed}\n"
        for i in range(4)
        for shots, seed in ((0, 0), (2, 1))
    )
    result = import_csv(text)
    assert (result.added, result.failed) == (8, ())
    assert rows(store) == []
    points = store.points().to_pylist()
    assert [(p["variant"], p["value"], p["n"], p["chance"]) for p in points] == [
        ("", 0.5, 4, 0.5),
        ("2-shot", 0.5, 4, 0.5),
    ]
    assert {row["epoch"] for row in rows(store, "scores") if row["variant"]} == {1}


def test_imported_samples_do_not_blank_what_is_known_of_them(
    store: Store, import_csv: Import, golden: Path
) -> None:
    import_results("lm-eval", golden, store=store)
    import_csv("model,params,task,metric,score,sample,chance\nm,1e6,tiro_override,acc,1,0,0.25\n")
    (row,) = store.samples("tiro_override", sample="0", model="m").to_pylist()
    assert (row["input"], row["chance"]) == ("\n?wh:0\n?wh:", 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "model;params;task;metric;score;n\nm;1e6;t;acc;0,25;100\n",
        "model\tparams\ttask\tmetric\tscore\tn\nm\t1e6\tt\tacc\t0.25\t100\n",
        "\ufeffmodel,params,task,metric,score,n\r\nm,1e6,t,acc,0.25,100\r\n",
        'Model,PARAMS,Task,Metric,Score,N\n"m","1,000,000","t","acc","0.25","100"\n',
        "n,score,metric,task,Model Size (M),Model Name,notes\n100,.25,acc,t,1,m,whatever\n\n",
        " model , params , task , metric , score , n \n m , 1M , t , acc , 0.25 , 100 \n",
        "model,params,task,metric,score,n\nm,1e6,t,acc,25%,100\n",
        "Model,Params (M),Dataset,Acc. (%),Num examples\nm,1,t,25,100\n",
        "model,#Params,task,metric,score (%),n\nm,1M,t,acc,25%,100\n",
        "model,n_params_m,benchmark,acc,n_items\nm,1,t,.25,100\n",
    ],
    ids=[
        *("semicolon", "tab", "mark", "quoted", "other-order", "spaces"),
        *("percent-cell", "percent-header", "percent-twice", "unit-in-name"),
    ],
)
def test_forgiven_ways_of_writing(store: Store, import_csv: Import, text: str) -> None:
    assert import_csv(text).failed == ()
    (row,) = rows(store)
    assert [row[name] for name in ("model", "task", "metric", "value", "n")] == ["m", "t", "acc", 0.25, 100]
    assert rows(store, "models")[0]["params"] == 1e6


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("m,1e6,t,acc,nan,100", "acc is nan"),
        ("m,1e6,t,acc,inf,100", "acc is inf"),
        ("m,1e6,t,acc,1.5,100", "acc is 1.5 and must be between 0 and 1"),
        ("m,1e6,t,acc,57.3,100", "score=score/100"),
        ("m,1e6,t,acc,157%,100", "acc is 1.57"),
        ("m,1e6,t,unknown_metric,3,100", "between 0 and 1"),
        ("m,1e6,t,ppl,0.5,100", "at least 1"),
        ("m,1e6,t,target_logprob,0.5,100", "at most 0"),
        ("m,1e6,t,acc,,100", "score is empty"),
        ("m,1e6,t,acc,good,100", "score is 'good'"),
        ("m,1e6,t,acc,0.5,0", "n is 0"),
        ("m,1e6,t,acc,0.5,-3", "n is -3"),
        ("m,1e6,t,acc,0.5,nan", "n is nan"),
        ("m,0,t,acc,0.5,100", "params is 0 and must be above 0"),
        ("m,-1e6,t,acc,0.5,100", "params is -1e+06"),
        ("m,inf,t,acc,0.5,100", "params is inf"),
        ("m,nan,t,acc,0.5,100", "params is nan"),
        ("m,big,t,acc,0.5,100", "params is 'big'"),
        (",1e6,t,acc,0.5,100", "model is empty"),
        ("m,1e6,,acc,0.5,100", "task is empty"),
        ("m,1e6,t,,0.5,100", "metric is empty"),
        ("m,1e6,t,acc,0.5,100,0,7", "8 cells and the header 6"),
        ("m", "task is empty"),
        ("first,2e6,t2,acc,0.5,100", "params of first is 2000000.0 and in line 2 1000000.0"),
        ("first,1e6,t,acc,0.75,100", "measures the same as line 2"),
    ],
)
def test_a_bad_row_costs_itself_only(store: Store, import_csv: Import, row: str, said: str) -> None:
    result = import_csv(PLAIN + "first,1e6,t,acc,0.5,100\n" + row + "\nlast,1e7,t,acc,0.5,100\n")
    assert result.added == 2
    (failure,) = result.failed
    assert failure.line == 3
    assert Path(failure.path).name == "table.csv"
    assert said in failure.error
    assert not failure.error.endswith(".")


def test_steps_and_tokens_may_be_zero(store: Store, import_csv: Import) -> None:
    result = import_csv(
        "model,params,step,tokens,task,metric,score\nm,1e6,0,0,t,acc,0.1\nm,1e6,-1,5,t,acc,0.1\n"
    )
    assert result.added == 1
    assert "step is -1" in result.failed[0].error


def test_a_column_that_is_missing_names_what_is_there(import_csv: Import) -> None:
    result = import_csv("model,params,task,metric,points\nm,1e6,t,acc,0.5\n")
    (failure,) = result.failed
    assert (failure.line, result.added) == (1, 0)
    assert "no column score" in failure.error
    assert "points" in failure.error
    assert '--map "score=' in failure.error
    wide = import_csv("model,params,MMLU\nm,1e6,0.5\n")
    assert '--map "tasks=*"' in wide.failed[0].error


@pytest.mark.parametrize(
    ("content", "said", "line"),
    [
        (b"", "is empty", None),
        (b"\n\n", "no header", 1),
        (b"model,params,task,metric,score\n", "no rows", 1),
        ("model,params,task,metric,score\nm,1,t,acc,0.5\ncafé,1,t,acc,0.5\n".encode("latin-1"), "UTF-8", 3),
        (b"\xff\xfem\x00", "UTF-8", 1),
    ],
)
def test_a_file_that_cannot_be_used(import_csv: Import, content: bytes, said: str, line: int | None) -> None:
    (failure,) = import_csv(content).failed
    assert said in failure.error
    assert failure.line == line


def test_a_quote_that_is_never_closed(import_csv: Import) -> None:
    text = PLAIN + 'a,1e6,t,acc,0.5,100\n"b,1e6,t,acc,0.5,100\n' + "c" * 200_000 + "\n"
    result = import_csv(text)
    assert result.added == 1
    assert [failure.line for failure in result.failed] == [3]
    assert "quotes" in result.failed[0].error


def test_failures_are_capped_and_counted(import_csv: Import) -> None:
    result = import_csv(PLAIN + "m,1e6,t,acc,7,100\n" * 1500)
    assert len(result.failed) == 1001
    assert "500 more rows" in result.failed[-1].error


def test_the_same_table_twice_and_with_rows_added(store: Store, import_csv: Import) -> None:
    first = PLAIN + "a,1e6,t,acc,0.5,100\nb,1e7,t,acc,0.6,100\n"
    assert import_csv(first).added == 2
    again = import_csv(first)
    assert (again.added, again.skipped, again.models, again.tasks) == (0, 2, 2, 1)
    longer = import_csv(first + "c,1e8,t,acc,0.7,100\na,1e6,u,acc,0.5,100\n")
    assert (longer.added, longer.skipped) == (2, 2)
    assert len(rows(store)) == 4


def test_a_row_that_stands_twice_counts_once(import_csv: Import, store: Store) -> None:
    result = import_csv(PLAIN + "a,1e6,t,acc,0.5,100\n" * 3)
    assert (result.added, result.skipped, result.failed) == (1, 2, ())


def test_a_corrected_score_goes_in_and_counts(import_csv: Import, store: Store) -> None:
    for score in ("0.5", "0.6", "0.5"):
        import_csv(PLAIN + f"a,1e6,t,acc,{score},100\n")
    assert [row["value"] for row in rows(store)] == [0.5, 0.6]
    assert store.points()["value"].to_pylist() == [0.6]


def test_bad_rows_are_named_again_and_mended_rows_go_in(import_csv: Import, store: Store) -> None:
    bad = PLAIN + "a,1e6,t,acc,5,100\nb,1e7,t,acc,0.6,100\n"
    for added in (1, 0):
        result = import_csv(bad)
        assert (result.added, len(result.failed)) == (added, 1)
    mended = import_csv(bad.replace(",5,", ",0.5,"))
    assert (mended.added, mended.skipped, mended.failed) == (1, 1, ())


def test_minus_one_and_minus_two_are_different(import_csv: Import, store: Store) -> None:
    import_csv("model,params,task,metric,score\na,1e6,t,target_logprob,-1\n")
    assert import_csv("model,params,task,metric,score\na,1e6,t,target_logprob,-2\n").added == 1


def test_an_interrupted_table_is_taken_up(
    store: Store, import_csv: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.append

    def stop(table: str, given: Any, *, part: str | None = None) -> int:
        if table == "runs":
            raise KeyboardInterrupt
        return append(table, given, part=part)

    text = PLAIN + "a,1e6,t,acc,0.5,100\nb,1e7,t,acc,0.6,100\n"
    monkeypatch.setattr(store, "append", stop)
    with pytest.raises(KeyboardInterrupt):
        import_csv(text)
    monkeypatch.undo()
    assert len(rows(store)) == 2
    import_csv(text)
    assert len(rows(store)) == 2
    assert store.runs().num_rows == 1


def test_checkpoints_without_steps_are_told_apart_by_tokens(store: Store, import_csv: Import) -> None:
    text = "model,params,tokens,task,metric,score\n" + "".join(f"m,1e6,{t}B,t,acc,0.{t}\n" for t in (1, 2, 4))
    assert import_csv(text + "other,1e6,1B,t,acc,0.5\n").failed == ()
    assert [m["id"] for m in store.models().to_pylist()] == [
        "m@tokens1B",
        "m@tokens2B",
        "m@tokens4B",
        "other",
    ]
    assert [m["tokens"] for m in store.models().to_pylist()] == [1e9, 2e9, 4e9, 1e9]


def test_known_models_need_no_scale_column(store: Store, import_csv: Import) -> None:
    result = import_csv("model,task,metric,score\nfacebook/opt-1.3b,piqa,acc,0.7\n")
    assert result.notes == ()
    (model,) = rows(store, "models")
    assert (model["family"], model["params"], model["tokens"]) == ("opt", 1315758080, 180e9)
    assert rows(store)[0]["chance"] == 0.5


def test_n_is_recovered_from_the_standard_error(store: Store, import_csv: Import) -> None:
    stderr = (0.6 * 0.4 / 1834) ** 0.5
    import_csv(
        f"model,params,task,metric,score,stderr\nm,1e6,t,acc,0.6,{stderr!r}\nm,1e6,t,ppl,9.5,{stderr!r}\n"
    )
    assert [row["n"] for row in rows(store)] == [1835, None]


def test_axis_from(store: Store, import_csv: Import, tmp_path: Path) -> None:
    axis = tmp_path / "axis.csv"
    axis.write_text(
        "Model,Model Family,Model Size (B),Pretraining Data Size (T),FLOPs (1E21)\n"
        "My-Model_A,mine,7.0,2.0,84.0\n"
    )
    result = import_csv("model,task,metric,score\norg/my-model-a,t,acc,0.5\n", axis_from=axis)
    assert result.notes == ()
    (model,) = rows(store, "models")
    assert [model[name] for name in ("family", "params", "tokens", "flops")] == ["mine", 7e9, 2e12, 84e21]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,params\nm,1\n", "no column model"),
        ("model,colour\nm,red\n", "says nothing of scale"),
        ("model,params\nm,-5\n", "params is -5"),
    ],
)
def test_a_bad_axis_file_stops_the_import(import_csv: Import, tmp_path: Path, text: str, said: str) -> None:
    axis = tmp_path / "axis.csv"
    axis.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        import_csv(PLAIN + "m,1e6,t,acc,0.5,9\n", axis_from=axis)
    assert caught.value.path == str(axis)


def test_short_map(store: Store, import_csv: Import) -> None:
    mapping = "model=Net,params=Size*1e9,score=Result/100,metric='acc',task=What"
    assert import_csv("Net,Size,What,Result\nm,7,t,25\n", mapping=mapping).failed == ()
    assert [rows(store)[0][name] for name in ("model", "task", "metric", "value")] == ["m", "t", "acc", 0.25]
    assert rows(store, "models")[0]["params"] == 7e9


@pytest.mark.parametrize("mapping", ["tasks=*", "tasks=MMLU|ARC-C|unscramble_exact_match", {"tasks": "*"}])
def test_wide_tables(store: Store, import_csv: Import, mapping: Any) -> None:
    text = "Model,Model Size (B),MMLU,ARC-C,unscramble_exact_match\nm,7.0,0.43,0.53,0.1\nn,13.0,,0.6,0.2\n"
    result = import_csv(text, mapping=mapping)
    assert (result.added, result.failed) == (5, ())
    assert {(row["task"], row["metric"], row["chance"]) for row in rows(store)} == {
        ("MMLU", "score", 0.25), ("ARC-C", "score", 0.25), ("unscramble", "exact_match", None),
    }  # fmt: skip


def test_a_bad_cell_of_a_wide_table_costs_itself_only(import_csv: Import) -> None:
    result = import_csv("model,params,A,B\nm,1e6,0.5,nan\nn,1e7,45,0.5\n", mapping="tasks=*")
    assert result.added == 2
    assert [(failure.line, failure.error[:2]) for failure in result.failed] == [(2, "B:"), (3, "A:")]


def test_percentages_in_a_wide_table(store: Store, import_csv: Import) -> None:
    text = "model,params_b,A (%),B,C\nm,1,45,4.5%,50\nn,7,0.5,60%,0.5\no,70,90,99%,80\n"
    result = import_csv(text, mapping="tasks=A (%)|B|C/100")
    assert (result.added, result.failed) == (9, ())
    values = {(row["model"], row["task"]): row["value"] for row in rows(store)}
    assert values["n", "A"] == values["n", "C"] == pytest.approx(0.005)
    assert (values["m", "B"], values["o", "B"]) == pytest.approx((0.045, 0.99))
    assert {row["params"] for row in rows(store, "models")} == {1e9, 7e9, 7e10}


def test_shares_among_percentages_are_named(import_csv: Import) -> None:
    text = "model,params,A\nm,1e6,0.5\nn,1e7,45\no,1e8,50\n"
    result = import_csv(text, mapping="tasks=*")
    assert result.added == 1
    assert [failure.line for failure in result.failed] == [3, 4, 1]
    assert "tasks=*/100" in result.failed[0].error
    assert "2 scores from 1 to 100" in result.failed[2].error


def test_a_table_without_a_metric(store: Store, import_csv: Import) -> None:
    assert import_csv("model,params,task,score\nm,1e6,t,0.5\n").failed == ()
    assert import_csv("model,params,task,accuracy\nm,1e6,t,0.5\n", name="two.csv").failed == ()
    (failure,) = import_csv("model,task,Accuracy\nm,t,57.3\n", name="three.csv").failed
    assert "score=Accuracy/100" in failure.error
    mapped = import_csv("model,task,Accuracy\nm,t,57.3\n", name="four.csv", mapping="score=Accuracy/100")
    assert mapped.failed == ()
    assert sorted({row["metric"] for row in rows(store)}) == ["accuracy", "score"]


def test_compute_in_days(store: Store, import_csv: Import) -> None:
    import_csv("model,Compute (PF-days),task,metric,score\nm,2,t,acc,0.5\n")
    assert rows(store, "models")[0]["flops"] == pytest.approx(1.728e20)


@pytest.mark.parametrize(
    ("models", "families"),
    [
        ("a b c", {"table"}),
        ("GPT-S GPT-XL GPT-2.7B", {"gpt"}),
        ("T5-small T5-base", {"t5"}),
        ("ada babbage davinci", {"table"}),
        ("A-8M A-62B", {"a"}),
        ("pythia-70m pythia-160m", {"pythia"}),
    ],
)
def test_models_that_name_no_family(
    store: Store, import_csv: Import, models: str, families: set[str]
) -> None:
    lines = (f"{name},{10**i},t,acc,0.5" for i, name in enumerate(models.split(), 6))
    result = import_csv("model,params,task,metric,score\n" + "\n".join(lines) + "\n")
    assert {row["family"] for row in rows(store, "models")} == families
    told = families == {"table"} or "small" in models or "GPT-S" in models
    assert any("--family" in note for note in result.notes) == told


def test_a_family_that_is_given_stands(store: Store, import_csv: Import) -> None:
    text = "model,params,task,metric,score\na,1e6,t,acc,0.5\nb,1e7,t,acc,0.5\n"
    assert import_csv(text, family="letters").notes == ()
    assert {row["family"] for row in rows(store, "models")} == {"letters"}


def test_map_in_a_file(store: Store, import_csv: Import, tmp_path: Path) -> None:
    path = tmp_path / "wide.toml"
    path.write_text(
        """
        [columns]
        model = "Net"
        [scale]
        params = 1e6
        [fixed]
        family = "nets"
        [tasks]
        "A (acc)" = { task = "a", metric = "acc", chance = 0.5, n = 200, shots = 5, scale = 0.01 }
        B = "b"
        """
    )
    result = import_csv("Net,params,A (acc),B\nm,70,55,0.25\n", mapping=path)
    assert result.failed == ()
    found = {
        row["task"]: (row["metric"], row["value"], row["chance"], row["n"], row["shots"])
        for row in rows(store)
    }
    assert found == {"a": ("acc", pytest.approx(0.55), 0.5, 200, 5), "b": ("score", 0.25, None, None, None)}
    (model,) = rows(store, "models")
    assert (model["family"], model["params"]) == ("nets", 70e6)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("score", "cannot read 'score'"),
        ("colour=x", "'colour', which is no field"),
        ("params=size*0", "factor must be above 0"),
        ({"colums": {}}, "'colums'"),
        ({"tasks": 5}, "strange"),
        ({"tasks": {"A": {"chanc": 1}}}, "does not fit"),
        ({"columns": {"score": 5}}, "does not fit"),
    ],
)
def test_a_bad_map(mapping: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_mapping(mapping)


def test_a_map_that_names_no_column_of_the_file(import_csv: Import) -> None:
    (failure,) = import_csv(PLAIN + "m,1,t,acc,0.5,9\n", mapping="score=points").failed
    assert "'points'" in failure.error
    assert failure.line == 1


def test_a_map_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="after --map"):
        read_mapping(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_text("= 3")
    with pytest.raises(InputError, match="neither TOML nor JSON"):
        read_mapping(tmp_path / "bad.toml")


def test_published_wide_tables(store: Store, shared: Path) -> None:
    folder = shared / "data" / "obscaling"
    result = import_results("csv", folder / "base_llm_benchmark_eval.csv", store=store, mapping="tasks=*")
    assert (result.added, result.failed, result.tasks, result.notes) == (1144, (), 8, ())
    assert result.models > 100
    (model,) = store.sql("SELECT * FROM models WHERE id = 'meta-llama/Llama-2-7b-hf'").to_pylist()
    assert (model["params"], model["tokens"], model["flops"], model["released"]) == (
        7e9,
        2e12,
        84e21,
        "2023-07-18",
    )
    second = import_results(
        "csv",
        folder / "base_llm_emergent_capability_eval.csv",
        store=store,
        mapping="tasks=*",
        axis_from=folder / "base_llm_benchmark_eval.csv",
    )
    assert (second.added, second.failed, second.models, second.tasks, second.notes) == (328, (), 84, 4, ())
    points = store.points(task="arithmetic_2dm_2").to_pylist()
    assert {point["metric"] for point in points} == {"acc"}
    assert all(point["params"] for point in points)


def test_two_processes_at_once(tmp_path: Path, golden: Path) -> None:
    table = tmp_path / "t.csv"
    lines = (f"f,m{i},{10**i},t{j},acc,0.5,100\n" for i in range(3, 9) for j in range(200))
    table.write_text("family,model,params,task,metric,score,n\n" + "".join(lines))
    program = (
        "import sys, saltus\n"
        "store = saltus.open(sys.argv[1])\n"
        "results = [saltus.import_results('csv', sys.argv[2], store=store),"
        " saltus.import_results('lm-eval', sys.argv[3], store=store)]\n"
        "print(*(f'{r.added},{r.skipped},{len(r.failed)}' for r in results))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "evidence"), str(table), str(golden)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate()[0].split() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    counts = [[tuple(map(int, one.split(","))) for one in answer] for answer in said]
    assert sum(answer[0][0] for answer in counts) == sum(answer[0][1] for answer in counts) == 1200
    assert sum(answer[1][0] for answer in counts) == sum(answer[1][1] for answer in counts) > 0


def parse(data: bytes, mapping: Mapping | None = None) -> list[Parsed]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(data)
        try:
            return list(open_table(path, mapping or Mapping()).parse())
        except InputError:
            return []


names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs")), min_size=1, max_size=8)
scores = st.floats(0, 1) | st.floats() | st.sampled_from(["", "x", "0,5", "x%"])


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(st.tuples(names, st.floats(1, 1e12), names, scores), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
    mark=st.sampled_from(["", "\ufeff"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_row_is_read_or_named(
    table: list[tuple[Any, ...]], delimiter: str, mark: str, end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["model", "params", "task", "metric", "score"])
    for number, (model, params, task, score) in enumerate(table):
        writer.writerow([f"{model}{number}", params, task, "acc", score])
    found = parse((mark + text.getvalue()).encode())
    read = [row for parsed in found for row in parsed.aggregates]
    failed = [failure for parsed in found for failure in parsed.failed if failure.line != 1]
    good = [score for *_, score in table if isinstance(score, float) and 0 <= score <= 1]
    if delimiter == ",":
        assert [row.value for row in read] == good
        assert len(read) + len(failed) == len(table)
    else:
        assert len(read) + len(failed) == len(table)
        assert all(0 <= row.value <= 1 for row in read)
    assert all(failure.line is not None and 2 <= failure.line <= len(table) + 1 for failure in failed)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    head = b"model,params,task,metric,score\n"
    for content in (data, head + data):
        for parsed in parse(content):
            assert all(math.isfinite(row.value) for row in parsed.aggregates)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_short_map(text: str) -> None:
    with suppress(UsageError, InputError):  # any other exception fails
        assert isinstance(read_mapping(text), Mapping)
