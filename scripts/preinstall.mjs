// Lets `npm install safeguard-vl` work where nothing but the package registry is reached.
//
// onnxruntime-node's own script downloads CUDA libraries, which this package never loads, and fails the whole install
// where their host is not reached. It downloads nothing where the files are there already. npm runs every package's
// preinstall before any postinstall: so, only where that download would fail, notes of a line stand in for the files.
// Decision record: docs/decisions/0023-an-install-that-needs-the-registry-alone.md.
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The environment by which people tell onnxruntime-node what they want: then it is theirs to decide. */
const THEIR_OWN = [
  'ONNXRUNTIME_NODE_INSTALL',
  'ONNXRUNTIME_NODE_INSTALL_CUDA',
  'npm_config_onnxruntime_node_install',
  'npm_config_onnxruntime_node_install_cuda',
  // Its downloads go through this proxy, and ours would not.
  'GLOBAL_AGENT_HTTPS_PROXY',
  'GLOBAL_AGENT_HTTP_PROXY',
];
/** A host that is reached answers its index in far less. */
const PATIENCE_MS = 5000;
const NOTE =
  'No CUDA libraries: their host was not reached. safeguard-vl put this note here; it computes on the CPU.\n';

try {
  if (!THEIR_OWN.some((name) => process.env[name])) await standIn();
} catch {
  // Whatever is otherwise than expected, the package's own script has the word.
}

async function standIn() {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('onnxruntime-node/package.json'));
  const { requirements, manifests, packages, feeds } = require(join(folder, 'script', 'install-metadata.js'));
  const platform = `${process.platform}/${process.arch}`;
  const wanted = (requirements[platform] ?? []).flatMap((name) =>
    Object.entries(manifests[`${platform}:${name}`]),
  );
  const missing = wanted
    .map(([file, { package: name }]) => ({ path: join(folder, 'bin', 'napi-v6', platform, file), name }))
    .filter(({ path }) => !existsSync(path));
  if (missing.length === 0) return;
  const hosts = missing.flatMap(({ name }) => packages[name].versions.map(({ feed }) => feeds[feed].index));
  if (await answers(hosts[0])) return;
  for (const { path } of missing) writeFileSync(path, NOTE, { flag: 'wx' });
}

/** @param {string} url @returns {Promise<boolean>} */
async function answers(url) {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(PATIENCE_MS) });
    return response.ok;
  } catch {
    return false;
  }
}
