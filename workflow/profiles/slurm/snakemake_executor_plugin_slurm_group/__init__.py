"""Snakemake's executor for Slurm, whose job of Slurm runs its jobs side by side in one Snakemake.

The official plugin makes each of them a step of Slurm, with a Snakemake of its own that reads the
whole configuration, and begins the next when one has ended, on however many cores. Ours are short
and on one node: Snakemake runs them there as it does on one machine. The rest is the official
plugin.
"""

from snakemake_executor_plugin_slurm import Executor as Official
from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


class Executor(Official):
    """The official executor but for what runs in a job of Slurm."""

    def additional_general_args(self) -> str:
        """What is added to the command of a job of Slurm."""
        return "--executor local"
