"""A loopback server that follows a script, in a thread of its own, and remembers all that it was asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from saltus.models import HttpModel
from saltus.models.protocol import Answer, Request
from saltus.records import GenerateRequest, ModelError

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    try_: int  # of the same text, counted from 1

    @property
    def text(self) -> str:
        return text_of(self.body)


@dataclass
class Reply:
    """What the server does."""

    body: Any = b""  # bytes, or what becomes JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    hang: bool = False
    drop: bool = False  # close the connection without a word
    cut_after: int | None = None  # bytes of the body, then the connection breaks
    events: list[Any] | None = None  # a stream; bytes are sent as they are
    pause: float = 0.0  # between events
    break_off: bool = False  # the connection breaks after the events, else the stream ends in good order


def text_of(body: dict[str, Any]) -> str:
    if "messages" in body:
        return str(body["messages"][-1]["content"])
    prompt = body.get("prompt", "")
    return prompt if isinstance(prompt, str) else "|".join(prompt)


def completion(text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "finish_reason": "stop", **more}
    return {"choices": [choice], "usage": USAGE}


def chat(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **more}
    return {"choices": [choice], "usage": USAGE}


def answer_to(asked: Asked) -> Reply:
    text = f"answer to {asked.text}"
    return Reply(chat({"content": text}) if asked.path.endswith("/chat/completions") else completion(text))


class Scripted:
    """Answers by `rule`, which a test may set.

    Attributes:
        asked: Everything, in the order it came.
        most_at_once: Requests under way at the same time.
        connections: Connections that carried a request.
    """

    def __init__(self) -> None:
        self.reset()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._ready.wait(10)

    def reset(self) -> None:
        self.rule: Callable[[Asked], Reply] = answer_to
        self.models: list[str] = ["m"]
        self.asked: list[Asked] = []
        self.under_way = self.most_at_once = 0
        self.connections: set[Any] = set()
        self._tries: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def tries(self) -> dict[str, int]:
        """How often each text was asked."""
        return dict(Counter(one.text for one in self.asked))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", self._post)
        app.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        self._tries[text_of(body)] += 1
        asked = Asked(request.path, body, dict(request.headers), time.monotonic(), self._tries[text_of(body)])
        self.asked.append(asked)
        self.connections.add(request.transport.get_extra_info("peername") if request.transport else None)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            reply = self.rule(asked)
            await asyncio.sleep(3600 if reply.hang else reply.delay)
            return await self._send(request, reply)
        finally:
            self.under_way -= 1

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        assert request.transport is not None
        data = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        if reply.drop:
            request.transport.abort()
            return web.Response()
        if reply.cut_after is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            request.transport.write(head.encode() + data[: reply.cut_after])
            request.transport.close()
            return web.Response()
        if reply.events is None:
            headers = {"Content-Type": reply.content_type, **reply.headers}
            return web.Response(body=data, status=reply.status, headers=headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in reply.events:
            text = event if isinstance(event, bytes) else b"data: " + msgspec.json.encode(event) + b"\n\n"
            await response.write(text)
            await asyncio.sleep(reply.pause)
        if reply.break_off:
            request.transport.abort()
        return response


@dataclass
class Delivered:
    """What a stream delivered."""

    answers: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, ModelError] = field(default_factory=dict)

    def __call__(self, place: int, answer: Answer | ModelError) -> None:
        assert place not in self.answers, "delivered twice"
        assert place not in self.errors, "delivered twice"
        if isinstance(answer, ModelError):
            self.errors[place] = answer
        else:
            self.answers[place] = answer

    @property
    def texts(self) -> list[str]:
        return [self.answers[place].text for place in sorted(self.answers)]


def ask(model: HttpModel, requests: Iterable[Request]) -> Delivered:
    delivered = Delivered()
    model.stream(iter(requests), delivered)
    return delivered


def prompts(count: int, **fields: Any) -> list[GenerateRequest]:
    return [GenerateRequest(f"p{number}", **fields) for number in range(count)]
