"""What torch's measuring processes share."""

import re
import resource
import sys

import torch


def peak_mib():
    """This process's largest resident memory."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return round(int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024)
    except OSError:
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(kib / 1024 / (1024 if sys.platform == "darwin" else 1))


def parameter_groups(model, weight_decay):
    """Vectors are not decayed, as in our parameter groups."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def fused_adamw(model, settings):
    """Our optimizer as torch has it at its fastest."""
    return torch.optim.AdamW(
        parameter_groups(model, settings["weightDecay"]),
        lr=settings["lr"],
        betas=tuple(settings["betas"]),
        eps=settings["eps"],
        fused=True,
    )
