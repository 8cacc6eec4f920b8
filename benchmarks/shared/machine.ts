/** @module What a result depends on: the machine, the versions, and whether Python is there to compare with. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../src/util/errors.js';
import { REPOSITORY, runProcess } from './child.js';

export interface Machine {
  readonly cpu: string;
  /** Cores that this process may use. */
  readonly cores: number;
  readonly memoryGib: number;
  readonly versions: Readonly<Record<string, string>>;
}

const pythonVersions = z.object({
  python: z.string(),
  torch: z.string(),
  transformers: z.string(),
});

const PROBE = `
import json, platform, torch, transformers
print(json.dumps({"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}))
`;

/** A Python with torch and transformers. */
export interface Python {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The Python to compare with: the one that was asked for, else `python3` if it has torch and transformers. Without one
 * it says so, and only our own side is measured.
 */
export function findPython(asked: string | undefined): Python | undefined {
  // Children run in the repository's folder; a path is meant from here, a bare name from PATH.
  const command = asked?.includes('/') ? resolve(asked) : (asked ?? 'python3');
  try {
    return { command, versions: runProcess([command, '-c', PROBE], pythonVersions) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (asked !== undefined) {
      throw new UserError(
        `--python ${asked} cannot import torch and transformers: install both there, or leave --python out.`,
      );
    }
    console.error(
      [
        '',
        '!! NO COMPARISON: there is no Python with torch and transformers, so only our own side is measured.',
        '!! Give one with --python PATH (pip install torch transformers).',
        '',
      ].join('\n'),
    );
    return undefined;
  }
}

const manifest = z.object({ dependencies: z.record(z.string(), z.string()) });

export function describeMachine(python: Python | undefined): Machine {
  const { dependencies } = manifest.parse(
    JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as unknown,
  );
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    versions: {
      node: process.versions.node,
      'onnxruntime-node': dependencies['onnxruntime-node'],
      ...python?.versions,
    },
  };
}

export function machineLine({ cpu, cores, memoryGib, versions }: Machine): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGib} GiB; ${names.join(', ')}`;
}
