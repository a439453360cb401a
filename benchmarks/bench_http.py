"""Requests a second of `HttpModel.stream` beside a bare aiohttp loop, against one server on loopback.

The server runs in a process of its own and answers at once, or after `--delay` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp

from saltus.models import HttpModel
from saltus.models.protocol import Answer
from saltus.records import GenerateRequest, ModelError

TOKENS = 16
ANSWER = json.dumps(
    {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "text": " forty-two" * 4,
                "finish_reason": "length",
                "logprobs": {
                    "tokens": [" tok"] * TOKENS,
                    "token_logprobs": [-0.123456789] * TOKENS,
                    "top_logprobs": [{" tok": -0.123456789}] * TOKENS,
                    "text_offset": list(range(TOKENS)),
                },
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": TOKENS, "total_tokens": 12 + TOKENS},
    }
).encode()


class Server(asyncio.Protocol):
    """The least that speaks HTTP/1.1: the client should be what is measured."""

    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            start = head.index(b"content-length:") + len(b"content-length:")
            length = int(head[start:].split(b"\r\n", 1)[0])
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            asyncio.get_running_loop().call_later(self.delay, self._write, answer % (len(ANSWER), ANSWER))

    def _write(self, answer: bytes) -> None:
        self._transport.write(answer)  # type: ignore[attr-defined]


async def serve(delay: float) -> None:
    Server.delay = delay
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def bare(base: str, count: int, connections: int) -> None:
    """What one writes who wants answers and nothing else."""
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for number in numbers:
                body = {"model": "m", "prompt": f"Question {number}:", "max_tokens": TOKENS, "logprobs": 1}
                async with session.post(f"{base}/completions", json=body) as response:
                    answer = await response.json()
                assert answer["choices"][0]["text"]

        await asyncio.gather(*(work() for _ in range(connections)))


def saltus(base: str, count: int, connections: int) -> None:
    model = HttpModel(f"{base}#m", api="completions", scoring="none", connections=connections)
    delivered = 0

    def deliver(place: int, answer: Answer | ModelError) -> None:
        nonlocal delivered
        assert not isinstance(answer, ModelError), answer
        delivered += 1

    def requests() -> Iterator[GenerateRequest]:
        for number in range(count):
            yield GenerateRequest(f"Question {number}:", max_tokens=TOKENS)

    model.stream(requests(), deliver)
    assert delivered == count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.delay))
        return
    for delay, connections, count, rounds in ((0.0, 64, 10_000, given.rounds), (0.2, 200, 2_000, 3)):
        if (given.delay, given.connections) != (0.0, None) and delay != given.delay:
            continue
        measure(delay, given.connections or connections, given.requests or count, rounds)


def measure(delay: float, connections: int, count: int, rounds: int) -> None:
    command = [sys.executable, __file__, "--serve", "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            base = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            rates: dict[str, list[float]] = {"bare": [], "saltus": []}
            processor: dict[str, list[float]] = {"bare": [], "saltus": []}
            for _ in range(rounds):
                for name, found in rates.items():
                    start, used = time.perf_counter(), time.process_time()
                    if name == "bare":
                        asyncio.run(bare(base, count, connections))
                    else:
                        saltus(base, count, connections)
                    found.append(count / (time.perf_counter() - start))
                    processor[name].append((time.process_time() - used) / count * 1e6)
        finally:
            server.terminate()
    print(f"{count:,} requests, {connections} connections, server answers after {delay * 1000:g} ms")
    for name, found in rates.items():
        print(
            f"  {name:<8}{statistics.median(found):>8,.0f} requests/s (median of {rounds}, best "
            f"{max(found):,.0f})"
            f"{statistics.median(processor[name]):>8.0f} us processor time a request"
        )
    ratio = statistics.median(a / b for a, b in zip(rates["saltus"], rates["bare"], strict=True))
    print(f"  ratio   {ratio:.2f} of the bare loop")
    if delay:
        ideal = connections / delay
        print(f"  {statistics.median(rates['saltus']) / ideal:.0%} of the ideal {ideal:,.0f} requests/s")


if __name__ == "__main__":
    main()
