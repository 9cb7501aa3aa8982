"""Snakemake's executor for Kubernetes where all pods share the project's folder as a volume.

The official plugin takes it that pods share nothing: every file would go through an object store,
and every pod would install plugins of its own. Here a volume has the folder, its `.venv` and its
results, so jobs read and write where they would on one machine. The rest is the official plugin.
"""

from dataclasses import replace

from snakemake_executor_plugin_kubernetes import Executor, ExecutorSettings
from snakemake_executor_plugin_kubernetes import common_settings as official

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

common_settings = replace(
    official,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
)
