// Enforces the import order of the rooms in src/ and proves that the modules were really read.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import rules from '../.dependency-cruiser.mjs';

/** @param {string} folder @returns {string[]} */
const sources = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sources(path);
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : [];
  });

const files = sources('src');
const result = await cruise(
  ['src'],
  { ...rules.options, validate: true, ruleSet: { forbidden: rules.forbidden } },
  {},
  { tsConfig: extractTSConfig('tsconfig.json') },
);
const { output } = result;
const read = new Set(output.modules.map((module) => module.source));
const unread = files.filter((file) => !read.has(file));
const edges = output.modules
  .filter((module) => module.source.startsWith('src/'))
  .reduce((sum, module) => sum + module.dependencies.filter((d) => d.resolved.startsWith('src/')).length, 0);
for (const violation of output.summary.violations) {
  console.error(`${violation.rule.name}: ${violation.from} -> ${violation.to}`);
}
if (files.length === 0 || unread.length > 0 || edges === 0) {
  console.error(
    `import check read ${read.size} modules and ${edges} edges; not read: ${unread.join(', ') || 'none'}`,
  );
  process.exit(1);
}
if (output.summary.violations.length > 0) process.exit(1);
console.log(`imports: ${files.length} modules, ${edges} edges, order kept`);
