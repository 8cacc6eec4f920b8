"""What an export's training on the CPU logs and rewards, kept for scripts/exports-check.ts."""
import json

from transformers import Trainer

logs, batches = [], []


def keep_logs(rename=lambda key: key):
    """Keeps every line that a trainer logs; call before its module defines trainers of its own."""
    log = Trainer.log

    def kept(self, values, *args, **kwargs):
        # JSON has no NaN, which stands for a reward that applies to nothing.
        numbers = {rename(key): None if value != value else value for key, value in values.items()}
        logs.append({"step": self.state.global_step, **numbers})
        return log(self, values, *args, **kwargs)

    Trainer.log = kept


def keep_rewards(rewards):
    """Keeps what the shim `rewards` asks and is answered, once a batch."""
    ask = rewards.ask

    def asked(completions, samples, tokens=None):
        answer = ask(completions, samples, tokens)
        if not batches or batches[-1]["answer"] is not answer:
            batches.append({"completions": completions, "samples": samples, "tokens": tokens, "answer": answer})
        return answer

    rewards.ask = asked


def write():
    """Writes run/check.json and prints what each step came to."""
    with open("run/check.json", "w") as file:
        json.dump({"logs": logs, "batches": batches}, file)
    told = ("step", "loss", "grad_norm", "reward", "learning_rate")
    for line in logs:
        print({key: value for key, value in line.items() if key in told})
