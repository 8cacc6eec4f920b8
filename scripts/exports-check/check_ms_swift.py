"""Trains an ms-swift export on the CPU for its few steps and keeps what was rewarded: python check_ms_swift.py EXPORT [ARGUMENTS].

Writes EXPORT/run/check.json, which scripts/exports-check.ts holds against the rewards of this repository.
"""
import os, sys

import watched

folder, *more = sys.argv[1:]
os.chdir(folder)
sys.path.insert(0, os.getcwd())
CPU = "--use_cpu true --bf16 false --gradient_checkpointing false --device_map cpu".split()

# The plugin's functions carry this repository's name before their own.
watched.keep_logs(lambda key: key.replace("rewards/safeguard_", "rewards/"))

command = "sft"
if os.path.exists("rewards.py"):
    from swift.utils.utils import import_external_file

    command = "rlhf"
    # What ms-swift itself will get for this file.
    watched.keep_rewards(import_external_file("rewards.py"))
    more += ["--use_vllm", "false"]

from swift.cli.main import parse_yaml_args
from swift.pipelines import rlhf_main, sft_main

arguments = ["config.yaml", *CPU, *more]
parse_yaml_args(arguments)
sys.argv = [f"swift {command}", *arguments]
(rlhf_main if command == "rlhf" else sft_main)()
watched.write()
