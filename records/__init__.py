"""The contract: what crosses a boundary between Parley's packages, and nothing else.

Standard library only. The web side writes these records and the model side reads them,
so neither needs the other's libraries. See docs/records.md for every field.
"""

from records.lines import RecordError, decode, encode, read_jsonl, write_jsonl
from records.manifest import ManifestError, publish_directory, read_manifest, verify_directory
from records.types import (
    FORMAT_VERSION,
    Completion,
    Demonstration,
    EmbedRequest,
    EmbedResult,
    Message,
    ModelServer,
    Prompt,
    Ranking,
    Rating,
    Resemblance,
    SampleRequest,
    SampleResult,
    SamplingParams,
    Thumb,
    TrainingProgress,
    TrainingRequest,
    TrainingResult,
    Worker,
)

__all__ = [
    "FORMAT_VERSION",
    "Completion",
    "Demonstration",
    "EmbedRequest",
    "EmbedResult",
    "ManifestError",
    "Message",
    "ModelServer",
    "Prompt",
    "Ranking",
    "Rating",
    "RecordError",
    "Resemblance",
    "SampleRequest",
    "SampleResult",
    "SamplingParams",
    "Thumb",
    "TrainingProgress",
    "TrainingRequest",
    "TrainingResult",
    "Worker",
    "decode",
    "encode",
    "publish_directory",
    "read_jsonl",
    "read_manifest",
    "verify_directory",
    "write_jsonl",
]
