// The clients that a newcomer may have, each with what the README tells them to write first.

/** @typedef {{ name: string, node: string, tools: readonly string[] }} Clone */
/**
 * @typedef {object} Client
 * @property {string} name
 * @property {string} node the version of Node, as the registry's package `node` has it
 * @property {readonly string[]} tools packages whose commands come first in the path
 * @property {string} setUp what the README says to write, in a word; "none" where nothing is needed
 * @property {Readonly<Record<string, string>>} files the files that hold it
 * @property {(tarball: string) => string} install
 * @property {(command: string) => string} exec how a command of the installed package is run
 */

const BUILDS_OFF = 'allowBuilds:\n  onnxruntime-node: false\n  safeguard-vl: false\n';

/** npm's versions that differ here: 10 runs every script, 11 too up to 11.15, from 11.16 on it asks, 12 runs none. */
const NPM = [
  { version: '10.8.2', node: '20.19.0' },
  { version: '10.9.4', node: '22' },
  { version: '11.0.0', node: '22' },
  { version: '11.6.4', node: '24' },
  { version: '11.15.0', node: '24' },
  { version: '11.16.0', node: '24' },
  { version: '11.21.2', node: '24' },
  { version: '12.0.0', node: '22' },
  { version: '12.2.2', node: '26' },
];

/** @type {readonly Clone[]} */
export const CLONES = NPM.filter(({ version }) => version !== '12.0.0').map(({ version, node }) => ({
  name: `npm ${version}`,
  node,
  tools: [`npm@${version}`],
}));

/** @type {readonly Client[]} */
export const CLIENTS = [
  ...NPM.map(({ version, node }) => ({
    name: `npm ${version}`,
    node,
    tools: [`npm@${version}`],
    setUp: 'none',
    files: {},
    install: (/** @type {string} */ tarball) => `npm install ${tarball}`,
    exec: inBin,
  })),
  {
    name: 'pnpm 9.15.9',
    node: '20',
    tools: ['pnpm@9.15.9'],
    setUp: '`.npmrc`',
    files: { '.npmrc': 'onnxruntime-node-install=skip\n' },
    install: (tarball) => `pnpm add ${tarball}`,
    exec: inBin,
  },
  {
    name: 'pnpm 10.34.9',
    node: '20',
    tools: ['pnpm@10.34.9'],
    setUp: 'none',
    files: {},
    install: (tarball) => `pnpm add ${tarball}`,
    exec: inBin,
  },
  ...['11.28.11', '12.21.0'].map((version) => ({
    name: `pnpm ${version}`,
    node: '24',
    tools: [`pnpm@${version}`],
    setUp: '`pnpm-workspace.yaml`',
    files: { 'pnpm-workspace.yaml': BUILDS_OFF },
    install: (/** @type {string} */ tarball) => `pnpm add ${tarball}`,
    exec: inBin,
  })),
  {
    name: 'yarn 1.22.22',
    node: '22',
    tools: ['yarn@1.22.22'],
    setUp: 'none',
    files: {},
    install: (tarball) => `yarn --non-interactive add file:${tarball}`,
    exec: inBin,
  },
  ...['node-modules', 'pnp'].map((linker) => ({
    name: `yarn 4.18.1, ${linker}`,
    node: '22',
    tools: ['@yarnpkg/cli-dist@4.18.1'],
    setUp: 'none',
    files: { '.yarnrc.yml': `nodeLinker: ${linker}\n`, 'yarn.lock': '' },
    install: (/** @type {string} */ tarball) => `yarn add safeguard-vl@file:${tarball}`,
    exec: (/** @type {string} */ command) => `yarn ${command}`,
  })),
];

/** @param {string} command */
function inBin(command) {
  return command === 'node' ? command : `./node_modules/.bin/${command}`;
}
