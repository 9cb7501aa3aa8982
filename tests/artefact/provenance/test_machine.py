"""The record says what the machine is, and not whose."""

import platform
from importlib.metadata import version

from anarchy.artefact.provenance.machine import this_machine, versions


def test_this_machine_is_described_and_not_named() -> None:
    machine = this_machine()
    assert machine.python == platform.python_version()
    assert machine.cores >= 1
    assert 0.1 < machine.memory_gib < 1e6
    assert machine.cpu
    assert platform.node() not in machine.model_dump_json()


def test_every_package_has_its_version_by_the_name_of_the_lock() -> None:
    found = versions()
    assert found["numpy"] == version("numpy")
    assert found["prometheus-client"] == version("prometheus_client")
    assert list(found) == sorted(found)
