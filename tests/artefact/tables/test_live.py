"""The table of the live comparison has a line a point, and says what failed."""

from typing import Any

from anarchy.artefact.tables.live import live_table


def rows(failing: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"id": "made-with-date", "group": "made-with", "value": "D"}]
    for clients in (16, 64):
        head = {"series": "s-unique", "clients": clients, "lo": None, "hi": None}
        for group in ("throughput", "e2e", "ttft"):
            judged = {"value": 2.5, "difference": -0.004, "seconds": 0.007, "holds": True}
            found.append({"id": f"{group}-{clients}", "group": group, **head, **judged})
        for group in ("cost-distance", "tied", "busiest", "choices"):
            judged = {"value": 0.5, "z": -1.26, "holds": group != failing}
            found.append({"id": f"{group}-{clients}", "group": group, **head, **judged})
    return found


def lines(table: str) -> list[str]:
    return table.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()


def test_a_line_a_point_with_both_sides() -> None:
    first, second = (line.replace(r"\ensuremath{-}", "−") for line in lines(live_table(rows())))
    cells = [cell.strip(" \\") for cell in first.split("&")]
    assert cells == ["s-unique", "16", *["2.5", "−0.4"] * 2, "2500", "+7.0", *["−1.3"] * 4, "yes"]
    assert [cell.strip() for cell in second.split("&")][:2] == ["", "64"]


def test_what_fails_is_named() -> None:
    for line in lines(live_table(rows("tied"))):
        assert line.rstrip(" \\").endswith("tied")


def test_the_caption_says_when() -> None:
    assert "Dynamo 0.9.0 itself on D" in live_table(rows())
