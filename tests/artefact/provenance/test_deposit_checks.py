"""What is wrong with an unpacked deposit is named."""

from pathlib import Path

import pytest

from anarchy.artefact.provenance.deposit import Deposit, lay_out, plan_deposit
from anarchy.artefact.provenance.deposit_checks import deposit_faults
from anarchy.common.paths import Outputs
from tests.artefact.provenance.builds import READS, checkout


@pytest.fixture
def laid_out(tmp_path: Path) -> tuple[Path, Deposit]:
    root = tmp_path / "project"
    root.mkdir()
    deposit = plan_deposit(checkout(root), Outputs(Path()), logs=False, changes=False)
    lay_out(root, deposit, tmp_path / deposit.name, READS)
    return tmp_path / deposit.name, deposit


def test_what_changed_is_named(laid_out: tuple[Path, Deposit]) -> None:
    folder, deposit = laid_out
    (folder / "figures/a.png").write_text("other")
    assert deposit_faults(folder, deposit) == [
        "figures/a.png: not the hash that SHA256SUMS has",
        "ro-crate-metadata.json: figures/a.png has another hash",
        "figures/a.png: output of the build, changed since",
    ]


def test_what_is_gone_or_new_is_named(laid_out: tuple[Path, Deposit]) -> None:
    folder, deposit = laid_out
    (folder / "reproduce").unlink()
    (folder / "more").touch()
    found = deposit_faults(folder, deposit)
    assert "more: in SHA256SUMS or there, not both" in found
    assert "reproduce: in SHA256SUMS or there, not both" in found


def test_another_commit_is_named(laid_out: tuple[Path, Deposit]) -> None:
    folder, deposit = laid_out
    (folder / "COMMIT").write_text("0" * 40)
    assert any("its commit is 0000" in fault for fault in deposit_faults(folder, deposit))


def test_a_deposit_in_which_nothing_works_is_at_fault(laid_out: tuple[Path, Deposit]) -> None:
    """This one has no package and hardly a configuration."""
    folder, deposit = laid_out
    (fault,) = deposit_faults(folder, deposit)
    assert fault.startswith("its configuration is not valid there: ")
