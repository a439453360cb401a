"""What a task says of one item, its text, target and choices: by Jinja, a column, a constant or a function.

Templates are rendered in Jinja's sandbox; otherwise the environment is that of lm-evaluation-harness.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from saltus.tasks.suites.problems import Fault, did_you_mean, shown

if TYPE_CHECKING:
    from jinja2 import Template

Doc = Mapping[str, Any]


class Texts:
    """Fills in the texts of a task.

    Args:
        sources: doc_to_text, doc_to_target, doc_to_choice, gen_prefix and description, as they are written.
        columns: Those of the items; a text that is the name of one stands for its value.
        has_choices: Whether the task itself has choices, so that digits are an index.
    """

    def __init__(self, sources: Mapping[str, Any], columns: Collection[str], *, has_choices: bool) -> None:
        self.sources = sources
        self._columns = columns
        self._has_choices = has_choices

    def text(self, doc: Doc) -> Any:
        """The question; the index of the right choice where the choices are the questions."""
        source = self.sources["doc_to_text"]
        match source:
            case int():
                return source
            case str() if source in self._columns:
                return doc[source]
            case str():
                text = render(source, doc, "doc_to_text")
                return _literal(text, "doc_to_text") if self._is_index(text) else text
            case _ if callable(source):
                return called(source, doc, "doc_to_text")
        raise Fault(
            f"doc_to_text is {shown(source)}; write a template or the name of a column", "doc_to_text"
        )

    def target(self, doc: Doc) -> Any:
        """The right answer: text, an index, or a list of either."""
        source = self.sources["doc_to_target"]
        match source:
            case int() | list():
                return source
            case str() if source in self._columns:
                return doc[source]
            case str():
                return self._literal_target(render(source, doc, "doc_to_target"))
            case _ if callable(source):
                return called(source, doc, "doc_to_target")
        raise Fault(
            f"doc_to_target is {shown(source)}; write a template or the name of a column", "doc_to_target"
        )

    def choices(self, doc: Doc) -> list[str]:
        """All choices."""
        source = self.sources["doc_to_choice"]
        match source:
            case str() if source in self._columns:
                found = doc[source]
            case str():
                found = _literal(render(source, doc, "doc_to_choice"), "doc_to_choice")
            case list():
                found = source
            case dict():
                found = list(source.values())
            case _ if callable(source):
                found = called(source, doc, "doc_to_choice")
            case _:
                raise Fault(
                    f"doc_to_choice is {shown(source)}; write a list, a template or the name of a column",
                    "doc_to_choice",
                )
        if not isinstance(found, list) or not found or not all(isinstance(choice, str) for choice in found):
            raise Fault(
                f"doc_to_choice gives {shown(found)} where a list of texts was expected", "doc_to_choice"
            )
        return found

    def prefix(self, doc: Doc, columns: Collection[str] | None = None) -> str:
        """How the answer begins; empty when the task does not say.

        Args:
            doc: The item.
            columns: Names that stand for a value; the items' when None.
        """
        return self._plain("gen_prefix", doc, self._columns if columns is None else columns)

    def description(self, doc: Doc) -> str:
        """What stands before everything."""
        return self._plain("description", doc, doc)

    def _plain(self, key: str, doc: Doc, columns: Collection[str]) -> str:
        source = self.sources.get(key)
        if not source:
            return ""
        found = doc[source] if source in columns else render(source, doc, key)
        if found is not None and not isinstance(found, str):
            raise Fault(f"{key} gives {shown(found)} where text was expected", key)
        return found or ""

    def _literal_target(self, text: str) -> Any:
        if self._is_index(text):
            return _literal(text, "doc_to_target")
        if len(text) >= 2 and text[0] == "[" and text[-1] == "]":
            try:
                return ast.literal_eval(text)
            except (SyntaxError, ValueError):
                return text
        return text

    def _is_index(self, text: str) -> bool:
        return self._has_choices and text.isdigit()


def render(template: str, doc: Doc, field: str) -> str:
    """Fill in a template.

    Raises:
        Fault: It is no template, names a column that is not there, or fails.
    """
    from jinja2 import TemplateError, UndefinedError

    try:
        return _compiled(template).render(**doc)
    except UndefinedError as error:
        name = re.match(r"'(\w+)' is undefined", str(error.message))
        mend = did_you_mean(name[1], list(doc)) if name and name[1] not in doc else "mend the template"
        raise Fault(f"{field} cannot be filled in, {error.message}; {mend}", field) from error
    except TemplateError as error:
        raise Fault(
            f"{field} is no template ({' '.join(str(error).split())}); mend it, or put {{% raw %}} around it",
            field,
        ) from error
    except Exception as error:
        raise Fault(
            f"{field} cannot be filled in ({type(error).__name__}: {error}); mend the template or the item",
            field,
        ) from error


def called(function: Any, doc: Doc, field: str) -> Any:
    """Call a function of the task's folder.

    Raises:
        Fault: It fails.
    """
    try:
        return function(doc)
    except Exception as error:  # code of others: whatever goes wrong is the task's
        raise Fault(
            f"the function of {field} fails ({type(error).__name__}: {error}); mend it", field
        ) from error


def _literal(text: str, field: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Fault(
            f"{field} gives {shown(text)}, which is no Python literal as the harness expects; write a list "
            "such as ['a', 'b']",
            field,
        ) from error


@cache
def _compiled(template: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    environment.filters["regex_replace"] = _regex_replace
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a backslash in a pattern, which the harness's own tasks have
        return environment.from_string(template)


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    return re.sub(pattern, repl, string, count=count)
