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

const pythonVersions = z.record(z.string(), z.string());

/** Prints the versions of Python and of packages, which it imports. */
const probe = (packages: readonly string[]): string => `
import importlib, json, platform
versions = {"python": platform.python_version()}
versions.update({name: importlib.import_module(name).__version__ for name in ${JSON.stringify(packages)}})
print(json.dumps(versions))
`;

/** A Python with the packages to compare with. */
export interface Python {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The Python to compare with: the one that was asked for, else `python3` if it has the packages. Without one it says so,
 * and only our own side is measured.
 */
export function findPython(
  asked: string | undefined,
  packages: readonly string[] = ['torch', 'transformers'],
): Python | undefined {
  const names = packages.join(', ').replace(/, ([^,]*)$/, ' and $1');
  // Children run in the repository's folder; a path is meant from here, a bare name from PATH.
  const command = asked?.includes('/') ? resolve(asked) : (asked ?? 'python3');
  try {
    return { command, versions: runProcess([command, '-c', probe(packages)], pythonVersions) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (asked !== undefined) {
      throw new UserError(
        `--python ${asked} cannot import ${names}: install them there, or leave --python out.`,
      );
    }
    console.error(
      [
        '',
        `!! NO COMPARISON: there is no Python with ${names}, so only our own side is measured.`,
        `!! Give one with --python PATH (pip install ${packages.join(' ')}).`,
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
