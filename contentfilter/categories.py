"""What the filter tells apart: the eight categories of OpenAI's moderation evaluation set (Markov et al. 2023)."""

CATEGORIES = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")

NAMES = {
    "S": "sexual",
    "H": "hate",
    "V": "violence",
    "HR": "harassment",
    "SH": "self-harm",
    "S3": "sexual, of minors",
    "H2": "hate that threatens",
    "V2": "violence, graphic",
}

# Whatever is in the first is in the second: a text that is sexual of minors is sexual.
PARENTS = {"S3": "S", "H2": "H", "V2": "V"}
