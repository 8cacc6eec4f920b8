/**
 * Makes the untrained checkpoint that `runs/tiny.sh` starts from: a tokenizer learned from IconWorld's own texts, the
 * sizes of runs/tiny/model.json, and fresh weights. `tsx scripts/tiny-init.ts --output FOLDER [--seed N]`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeCheckpoint } from '../src/checkpoint/checkpoint.js';
import {
  captionSample,
  judgementSample,
  outOfWorldSample,
  questionSample,
  readingSample,
} from '../src/iconworld/samples.js';
import { trainTokenizer } from '../src/models/qwen2_5_vl/bpe-trainer.js';
import { parseConfig } from '../src/models/qwen2_5_vl/config.js';
import { Tokenizer } from '../src/models/qwen2_5_vl/tokenizer.js';
import { qwenAddedTokens, writeTokenizerFolder } from '../src/models/qwen2_5_vl/tokenizer-folder.js';
import { makeMimetic } from '../src/training/mimetic-weights.js';
import { initialWeights } from '../src/training/weights.js';
import { UserError } from '../src/util/errors.js';
import { Random } from '../src/util/random.js';
import { runScript } from './script-util.js';

/** Ids of the model; the tokenizer fills fewer where the texts offer no more pairs. */
const VOCAB_SIZE = 2048;
/** Statement numbers are one token each, with the space before them: ` [1]` … ` [40]`. */
const STATEMENT_NUMBERS = 40;
/** Samples of each kind whose texts the merges are learned from. */
const SAMPLES = 4000;

function texts(seed: number): string[] {
  const streams = [
    captionSample({ render: false }),
    captionSample({ render: false, suppressed: true }),
    readingSample(),
    judgementSample({ render: false }),
    questionSample({ render: false }),
    outOfWorldSample({ render: false }),
  ];
  return streams.flatMap((stream, kind) => {
    const random = new Random(`${seed}/tokenizer/${kind}`);
    return Array.from({ length: SAMPLES }, () => {
      const { prompt, answer } = stream.next(random);
      return `${prompt}\n${answer}`;
    });
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { output: { type: 'string' }, seed: { type: 'string', default: '0' } },
  });
  if (values.output === undefined) throw new UserError('Give the folder to write with --output FOLDER.');
  const seed = Number(values.seed);
  const sizes = JSON.parse(readFileSync('runs/tiny/model.json', 'utf8')) as Record<string, unknown>;
  const numbers = Array.from({ length: STATEMENT_NUMBERS }, (_, i) => ` [${i + 1}]`);
  const trained = trainTokenizer(texts(seed), {
    vocabSize: VOCAB_SIZE,
    addedTokens: qwenAddedTokens(numbers),
  });
  const tokenizerFolder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  await writeTokenizerFolder(tokenizerFolder, trained, {
    maxLength: Number(sizes.max_position_embeddings),
  });
  const tokenizer = await Tokenizer.load(tokenizerFolder);
  const id = (token: string): number => {
    const found = tokenizer.id(token);
    if (found === undefined) throw new Error(`the new tokenizer lacks ${token}`);
    return found;
  };
  const ids = {
    bos_token_id: id('<|endoftext|>'),
    eos_token_id: id('<|im_end|>'),
    pad_token_id: id('<|endoftext|>'),
    vision_start_token_id: id('<|vision_start|>'),
    vision_end_token_id: id('<|vision_end|>'),
    vision_token_id: id('<|vision_pad|>'),
    image_token_id: id('<|image_pad|>'),
    video_token_id: id('<|video_pad|>'),
  };
  const config = { ...sizes, ...ids, vocab_size: VOCAB_SIZE };
  const parsed = parseConfig(config);
  const weights = initialWeights(parsed, seed);
  makeMimetic(weights, parsed, { seed, markers: numbers.map(id) });
  await writeCheckpoint(values.output, {
    from: tokenizerFolder,
    config,
    dtype: 'F32',
    tensors: [...weights].map(([name, { shape, data }]) => ({ name, shape, data })),
    extraFiles: {
      'preprocessor_config.json': readFileSync('runs/tiny/preprocessor.json', 'utf8'),
      'generation_config.json': `${JSON.stringify(
        {
          bos_token_id: ids.bos_token_id,
          pad_token_id: ids.pad_token_id,
          eos_token_id: [ids.eos_token_id, ids.bos_token_id],
          do_sample: false,
        },
        null,
        2,
      )}\n`,
      'guard.json': `${JSON.stringify({ profile: 'iconworld' }, null, 2)}\n`,
    },
  });
  rmSync(tokenizerFolder, { recursive: true });
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  console.log(`${values.output}: ${parameters} parameters, ${tokenizer.vocabSize} tokens`);
}

await runScript(main);
