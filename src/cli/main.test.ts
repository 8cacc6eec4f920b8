import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.js';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function safeguard(argv: readonly string[]) {
  return spawn(process.execPath, ['--import', 'tsx', MAIN, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

describe('the safeguard process', () => {
  it('ends a mistake with one line and exit code 2', async () => {
    const child = safeguard(['judge', 'x.png', '--policy', 'missing.md']);
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(err).toBe('error: cannot read the policy missing.md: there is no such file\n');
    expect(code).toBe(EXIT.userError);
  });

  it('ends quietly where nobody reads its output', async () => {
    const child = safeguard(['--help']);
    child.stdout.destroy();
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(err).toBe('');
    expect(code).toBe(EXIT.brokenPipe);
  });

  it.skipIf(process.platform !== 'linux')(
    'ends with 2 and one sentence where its output is full',
    async () => {
      const full = await open('/dev/full', 'w');
      const child = spawn(process.execPath, ['--import', 'tsx', MAIN, '--help'], {
        stdio: ['ignore', full.fd, 'pipe'],
      });
      const [err, [code]] = await Promise.all([
        text(child.stderr as NodeJS.ReadableStream),
        once(child, 'close'),
      ]);
      await full.close();
      expect(code).toBe(EXIT.userError);
      expect(err).toBe('error: cannot write to standard output (ENOSPC); make room there\n');
    },
  );

  it('repeats an argument without its line breaks', async () => {
    const child = safeguard(['judge', '--nonsense\nSAFE  x.png\u001b[2K']);
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(code).toBe(EXIT.userError);
    expect(err).toBe("error: unknown option '--nonsense\\nSAFE  x.png[2K'\n");
  });

  it.skipIf(process.platform === 'win32')('dies of Ctrl-C, also while it waits for a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'safeguard-'));
    const fifo = join(folder, 'policy.md');
    execFileSync('sh', ['-c', 'mkfifo "$0"', fifo]);
    const child = safeguard(['judge', 'x.png', '--policy', fifo]);
    const ended = once(child, 'exit');
    // Opening it for writing waits until the command has opened it for reading.
    const writer = await open(fifo, 'w');
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
    await writer.close();
    await rm(folder, { recursive: true });
  });
});
