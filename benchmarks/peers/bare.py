"""The least that can be done: a bare aiohttp loop that asks, reads and compares, and keeps nothing."""

import asyncio
import json
import sys

import aiohttp


async def main(url: str, items: str, connections: int) -> None:
    right = asked = 0
    with open(items) as file:
        lines = iter(file)
        connector = aiohttp.TCPConnector(limit=connections)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def work() -> None:
                nonlocal right, asked
                for line in lines:
                    item = json.loads(line)
                    body = {"model": "bench", "prompt": item["input"], "max_tokens": 16, "temperature": 0}
                    async with session.post(f"{url}/completions", json=body) as answer:
                        said = json.loads(await answer.read())
                    asked += 1
                    right += said["choices"][0]["text"].strip() == item["target"]

            await asyncio.gather(*(work() for _ in range(connections)))
    print(json.dumps({"samples": asked, "right": right}))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
