"""The committed measurements of shards on an H200 and an H100."""

from anarchy.common import paths
from anarchy.serving.service_times.measured import Shard, read_shard

FILES = sorted((paths.ROOT / paths.REFERENCE / "silicon").glob("*.json"))

SHARDS: dict[str, Shard] = {file.stem: read_shard(file) for file in FILES}
"""By the stem of the file, MODEL-GPU."""


def model_of(stem: str) -> str:
    return stem.rpartition("-")[0]
