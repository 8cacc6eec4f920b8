/** @module The files that TRL trains from. */
import { jsonLines } from '../../util/json-lines.js';
import { promptTurns } from './chat.js';
import type { ExportedFiles, GrpoExport, SftExport } from './exported.js';
import { launchScript, nodesScript } from './launch.js';
import { completionsPerUpdate } from './rules.js';
import type { EngineSettings } from './settings.js';
import { trlShim } from './shim.js';
import { yamlOf } from './yaml.js';

/** Where TRL's defaults are not what this program does. */
const GRPO_FIXED: EngineSettings = {
  /** The file has the prompts in their order. */
  shuffle_dataset: false,
  /** Ours is k3 as it is. */
  use_bias_correction_kl: false,
  /** Ours has no such factor in the loss. */
  vllm_importance_sampling_correction: false,
  use_vllm: true,
  vllm_mode: 'colocate',
};

const SFT_FIXED: EngineSettings = {
  /** Nothing is cut silently. */
  max_length: null,
  completion_only_loss: true,
  /** The file has the samples in their order. */
  train_sampling_strategy: 'sequential',
};

const FIXED: EngineSettings = {
  data: 'train.jsonl',
  optim: 'adamw_torch',
  bf16: true,
  gradient_checkpointing: true,
  logging_steps: 1,
  report_to: 'none',
  save_strategy: 'steps',
};

/** DeepSpeed's third stage: weights, gradients and moments are spread over all GPUs. */
const ACCELERATE = {
  compute_environment: 'LOCAL_MACHINE',
  distributed_type: 'DEEPSPEED',
  deepspeed_config: { zero_stage: 3, zero3_init_flag: true, zero3_save_16bit_model: true },
  mixed_precision: 'bf16',
  main_training_function: 'main',
  use_cpu: false,
};

const LAUNCH =
  'accelerate launch --config_file accelerate.yaml --num_machines "$NODES" --num_processes "$((NODES * GPUS))" ' +
  '--machine_rank "$NODE_RANK" --main_process_ip "$MASTER_ADDR" --main_process_port "$MASTER_PORT" ' +
  'train.py --config config.yaml --per_device_train_batch_size "$MICRO_BATCH" --gradient_accumulation_steps "$ACCUMULATE"';

const TRAIN_HEAD = `from dataclasses import dataclass

import torch
from datasets import Image, Sequence, load_dataset
from peft import LoraConfig
from transformers import AutoModelForImageTextToText, AutoProcessor
`;

/** Fields of \`config.yaml\` that are ours, since TRL has no setting for them. */
const RUN_ARGUMENTS = `@dataclass
class RunArguments:
    model: str
    data: str
    freeze_vision: bool = True
    lora_r: int | None = None
    lora_alpha: float = 16
    lora_dropout: float = 0.0
    use_rslora: bool = False
    lora_target_modules: str | None = None
`;

const PREPARE = `
    data = load_dataset("json", data_files=run.data, split="train").cast_column("images", Sequence(Image()))
    # Weights stay in 32 bits; bf16 in config.yaml computes in 16.
    model = AutoModelForImageTextToText.from_pretrained(run.model, dtype=torch.float32)
    if run.freeze_vision:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("visual." not in name)
    adapter = None if run.lora_r is None else LoraConfig(
        r=run.lora_r, lora_alpha=run.lora_alpha, lora_dropout=run.lora_dropout, use_rslora=run.use_rslora,
        target_modules=run.lora_target_modules, task_type="CAUSAL_LM",
    )`;

const GRPO_TRAIN = `"""Trains with TRL's GRPO what config.yaml says; rewards come from safeguard-vl's reward service."""
${TRAIN_HEAD}from trl import GRPOConfig, GRPOTrainer, TrlParser

from rewards import reward


${RUN_ARGUMENTS}    reward_names: list[str] | None = None


def main():
    run, args = TrlParser((RunArguments, GRPOConfig)).parse_args_and_config()
${PREPARE}
    trainer = GRPOTrainer(
        model=model, args=args, reward_funcs=[reward(name) for name in run.reward_names], train_dataset=data,
        processing_class=AutoProcessor.from_pretrained(run.model, padding_side="left"), peft_config=adapter,
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
`;

const SFT_TRAIN = `"""Fine-tunes with TRL what config.yaml says."""
${TRAIN_HEAD}from trl import SFTConfig, SFTTrainer, TrlParser


${RUN_ARGUMENTS}

def ending(collate, end):
    """The chat template writes a line break behind the token that ends an answer: it is not learned."""

    def collated(examples):
        batch = collate(examples)
        ends = batch["labels"] == end
        batch["labels"][ends.cumsum(dim=1) - ends.long() > 0] = -100
        return batch

    return collated


def main():
    run, args = TrlParser((RunArguments, SFTConfig)).parse_args_and_config()
${PREPARE}
    processor = AutoProcessor.from_pretrained(run.model)
    trainer = SFTTrainer(model=model, args=args, train_dataset=data, processing_class=processor, peft_config=adapter)
    trainer.data_collator = ending(trainer.data_collator, processor.tokenizer.convert_tokens_to_ids("<|im_end|>"))
    # Qwen2.5-VL says it takes no such count, but does: micro-batches then add up to the mean over an update's tokens.
    trainer.model_accepts_loss_kwargs = True
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
`;

export function trlGrpoFiles({ config, settings, prompts, rewardsUrl }: GrpoExport): ExportedFiles {
  return {
    'train.jsonl': jsonLines(
      prompts.train.map(({ system, prompt, images, sample }) => ({
        prompt: promptTurns(system, prompt),
        images,
        sample,
      })),
    ),
    'config.yaml': yamlOf({ ...FIXED, ...GRPO_FIXED, ...settings }),
    'accelerate.yaml': yamlOf(ACCELERATE),
    'rewards.py': trlShim(rewardsUrl),
    'train.py': GRPO_TRAIN,
    'launch.sh': launchScript({ perUpdate: completionsPerUpdate(config), items: 'completions' }, LAUNCH),
    'launch-nodes.sh': nodesScript({ asks: true, ray: false }),
  };
}

export function trlSftFiles({ config, settings, samples }: SftExport): ExportedFiles {
  return {
    'train.jsonl': jsonLines(
      samples.map(({ system, prompt, answer, images }) => ({
        prompt: promptTurns(system, prompt),
        completion: [{ role: 'assistant', content: answer }],
        images,
      })),
    ),
    'config.yaml': yamlOf({ ...FIXED, ...SFT_FIXED, ...settings }),
    'accelerate.yaml': yamlOf(ACCELERATE),
    'train.py': SFT_TRAIN,
    'launch.sh': launchScript({ perUpdate: config.batch_size, items: 'samples' }, LAUNCH),
    'launch-nodes.sh': nodesScript({ asks: false, ray: false }),
  };
}
