/**
 * Compares what this code computes with golden files: `npm run goldens -- DIR [CHECK…]`. Prints
 * `ok|not ok <path below DIR>[#part] <worst error> <tolerance>` for each comparison; notes and the summary go to stderr.
 * Exit code 0 if all are ok, 1 if any is not, 2 if nothing can be compared.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../src/util/errors.js';
import { failed } from './goldens/compare.js';
import { checkpointFolders } from './goldens/folders.js';
import { CHECKS, LATER } from './goldens/index.js';
import type { GoldenCheck, GoldenLine } from './goldens/types.js';

/** An error as it is printed: whole numbers as such, others with two digits. */
const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toExponential(1));

function print({ ok, path, part, error, tolerance, note }: GoldenLine): void {
  const name = part === undefined ? path : `${path}#${part}`;
  console.log(`${ok ? 'ok' : 'not ok'} ${name} ${number(error)} ${number(tolerance)}`);
  if (note !== undefined) console.error(`  ${name}: ${note}`);
}

/** A check's lines; an exception ends the check with a line that is not ok. */
async function* linesOf(check: GoldenCheck, dir: string): AsyncGenerator<GoldenLine> {
  try {
    yield* check.run(dir);
  } catch (error) {
    yield failed({ path: '.', part: check.name }, error);
  }
}

/** Which goldens of later parts the folder holds. */
function leftOut(dir: string): string[] {
  return LATER.flatMap((pattern) => {
    const [before, after] = pattern.split('/*/');
    const paths =
      after === undefined ? [before] : checkpointFolders(dir).map(({ path }) => `${path}/${after}`);
    return paths.filter((path) => existsSync(join(dir, path)));
  });
}

async function main([dir, ...names]: readonly string[]): Promise<number> {
  const known = CHECKS.map(({ name }) => name);
  if (dir === undefined) throw new UserError(`Usage: npm run goldens -- DIR [${known.join('|')}…]`);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) {
    throw new UserError(`${dir} is no folder: give one that is laid out like the golden files.`);
  }
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UserError(`There is no check "${unknown}": the checks are ${known.join(', ')}.`);

  const counts = { ok: 0, notOk: 0 };
  for (const check of CHECKS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    for await (const line of linesOf(check, dir)) {
      print(line);
      counts[line.ok ? 'ok' : 'notOk']++;
    }
  }
  if (counts.ok + counts.notOk === 0) throw new UserError(`${dir} holds no golden file that is known here.`);
  const later = leftOut(dir);
  const rest = later.length > 0 ? `; left out, of later parts: ${later.join(', ')}` : '';
  console.error(`${counts.ok} ok, ${counts.notOk} not ok${rest}`);
  return counts.notOk > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // The user's mistake is one sentence; our own keeps its stack.
  console.error(error instanceof UserError ? messageOf(error) : error);
  process.exitCode = 2;
}
