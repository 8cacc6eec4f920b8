"""Trains a TRL export on the CPU for its few steps and keeps what was rewarded: python check_trl.py EXPORT [ARGUMENTS].

Writes EXPORT/run/check.json, which scripts/exports-check.ts holds against the rewards of this repository.
"""
import json, os, runpy, sys

from transformers import Trainer

folder, *more = sys.argv[1:]
os.chdir(folder)
sys.path.insert(0, os.getcwd())
CPU = "--use_cpu true --bf16 false --gradient_checkpointing false --disable_tqdm true".split()

logs, batches = [], []


log = Trainer.log


def kept(self, values, *args, **kwargs):
    # JSON has no NaN, which TRL gives for a reward that applies to nothing.
    numbers = {key: None if value != value else value for key, value in values.items()}
    logs.append({"step": self.state.global_step, **numbers})
    return log(self, values, *args, **kwargs)


# What TRL's trainers add up themselves is in the values when these get here.
Trainer.log = kept

if os.path.exists("rewards.py"):
    import rewards

    ask = rewards.ask

    def asked(completions, samples, tokens=None):
        answer = ask(completions, samples, tokens)
        if not batches or batches[-1]["answer"] is not answer:
            batches.append({"completions": completions, "samples": samples, "tokens": tokens, "answer": answer})
        return answer

    rewards.ask = asked
    more += ["--use_vllm", "false"]

sys.argv = ["train.py", "--config", "config.yaml", *CPU, *more]
runpy.run_path("train.py", run_name="__main__")
with open("run/check.json", "w") as file:
    json.dump({"logs": logs, "batches": batches}, file)
for line in logs:
    print({key: value for key, value in line.items() if key in ("step", "loss", "grad_norm", "reward", "learning_rate")})
