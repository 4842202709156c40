"""Names that both sides of the broker must spell alike: tasks, queues, streams, file names."""

# Tasks, as <app>.<verb>; every one takes keyword arguments of JSON values only.
SAMPLE = "sampler.sample"
EMBED = "sampler.embed"
SCREEN = "sampler.screen"
TRAIN = "training.train"
RECORD_COMPLETIONS = "labeling.record_completions"
RECORD_SAMPLING_FAILURE = "labeling.record_sampling_failure"
RECORD_SAMPLING_STARTED = "labeling.record_sampling_started"
RECORD_VECTORS = "labeling.record_vectors"
RECORD_SCREENINGS = "labeling.record_screenings"
RECORD_TRAINING_PROGRESS = "labeling.record_training_progress"
RECORD_TRAINING_RESULT = "labeling.record_training_result"
RECORD_TRAINING_RELEASED = "labeling.record_training_released"
BUILD_EXPORT = "labeling.build_export"
TAKE_IN = "labeling.take_in"
DELIVER = "labeling.deliver"
SWEEP = "labeling.sweep"
MAIL_LINK = "labeling.mail_link"

# Queues.
WEB_QUEUE = "web"
EXPORTS_QUEUE = "exports"
DELIVERIES_QUEUE = "deliveries"
SAMPLE_QUEUE = "sample"
TRAIN_QUEUE = "train"

# Celery priorities on Redis: 0 is served first. A waiting person comes before a preview's visitors, and they before
# overnight work.
PRIORITY_WAITING = 0
PRIORITY_VISITORS = 3
PRIORITY_OVERNIGHT = 9

# How a training program ends that a person can help: where its options or its data are at fault, so that the same
# again would fail the same (2, as of every command line), and where what was in the way may be gone by then (75, the
# EX_TEMPFAIL of sysexits.h): memory, disk, a missing file.
NEEDS_OTHER_SETTINGS = 2
MAY_PASS = 75

# And where somebody ended it, which says nothing of its options: 128 and the number of the signal, as shells have it.
INTERRUPTED = 130
TERMINATED = 143

# The Redis set of the workers' names; each worker's key is worker_key(name).
WORKERS_KEY = "parley:workers"

# Files of an export in the records format.
DEMONSTRATIONS_FILE = "demonstrations.jsonl"
RANKINGS_FILE = "rankings.jsonl"
PROMPTS_FILE = "prompts.jsonl"
THUMBS_FILE = "thumbs.jsonl"
LABELS_FILE = "labels.jsonl"
# Beside a policy whose training was watched, and until then in its work directory: the answers of each look on which
# the two reward models differ most.
DISAGREEMENTS_FILE = "watch-disagreements.jsonl"
# Beside the files of a frozen export: {"id"} of each record that was erased since. Whoever reads the export skips them.
ERASED_FILE = "erased.jsonl"


def stream_key(run_id: str, attempt: int) -> str:
    """The Redis stream that carries a run's text while it is sampled."""
    return f"parley:stream:{run_id}:{attempt}"


def cancel_key(run_id: str) -> str:
    """The Redis key whose existence asks the sampler to stop a run."""
    return f"parley:cancel:{run_id}"


def worker_key(name: str) -> str:
    """The Redis key under which a worker says that it lives; it expires soon after the worker falls silent."""
    return f"parley:worker:{name}"
