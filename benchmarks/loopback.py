"""A server on loopback that speaks OpenAI's protocol and answers at once, or after a fixed delay.

It does as little as it can, so that a benchmark measures its client. Run as a script it prints its port.
`/stats` says how many requests it had, how many different prompts, and when the first one came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any

TOKENS = 16
SUM = re.compile(rb"(\d+) \+ (\d+)")


class Stats:
    requests = 0
    others = 0  # a client may try out what the server can do
    first = first_sample = last = 0.0
    open = 0
    most_open = 0


class Answering(asyncio.Protocol):
    def __init__(self, delay: float) -> None:
        self.delay, self.data = delay, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        Stats.open += 1
        Stats.most_open = max(Stats.most_open, Stats.open)

    def connection_lost(self, error: Exception | None) -> None:
        Stats.open -= 1

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 : (head + b"\r\n").find(b"\r\n", at)]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
            self.answer(head.split(b" ", 2)[1], body)

    def answer(self, path: bytes, body: bytes) -> None:
        if not path.endswith(b"completions"):
            self.send(json.dumps(self.facts(path)).encode())
            return
        Stats.first = Stats.first or time.time()
        if SUM.search(body):
            Stats.requests += 1
            Stats.first_sample = Stats.first_sample or time.time()
            Stats.last = time.time()
        else:
            Stats.others += 1
        answered = chat(body) if path.endswith(b"chat/completions") else completion(body)
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.send, answered)
        else:
            self.send(answered)

    def facts(self, path: bytes) -> dict[str, Any]:
        if path.endswith(b"/stats"):
            return {
                "first_sample": Stats.first_sample,
                "last": Stats.last,
                "requests": Stats.requests,
                "others": Stats.others,
                "first": Stats.first,
                "most_open": Stats.most_open,
            }
        return {"object": "list", "data": [{"id": "bench", "object": "model"}]}

    def send(self, body: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            self.transport.write(head % len(body) + body)


def said(body: bytes) -> tuple[str, int]:
    """Nine sums in ten are right; the log-probabilities differ from prompt to prompt."""
    found = SUM.search(body)
    one, other = map(int, found.groups()) if found else (0, 0)
    return f"{one + other + (one % 10 == 0)}", one * 31 + other


def logprobs(seed: int) -> list[float]:
    return [-((seed * (i + 7) * 2654435761) % 1_000_003) / 1_000_003 for i in range(TOKENS)]


def completion(body: bytes) -> bytes:
    text, seed = said(body)
    choice = {"index": 0, "text": f" {text}", "finish_reason": "stop"}
    if b'"logprobs"' in body:
        choice["logprobs"] = {
            "tokens": ["a"] * TOKENS,
            "token_logprobs": logprobs(seed),
            "text_offset": list(range(TOKENS)),
            "top_logprobs": None,
        }
    return document("text_completion", choice)


def chat(body: bytes) -> bytes:
    text, seed = said(body)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if b'"logprobs":true' in body.replace(b" ", b""):
        tokens = [{"token": "a", "logprob": value, "top_logprobs": []} for value in logprobs(seed)]
        choice["logprobs"] = {"content": tokens}
    return document("chat.completion", choice)


def document(kind: str, choice: dict[str, Any]) -> bytes:
    usage = {"prompt_tokens": 12, "completion_tokens": TOKENS, "total_tokens": 12 + TOKENS}
    return json.dumps(
        {"id": "c", "object": kind, "created": 0, "model": "bench", "choices": [choice], "usage": usage}
    ).encode()


class Loopback:
    """The server in a process of its own, for the length of a `with` block."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay

    def __enter__(self) -> Loopback:
        command = [sys.executable, __file__, "--delay", str(self.delay)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/stats") as answer:  # noqa: S310 - our own server
            return json.load(answer)  # type: ignore[no-any-return]


async def serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().delay))
