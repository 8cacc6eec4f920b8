/**
 * Takes the newest checkpoint of a training run and writes it as a plain model folder, without the optimizer's state:
 * `tsx scripts/tiny-export.ts --run FOLDER --output FOLDER [--dtype F32|F16|BF16]`
 */
import { parseArgs } from 'node:util';
import { Checkpoint, writeCheckpoint } from '../src/checkpoint/checkpoint.js';
import { expectedTensors, parseConfig } from '../src/models/qwen2_5_vl/config.js';
import { RunFolder } from '../src/training/run-folder.js';
import { UserError } from '../src/util/errors.js';
import { chooseFrom, runScript } from './script-util.js';

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      run: { type: 'string' },
      output: { type: 'string' },
      dtype: { type: 'string', default: 'F32' },
    },
  });
  if (values.run === undefined || values.output === undefined) {
    throw new UserError('Give the run with --run FOLDER and the folder to write with --output FOLDER.');
  }
  const newest = new RunFolder(values.run).newest();
  if (newest === undefined) throw new UserError(`${values.run} holds no checkpoint: train first.`);
  const checkpoint = await Checkpoint.open(newest);
  await writeCheckpoint(values.output, {
    from: newest,
    dtype: chooseFrom('--dtype', values.dtype, ['F32', 'F16', 'BF16']),
    tensors: [...expectedTensors(parseConfig(checkpoint.config))].map(([name, shape]) => ({
      name,
      shape,
      data: () => checkpoint.readFloat32(name),
    })),
  });
  checkpoint.close();
  console.log(`${newest} -> ${values.output}`);
});
