"""Losses over the best of rival deployments, by hand."""

import pytest

from anarchy.measure.bracket.rivals import among_rivals, compared_with


def row(split: str, replication: int, name: str, value: float) -> dict[str, object]:
    return {"split": split, "replication": replication, "id": name, "value": value}


def test_a_loss_is_over_the_best_of_all_rivals_in_each_replication() -> None:
    rows = []
    for replication, scale in enumerate((1.0, 10.0)):
        for split, lost, found, bound in (("a", 1.5, 4.0, 3.0), ("b", 1.25, 2.0, 1.0)):
            run = lost * found * scale
            rows += [
                row(split, replication, "loss-lo:e2e-mean", lost),
                row(split, replication, "loss-hi:e2e-mean", run / (bound * scale)),
                row(split, replication, "found:e2e-mean", found * scale),
                row(split, replication, "bound:e2e-mean", bound * scale),
                row(split, replication, "loss-lo:throughput", 2.0),
                row(split, replication, "found:throughput", 8.0 / found),
            ]
    changed = {
        (r["split"], r["replication"], r["id"]): r["value"]
        for r in among_rivals(rows, ["split"], "split")
    }
    for replication in (0, 1):
        # a takes 6 where b's best schedule takes 2 and no schedule less than 1.
        assert changed["a", replication, "loss-lo:e2e-mean"] == pytest.approx(3.0)
        assert changed["a", replication, "loss-hi:e2e-mean"] == pytest.approx(6.0)
        assert changed["b", replication, "loss-lo:e2e-mean"] == 1.25
        # a completes 1 a second, half of the 2 it might; b's best schedule 4.
        assert changed["a", replication, "loss-lo:throughput"] == 4.0
    assert next(r for r in rows if r["id"] == "loss-lo:e2e-mean")["value"] == 1.5, "input is kept"


def test_losses_need_what_they_are_compared_with() -> None:
    names = ["ttft-mean", "loss-lo:e2e-mean", "loss-hi:ttft-p99"]
    assert compared_with(names) == ["found:e2e-mean", "bound:ttft-p99"]
