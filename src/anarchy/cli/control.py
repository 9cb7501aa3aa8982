"""`anarchy control`: watch the tail of TTFT on a server, and set the router's parameters by it."""

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError
from anarchy.common.files import refuse_inputs

EXAMPLES = """\
examples

  anarchy control --prometheus http://prometheus:9090
      what the published controller would do about Dynamo's frontend; nothing is changed

  anarchy control --prometheus http://frontend:8000/metrics --polls 12
      the same for a minute, from the page of the frontend itself: no server is needed

  anarchy control --prometheus http://prometheus:9090 --label model=llama-3.1-70b --once --json
      one look at one of several models, as a line of JSON

  anarchy control --prometheus http://prometheus:9090 --config mine.yaml --override router.json
      apply it: router.json always holds the router_config_override of the regime

Saved as mine.yaml, this watches a minute, and switches at 5 and 50 times the TTFT of a request
that is alone; what it leaves out is as published, or as in docs/control.md:

  window: 60
  thresholds: {unit: unloaded, transition: 5, saturated: 50}

Each poll is a line: the P99 of TTFT over the window, its moving average, the regime, what the
router is to be told, and why. A server that does not answer, a metric that is missing, stale, not
a number or begun anew is said so, and never decided upon.

exit codes  0: done; 1: no poll had anything to decide upon; 2: bad input; 130: Ctrl-C
"""

UNDECIDED = 1
"""Exit code when no poll could be decided upon."""

LINE = "{:8}  {:>8}  {:>8}  {:10}  {:>4}  {:>5}  {}"
"""A poll on the terminal."""


def add_control(commands: Any) -> None:
    """Add the command to the subparsers of `anarchy`."""
    parser = commands.add_parser(
        "control",
        help="watch the tail of TTFT of a real deployment and set its router by it",
        description="Poll a histogram of TTFT every few seconds, tell the regime that the "
        "deployment is in, and say, or write, what temperature and overlap weight its router is "
        "to have.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--prometheus",
        required=True,
        metavar="URL",
        help="a Prometheus server, or a page of metrics, whose address ends in /metrics",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="the histogram of TTFT (default: that of Dynamo's frontend)",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        dest="labels",
        metavar="NAME=VALUE",
        help="only the histogram with this label; may be repeated",
    )
    parser.add_argument(
        "--max-age",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how old a sample may be (default 30)",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the controller: a YAML file of its fields, or a scenario that has one (a name of "
        "config/scenarios, or a path); default: as published",
    )
    parser.add_argument(
        "--unloaded",
        type=float,
        metavar="SECONDS",
        help="TTFT of a request that is alone, of which thresholds may be multiples",
    )
    parser.add_argument(
        "--override",
        type=Path,
        metavar="FILE",
        help="where the router reads its override; without it decisions are only shown",
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, whatever is decided")
    parser.add_argument("--polls", type=int, metavar="N", help="end after N polls (default: go on)")
    parser.add_argument(
        "--once", action="store_true", help="end with the first poll that there can be a P99 of"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each poll")
    parser.set_defaults(run=_control)


def _control(options: argparse.Namespace) -> int:
    from anarchy.control.poller import Poller, every
    from anarchy.control.prometheus import TTFT, AmbiguousError, make_source

    labels = dict(map(_label, options.labels))
    _check_numbers(options)
    if options.override is not None and options.config is not None:
        refuse_inputs(options.override, [Path(options.config)], "--override")
    source = make_source(options.prometheus, options.metric or TTFT, labels, options.max_age)
    settings, unloaded = read_controller(options.config, options.unloaded)
    if options.dry_run:
        settings = settings.model_copy(update={"dry_run": True})
    # A page knows nothing of what was before: a window needs a second look.
    polls = (2 if source.page else 1) if options.once else options.polls
    poller = Poller(source, settings, unloaded, options.override)
    show = _show_json if options.json else _shower()
    known = False
    for _ in every(settings.interval, polls):
        try:
            poll = poller.poll()
        except AmbiguousError as fault:
            raise InputError(str(fault)) from None
        known |= poll.known
        show(poll)
    return 0 if known else UNDECIDED


def read_controller(name: str | None, unloaded: float | None) -> tuple[Any, float]:
    """The controller of a file or of a scenario, and the TTFT that its thresholds may refer to."""
    from anarchy.config.router import Controller
    from anarchy.config.validation import validate
    from anarchy.config.yaml_files import read_yaml

    settings = Controller()
    if name is not None:
        path = Path(name)
        data = read_yaml(path) if path.suffix in (".yaml", ".yml") else None
        if data is None or "workload" in data or "extends" in data:
            settings, found = _of_scenario(name)
            unloaded = found if unloaded is None else unloaded
        else:
            settings = validate(Controller, data, name)
    if settings.thresholds.unit == "unloaded" and unloaded is None:
        raise InputError(
            f"{name}: thresholds.unit: 'unloaded' needs the TTFT of a request that is alone; "
            "give --unloaded SECONDS"
        )
    return settings, unloaded or 0.0


def _of_scenario(name: str) -> tuple[Any, float | None]:
    """A scenario's controller, and its unloaded TTFT if its prompts have one length."""
    from anarchy.cli.simulation import read_scenario
    from anarchy.common import paths
    from anarchy.common.paths import find_project
    from anarchy.config.workload import Synthetic
    from anarchy.serving.service_times.lookup import load_service_times
    from anarchy.serving.service_times.unloaded import unloaded_ttft

    root = find_project()
    path, scenario = read_scenario(name, root)
    if scenario.controller is None:
        raise InputError(f"{path}: controller: the scenario has none")
    if not isinstance(scenario.workload, Synthetic):
        return scenario.controller, None
    latency = load_service_times(root / paths.LATENCY, scenario.model)
    prompt = scenario.workload.input_tokens
    return scenario.controller, unloaded_ttft(scenario, latency, prompt)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--label {text}: is not NAME=VALUE, as in model=llama-3.1-70b")
    return name, value


def _check_numbers(options: argparse.Namespace) -> None:
    for name in ("max_age", "unloaded", "polls"):
        value = getattr(options, name)
        if value is not None and not 0 < value < 1e9:
            raise InputError(
                f"--{name.replace('_', '-')}: {value} is not allowed; allowed: above 0, below 1e9"
            )
    if options.once and options.polls is not None:
        raise InputError("--once: cannot be had together with --polls")


def _show_json(poll: Any) -> None:
    decision = poll.decision
    row = {
        "time": decision.time,
        "decided": poll.known,
        "p99": decision.p99,
        "average": decision.average,
        "regime": decision.regime,
        "switched": decision.switched,
        "router_temperature": decision.override.temperature,
        "overlap_score_weight": decision.override.overlap_weight,
        "reason": decision.reason,
    }
    print(json.dumps(row, allow_nan=False), flush=True)


def _shower() -> Any:
    """Prints a head, and returns what prints a line for each poll."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    head = LINE.format("time", "P99 (s)", "average", "regime", "tau", "omega", "why")
    console.print(Text(head, style="bold"), soft_wrap=True)

    def show(poll: Any) -> None:
        decision = poll.decision
        moment = datetime.fromtimestamp(decision.time).astimezone()
        seconds = ("-" if s is None else f"{s:.3f}" for s in (decision.p99, decision.average))
        override = decision.override
        parameters = (f"{override.temperature:g}", f"{override.overlap_weight:g}")
        cells = (f"{moment:%H:%M:%S}", *seconds, decision.regime, *parameters, decision.reason)
        style = "bold" if decision.switched else "dim" if not poll.known else ""
        console.print(Text(LINE.format(*cells), style=style), soft_wrap=True)

    return show
