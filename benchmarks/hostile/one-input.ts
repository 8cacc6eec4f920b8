/** One hostile input in a process of its own, which is killed where it does not end. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

/** Whoever waits for an answer has long left. */
export const LIMIT_MS = 20_000;

/** What is imported and made first, and what is measured; both may `load` files of the checkout that is measured. */
export interface HostileInput {
  readonly before: string;
  readonly measured: string;
}

/** Milliseconds of the measured part and how it ended, or how it was ended. */
export function measure(src: string, { before, measured }: HostileInput): string {
  const program = `
    const { execFileSync } = await import('node:child_process');
    const { mkdtempSync, readFileSync, symlinkSync, writeFileSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    const load = (file) => import(${JSON.stringify(`${pathToFileURL(src).href}/`)} + file);
    ${before}
    const began = performance.now();
    let outcome = 'done';
    try { ${measured} } catch (error) { outcome = error.name; }
    process.stdout.write((performance.now() - began).toFixed(1) + ' ms, ' + outcome, () => process.exit());`;
  const { stdout, status, signal } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8', timeout: LIMIT_MS, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  if (stdout !== '') return stdout;
  return signal === null ? `ended with code ${status}` : `killed after ${LIMIT_MS / 1000} s or out of memory`;
}

/** The checkouts that the command line names, this one's `src` where it names none. */
export function sourcesOf(given: readonly string[] | undefined, own: string): readonly string[] {
  return given === undefined || given.length === 0 ? [own] : given;
}
