"""The command: exit codes, streams, one line for bad input."""

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from anarchy.build_plan import Plan, load_plan
from anarchy.cli.main import main
from anarchy.common import paths

load = cache(load_plan)


def load_once(overlay: Path | None = None, root: Path = Path()) -> Plan:
    """The plan of a project, whatever its path is called."""
    return load(overlay, root.resolve())


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, and its plan, which takes seconds, is loaded once."""
    monkeypatch.chdir(paths.ROOT)
    monkeypatch.setattr("anarchy.build_plan.load_plan", load_once)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for command in ("check", "list", "schema", "solve"):
        assert command in text


@pytest.mark.parametrize(
    ("arguments", "named", "where"),
    [
        ([], "COMMAND", "anarchy --help"),
        (["chek"], "invalid choice: 'chek'", "anarchy --help"),
        (["solve"], "FILE", "anarchy solve --help"),
        (["solve", "x.yaml", "--method", "magic"], "'magic'", "anarchy solve --help"),
        (["simulate", "70b-1p2d", "--seed", "one"], "'one'", "anarchy simulate --help"),
        (["list", "--loud"], "--loud", "anarchy --help"),
        (["check", "--overlay"], "--overlay", "anarchy check --help"),
    ],
)
def test_bad_usage_is_one_line_that_says_what_is_wrong(
    arguments: list[str], named: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("anarchy: ")
    assert named in captured.err
    assert f"`{where}`" in captured.err


def test_bad_input_is_one_line_and_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("replicatons: 3")
    assert main(["check", "--overlay", str(overlay)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "unknown key 'replicatons'; did you mean 'replications'?" in captured.err


def test_check_accepts_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert "configuration is valid" in capsys.readouterr().err


def test_list_names_what_configs_can_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for name in ("70b-1p2d", "concurrency", "round-robin", "ttft-p99", "knee-map"):
        assert name in text
    for name in ("closed-loop", "log-normal", "goodput", "<measure>:<tenant>", "Mean TTFT [s]"):
        assert name in text


ROUTING = """kind: congestion
latency: {a: {polynomial: [0, 1]}, b: {polynomial: [0, 2]}}
players:
  - {count: COUNT, strategies: [{resources: [a]}, {resources: [b], offset: 1}]}
"""


def solved(
    text: str, folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `anarchy solve`."""
    file = folder / "game.yaml"
    file.write_text(text, encoding="utf-8")
    code = main(["solve", str(file), *options])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_solve_counts_what_is_too_large_to_enumerate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = solved(ROUTING.replace("COUNT", "300"), tmp_path, capsys)
    assert (code, err) == (0, "")
    assert json.loads(out)["exact"] is True


def test_solve_by_bounds_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = ROUTING.replace("COUNT", "6")
    code, out, _ = solved(text, tmp_path, capsys, "--method", "bounds")
    assert code == 0
    assert json.loads(out)["bounds"].startswith("optimum is exact")
    _, enumerated, _ = solved(text, tmp_path, capsys, "--method", "enumeration")
    assert enumerated == solved(text, tmp_path, capsys)[1]


def test_solve_refuses_to_enumerate_and_names_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ROUTING.replace("COUNT", "300")
    code, out, err = solved(text, tmp_path, capsys, "--method", "enumeration")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "about 10^90 profiles" in err
    assert "method auto solves this game by counting" in err


def test_solve_refuses_a_method_where_there_is_no_choice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "kind: parallel-queues\nservice_rates: [2]\ndemand: 1\n"
    code, out, err = solved(text, tmp_path, capsys, "--method", "bounds")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'parallel-queues' has one method of its own" in err


def test_solve_table_shows_bounds_and_unknown_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ROUTING.replace("COUNT", "6")
    _, out, _ = solved(text, tmp_path, capsys, "--method", "bounds", "--format", "table")
    assert "null" in out
    assert "lower bounds" in " ".join(out.split())


@pytest.mark.parametrize(
    "arguments",
    [["solve", "x" * 300], ["simulate", "y" * 300 + ".yaml"], ["check", "--overlay", "z" * 300]],
)
def test_what_the_system_refuses_of_a_file_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "ile name too long" in captured.err


def test_ctrl_c_is_one_line_and_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anarchy.cli.simulation.plan_simulation", interrupt)
    assert main(["simulate", "70b-1p2d"]) == 130
    assert capsys.readouterr().err == "anarchy: interrupted\n"


@pytest.mark.parametrize("how", ["above", "variable", "installed"])
def test_the_project_is_found_from_elsewhere(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(paths.ROOT / "docs" if how == "above" else tmp_path)
    if how == "variable":
        monkeypatch.setenv("ANARCHY_PROJECT", str(paths.ROOT))
    assert main(["list"]) == 0
    assert "70b-1p2d" in capsys.readouterr().out


def test_a_project_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANARCHY_PROJECT", str(tmp_path))
    assert main(["check"]) == 2
    message = f"anarchy: ANARCHY_PROJECT: {tmp_path} has no config/config.yaml\n"
    assert capsys.readouterr().err == message
    monkeypatch.delenv("ANARCHY_PROJECT")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert main(["check"]) == 2
    assert "run `anarchy` in the project's folder or set ANARCHY_PROJECT" in capsys.readouterr().err


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anarchy.build_plan.load_plan", interrupted)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == "anarchy: interrupted\n"


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        ("KeyboardInterrupt", 130, "anarchy: interrupted"),
        ("SystemExit(3)", 2, "mine.py: the plugin fails with SystemExit: 3"),
        ("GeneratorExit('x')", 2, "mine.py: the plugin fails with GeneratorExit: x"),
        ("ValueError('a\\nb\\x1b')", 2, "mine.py: the plugin fails with ValueError: a b\\x1b"),
    ],
)
def test_a_plugin_may_fail_in_any_way(
    raised: str,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(paths.ROOT / paths.CONFIG, tmp_path / paths.CONFIG)
    monkeypatch.setenv("ANARCHY_PROJECT", str(tmp_path))
    (tmp_path / "mine.py").write_text(f"raise {raised}\n")
    experiment = tmp_path / paths.EXPERIMENTS / "azure-routing.yaml"  # the first
    experiment.write_text(experiment.read_text() + "plugins: [mine.py]\n")
    assert main(["check"]) == code
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1


def test_a_table_of_payoffs_is_not_written_over_its_game(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game, link = tmp_path / "game.yaml", tmp_path / "link.nfg"
    game.write_text("kind: parallel-queues\nservice_rates: [4, 1]\ndemand: 1\n")
    link.symlink_to(game)
    before = game.read_bytes()
    for out in (game, link):
        assert main(["solve", str(game), "--nfg", str(out)]) == 2
        line = f"anarchy: --nfg: {out} is {game}, which is read; name another file\n"
        assert capsys.readouterr().err == line
    assert (game.read_bytes(), link.is_symlink()) == (before, True)
