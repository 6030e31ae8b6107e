"""Split GGUF models: one file cut into parts by the `gguf` package, as publishers cut theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf


def split(source: Path, target: Path, **options: Any) -> list[Path]:
    """Write the model in `source` as parts `target-0000x-of-0000y.gguf`; return these in order.

    `options` are those of `gguf.GGUFWriter`: split_max_tensors, small_first_shard.
    """
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target.with_suffix(".gguf"), architecture, **options)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        inner = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(target.parent.glob(f"{target.name}-*-of-*.gguf"))
