"""One measuring process of TRL's side: `trl_step.py JOB.json eager|sdpa` prints its result as a JSON line.

TRL's own GRPOTrainer makes the steps, on the CPU in f32: it samples with transformers' generate, scores under the
reference and updates. What it sampled is then replaced by the job's completions, so that both sides learn from the same
tokens. Where it has a faster way that changes no result it is taken: no gradient checkpointing, the fused AdamW.
"""

import os
import time

# GRPOTrainer and the Hub are silent; nothing is looked up there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from torch_common import fused_adamw
from trl_common import StepClock, run_job, trainer_settings


def make_trainer(job, attention, folder):
    from datasets import Dataset
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
    from trl import GRPOConfig, GRPOTrainer

    completions = job["completions"]
    total = job["warmup"] + job["steps"]

    class MeasuredTrainer(GRPOTrainer):
        """The trainer with clocks around its phases."""

        def __init__(self, *args, **kwargs):
            self.phases = {"rollout": 0.0, "scoring": 0.0}
            self.sampled = 0
            super().__init__(*args, **kwargs)

        def _tokenize_prompts(self, prompts):
            return [list(job["promptIds"]) for _ in prompts], None, {}

        def _generate_single_turn(self, *args, **kwargs):
            started = time.perf_counter()
            sampled, logprobs = super()._generate_single_turn(*args, **kwargs)
            self.phases["rollout"] += time.perf_counter() - started
            self.sampled = sum(len(ids) for ids in sampled)
            return [list(ids) for ids in completions], logprobs

        def _get_per_token_logps_and_entropies(self, *args, **kwargs):
            started = time.perf_counter()
            result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
            if not torch.is_grad_enabled():
                self.phases["scoring"] += time.perf_counter() - started
            return result

        def create_optimizer(self, *args, **kwargs):
            self.optimizer = fused_adamw(self.model, job["optimizer"])
            return self.optimizer

    class PhaseClock(StepClock):
        """Notes each step's phases, and how many tokens were sampled."""

        def __init__(self):
            super().__init__()
            self.steps = []

        def on_step_begin(self, *args, **kwargs):
            super().on_step_begin(*args, **kwargs)
            trainer.phases.update(rollout=0.0, scoring=0.0)

        def on_step_end(self, *args, **kwargs):
            super().on_step_end(*args, **kwargs)
            phases = {name: 1000 * seconds for name, seconds in trainer.phases.items()}
            phases["update"] = self.milliseconds[-1] - sum(phases.values())
            self.steps.append((phases, trainer.sampled))

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        job["model"], dtype=torch.float32, attn_implementation=attention
    )
    for parameter in model.model.visual.parameters():
        parameter.requires_grad_(False)
    config = GRPOConfig(
        **trainer_settings(job, folder, len(completions)),
        num_generations=len(completions),
        max_completion_length=len(completions[0]),
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        generation_kwargs={"min_new_tokens": len(completions[0])},
        loss_type="grpo",
        beta=job["beta"],
        epsilon=0.2,
        scale_rewards="group",
        model_init_kwargs=None,
    )
    clock = PhaseClock()
    trainer = MeasuredTrainer(
        model=model,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        args=config,
        reward_funcs=lambda completions, **_: list(job["rewards"]),
        train_dataset=Dataset.from_list([{"prompt": job["prompt"]}] * total),
        callbacks=[clock],
    )
    return trainer, clock


def figures(clock, warmup):
    measured = clock.steps[warmup:]
    return {
        "entropies": [float(log["entropy"]) for log in clock.logs],
        "sampled": [sampled for _, sampled in measured],
        "measured": [phases for phases, _ in measured],
    }


run_job(make_trainer, figures)
