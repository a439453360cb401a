"""Checks the fields of a task of lm-evaluation-harness: from the values of its file to a `Config`.

What would change a result and cannot be honoured is refused here; what changes none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from saltus.tasks.lm_eval.config import (
    OUTPUT_TYPES,
    Config,
    FilterStep,
    Generation,
    MetricEntry,
    OutputType,
    Pipeline,
    Shots,
)
from saltus.tasks.lm_eval.definition import Definition, Function
from saltus.tasks.lm_eval.functions import load_function, source_hash
from saltus.tasks.suites.problems import did_you_mean, shown

_TEXTS = (
    "task",
    "dataset_path",
    "dataset_name",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
)
_READ = frozenset(
    (
        *_TEXTS,
        "output_type",
        "dataset_kwargs",
        "custom_dataset",
        "process_docs",
        "process_results",
        "doc_to_text",
        "doc_to_target",
        "doc_to_choice",
        "description",
        "target_delimiter",
        "fewshot_delimiter",
        "fewshot_config",
        "num_fewshot",
        "metric_list",
        "generation_kwargs",
        "repeats",
        "filter_list",
        "gen_prefix",
    )
)
_WITHOUT_EFFECT = frozenset(
    (
        "task_alias",
        "tag",
        "task_list",
        "metadata",
        "should_decontaminate",
        "doc_to_decontamination_query",
        "group_alias",
    )
)
_REFUSED = {
    "doc_to_image": "images are not put to models",
    "doc_to_audio": "sound is not put to models",
    "use_prompt": "prompts of promptsource are not read",
    "class": "a task that is a Python class is not run",
}
_SHOTS = frozenset(
    (
        "sampler",
        "split",
        "process_docs",
        "fewshot_indices",
        "samples",
        "doc_to_text",
        "doc_to_choice",
        "doc_to_target",
        "gen_prefix",
        "fewshot_delimiter",
        "target_delimiter",
    )
)
_TOKENS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # the first that is given
_WHEN_SAMPLED = frozenset(("top_k", "typical_p", "min_p", "epsilon_cutoff", "eta_cutoff"))


def read_config(definition: Definition, *, functions: bool, num_fewshot: int | None) -> Config:
    """Check the fields of a task.

    Args:
        definition: Its values.
        functions: Whether Python functions of its folder may be run.
        num_fewshot: In place of the task's own number, unless that is 0, as on the harness's command line.

    Raises:
        InputError: A field is unknown, wrong, or cannot be honoured.
    """
    return _Reader(definition, functions).config(num_fewshot)


class _Reader:
    def __init__(self, definition: Definition, functions: bool) -> None:
        self.definition = definition
        self.values = definition.values
        self.functions = functions

    def config(self, num_fewshot: int | None) -> Config:
        self._check_keys()
        values, get = self.values, self.values.get
        names: dict[str, Any] = {key: self._text(key) for key in _TEXTS}
        texts = {key: self._source(key) for key in ("doc_to_text", "doc_to_target", "doc_to_choice")}
        texts["description"] = self._text("description", "")
        texts["target_delimiter"] = self._text("target_delimiter", " ")
        texts["fewshot_delimiter"] = self._text("fewshot_delimiter", "\n\n")
        texts["gen_prefix"] = self._text("gen_prefix")
        process_docs = self._function("process_docs")
        fewshot_split = names.pop("fewshot_split")
        kwargs = self._mapping("dataset_kwargs")
        output_type = get("output_type", "generate_until")
        if output_type not in OUTPUT_TYPES:
            raise self._wrong(did_you_mean(str(output_type), OUTPUT_TYPES), "output_type")
        return Config(
            definition=self.definition,
            output_type=cast("OutputType", output_type),
            dataset_kwargs=kwargs,
            custom_dataset=self._function("custom_dataset"),
            process_docs=process_docs,
            process_results=self._function("process_results"),
            texts=texts,
            shots=self._shots(num_fewshot, fewshot_split, process_docs, texts),
            metrics=self._metrics(),
            filters=self._filters(),
            generation=self._generation(texts["fewshot_delimiter"], output_type),
            repeats=self._whole("repeats", 1, least=1),
            digest={
                key: _hashable(_without_files(value) if key == "dataset_kwargs" else value)
                for key, value in values.items()
                if key not in _WITHOUT_EFFECT | {"metric_list", "filter_list", "process_results"}
            },
            **names,
        )

    def _check_keys(self) -> None:
        for key, value in self.values.items():
            if key in _REFUSED and value is not None:
                raise self.definition.error(
                    f"{key} is not supported: {_REFUSED[key]}; run this task with lm-evaluation-harness", key
                )
            if key == "unsafe_code" and value is not False:
                raise self.definition.error(
                    "unsafe_code says that this task runs what a model wrote, in this process; run it with "
                    "lm-evaluation-harness, or write it as a task of kind code, which runs in a sandbox",
                    key,
                )
            if key not in _READ | _WITHOUT_EFFECT | _REFUSED.keys() | {"unsafe_code"}:
                raise self.definition.error(
                    f"{key} is no field of a task; {did_you_mean(key, sorted(_READ))}", key
                )
        if not isinstance(self.values.get("task"), str) or not self.values["task"]:
            raise self.definition.error("task must name the task; write `task: NAME`", "task")

    def _shots(
        self, given: int | None, split: str | None, process_docs: Any, texts: Mapping[str, Any]
    ) -> Shots:
        own = self.values.get("num_fewshot")
        count = self._whole("num_fewshot", 0) if own is not None else 0
        if given is not None and own != 0:
            count = given
        config = self._mapping("fewshot_config")
        for key in config:
            if key not in _SHOTS:
                mend = did_you_mean(key, sorted(_SHOTS))
                raise self.definition.error(
                    f"{key} is no field of fewshot_config; {mend}", "fewshot_config", key
                )
        sampler = config.get("sampler", "default")
        if sampler not in ("default", "first_n"):
            raise self._wrong("write default or first_n", "fewshot_config", "sampler", value=sampler)
        samples = config.get("samples")
        if isinstance(samples, Function):
            samples = self._load(samples, "fewshot_config", "samples")()
        if samples is not None and not (
            isinstance(samples, list) and all(isinstance(s, dict) for s in samples)
        ):
            raise self._wrong("a list of items was expected", "fewshot_config", "samples", value=samples)
        split = config.get("split", split)
        if split is not None and not isinstance(split, str):
            raise self._wrong("write the name of a split", "fewshot_config", "split", value=split)
        written = {
            key: self._load(config[key], "fewshot_config", key)
            if isinstance(config.get(key), Function)
            else config.get(key, texts[key])
            for key in texts
            if key != "description"
        }
        process = config.get("process_docs", process_docs)
        if isinstance(process, Function):
            process = self._load(process, "fewshot_config", "process_docs")
        return Shots(
            count=count, sampler=sampler, split=split, samples=samples, process_docs=process, texts=written
        )

    def _metrics(self) -> tuple[MetricEntry, ...] | None:
        listed = self.values.get("metric_list")
        if listed is None:
            return None
        if not isinstance(listed, list) or not listed:
            raise self._wrong("a list of metrics was expected", "metric_list")
        return tuple(self._metric(entry, number) for number, entry in enumerate(listed))

    def _metric(self, entry: Any, number: int) -> MetricEntry:
        where = ("metric_list", number)
        if not isinstance(entry, dict) or "metric" not in entry:
            raise self._wrong("write `metric: NAME`", *where, value=entry)
        if entry.get("hf_evaluate"):
            raise self.definition.error(
                "hf_evaluate takes a metric from Hugging Face's evaluate, which is not supported; run this "
                "task with lm-evaluation-harness",
                *where,
            )
        metric, aggregation = entry["metric"], entry.get("aggregation")
        function = self._load(metric, *where, "metric") if isinstance(metric, Function) else None
        if isinstance(aggregation, Function):
            aggregation = self._load(aggregation, *where, "aggregation")
        options = {
            key: self._load(value, *where, key) if isinstance(value, Function) else value
            for key, value in entry.items()
            if key not in ("metric", "aggregation", "higher_is_better", "hf_evaluate")
        }
        name = metric if isinstance(metric, str) else getattr(function, "__name__", "")
        if not name:
            raise self._wrong("write the name of a metric", *where, "metric", value=metric)
        return MetricEntry(
            name=name,
            function=function,
            aggregation=aggregation,
            higher_is_better=entry.get("higher_is_better"),
            options=options,
            place=where,
        )

    def _filters(self) -> tuple[Pipeline, ...]:
        listed = self.values.get("filter_list")
        if listed is None:
            return (Pipeline("none", (FilterStep("take_first"),)),)
        if not isinstance(listed, list) or not listed:
            raise self._wrong("a list of filters was expected", "filter_list")
        pipelines = []
        for number, entry in enumerate(listed):
            where = ("filter_list", number)
            if (
                not isinstance(entry, dict)
                or not isinstance(entry.get("filter"), list)
                or "name" not in entry
            ):
                raise self._wrong("write a name and a list of filter functions", *where, value=entry)
            steps = []
            for index, step in enumerate(entry["filter"]):
                at = (*where, "filter", index)
                if not isinstance(step, dict) or not isinstance(step.get("function"), str | Function):
                    raise self._wrong("write `function: NAME`", *at, value=step)
                function = step["function"]
                options = {
                    key: self._load(value, *at, key) if isinstance(value, Function) else value
                    for key, value in step.items()
                    if key != "function"
                }
                if isinstance(function, Function):
                    made_by = self._load(function, *at, "function")
                    steps.append(FilterStep(function.name, options, at, made_by))
                else:
                    steps.append(FilterStep(function, options, at))
            pipelines.append(Pipeline(str(entry["name"]), tuple(steps)))
        return tuple(pipelines)

    def _generation(self, delimiter: str, output_type: str) -> Generation:
        given = self._mapping("generation_kwargs")
        if output_type != "generate_until":
            return Generation(until=())
        until = given.get("until", [delimiter])
        until = until if isinstance(until, list) else [] if until is None else [until]
        if not all(isinstance(stop, str) for stop in until):
            raise self._wrong(
                "write a string or a list of strings", "generation_kwargs", "until", value=until
            )
        sampled = given.get("do_sample")
        try:
            temperature = 0.0 if sampled is False else float(given.get("temperature", 0.0))
            top_p = float(given.get("top_p", 1.0)) if temperature else 1.0
            tokens = int(next((given[name] for name in _TOKENS if given.get(name) is not None), 256))
        except (TypeError, ValueError) as error:
            raise self._wrong(
                "temperature, top_p and max_gen_toks are numbers", "generation_kwargs"
            ) from error
        if sampled and not temperature:
            raise self.definition.error(
                "do_sample is true and temperature is 0, which the harness leaves to its backends; "
                "write a temperature, or do_sample: false",
                "generation_kwargs",
            )
        for key, value in given.items():
            known = key in ("until", "do_sample", "temperature", "top_p", *_TOKENS)
            if (
                not known
                and not (key in _WHEN_SAMPLED and not temperature)
                and (key, value) != ("num_beams", 1)
            ):
                raise self.definition.error(
                    f"{key} is not supported in generation_kwargs and could change the answers; remove it",
                    "generation_kwargs",
                    key,
                )
        stops = tuple(dict.fromkeys(stop for stop in until if stop))
        return Generation(until=stops, max_tokens=tokens, temperature=temperature, top_p=top_p)

    def _text(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key, default)
        value = default if value is None else value
        if value is not None and not isinstance(value, str):
            raise self._wrong("text was expected", key)
        return value

    def _mapping(self, key: str) -> Mapping[str, Any]:
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self._wrong("a mapping was expected", key)
        return value or {}

    def _whole(self, key: str, default: int, *, least: int = 0) -> int:
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(f"a whole number of {least} or more was expected", key)
        return value

    def _source(self, key: str) -> Any:
        value = self.values.get(key)
        return self._load(value, key) if isinstance(value, Function) else value

    def _function(self, key: str) -> Callable[..., Any] | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Function):
            raise self._wrong("write `!function FILE.NAME`", key)
        return self._load(value, key)

    def _load(self, function: Function, *where: str | int) -> Callable[..., Any]:
        return load_function(function, self.definition, *where, run=self.functions)

    def _wrong(self, mend: str, *where: str | int, value: Any = None) -> Any:
        value = self.values.get(str(where[0])) if value is None else value
        name = ".".join(str(step) for step in where)
        return self.definition.error(f"{name} is {shown(value)}; {mend}", *where)


def _without_files(kwargs: Any) -> Any:
    """Where the files lie changes nothing; what they hold is hashed apart."""
    return {key: value for key, value in (kwargs or {}).items() if key != "data_files"}


def _hashable(value: Any) -> Any:
    match value:
        case Function():
            return ["!function", value.name, source_hash(value)]
        case dict():
            return {str(key): _hashable(one) for key, one in value.items()}
        case list():
            return [_hashable(one) for one in value]
        case str() | int() | float() | None:
            return value
        case _:
            return repr(value)
