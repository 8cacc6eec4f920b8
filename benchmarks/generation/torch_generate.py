"""One measuring process of transformers' side: `torch_generate.py JOB.json` prints its result as a JSON line.

Greedy `generate` with its default cache and attention (sdpa), in f32, without stop tokens, as ours.ts does it.
"""

import json
import sys
import time

import torch
from safetensors.torch import load_file
from torch_common import peak_mib
from transformers import Qwen2_5_VLForConditionalGeneration


def main():
    with open(sys.argv[1], encoding="utf8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        job["model"], dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    model.generation_config.eos_token_id = None
    inputs = load_file(job["prompts"])
    ids = inputs["input_ids"]
    inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()

    def timed(new_tokens):
        started = time.perf_counter()
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                max_new_tokens=new_tokens,
                do_sample=False,
                suppress_tokens=job["suppressed"],
                pad_token_id=job["pad"],
            )
        return (time.perf_counter() - started) * 1000, output[:, ids.shape[1] :].tolist()

    _, tokens = timed(job["newTokens"])
    first_token, all_tokens = [], []
    for _ in range(job["repeats"]):
        first_token.append(timed(1)[0])
        all_tokens.append(timed(job["newTokens"])[0])
    print(
        json.dumps(
            {"firstToken": first_token, "allTokens": all_tokens, "tokens": tokens, "peakMib": peak_mib()}
        )
    )


main()
