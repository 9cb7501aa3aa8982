"""A Slurm cluster of this one machine, on loopback, of programs that are installed or unpacked."""

import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from anarchy.common import paths

UNPACKED = paths.ROOT / ".cache/slurm"
"""Where `./reproduce nightly` unpacks Debian's packages."""

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = (
    "sacct",
    "sacctmgr",
    "sbatch",
    "scancel",
    "scontrol",
    "sinfo",
    "squeue",
    "srun",
    "sshare",
)

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
{plugins}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=8000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def find(program: str) -> str | None:
    """A program's path: an installed one, or Debian's own name of an unpacked one."""
    folders = [UNPACKED / "usr/sbin", UNPACKED / "usr/bin"]
    unpacked = [folder / name for folder in folders for name in (program, f"{program}-wlm")]
    return shutil.which(program) or next((str(p) for p in unpacked if p.exists()), None)


MISSING = [program for program in DAEMONS + CLIENTS if find(program) is None]


@dataclass(frozen=True)
class Cluster:
    """A running cluster: what its clients must have in their environment."""

    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """What a program prints that talks to the cluster."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout

    def queue(self) -> list[str]:
        """The jobs that wait or run, each as `number state`."""
        return self.run("squeue", "--noheader", "--format=%A %T").splitlines()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a cluster; in the end nothing of it runs."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # the path of a socket must be short
    environment = client_environment(folder)
    started: list[subprocess.Popen[bytes]] = []
    try:
        write_configuration(folder)
        for command in daemons(folder):
            with (folder / f"{Path(command[0]).name}.out").open("wb") as out:
                mortal = ["setpriv", "--pdeathsig", "TERM", *command]  # if the tests are killed
                started.append(subprocess.Popen(mortal, env=environment, stdout=out, stderr=out))
        running = Cluster(environment)
        wait_until(lambda: " idle " in running.run("sinfo", "--noheader"), "the cluster is not up")
        yield running
        running.run("scancel", "--me")
        wait_until(lambda: not running.queue(), "jobs do not end")
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(timeout=30)
        for process in leftovers(folder):
            with suppress(ProcessLookupError):
                os.kill(process, 9)
        shutil.rmtree(folder)


def client_environment(folder: Path) -> dict[str, str]:
    """Variables by which programs are found that know the cluster and their own libraries.

    Snakemake's plugin hides the variables of Slurm from its own `srun`, so each is a script.
    """
    libraries = [*(UNPACKED / "usr/lib").glob("*-linux-gnu")]
    libraries += [library / "slurm-wlm" for library in libraries]
    known = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in known.items()]
    for program in DAEMONS + CLIENTS:
        script = folder / "bin" / program
        script.parent.mkdir(exist_ok=True)
        called = f'exec {shlex.quote(find(program) or "")} "$@"'
        script.write_text("\n".join(["#!/bin/sh", *lines, called, ""]))
        script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def write_configuration(folder: Path) -> None:
    plugins = [*(UNPACKED / "usr/lib").glob("*-linux-gnu/slurm-wlm")]
    text = CONFIGURATION.format(
        folder=folder,
        host=socket.gethostname().split(".")[0],
        user=pwd.getpwuid(os.getuid()).pw_name,
        ports=free_ports(),
        plugins=f'PluginDir="{plugins[0]}"' if plugins else "",
        cores=os.cpu_count(),
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    (folder / "spool").mkdir()


def free_ports() -> tuple[int, int]:
    """Two ports of loopback that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def daemons(folder: Path) -> list[list[str]]:
    """The commands that start munge, the controller and the node, all in the foreground."""
    munged, slurmctld, slurmd = (str(folder / "bin" / program) for program in DAEMONS)
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    step = Path(find("slurmd") or "").with_name("slurmstepd-wlm")
    return [
        [munged, "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        [slurmctld, "-D", "-i"],
        [slurmd, "-D", *(["-d", str(step)] if step.exists() else [])],
    ]


def leftovers(folder: Path) -> Iterator[int]:
    """Processes of this cluster, known by where they look for its configuration."""
    mark = f"SLURM_CONF={folder}/slurm.conf".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                yield int(process.name)


def wait_until(condition: Callable[[], bool], otherwise: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(subprocess.CalledProcessError):
            if condition():
                return
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)
