// Installs the packed package as a newcomer would, with each client that behaves differently, runs what the README says,
// and prints a table: client × version × what came of it. `npm run install:check -- [FILTER…]`; slow, and not part of
// the tests: it asks the registry for every client and for four versions of Node.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CLIENTS, CLONES } from './install-check/clients.mjs';
import { programsOf } from './install-check/programs.mjs';

const run = promisify(execFile);
/** An installation on a busy machine takes minutes; one that hangs takes longer than this. */
const PATIENCE_MS = 15 * 60_000;
const ROOT = resolve(import.meta.dirname, '..');

const filters = process.argv.slice(2);
const isWanted = (/** @type {{ name: string }} */ { name }) =>
  filters.length === 0 || filters.some((filter) => name.includes(filter));

const work = mkdtempSync(join(tmpdir(), 'install-check-'));
const tarball = await packed();
const rows = [];
try {
  for (const client of CLIENTS.filter(isWanted)) rows.push(await checkClient(client));
  for (const clone of CLONES.filter(isWanted)) rows.push(await checkClone(clone));
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log('\n| client | Node | set-up | install | command line | programs |\n|---|---|---|---|---|---|');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);
process.exitCode = rows.every((row) => row.slice(3).every((cell) => cell.startsWith('ok'))) ? 0 : 1;

/** The package as the registry would serve it. */
async function packed() {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', work], {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
  });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  return join(work, filename);
}

/** @param {import('./install-check/clients.mjs').Clone} clone */
async function checkClone({ name, node, tools }) {
  const folder = join(work, 'clone');
  rmSync(folder, { recursive: true, force: true });
  await run('git', ['clone', '--quiet', ROOT, folder]);
  const [first] = firstFence(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  const [setUp, ...main] = first.split(' && ');
  const install = await attempt(node, tools, setUp, folder);
  const judged = install.startsWith('ok') ? await attempt(node, tools, main.join(' && '), folder) : '–';
  return note([`clone, ${name}`, node, 'none', install, judged, 'ok: its own tests']);
}

/** @param {import('./install-check/clients.mjs').Client} client */
async function checkClient({ name, node, tools, files, install, exec, setUp }) {
  const folder = join(work, 'project');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const manifest = { name: 'newcomer', version: '1.0.0', type: 'module', private: true };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const installed = await attempt(node, tools, install(tarball), folder);
  if (!installed.startsWith('ok')) return note([name, node, setUp, installed, '–', '–']);
  cpSync(join(ROOT, 'examples', 'museum-knife.png'), join(folder, 'upload.png'));
  writeFileSync(join(folder, 'mine.md'), 'No weapons.\nEverything else is allowed.\n');
  const judge = await attempt(
    node,
    tools,
    `${exec('safeguard')} judge upload.png --policy mine.md --exit-zero`,
    folder,
    /^UNSAFE/mu,
  );
  const programs = programsOf(ROOT);
  const outcomes = [];
  for (const [file, text] of Object.entries(programs)) {
    writeFileSync(join(folder, file), text);
    const outcome = await attempt(node, tools, `${exec('node')} ${file}`, folder);
    outcomes.push(outcome.startsWith('ok') ? outcome : `${file}: ${outcome}`);
  }
  const wrong = outcomes.filter((outcome) => !outcome.startsWith('ok'));
  const ran = wrong.length === 0 ? `ok: ${outcomes.length} of ${outcomes.length}` : wrong.join('; ');
  return note([name, node, setUp, installed, judge, ran]);
}

/**
 * Runs a shell line with that Node and those clients first in the path; "ok" and its seconds, or what went wrong.
 * @param {string} node @param {readonly string[]} tools @param {string} line @param {string} cwd @param {RegExp} [shows]
 */
async function attempt(node, tools, line, cwd, shows) {
  const packages = [`node@${node}`, ...tools].flatMap((name) => ['-p', name]);
  const begun = performance.now();
  try {
    const env = Object.fromEntries(
      // A newcomer's environment: what this machine's npm was told is not theirs.
      Object.entries(process.env).filter(([key]) => !/^(?:npm_|ONNXRUNTIME_|NODE_OPTIONS$)/iu.test(key)),
    );
    const { stdout } = await run('npx', ['--yes', ...packages, '-c', line], {
      cwd,
      env: { ...env, CI: 'true', NO_COLOR: '1' },
      timeout: PATIENCE_MS,
      maxBuffer: 2 ** 26,
    });
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    return shows === undefined || shows.test(stdout) ? `ok, ${seconds} s` : `not shown: ${shortened(stdout)}`;
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    const reason =
      /^.*(?:Error:|Error \[|ERR_|error code).*$/mu.exec(`${stderr}\n${stdout}`)?.[0] ?? String(error);
    return `fails: ${shortened(reason)}`;
  }
}

/** @param {string} text */
function shortened(text) {
  return text.trim().replaceAll('|', '/').split('\n')[0].slice(0, 120);
}

/** @param {string[]} row */
function note(row) {
  console.error(row.join('  '));
  return row;
}

/** @param {string} markdown */
function firstFence(markdown) {
  return markdown
    .split(/^```.*$/mu)[1]
    .trim()
    .split('\n');
}
