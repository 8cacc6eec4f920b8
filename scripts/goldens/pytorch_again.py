"""How far PyTorch itself ends from the goldens' trained weights: python pytorch_again.py DIR (torch, transformers, peft).

Trains `tied/training` and `head128/lora` again, in 32 and in 64 bits, and prints the tensors that end furthest from the
recorded ones, relative to their largest magnitude, as `npm run goldens` does.
"""
import inspect, json, sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration

WORST = 4
IMAGE_TOKEN = 1012


def trained(model, batch, settings, groups):
    given = {name: batch[name] for name in ("input_ids", "attention_mask", "labels", "image_grid_thw")}
    if "mm_token_type_ids" in inspect.signature(Qwen2_5_VLForConditionalGeneration.forward).parameters:
        given["mm_token_type_ids"] = (batch["input_ids"] == IMAGE_TOKEN).int()
    parameters = [parameter for group in groups for parameter in group["params"]]
    dtype = parameters[0].dtype
    optimizer = torch.optim.AdamW(groups, lr=settings["lr"], betas=settings["betas"])
    for step in settings["steps"]:
        optimizer.zero_grad()
        model(pixel_values=batch["pixel_values"].to(dtype), **given).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings["max_grad_norm"])
        for group in optimizer.param_groups:
            group["lr"] = step.get("lr", settings["lr"])
        optimizer.step()


def compared(what, own, golden):
    errors = []
    for name, value in golden.items():
        value = value.double()
        errors.append((((own[name].double() - value).abs().max() / value.abs().max()).item(), name))
    for error, name in sorted(errors, reverse=True)[:WORST]:
        print(f"{what}  {error:.1e}  {name}")


def loaded(folder, dtype):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")


checkpoints = Path(sys.argv[1]) / "checkpoints"
for dtype in (torch.float32, torch.float64):
    folder = checkpoints / "tied"
    model = loaded(folder, dtype)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0},
    ]
    settings = json.loads((folder / "training/adamw.json").read_text())
    trained(model, load_file(folder / "training/sft.safetensors"), settings, groups)
    golden = load_file(folder / "training/adamw.safetensors")
    del golden["final_logits"]
    compared(f"tied/training, {dtype}", dict(model.named_parameters()), golden)

    folder = checkpoints / "head128"
    model = PeftModel.from_pretrained(loaded(folder, dtype), folder / "lora/adapter", is_trainable=True).to(dtype)
    settings = json.loads((folder / "lora/sft.json").read_text())
    batch = load_file(folder / "lora/sft.safetensors")
    adapter = [p for p in model.parameters() if p.requires_grad]
    trained(model, batch, settings, [{"params": adapter, "weight_decay": settings["weight_decay"]}])
    golden = {name[6:]: value for name, value in batch.items() if name.startswith("final.")}
    compared(f"head128/lora, {dtype}", dict(model.named_parameters()), golden)
