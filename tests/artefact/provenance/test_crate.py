"""The deposit as an RO-Crate: what it says, and that its reader finds what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from anarchy.artefact.provenance.crate import METADATA, PROFILES, crate_faults, metadata
from anarchy.artefact.provenance.record import hashes
from anarchy.common import paths
from anarchy.config.yaml_files import read_yaml
from tests.artefact.provenance.builds import READS, project, recorded, sha


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project(tmp_path)
    files = [p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()]
    held = hashes(tmp_path, {path.as_posix(): path for path in files})
    citation = read_yaml(paths.ROOT / "CITATION.cff")
    text = metadata(tmp_path, held, recorded(tmp_path), citation, "Without logs.", READS)
    (tmp_path / METADATA).write_text(text)
    return tmp_path


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    entries = json.loads((folder / METADATA).read_text())["@graph"]
    found = {entry["@id"]: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def ids(references: Any) -> set[str]:
    listed = references if isinstance(references, list) else [references]
    return {reference["@id"] for reference in listed}


def test_every_reference_leads_somewhere(folder: Path) -> None:
    """But for addresses of specifications, which need no entity."""
    found = graph(folder)
    for entry in found.values():
        for key, value in entry.items():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict) and not part["@id"].startswith("https://"):
                    assert part["@id"] in found, f"{entry['@id']}: {key}"


def test_it_says_whose_it_is_and_what_for(folder: Path) -> None:
    found, citation = graph(folder), read_yaml(paths.ROOT / "CITATION.cff")
    root = found["./"]
    assert root["name"] == citation["title"]
    assert root["description"].endswith("Without logs.")
    assert ids(root["license"]) == {"https://spdx.org/licenses/Apache-2.0"}
    assert ids(root["conformsTo"]) == PROFILES.keys()
    assert root["datePublished"] == "1970-01-01T00:01:46+00:00"  # when the last job ended
    (article,) = ids(root["citation"])
    assert found[article]["name"] == citation["references"][0]["title"]
    assert all(found[author]["name"] for author in ids(root["author"]))


def test_the_workflow_is_the_main_entity(folder: Path) -> None:
    found = graph(folder)
    assert ids(found["./"]["mainEntity"]) == {"Snakefile"}
    workflow = found["Snakefile"]
    assert {"File", "ComputationalWorkflow"} < set(workflow["@type"])
    assert found[next(iter(ids(workflow["programmingLanguage"])))]["name"] == "Snakemake"
    assert ids(workflow["step"]) == {"Snakefile#plot", "Snakefile#simulate"}
    assert ids(found["Snakefile#plot"]["workExample"]) == {"workflow/scripts/plot.py"}


def test_the_run_and_its_jobs(folder: Path) -> None:
    found = graph(folder)
    run = found["#run"]
    assert ids(run["instrument"]) == {"Snakefile"}
    assert "config/config.yaml" in ids(run["object"])
    assert ids(run["result"]) >= {"results/a.json", "figures/a.png"}
    plot = found["#job/plot"]
    assert ids(plot["instrument"]) == {"workflow/scripts/plot.py"}
    assert ids(plot["result"]) == {"figures/a.png"}
    assert ids(plot["object"]) == {"results/a.json"}
    assert (plot["startTime"], plot["endTime"]) == (
        "1970-01-01T00:01:42+00:00",
        "1970-01-01T00:01:46+00:00",
    )
    assert ids(found["#control/plot"]["object"]) == {"#job/plot"}
    assert ids(found["#organization"]["result"]) == {"#run"}


def test_files_have_size_and_hash(folder: Path) -> None:
    entry = graph(folder)["src/a.py"]
    assert entry["sha256"] == sha("a = 1\n")
    assert entry["contentSize"] == "6"
    assert entry["encodingFormat"] == "text/x-python"


def test_the_library_reads_it_again(folder: Path) -> None:
    crate = ROCrate(folder)
    assert crate.mainEntity.id == "Snakefile"
    assert crate_faults(folder) == []


def test_what_changed_or_is_gone_is_named(folder: Path) -> None:
    (folder / "src/a.py").write_text("b")
    (folder / "figures/a.png").unlink()
    assert sorted(crate_faults(folder)) == [
        f"{METADATA}: figures/a.png is not there",
        f"{METADATA}: src/a.py has another hash",
    ]
