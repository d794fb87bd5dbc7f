"""The recorded training: weights step by step, read back one tensor at a time.

    history/
      history.json      format_version, and for each record: epoch, step, file, base, metrics
      step-0000.npz     the first weights, one array a weight, keyed by the weight's path
      step-0001.npz     the next record, and so on; thinned, the numbers have gaps

A file appears under its name only when it is whole, the index names only files that are on
disk, and a file is deleted only after an index without it is there. A training that is killed
at any moment therefore leaves a history that reads.

A folder of ordinary checkpoints is read as well (`checkpoints`). Nothing else here needs
TensorFlow or Keras. The callback that records is in `reportgen.subject.recorder`.
"""

from reportgen.subject.history.history import History
from reportgen.subject.history.index import INDEX_NAME, HistoryStep
from reportgen.subject.history.reading import read_history
from reportgen.subject.history.record import FloatArray, weight_names
from reportgen.subject.history.writing import HistoryWriter

__all__ = [
    "INDEX_NAME",
    "FloatArray",
    "History",
    "HistoryStep",
    "HistoryWriter",
    "read_history",
    "weight_names",
]
