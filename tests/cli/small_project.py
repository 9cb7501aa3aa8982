"""A project of one scenario, one experiment, one study and one claim, on which commands work."""

import shutil
from pathlib import Path

from anarchy.common import paths

SCENARIO = """\
description: a small one
model: {name: none, latency: fixed-100ms-8ms, kv_bytes_per_token: 163840}
hardware: {gpu: fixed-time, gpus: 8, gpus_per_worker: 1}
topology:
  prefill: 1
  decode: 2
engine:
  cache:
    block_tokens: 64
  memory:
    paged: false
  handoff:
    overhead: 0.005
router:
  policy: kv
planner:
  rule: none
  interval: 30
outages:
  - {pool: decode, worker: 0, at: 5, until: 6}
workload:
  kind: closed-loop
  clients: 4
  input_tokens: 128
  output_tokens: 10
  input_lengths:
    kind: quantiles
    levels: [0, 1]
    values: [1, 200]
assumptions:
  engine.handoff.overhead: ours
"""
EXPERIMENT = """\
title: A small one
question: Does it work?
scenarios: [small]
sweep:
  workload.clients: [1, 4]
  router.temperature: [0.0, 0.5]
measures: [ttft-mean, prefill-load]
knee:
  field: workload.clients
compare:
  field: router.temperature
  baseline: 0.0
  measures: [ttft-mean]
figure:
  kind: line
  x: workload.clients
  y: [ttft-mean]
table:
  measures: [ttft-mean]
"""
SETTINGS = """\
seed: 1
replications: 2
requests: 10
warmup_cycles: 1
bootstrap:
  resamples: 100
output: .
adjust:
  experiments:
    small:
      requests: 20
"""
TRACES = """\
traces:
  absent:
    file: absent.csv
    format: azure
    url: http://127.0.0.1:9/absent.csv
    sha256: 54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6
    licence: none
    citation: nobody
"""
STUDY = """\
kind: knee-map
title: A small map
question: Where is the knee?
scenarios: [small]
axes:
  engine.prefill.batch_requests: [1, 4]
  workload.output_tokens: [10, 20]
above: 2
upto: 4
requests: 10
figure:
  y: engine.prefill.batch_requests
  panels:
    - {engine.prefill.batch_requests: 4}
estimators:
  balanced: {matching: balanced}
facts:
  - claim: C03
    text: it is small
    measure: poa-hat:balanced
    clients: 2
    at_most: 19
"""
CLAIMS = """\
confidence: 0.95
claims:
  - id: C01
    text: it grows
    published: "yes"
    mark: A/B
    where: sec:estimators
    tests:
      - text: one over the other
        rule: ratio
        rows: {file: experiments/small.json, id: ttft-mean, where: {workload.clients: 4}}
        of: {file: experiments/small.json, id: ttft-mean, where: {workload.clients: 1}}
        per: [scenario]
        at_least: 1.5
    mechanisms:
      - text: something else
        tests:
          - text: the knee
            rule: value
            unit: clients
            rows: {file: experiments/small.knees.json, id: [knee-lo, knee-hi]}
            at_most: 4
    change: {quantity: ttft-mean, ratio: 1.5, clients: [4]}
    note: nobody knows
"""
FILES = {
    paths.SCENARIOS / "small.yaml": SCENARIO,
    paths.EXPERIMENTS / "small.yaml": EXPERIMENT,
    paths.SETTINGS: SETTINGS,
    paths.STUDIES / "map.yaml": STUDY,
    paths.TRACES: TRACES,
    paths.CLAIMS: CLAIMS,
}


def write_project(root: Path) -> None:
    """Write its files below a folder, with the table of service times that it needs."""
    for folder in (paths.SCENARIOS, paths.EXPERIMENTS, paths.STUDIES, paths.LATENCY):
        (root / folder).mkdir(parents=True)
    for file, text in FILES.items():
        (root / file).write_text(text, encoding="utf-8")
    table = paths.LATENCY / "fixed-100ms-8ms.json"
    shutil.copy(paths.ROOT / table, root / table)
