"""What the measuring processes of TRL's trainers share."""

import contextlib
import json
import sys
import tempfile
import time
import warnings

import torch
from torch_common import peak_mib
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


def run_job(make_trainer, figures):
    """Trains the job of the command line with what make_trainer(job, attention, folder) gives, and prints its figures."""
    with open(sys.argv[1], encoding="utf8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        trainer, clock = make_trainer(job, sys.argv[2], folder)
        trainer.train()
    result = {
        "losses": [float(log["loss"]) for log in clock.logs],
        "gradNorms": [float(log["grad_norm"]) for log in clock.logs],
        "peakMib": peak_mib(),
        **figures(clock, job["warmup"]),
    }
    print(json.dumps(result))
