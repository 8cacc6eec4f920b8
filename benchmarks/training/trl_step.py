"""One measuring process of TRL's side: `trl_step.py JOB.json eager|sdpa` prints its result as a JSON line.

TRL's own SFTTrainer makes the steps of torch_step.py, on the CPU in f32, from the same collated batch; a step is timed from
there to the updated weights. Where it has a faster way that changes no result it is taken: no gradient checkpointing,
the fused AdamW. It logs entropy and accuracy at every step and cannot be told not to.
"""

import os

# Nothing is looked up in the Hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch_common import fused_adamw
from trl_common import StepClock, run_job, trainer_settings


def batch_of(job):
    """What the trainer's collators make of a batch, its pictures included."""
    from safetensors.torch import load_file
    from transformers import AutoConfig

    batch = load_file(job["batch"])
    ids = batch["input_ids"]
    labels = ids.clone()
    labels[:, : -job["answerLength"]] = -100
    whole = {**batch, "labels": labels, "attention_mask": torch.ones_like(ids)}
    if "pixel_values" in batch:
        image = AutoConfig.from_pretrained(job["model"]).image_token_id
        whole["mm_token_type_ids"] = (ids == image).int()
    return whole


def some_tokenizer():
    """The trainer wants one, and has nothing to do with it."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")


def make_trainer(job, attention, folder):
    from datasets import Dataset
    from transformers import Qwen2_5_VLForConditionalGeneration
    from trl import SFTConfig, SFTTrainer

    batch = batch_of(job)
    rows = [{"input_ids": ids, "labels": ids} for ids in batch["input_ids"].tolist()]

    class FusedTrainer(SFTTrainer):
        def create_optimizer(self, *args, **kwargs):
            self.optimizer = fused_adamw(self.model, job["optimizer"])
            return self.optimizer

    config = SFTConfig(
        **trainer_settings(job, folder, len(rows)),
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )
    clock = StepClock()
    trainer = FusedTrainer(
        model=Qwen2_5_VLForConditionalGeneration.from_pretrained(
            job["model"], dtype=torch.float32, attn_implementation=attention
        ),
        processing_class=some_tokenizer(),
        args=config,
        train_dataset=Dataset.from_list(rows),
        data_collator=lambda _: dict(batch),
        callbacks=[clock],
    )
    return trainer, clock


def figures(clock, warmup):
    return {"milliseconds": clock.milliseconds[warmup:]}


run_job(make_trainer, figures)
