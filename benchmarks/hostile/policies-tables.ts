/**
 * The time per hostile policy, model's answer and table, each within its limit of size, each in a process of its own:
 *
 *     npx tsx benchmarks/hostile/policies-tables.ts [--src DIR …]     DIR: src/ of a checkout; several stand side by side
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type HostileInput, measure, sourcesOf } from './one-input.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** A policy's limit is 64 kB. */
const FULL = 63_000;

/** Read twice: what is measured is the reading, not the compiler at work on it. */
const policy = (text: string): HostileInput => ({
  before: `
    const { Policy } = await load('policy/policy.ts');
    for (let i = 0; i < 20; i++) Policy.fromMarkdown('# Shop\\n- No weapons. No money, e.g. coins.\\n| a | b |\\n|---|---|\\n| No x. | y |');
    const text = ${text};`,
  measured: 'Policy.fromMarkdown(text);',
});

const filled = (piece: string): HostileInput =>
  policy(`${JSON.stringify(piece)}.repeat(Math.floor(${FULL} / ${Buffer.byteLength(piece)}))`);

const answer = (profile: string, text: string): HostileInput => ({
  before: `
    const { profileNamed } = await load('guard/profiles/index.ts');
    const { Policy } = await load('policy/policy.ts');
    const policy = Policy.fromMarkdown('No weapons.');
    const profile = profileNamed(${JSON.stringify(profile)});
    profile.read('<think>x</think><answer>no</answer>', policy);
    const text = ${text};`,
  measured: 'profile.read(text, policy);',
});

const csv = (text: string): HostileInput => ({
  before: `
    const { readTable } = await load('curation/table.ts');
    const file = join(mkdtempSync(join(tmpdir(), 'safeguard-')), 'table.csv');
    writeFileSync(file, 'a,b\\n1,2\\n');
    await readTable(file);
    writeFileSync(file, ${text});`,
  measured: 'await readTable(file);',
});

const bomb: HostileInput = {
  before: `
    const { brotliCompressSync } = await import('node:zlib');
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const { readTable } = await load('curation/table.ts');
    const file = join(mkdtempSync(join(tmpdir(), 'safeguard-')), 'table.parquet');
    const columnData = [{ name: 'policy', data: ['a'.repeat(500_000_000)], type: 'STRING' }];
    const compressors = { BROTLI: (bytes) => brotliCompressSync(bytes, { params: { 1: 1 } }) };
    writeFileSync(file, new Uint8Array(parquetWriteBuffer({ columnData, codec: 'BROTLI', compressors, statistics: false })));`,
  measured: 'await readTable(file);',
};

const INPUTS: Readonly<Record<string, HostileInput>> = {
  'policy: 6 kB, a×4,000 and e.g. ×400': policy("'a'.repeat(4000) + ' ' + 'e.g. '.repeat(400)"),
  'policy: x, spaces, x.': policy(`'x' + ' '.repeat(${FULL}) + 'x.'`),
  'policy: a heading, spaces, b': policy(`'# a' + ' '.repeat(${FULL}) + 'b'`),
  'policy: a. ×15,000 and e.g. ×6,000': policy("'a.'.repeat(15000) + 'e.g. '.repeat(6000)"),
  'policy: a table rule and spaces': policy(`'|a|\\n|-|' + ' '.repeat(${FULL})`),
  'policy: bullets alone': filled('●\n'),
  'policy: two-space breaks': filled('a  \n'),
  'policy: table rows': filled('|a|\n'),
  'policy: numbered lines': filled('12. a\n'),
  'policy: brackets': filled('(「'),
  'policy: quotation marks': filled('> “'),
  'policy: comments that do not end': filled('<!--'),
  'answer: paper, 5,000 spaces behind <answer>': answer('paper', "'<answer>' + ' '.repeat(5000)"),
  'answer: card, 5,000 spaces behind <answer>': answer('card', "'<answer>' + ' '.repeat(5000)"),
  'answer: card, 5,000 spaces behind verdict': answer('card', "'verdict' + ' '.repeat(5000) + 'x'"),
  'answer: singguard, 5,000 spaces behind <answer>': answer(
    'singguard',
    "'safe\\nx<answer>' + ' '.repeat(5000)",
  ),
  'answer: llavaguard, a million quotes': answer('llavaguard', "'{\"rating\": ' + '\"'.repeat(1e6)"),
  'answer: card, a million spaces': answer('card', "'Final judgment:' + ' '.repeat(1e6) + 'x'"),
  'table: CSV, 60,000 line breaks in a field': csv("'a,b\\n\"' + '\\n'.repeat(60000) + '\",x\\n'"),
  'table: CSV, 60,000 empty lines': csv("'a,b\\n' + '\\n'.repeat(60000) + '1,2\\n'"),
  'table: CSV, a million quotes in a field that never ends': csv("'a,b\\n\"' + '\"\"'.repeat(400000)"),
  'table: parquet, a page of 0.5 GB in 1 kB': bomb,
};

const { values } = parseArgs({ options: { src: { type: 'string', multiple: true } } });
const sources = sourcesOf(values.src, resolve(HERE, '../../src')).map((source) => resolve(source));
console.log(`| input | ${sources.join(' | ')} |\n|---|${'---|'.repeat(sources.length)}`);
for (const [name, input] of Object.entries(INPUTS)) {
  console.log(`| ${name} | ${sources.map((source) => measure(source, input)).join(' | ')} |`);
}
