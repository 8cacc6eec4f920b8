"""One measuring process of torch's side: `torch_step.py JOB.json eager|sdpa` prints its result as a JSON line.

The step is the one of ours.ts: forward, backward, clipping, AdamW, on the same weights and the same batch in f32.
Where torch has a faster way that changes no result it is taken: the fused AdamW, gradients dropped instead of zeroed,
logits at the labels only.
"""

import json
import sys
import time

import torch
from torch_common import fused_adamw, peak_mib


def measure_matmul(size, repeats):
    a = torch.full((size, size), 0.5)
    b = torch.full((size, size), 0.25)
    product = torch.empty(size, size)
    milliseconds = []
    for i in range(repeats + 1):
        started = time.perf_counter()
        torch.mm(a, b, out=product)
        if i > 0:
            milliseconds.append((time.perf_counter() - started) * 1000)
    assert product[0, 0] == size * 0.5 * 0.25
    return {"milliseconds": milliseconds}


def measure_steps(job, attention):
    from safetensors.torch import load_file
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        job["model"], dtype=torch.float32, attn_implementation=attention
    ).train()
    optimizer = fused_adamw(model, job["optimizer"])
    batch = load_file(job["batch"])
    ids = batch["input_ids"]
    answer = job["answerLength"]
    labels = ids[:, -answer:].reshape(-1)
    inputs = {**batch, "attention_mask": torch.ones_like(ids), "use_cache": False}
    if "pixel_values" in batch:
        inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    # The positions that predict the answer: each stands one before its token.
    inputs["logits_to_keep"] = torch.arange(ids.shape[1] - answer - 1, ids.shape[1] - 1)

    def backward():
        logits = model(**inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(labels.shape[0], -1), labels)
        loss.backward()
        return loss.item()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), job["optimizer"]["maxGradNorm"])
        optimizer.step()
        return loss, norm.item()

    with FlopCounterMode(display=False) as counter:
        backward()
    losses, norms, milliseconds = [], [], []
    for i in range(job["warmup"] + job["steps"]):
        started = time.perf_counter()
        loss, norm = step()
        if i >= job["warmup"]:
            milliseconds.append((time.perf_counter() - started) * 1000)
        losses.append(loss)
        norms.append(norm)
    return {
        "losses": losses,
        "gradNorms": norms,
        "milliseconds": milliseconds,
        "peakMib": peak_mib(),
        "countedFlops": counter.get_total_flops(),
    }


def main():
    with open(sys.argv[1], encoding="utf8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    if "matmul" in job:
        result = measure_matmul(job["matmul"], job["repeats"])
    else:
        result = measure_steps(job, sys.argv[2])
    print(json.dumps(result))


main()
