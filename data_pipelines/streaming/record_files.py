"""Random access to the records of a split: the index of its array_record files."""

import pathlib

import tensorflow_datasets as tfds

from data_pipelines.building.file_format import check_platform
from pixel2mesh_jax.errors import InputError


class Records:
    """The serialized records of a split, in the order of the shards.

    Files are opened when they are first needed; threads may share an object.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder, split: str):
        """Finds the files of a split.

        Raises:
          InputError: no such split, it is empty, a file is missing, or there is no
            array_record for this platform.
        """
        check_platform()
        from array_record.python import array_record_data_source

        splits = builder.info.splits
        if split not in splits:
            raise InputError(
                f"Dataset '{builder.name}' has no split '{split}'; "
                f"valid: {', '.join(splits)}."
            )
        if not splits[split].num_examples:
            raise InputError(f"Split '{split}' of dataset '{builder.name}' is empty.")
        files = splits[split].file_instructions
        _check_files([pathlib.Path(file.filename) for file in files])
        self._records = array_record_data_source.ArrayRecordDataSource(files)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> bytes:
        return self._records[index]


def _check_files(paths):
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"{path} is missing: the data set was copied in part or damaged. Copy "
                f"it again, or delete {path.parent} and build it anew."
            )
