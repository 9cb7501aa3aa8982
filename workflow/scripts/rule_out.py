"""Hold pairs of published changes against the closed loop, and mechanisms against the claims."""

from anarchy.common import paths
from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.claims.ledger import Ledger
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario
from anarchy.measure.claims.closed_loop import loads, pair_rows
from anarchy.measure.claims.deployments import sweep_of
from anarchy.measure.claims.mechanisms import size_rows, variant_rows
from anarchy.serving.service_times.lookup import load_service_times


def sweeps():
    rows = read_rows(snakemake.input.sweep)
    found = {}
    for name, data in snakemake.params.scenarios.items():
        scenario = Scenario.model_validate(data)
        times = load_service_times(paths.LATENCY, scenario.model)
        found[name] = sweep_of(name, scenario, times, loads(rows, name))
    return found


def rule_out() -> None:
    ledger = Ledger.model_validate(snakemake.params.ledger)
    known = sweeps()
    write_rows(snakemake.output.pairs, pair_rows(ledger, known))
    rows = []
    variants = zip(snakemake.input.variants, snakemake.input.compared, strict=True)
    for data, (measured, compared) in zip(snakemake.params.experiments, variants, strict=True):
        experiment = Experiment.model_validate(data)
        rows += variant_rows(ledger, experiment, read_rows(measured), read_rows(compared))
    write_rows(snakemake.output.mechanisms, rows + size_rows(ledger, known))


with job_log(snakemake.log[0], snakemake.output):
    rule_out()
