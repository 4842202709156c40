"""What all cells of the study of trainings share: the start, prompts, ranked samples, reward models, best-of-n samples.

The gold preference judges here and nowhere else; what is trained never sees a prompt of split test.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import torch

from benchmarks import gold_samples
from benchmarks.cells import Facts
from benchmarks.gold_prompts import write_prompts
from benchmarks.gold_run import rank
from benchmarks.gold_samples import Answers, SamplesConfig, read_answers
from benchmarks.small_policy import build_small_policy, texts_of, write_demonstrations
from benchmarks.study_settings import StudySettings
from labeling.gold import preference
from language.bundled import ensure_bundled_policy
from language.checkpoints import load_tokenizer
from policy.judging import Asked, load_judge
from policy.prompts import TokenizedPrompt, load_prompts
from policy.sft import main as run_sft
from policy.sft_config import SftConfig
from records import Prompt, Ranking, read_jsonl, write_jsonl
from records.store import model_store
from rewardmodel.evaluate import evaluate_rankings
from rewardmodel.model import load_reward_model
from rewardmodel.train import main as run_reward_model
from rewardmodel.train_config import TrainConfig

MISSING_END = -1.0  # the proxies' score of a completion without an end token, as in training; gold judges it itself
_CPU = torch.device("cpu")


class StudyWorld:
    """Where everything of a study lies, and how the shared part of it is made."""

    def __init__(self, folder: Path, settings: StudySettings) -> None:
        self.folder, self.settings = folder, settings
        self.prompts = folder / "prompts.jsonl"
        self.rankings = folder / "rankings.jsonl"

    @property
    def start(self) -> Path:
        """The policy that everything starts from."""
        bundled = self.settings.world == "bundled"
        return ensure_bundled_policy(model_store())[0] if bundled else self.folder / "start"

    def reward(self, num: int, seed: int) -> Path:
        """The reward model of so many rankings."""
        return self.folder / "rewards" / f"reward-{num}-{seed}"

    def learnt_from(self, num: int, seed: int) -> Path:
        """Its rankings, and all that judge its accuracy."""
        return self.folder / "rewards" / f"rankings-{num}-{seed}.jsonl"

    def held_out(self) -> tuple[TokenizedPrompt, ...]:
        """The prompts of every result."""
        tokenizer = load_tokenizer(self.start)
        return load_prompts(self.prompts, tokenizer, max_tokens=self.settings.max_prompt_tokens, split="test").prompts

    def make_start(self) -> Facts:
        """The prompts; and in the small world a policy taught on conversations that no prompt is the opening of."""
        settings, partial = self.settings, self.folder / "prompts.partial"
        write_prompts(partial, num_train=settings.num_train, num_held_out=settings.num_held_out, seed=0)
        partial.replace(self.prompts)
        if settings.world == "small" and not self.start.exists():
            data, base, size = self.folder / "conversations.jsonl", self.folder / "untaught", settings.start
            left_out = {prompt.id for prompt in read_jsonl(self.prompts, Prompt)}
            write_demonstrations(data, left_out=left_out, most=size["conversations"])
            sizes = {name: size[name] for name in ("layers", "hidden", "vocab_size")}
            build_small_policy(base, texts_of(data), **sizes)
            run_sft(
                SftConfig(
                    data=data,
                    model=base,
                    out=self.start,
                    epochs=size["epochs"],
                    lr=size["lr"],
                    batch_size=16,
                    max_tokens=512,
                    resume=True,
                    device="cpu",
                )
            )
        return {"start": self.start.name, "prompts": settings.num_train + 2 * settings.num_held_out}

    def make_rankings(self) -> Facts:
        """Samples of the start for both splits that are learnt from or judge reward models, ranked by gold."""
        for split in ("train", "validation"):
            self.sample(self.start, split, self.folder / f"samples-{split}.jsonl", self.settings.num_completions)
        partial = self.folder / "rankings.partial"
        num = write_jsonl(partial, [*rank(self.folder, "train"), *rank(self.folder, "validation")])
        partial.replace(self.rankings)
        return {"rankings": num}

    def make_reward(self, num: int, seed: int) -> Facts:
        """A reward model of `num` rankings drawn by its seed, and its accuracy on held-out pairs."""
        everything = list(read_jsonl(self.rankings, Ranking))
        train = [ranking for ranking in everything if ranking.split == "train"]
        drawn = Random(f"study/rankings/{num}/{seed}").sample(train, min(num, len(train)))
        data = self.learnt_from(num, seed)
        data.parent.mkdir(exist_ok=True)
        write_jsonl(data, [*drawn, *(ranking for ranking in everything if ranking.split == "validation")])
        out = self.reward(num, seed)
        run_reward_model(
            TrainConfig(
                data=data, model=self.start, out=out, seed=seed, resume=True, device="cpu", **self.settings.reward
            )
        )
        held_out = [ranking for ranking in everything if ranking.split == "validation"]
        found, _ = evaluate_rankings(load_reward_model(out), load_tokenizer(out), held_out, token_budget=8192)
        return {
            "rankings": len(drawn),
            "accuracy": asdict(found.accuracy),
            "longer_baseline": asdict(found.longer_baseline),
        }

    def make_best_of_n_samples(self) -> Facts:
        """N completions of every held-out prompt, with gold's score and the length of each."""
        path = self.folder / "best-of-n.jsonl"
        self.sample(self.start, "test", path, self.settings.best_of)
        answers = read_answers(path)
        return {
            "gold": gold_of(answers),
            "tokens": [[one.num_tokens for one in row.completions] for row in answers],
            "ended": [[one.finish_reason == "stop" for one in row.completions] for row in answers],
        }

    def make_best_of_n_scores(self, num: int, seed: int) -> Facts:
        """What one reward model says of the same samples."""
        prompts = {prompt.id: prompt for prompt in self.held_out()}
        asked: list[Asked] = [
            (prompts[row.id], row.completions) for row in read_answers(self.folder / "best-of-n.jsonl")
        ]
        return {
            "proxy": _rounded(load_judge(self.reward(num, seed), _CPU, missing_end_score=MISSING_END).scores(asked))
        }

    def sample(self, policy: Path, split: Any, out: Path, num: int, *, seed: int = 0) -> None:
        """Completions of a split; those of other policies than the start with their KL to it."""
        gold_samples.main(
            SamplesConfig(
                policy=policy,
                prompts=self.prompts,
                split=split,
                out=out,
                num_completions=num,
                max_new_tokens=self.settings.max_new_tokens,
                max_prompt_tokens=self.settings.max_prompt_tokens,
                seed=seed,
                reference=None if policy == self.start else self.start,
            )
        )


def gold_of(answers: Sequence[Answers]) -> list[list[float]]:
    """The gold preference's score of every completion, prompt by prompt."""
    found = []
    for row in answers:
        scores = preference.judge(row.messages, row.completions).scores
        found.append([scores[one.id] for one in row.completions])
    return found


def options_text(settings: StudySettings) -> str:
    """All settings as JSON, for a report and to tell one study from another."""
    return json.dumps(asdict(settings), sort_keys=True)


def _rounded(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[round(value, 5) for value in row] for row in rows]
