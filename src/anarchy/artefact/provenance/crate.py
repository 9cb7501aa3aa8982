"""A deposit as an RO-Crate: what it holds, whose it is, and the workflow in it.

The profiles are Workflow RO-Crate 1.0, which WorkflowHub reads, and Provenance Run Crate 0.5, whose
part is `crate_run`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from rocrate.model import ContextEntity, File, Person
from rocrate.rocrate import ROCrate

from anarchy.artefact.provenance.crate_run import add_run, moment, one_or_all, rule_scripts
from anarchy.artefact.provenance.record import Provenance, sha256, span

METADATA = "ro-crate-metadata.json"

WORKFLOW, SETTINGS, README = "Snakefile", "config/config.yaml", "README.md"

SCRIPT_TYPES = ["File", "SoftwareSourceCode"]

WORKFLOW_TYPES = [*SCRIPT_TYPES, "ComputationalWorkflow", "HowTo"]

WORKFLOW_HUB = "https://w3id.org/workflowhub/workflow-ro-crate"

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    f"{WORKFLOW_HUB}/1.0": "Workflow RO-Crate",
}

BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"

FORMATS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}
"""Media types of what deposits hold but plain text; the tables of systems differ."""


def metadata(
    root: Path,
    files: Mapping[str, str],
    provenance: Provenance,
    citation: Mapping[str, Any],
    description: str,
    reads: Mapping[str, Sequence[str]],
) -> str:
    """The text of ro-crate-metadata.json for the files of a deposit in `root`.

    `files` has the SHA-256 by path, `citation` is CITATION.cff, `reads` has the inputs of each job.
    Nothing depends on the clock: the deposit counts as published when the build ended.
    """
    crate, scripts = ROCrate(version="1.1"), rule_scripts(root, files)
    types = dict.fromkeys(scripts.values(), SCRIPT_TYPES) | {WORKFLOW: WORKFLOW_TYPES}
    named = {
        name: crate.add(
            File(crate, root / name, name, properties=_file(root / name, digest, types.get(name)))
        )
        for name, digest in sorted(files.items())
    }
    _describe(crate, provenance, citation, description)
    workflow = _workflow(crate, named, citation)
    add_run(crate, named, provenance, workflow, scripts, reads)
    return json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"


def crate_faults(folder: Path) -> list[str]:
    """What is wrong with the crate in a folder, as the library reads it: one line each, or none."""
    faults = []
    files = [e for e in ROCrate(folder).data_entities if "File" in _types(e)]
    if not files:
        faults.append(f"{METADATA}: names no file")
    for file in files:
        path = folder / file.id
        if not path.is_file():
            faults.append(f"{METADATA}: {file.id} is not there")
        elif "sha256" in file and file["sha256"] != sha256(path):
            faults.append(f"{METADATA}: {file.id} has another hash")
    return faults


def _types(entity: Any) -> Sequence[str]:
    return [entity.type] if isinstance(entity.type, str) else entity.type


def _file(path: Path, digest: str, types: Sequence[str] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"name": path.name, "sha256": digest}
    properties["contentSize"] = str(path.stat().st_size)
    properties["encodingFormat"] = FORMATS.get(path.suffix, "text/plain")
    if path.name == README:
        properties["about"] = {"@id": "./"}
    return properties | ({"@type": types} if types else {})


def _describe(
    crate: Any, provenance: Provenance, citation: Mapping[str, Any], description: str
) -> None:
    """The deposit as a whole: title, authors, licence, and the paper that it examines."""
    root = crate.root_dataset
    authors = [
        crate.add(
            ContextEntity(
                crate, f"#author-{number}", {"@type": "Organization", "name": author["name"]}
            )
        )
        for number, author in enumerate(citation["authors"], start=1)
    ]
    licence = crate.add(
        ContextEntity(
            crate,
            f"https://spdx.org/licenses/{citation['license']}",
            {"@type": "CreativeWork", "name": citation["license"]},
        )
    )
    root["name"], root["version"] = citation["title"], str(citation["version"])
    root["description"] = f"{' '.join(citation['abstract'].split())} {description}"
    root["author"], root["license"] = one_or_all(authors), licence
    root["keywords"] = citation["keywords"]
    root["datePublished"] = moment(span(provenance.jobs)[1])
    root["citation"] = one_or_all([_reference(crate, e) for e in citation["references"]])
    root["conformsTo"] = [
        crate.add(ContextEntity(crate, address, {"@type": "CreativeWork", "name": name}))
        for address, name in PROFILES.items()
    ]
    crate.metadata["conformsTo"] = [
        {"@id": "https://w3id.org/ro/crate/1.1"},
        {"@id": f"{WORKFLOW_HUB}/1.0"},
    ]


def _reference(crate: Any, entry: Mapping[str, Any]) -> Any:
    authors = [
        crate.add(Person(crate, f"#{person['family-names']}", {"name": " ".join(_names(person))}))
        for person in entry["authors"]
    ]
    properties = {
        "@type": "ScholarlyArticle",
        "name": entry["title"],
        "datePublished": str(entry["year"]),
    }
    article = crate.add(ContextEntity(crate, entry["url"], properties))
    article["author"] = one_or_all(authors)
    return article


def _names(person: Mapping[str, str]) -> tuple[str, str]:
    return person["given-names"], person["family-names"]


def _workflow(crate: Any, named: Mapping[str, Any], citation: Mapping[str, Any]) -> Any:
    """The Snakefile as the main entity, with what it asks for and what it gives."""
    language = crate.add(
        ContextEntity(
            crate,
            f"{WORKFLOW_HUB}#snakemake",
            {
                "@type": "ComputerLanguage",
                "name": "Snakemake",
                "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
                "url": {"@id": "https://snakemake.readthedocs.io"},
            },
        )
    )
    workflow = named[WORKFLOW]
    workflow["name"], workflow["version"] = citation["title"], str(citation["version"])
    workflow["programmingLanguage"] = language
    workflow["conformsTo"] = {"@id": BIOSCHEMAS}
    workflow["license"] = crate.root_dataset["license"]
    workflow["creator"] = crate.root_dataset["author"]
    for side, name, example in (
        ("input", "configuration", SETTINGS),
        ("output", "paper", _paper(named)),
    ):
        if example:
            parameter = crate.add_formal_parameter(name, "File", f"#{side}-{name}")
            named[example]["exampleOfWork"] = parameter
            parameter["workExample"] = named[example]
            workflow[side] = parameter
    crate.mainEntity = workflow
    return workflow


def _paper(named: Iterable[str]) -> str | None:
    return next((name for name in named if PurePosixPath(name).match("paper/main.pdf")), None)
