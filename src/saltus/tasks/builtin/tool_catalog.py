"""The tools that the suite "tools" offers, and requests that need exactly one call of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.words import CITIES, DAYS, NAMES, ROOMS, THINGS

_LANGUAGES = ("French", "German", "Spanish", "Turkish", "Swahili", "Polish")
_CURRENCIES = ("EUR", "USD", "JPY", "GBP", "CHF", "SEK")

Arguments = dict[str, Any]


class Tool(msgspec.Struct, frozen=True):
    """One tool.

    Attributes:
        name: Of the function.
        description: What it does.
        properties: JSON schema of each argument; all are required.
        ask: A request in words, without a full stop, and the arguments of the one call that answers it.
    """

    name: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    ask: Callable[[Draw], tuple[str, Arguments]]

    def definition(self) -> dict[str, Any]:
        """The tool as OpenAI's API takes it."""
        parameters = {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.properties.items()},
            "required": list(self.properties),
            "additionalProperties": False,
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    def signature(self) -> str:
        """The tool in one line: name(argument: type, ...)."""
        arguments = [f"{name}: {schema['type']}" for name, schema in self.properties.items()]
        return f"{self.name}({', '.join(arguments)})"


def _weather(draw: Draw) -> tuple[str, Arguments]:
    city, unit = draw.pick(CITIES), draw.pick(("celsius", "fahrenheit"))
    return f"tell me the weather in {city} in {unit}", {"city": city, "unit": unit}


def _alarm(draw: Draw) -> tuple[str, Arguments]:
    time = f"{draw.between(5, 22):02}:{draw.pick((0, 10, 15, 20, 30, 40, 45, 50)):02}"
    day = draw.pick(DAYS)
    return f"set an alarm for {time} on {day}", {"time": time, "day": day}


def _message(draw: Draw) -> tuple[str, Arguments]:
    name, thing = draw.pick(NAMES), draw.pick(THINGS)[1]
    text = draw.pick((f"the {thing} have arrived", f"please bring the {thing}", f"I have found the {thing}"))
    return f'send {name} the message "{text}"', {"recipient": name, "text": text}


def _table(draw: Draw) -> tuple[str, Arguments]:
    people, day, time = draw.between(2, 9), draw.pick(DAYS), f"{draw.between(12, 21)}:00"
    return (
        f"reserve a restaurant table for {people} people on {day} at {time}",
        {"people": people, "day": day, "time": time},
    )


def _currency(draw: Draw) -> tuple[str, Arguments]:
    amount = draw.between(5, 900)
    old, new = draw.some(_CURRENCIES, 2)
    return f"convert {amount} {old} to {new}", {"amount": amount, "from": old, "to": new}


def _shopping(draw: Draw) -> tuple[str, Arguments]:
    count, thing = draw.between(2, 20), draw.pick(THINGS)[1]
    return f"put {count} {thing} on the shopping list", {"item": thing, "count": count}


def _translate(draw: Draw) -> tuple[str, Arguments]:
    language, thing = draw.pick(_LANGUAGES), draw.pick(THINGS)[0]
    text = draw.pick((f"where is my {thing}", f"this is a {thing}", f"I need a {thing}"))
    return f'translate "{text}" into {language}', {"text": text, "language": language}


def _heating(draw: Draw) -> tuple[str, Arguments]:
    room, degrees = draw.pick(ROOMS), draw.between(15, 25)
    return f"set the heating in the {room} to {degrees} degrees", {"room": room, "degrees": degrees}


def _light(draw: Draw) -> tuple[str, Arguments]:
    room, on = draw.pick(ROOMS), draw.below(2) == 1
    return f"turn the light in the {room} {'on' if on else 'off'}", {"room": room, "on": on}


def _route(draw: Draw) -> tuple[str, Arguments]:
    (start, end), mode = draw.some(CITIES, 2), draw.pick(("car", "train", "bicycle"))
    return f"find the way from {start} to {end} by {mode}", {
        "origin": start,
        "destination": end,
        "mode": mode,
    }


def _timer(draw: Draw) -> tuple[str, Arguments]:
    minutes = draw.between(2, 90)
    return f"start a timer of {minutes} minutes", {"minutes": minutes}


def _parcel(draw: Draw) -> tuple[str, Arguments]:
    number = "".join(str(draw.below(10)) for _ in range(8))
    return f"find out where the parcel with the number {number} is", {"number": number}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer"}
_DAY = {"type": "string", "enum": list(DAYS)}
_TIME = {"type": "string", "description": "HH:MM, 24 hours"}

TOOLS: tuple[Tool, ...] = (
    Tool(
        "get_weather",
        "The weather in a city now.",
        {"city": _TEXT, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        _weather,
    ),
    Tool("set_alarm", "Ring at a time of a day.", {"time": _TIME, "day": _DAY}, _alarm),
    Tool("send_message", "Send a text to a person.", {"recipient": _TEXT, "text": _TEXT}, _message),
    Tool("reserve_table", "Reserve a table.", {"people": _COUNT, "day": _DAY, "time": _TIME}, _table),
    Tool(
        "convert_currency",
        "Convert an amount of money.",
        {
            "amount": {"type": "number"},
            "from": {"type": "string", "enum": list(_CURRENCIES)},
            "to": {"type": "string", "enum": list(_CURRENCIES)},
        },
        _currency,
    ),
    Tool(
        "add_to_shopping_list",
        "Put something on the shopping list.",
        {"item": _TEXT, "count": _COUNT},
        _shopping,
    ),
    Tool("translate", "Translate an English text.", {"text": _TEXT, "language": _TEXT}, _translate),
    Tool("set_heating", "Set the temperature of a room.", {"room": _TEXT, "degrees": _COUNT}, _heating),
    Tool(
        "switch_light", "Turn a room's light on or off.", {"room": _TEXT, "on": {"type": "boolean"}}, _light
    ),
    Tool(
        "find_route",
        "Find the way between two cities.",
        {
            "origin": _TEXT,
            "destination": _TEXT,
            "mode": {"type": "string", "enum": ["car", "train", "bicycle"]},
        },
        _route,
    ),
    Tool("start_timer", "Start a timer.", {"minutes": _COUNT}, _timer),
    Tool(
        "track_parcel",
        "Where a parcel is.",
        {"number": {"type": "string", "description": "8 digits"}},
        _parcel,
    ),
)
