"""Starts the real stack, asks it for completions and says what came: a line of JSON.

    .venv-live/bin/python tests/live/complete.py FOLDER SCENARIO DILATION [OVERRIDE]

FOLDER is made; SCENARIO is a file of JSON. With a file OVERRIDE the router follows it. Asks the
same prompt twice, one after the other, and then for an endless output that it gives up.
"""

import http.client
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from anarchy.config.scenario import Scenario
from anarchy.live.stack import Stack, running

ENDLESS = 20_000


def ask(stack: Stack, prompt: str, output_tokens: int) -> http.client.HTTPConnection:
    """A connection on which a completion was asked for."""
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    body = {
        "model": stack.model,
        "prompt": prompt,
        "max_tokens": output_tokens,
        "stream": True,
    }
    connection.request(
        "POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"}
    )
    return connection


def complete(stack: Stack, prompt: str, output_tokens: int) -> dict[str, float]:
    """The seconds until the first and the last token, and how many words came."""
    began = time.monotonic()
    connection = ask(stack, prompt, output_tokens)
    first, last, words = 0.0, 0.0, 0
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            last = time.monotonic() - began
            first = first or last
            words += len(json.loads(line[len(b"data: ") :])["choices"][0]["text"].split())
    connection.close()
    return {"first": first, "last": last, "words": words}


def is_given_up(stack: Stack, prompt: str) -> bool:
    """Whether the engines stop working for somebody who has gone."""
    connection = ask(stack, prompt, ENDLESS)
    answer = connection.getresponse()
    answer.readline()
    answer.close()
    connection.close()
    for _ in range(50):
        stack.lateness()
        time.sleep(0.2)  # several steps
        if not stack.lateness():
            return True
    return False


def main(folder: Path, scenario: Scenario, dilation: float, override: Path | None) -> None:
    """Print what the stack answered and what it is made of."""
    with running(scenario, dilation, folder, override=override) as stack:
        print(
            json.dumps({"pids": [process.pid for process in stack._processes.running]}), flush=True
        )
        start = stack.router_log.stat().st_size
        prompt = " ".join(stack.prompt_words[: scenario.workload.input_tokens])
        answers = [complete(stack, prompt, scenario.workload.output_tokens) for _ in range(2)]
        stack.check()
        found = {
            "answers": answers,
            "prefill": stack.prefill_workers,
            "decode": stack.decode_workers,
            "lateness": stack.lateness(),
            "log": stack.router_log.read_text(encoding="utf-8")[start:],
            "given_up": is_given_up(stack, prompt),
        }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Scenario.model_validate_json(Path(sys.argv[2]).read_bytes()),
        float(sys.argv[3]),
        Path(sys.argv[4]) if sys.argv[4:] else None,
    )
