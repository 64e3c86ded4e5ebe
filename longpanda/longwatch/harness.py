"""Task files of a suite for lmms-eval (Zhang et al. 2024): a group with one task per family."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

GROUP: Final = "longwatch"
OUR_MODEL: Final = "longpanda"
"""lmms-eval's name for LongPanda models. They get the question alone, as from `longpanda longwatch run --model`."""
MOST_TOKENS: Final = 64
_BASE: Final = "_shared"
"""Name of the shared settings' file, without the suffix .yaml, so that lmms-eval does not take it for a task."""
_SHARED: Final = f"""\
dataset_path: parquet
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: answer
process_results: !function utils.process_results
metric_list:
- metric: exact
  aggregation: !function utils.mean
  higher_is_better: true
- metric: partial
  aggregation: !function utils.mean
  higher_is_better: true
score_key: score
cluster_key: cluster
generation_kwargs:
  max_new_tokens: {MOST_TOKENS}
  temperature: 0
  do_sample: false
  until: []
lmms_eval_specific_kwargs:
  default:
    instruction: true
  {OUR_MODEL}:
    instruction: false
"""


def task_files(families: Sequence[str], questions: str, version: str) -> dict[str, str]:
    """Return the files of a folder for lmms-eval's `--include_path`, by name.

    Args:
        families: families of the suite.
        questions: path of the Parquet file, relative to that folder.
        version: version of the tasks; results of one version are comparable.
    """
    names = [f"{GROUP}_{family}" for family in families]
    metrics = [{"metric": name, "aggregation": "mean", "weight_by_size": False} for name in ("exact", "partial")]
    metadata = {"version": version}
    group = {"group": GROUP, "task": names, "aggregate_metric_list": metrics, "metadata": metadata}
    files = {
        "utils.py": Path(__file__).with_name("harness_functions.py").read_text(encoding="utf-8"),
        _BASE: _SHARED,
        f"{GROUP}.yaml": yaml.safe_dump(group, sort_keys=False),
    }
    for family, name in zip(families, names, strict=True):
        rows = {"data_files": {"test": questions}, "filters": [["family", "==", family]]}
        task = {"include": _BASE, "task": name, "dataset_kwargs": rows, "metadata": metadata}
        files[f"{name}.yaml"] = yaml.safe_dump(task, sort_keys=False)
    return files
