/**
 * Weights between two checkpoints of one architecture (weight averaging, arXiv 2109.01903): what a stage wins, with what it
 * forgets mostly kept: `tsx scripts/tiny-average.ts --from FOLDER --to FOLDER [--share 0.6] --output FOLDER [--dtype F32|F16|BF16]`.
 * The share is that of `--to`; everything but the weights is that of `--from`.
 */
import { parseArgs } from 'node:util';
import { Checkpoint, writeCheckpoint } from '../src/checkpoint/checkpoint.js';
import { checkTensors, expectedTensors, parseConfig } from '../src/models/qwen2_5_vl/config.js';
import { UserError } from '../src/util/errors.js';
import { chooseFrom, runScript } from './script-util.js';

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      share: { type: 'string', default: '0.6' },
      output: { type: 'string' },
      dtype: { type: 'string', default: 'F32' },
    },
  });
  if (values.from === undefined || values.to === undefined || values.output === undefined) {
    throw new UserError('Give both checkpoints with --from FOLDER and --to FOLDER, and --output FOLDER.');
  }
  const share = Number(values.share);
  if (!(share >= 0 && share <= 1)) {
    throw new UserError(`--share is '${values.share}': give a number from 0 to 1.`);
  }
  const from = await Checkpoint.open(values.from);
  const to = await Checkpoint.open(values.to);
  const config = parseConfig(from.config);
  // The second must have the tensors that the first one's config asks for.
  checkTensors(from, config);
  checkTensors(to, config);
  await writeCheckpoint(values.output, {
    from: values.from,
    dtype: chooseFrom('--dtype', values.dtype, ['F32', 'F16', 'BF16']),
    tensors: [...expectedTensors(config)].map(([name, shape]) => ({
      name,
      shape,
      data: () => {
        const end = to.readFloat32(name);
        return from.readFloat32(name).map((weight, i) => (1 - share) * weight + share * end[i]);
      },
    })),
  });
  from.close();
  to.close();
  console.log(`${1 - share} × ${values.from} + ${share} × ${values.to} -> ${values.output}`);
});
