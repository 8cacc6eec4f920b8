// The programs that the documentation shows and the examples that come with the package.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Pages whose whole programs are run: those fences that import the package. */
const PAGES = ['README.md', 'docs/guide.md', 'docs/engines.md'];
const FENCE = /^```(?:js|ts)\n([^]*?)^```$/gmu;

/** @param {string} root @returns {Record<string, string>} file names and texts */
export function programsOf(root) {
  const shown = PAGES.flatMap((page) => {
    const fences = [...readFileSync(join(root, page), 'utf8').matchAll(FENCE)].map(([, text]) => text);
    return fences
      .filter((text) => text.includes("from 'safeguard-vl'") && !text.includes('localhost'))
      .map((text, i) => /** @type {const} */ ([`${page.replaceAll('/', '-')}-${i + 1}.mjs`, text]));
  });
  const examples = readdirSync(join(root, 'examples'))
    .filter((name) => name.endsWith('.mjs'))
    .map(
      (name) =>
        /** @type {const} */ ([`example-${name}`, readFileSync(join(root, 'examples', name), 'utf8')]),
    );
  return Object.fromEntries([...shown, ...examples]);
}
