/**
 * The time per hostile checkpoint file, each in a process of its own that is killed after 20 s.
 *
 *     npx tsx benchmarks/hostile/checkpoints.ts [--src DIR …]     DIR: src/ of a checkout; several stand side by side
 *
 * The times hold the import of what reads the file, some 0.3 to 1 s.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, sourcesOf } from './one-input.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TIED = resolve(HERE, '../../test/goldens/checkpoints/tied');

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

const { values } = parseArgs({ options: { src: { type: 'string', multiple: true } } });
const sources = sourcesOf(values.src, resolve(HERE, '../../src')).map((source) => resolve(source));
console.log(`| input | ${sources.join(' | ')} |\n|---|${'---|'.repeat(sources.length)}`);
for (const [name, measured] of Object.entries(INPUTS)) {
  console.log(
    `| ${name} | ${sources.map((source) => measure(source, { before: '', measured })).join(' | ')} |`,
  );
}
