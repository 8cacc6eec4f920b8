/**
 * The time per hostile checkpoint file, each in a process of its own that is killed after 20 s.
 *
 *     npx tsx benchmarks/hostile/checkpoints.ts [--src DIR]     DIR: src/ of another checkout, for times before
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LIMIT_MS = 20_000;
const HERE = fileURLToPath(new URL('.', import.meta.url));
const TIED = resolve(HERE, '../../test/goldens/checkpoints/tied');
const [flag, given] = process.argv.slice(2);
const src = resolve(flag === '--src' && given !== undefined ? given : resolve(HERE, '../../src'));

const template = (source: string): string => `
  const { ChatTemplate } = await load('models/qwen2_5_vl/chat-template.ts');
  new ChatTemplate(${JSON.stringify(source)}).render([{ role: 'user', content: 'hi' }]);`;

const tokenizer = (change: string, text: string): string => `
  const { Tokenizer } = await load('models/qwen2_5_vl/tokenizer.ts');
  const json = JSON.parse(readFileSync(${JSON.stringify(`${TIED}/tokenizer.json`)}, 'utf8'));
  ${change}
  Tokenizer.fromJson(json).encode(${text});`;

const linked = (target: string): string => `
  const path = join(mkdtempSync(join(tmpdir(), 'safeguard-')), 'config.json');
  ${target}
  const { readJsonObject } = await load('checkpoint/json.ts');
  readJsonObject(path);`;

const loop = '{% for i in range(1000) %}';
const doubling = "{% set ns = namespace(s='xxxxxxxx', a=[1]) %}{% for i in range(60) %}";

const INPUTS: Readonly<Record<string, string>> = {
  'template: range(10^9)': template('{% for i in range(1000000000) %}x{% endfor %}'),
  'template: nested loops': template(`${loop.repeat(4)}x${'{% endfor %}'.repeat(4)}`),
  'template: a text that doubles': template(
    `${doubling}{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}{{ ns.s }}`,
  ),
  'template: a list that holds itself twice': template(
    `${doubling}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}`,
  ),
  'tokenizer: (a+)+$': tokenizer(
    "json.pre_tokenizer.pretokenizers[0].pattern.Regex = '(a+)+$';",
    "'a'.repeat(60) + 'b'",
  ),
  'tokenizer: a million added tokens': tokenizer(
    "for (let i = 0; i < 1e6; i++) json.added_tokens.push({ ...json.added_tokens[0], id: 2000 + i, content: '<' + i + '>' });",
    "'<7> '.repeat(1000)",
  ),
  'tokenizer: 64 kB of marks': tokenizer('', "'e' + '\\u0316\\u0301'.repeat(32000)"),
  'tokenizer: 64 kB of spaces': tokenizer('', "' '.repeat(64000)"),
  'pixels: min_pixels of 10^9': `
    const { ImageProcessor, parseImageProcessorConfig } = await load('models/qwen2_5_vl/image-processing.ts');
    const processor = new ImageProcessor(parseImageProcessorConfig({ min_pixels: 1e9, max_pixels: 2e9 }));
    processor.preprocess({ width: 8, height: 8, data: new Uint8Array(192) });`,
  'config.json: an endless device': linked("symlinkSync('/dev/zero', path);"),
  'config.json: a pipe': linked("execFileSync('sh', ['-c', 'mkfifo \"$0\"', path]);"),
  'fetch: an answer of 101': `
    const { createServer } = await import('node:net');
    const server = createServer((socket) => socket.once('data', () => socket.write('HTTP/1.1 101 Switching\\r\\nconnection: upgrade\\r\\nupgrade: x\\r\\n\\r\\n')));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const { fetchGuarded } = await load('net/fetch-guarded.ts');
    try {
      await fetchGuarded('http://127.0.0.1:' + server.address().port, { allowPrivate: true, timeoutMs: 1000 });
    } finally { server.unref(); }`,
};

/** Runs one input; tells its milliseconds and how it ended. */
function measure(input: string): string {
  const program = `
    const { execFileSync } = await import('node:child_process');
    const { mkdtempSync, readFileSync, symlinkSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    const load = (file) => import(${JSON.stringify(`${pathToFileURL(src).href}/`)} + file);
    let began = performance.now();
    let outcome = 'done';
    try { ${input} } catch (error) { outcome = error.name; }
    process.stdout.write(Math.round(performance.now() - began) + ' ms, ' + outcome, () => process.exit());`;
  const { stdout, status, signal } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8', timeout: LIMIT_MS, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  if (stdout !== '') return stdout;
  return signal === null ? `ended with code ${status}` : `killed after ${LIMIT_MS / 1000} s or out of memory`;
}

for (const [name, input] of Object.entries(INPUTS)) console.log(`${name}: ${measure(input)}`);
