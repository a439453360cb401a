"""Templates of prompts and targets: `{input}`, or Jinja in a sandbox over the columns of an item.

The plain ones, which only name columns, are joined without Jinja: a fifth of the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.tasks.suites.problems import Fault, did_you_mean

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

Row = Mapping[str, Any]
_MARKS = re.compile(r"\{\{|\{%|\{#")
_SIMPLE = re.compile(r"(?<!\{)\{input\}(?!\})")


class Template(msgspec.Struct, frozen=True):
    """A compiled template.

    Attributes:
        text: As it was written.
        columns: Columns that it names.
        render: Fills it in; raises `Fault` when it cannot.
    """

    text: str
    columns: frozenset[str]
    render: Callable[[Row], str]


def compile_template(text: str, field: str) -> Template:
    """Compile a template.

    Args:
        text: What was written; without any mark of Jinja only `{input}` has a meaning.
        field: The key it stands under, for errors.

    Raises:
        Fault: It is no template.
    """
    if not _MARKS.search(text):
        parts = _SIMPLE.split(text)
        columns = frozenset(("input",) if len(parts) > 1 else ())
        return Template(text, columns, _joined(parts, field) if columns else lambda row: text)
    tree, columns, body = _parsed(_SIMPLE.sub("{{ input }}", text), field)
    plain = _plain_parts(body)
    if plain is not None:
        return Template(text, columns, _filled(plain, field))
    compiled = _environment().from_string(tree)
    known = dict(_environment().globals)

    def render(row: Row) -> str:
        # What `compiled.render(row)` does, without merging its globals anew each time: twice as fast.
        return "".join(compiled.root_render_func(compiled.new_context({**known, **row}, shared=True)))

    return Template(text, columns, _guarded(render, field))


def compile_value(text: str, field: str) -> Template | None:
    """Compile a template that is one expression, so that its value keeps its type: a list stays a list.

    Returns:
        The template, whose `render` gives any value; None when the text is more than one expression.
    """
    from jinja2 import Undefined, nodes

    whole = re.fullmatch(r"\s*\{\{-?(.*?)-?\}\}\s*", text, re.DOTALL)
    if not whole:
        return None
    _, columns, body = _parsed(text.strip(), field)
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    expression = _environment().compile_expression(whole[1], undefined_to_none=False)

    def value(row: Row) -> Any:
        found = expression(row)
        if isinstance(found, Undefined):
            str(found)  # raises, as it would within a longer template
        return found

    return Template(text, columns, _guarded(value, field))


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


def _parsed(text: str, field: str) -> tuple[Any, frozenset[str], list[Any]]:
    from jinja2 import TemplateSyntaxError, meta

    try:
        tree = _environment().parse(text)
        columns = frozenset(meta.find_undeclared_variables(tree))
        _environment().from_string(text)  # unknown filters and tests show only here
    except TemplateSyntaxError as error:
        raise Fault(
            f"{field} is no template, line {error.lineno} of it: {str(error.message).rstrip('.')}; mend it, "
            "or write {% raw %} around what is no template",
            field,
        ) from error
    except RecursionError as error:
        raise Fault(f"{field} is nested too deep for a template; make it simpler", field) from error
    return text, columns, list(tree.body)


def _plain_parts(body: list[Any]) -> list[str | tuple[str]] | None:
    """Texts and (column,) of a template that does nothing else."""
    from jinja2 import nodes

    parts: list[str | tuple[str]] = []
    for output in body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                parts.append(node.data)
            elif isinstance(node, nodes.Name):
                parts.append((node.name,))
            else:
                return None
    return parts


def _joined(parts: list[str], field: str) -> Callable[[Row], str]:
    def render(row: Row) -> str:
        value = row.get("input")
        if value is None:
            raise _missing("input", row, field)
        return str(value).join(parts)

    return render


def _filled(parts: list[str | tuple[str]], field: str) -> Callable[[Row], str]:
    def render(row: Row) -> str:
        try:
            return "".join([part if isinstance(part, str) else str(row[part[0]]) for part in parts])
        except KeyError as error:
            raise _missing(str(error.args[0]), row, field) from error

    return render


def _guarded(fill: Callable[[Row], Any], field: str) -> Callable[[Row], Any]:
    """Whatever a template does wrong is the item's or the template's fault, never a traceback."""

    def render(row: Row) -> Any:
        from jinja2 import UndefinedError

        try:
            return fill(row)
        except UndefinedError as error:
            name = re.match(r"'(\w+)' is undefined", str(error.message))
            if name and name[1] not in row:
                raise _missing(name[1], row, field) from error
            raise Fault(f"{field} cannot be filled in, {error.message}; mend the template", field) from error
        except Exception as error:
            raise Fault(
                f"{field} cannot be filled in ({type(error).__name__}: {error}); mend it or the item",
                field,
            ) from error

    return render


def _missing(name: str, row: Row, field: str) -> Fault:
    return Fault(
        f"{field} uses the column {name!r}, which this item does not have; {did_you_mean(name, row)}", name
    )
