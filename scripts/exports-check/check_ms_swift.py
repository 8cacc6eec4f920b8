"""Trains an ms-swift export on the CPU for its few steps and keeps what was rewarded: python check_ms_swift.py EXPORT [ARGUMENTS].

Writes EXPORT/run/check.json, which scripts/exports-check.ts holds against the rewards of this repository.
"""
import json, os, sys

folder, *more = sys.argv[1:]
os.chdir(folder)
sys.path.insert(0, os.getcwd())
CPU = "--use_cpu true --bf16 false --gradient_checkpointing false --device_map cpu".split()

from transformers import Trainer

logs, batches = [], []
log = Trainer.log


def kept(self, values, *args, **kwargs):
    # The plugin's functions carry this repository's name before their own; JSON has no NaN.
    numbers = {
        key.replace("rewards/safeguard_", "rewards/").replace("rewards/Safeguard", "rewards/"): None if value != value else value
        for key, value in values.items()
    }
    logs.append({"step": self.state.global_step, **numbers})
    return log(self, values, *args, **kwargs)


Trainer.log = kept

if os.path.exists("rewards.py"):
    from swift.utils.utils import import_external_file

    # What ms-swift itself will get for this file.
    rewards = import_external_file("rewards.py")
    ask = rewards.ask

    def asked(completions, samples, tokens=None):
        answer = ask(completions, samples, tokens)
        if not batches or batches[-1]["answer"] is not answer:
            batches.append({"completions": completions, "samples": samples, "tokens": tokens, "answer": answer})
        return answer

    rewards.ask = asked
    more += ["--use_vllm", "false"]

# A SFT export has no rewards.
command = "rlhf" if os.path.exists("rewards.py") else "sft"
from swift.cli.main import parse_yaml_args

arguments = ["config.yaml", *CPU, *more]
parse_yaml_args(arguments)
sys.argv = [f"swift {command}", *arguments]
if command == "rlhf":
    from swift.pipelines import rlhf_main as main
else:
    from swift.pipelines import sft_main as main
main()
with open("run/check.json", "w") as file:
    json.dump({"logs": logs, "batches": batches}, file)
for line in logs:
    print({key: value for key, value in line.items() if key in ("step", "loss", "grad_norm", "reward", "learning_rate")})
