"""Trains a TRL export on the CPU for its few steps and keeps what was rewarded: python check_trl.py EXPORT [ARGUMENTS].

Writes EXPORT/run/check.json, which scripts/exports-check.ts holds against the rewards of this repository.
"""
import os, runpy, sys

import watched

folder, *more = sys.argv[1:]
os.chdir(folder)
sys.path.insert(0, os.getcwd())
CPU = "--use_cpu true --bf16 false --gradient_checkpointing false --disable_tqdm true".split()

# What TRL's trainers add up themselves is in the values when these get there.
watched.keep_logs()

if os.path.exists("rewards.py"):
    import rewards

    watched.keep_rewards(rewards)
    more += ["--use_vllm", "false"]

sys.argv = ["train.py", "--config", "config.yaml", *CPU, *more]
runpy.run_path("train.py", run_name="__main__")
watched.write()
