"""Scripts as forks: each runs by itself, and how it ended is told."""

import importlib.util
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from anarchy.build_forks import LATER, PRELOADED, run_forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_what_is_imported_beforehand_exists() -> None:
    """A fork says nothing of what is missing: who needs it says so."""
    assert [name for name in PRELOADED + LATER if importlib.util.find_spec(name) is None] == []


def test_a_script_is_the_main_module_and_finds_everything_imported(tmp_path: Path) -> None:
    script = write(
        tmp_path / "a script.py",
        "import sys\nfrom pathlib import Path\n"
        "assert __name__ == '__main__'\n"
        "Path(__file__).with_suffix('.txt').write_text(' '.join(sys.modules))\n",
    )
    run_forked(script)
    loaded = (tmp_path / "a script.txt").read_text().split()
    assert set(PRELOADED) <= set(loaded)


def test_what_a_script_had_to_import_the_next_finds(tmp_path: Path) -> None:
    first = "import sys\nassert 'scipy.stats' not in sys.modules\nimport scipy.stats\n"
    then = "import sys\nassert 'scipy.stats' in sys.modules\n"
    run_forked(write(tmp_path / "first.py", first))
    run_forked(write(tmp_path / "then.py", then))
    with pytest.raises(subprocess.CalledProcessError):
        run_forked(write(tmp_path / "again.py", first))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import sys\nsys.exit(2)\n", 2),
        ("raise SystemExit('a reason')\n", 1),
        ("1 / 0\n", 1),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n", -signal.SIGTERM),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n", -signal.SIGKILL),
    ],
)
def test_a_fault_has_its_exit_code(text: str, code: int, tmp_path: Path) -> None:
    """The last one kills the only process that could have told."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_forked(write(tmp_path / "fault.py", text))
    assert caught.value.returncode == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("with open('/dev/full', 'w') as file:\n    file.write('x')\n", "No space left on device"),
        ("raise SystemExit('a reason')\n", "a reason"),
    ],
)
def test_a_full_disk_and_a_reason_are_one_line(text: str, said: str, tmp_path: Path) -> None:
    code = "import sys; from anarchy.build_forks import _run; _run(sys.argv[1])"
    script = write(tmp_path / "script.py", text)
    done = subprocess.run([sys.executable, "-c", code, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(f"{said}\n")
    assert done.stderr.count("\n") == 1


def test_many_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    """Each has variables and modules of its own, and its own exit code."""
    text = "import json, sys\nassert not hasattr(json, 'mine')\njson.mine = 1\nsys.exit({})\n"
    scripts = [write(tmp_path / f"{code}.py", text.format(code)) for code in range(20)]

    def code_of(script: str) -> int:
        try:
            run_forked(script)
        except subprocess.CalledProcessError as error:
            return error.returncode
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(code_of, scripts)) == list(range(20))


def test_nothing_outlives_who_started_it(tmp_path: Path) -> None:
    """Killed without a chance to clean up: the process that forks goes, too."""
    script = write(
        tmp_path / "tell.py",
        "import os\nfrom pathlib import Path\n"
        "Path(__file__).with_suffix('.txt').write_text(open(f'/proc/{os.getppid()}/stat').read())\n",
    )
    starter = (
        "import os, signal\nfrom anarchy.build_forks import run_forked\n"
        f"run_forked({script!r})\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", starter], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    server = (tmp_path / "tell.txt").read_text().rpartition(") ")[2].split()[1]
    # The pipe of its messages ended, so nobody holds it any more; who should bury it may be late.
    with suppress(FileNotFoundError):
        assert Path(f"/proc/{server}/stat").read_text().rpartition(") ")[2][0] in "ZX"
