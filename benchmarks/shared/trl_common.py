"""What the measuring processes of TRL's trainers share."""

import time

from transformers import TrainerCallback


class StepClock(TrainerCallback):
    """Notes each step's milliseconds, and what the trainer logs of it."""

    def __init__(self):
        self.milliseconds = []
        self.logs = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        self.milliseconds.append((time.perf_counter() - self.started) * 1000)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.logs.append(logs)


def trainer_settings(job, folder, rows):
    """Settings of a trainer that makes the job's steps of so many rows on the CPU, and does nothing besides."""
    return {
        "output_dir": folder,
        "use_cpu": True,
        "bf16": False,
        "max_steps": job["warmup"] + job["steps"],
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": 1,
        "learning_rate": job["optimizer"]["lr"],
        "lr_scheduler_type": "constant",
        "max_grad_norm": job["optimizer"]["maxGradNorm"],
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
