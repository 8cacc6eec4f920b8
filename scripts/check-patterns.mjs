// Finds patterns that take more than linear time on some text: a stranger's text would stop the process for everyone.
// Every literal of src/ and every `new RegExp` of a literal text is analysed (scslre, which eslint-plugin-regexp uses); it does
// not find everything, such as alternatives that match the same: readers of strangers' text are also tested by their time.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { analyse } from 'scslre';
import ts from 'typescript';
import { BOUNDED } from './check-patterns/bounded.mjs';

/** @param {string} folder @returns {string[]} */
const sources = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sources(path);
    return path.endsWith('.ts') && !/\.test(?:-util)?\.ts$/u.test(path) ? [path] : [];
  });

/** @typedef {{ file: string, line: number, source: string, flags: string }} Pattern */

/** @param {string} file @returns {Pattern[]} */
function patternsOf(file) {
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  /** @type {Pattern[]} */
  const found = [];
  /** @param {ts.Node} node @param {string} source @param {string} flags */
  const add = (node, source, flags) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
    found.push({ file, line: line + 1, source, flags });
  };
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      add(node, node.text.slice(1, end), node.text.slice(end + 1));
    } else if (ts.isNewExpression(node) && node.expression.getText() === 'RegExp') {
      const [source, flags] = node.arguments ?? [];
      if (source && ts.isStringLiteralLike(source)) {
        add(node, source.text, flags && ts.isStringLiteralLike(flags) ? flags.text : '');
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** @param {Pattern} pattern @returns {string | null} what is wrong with it */
function faultOf({ source, flags }) {
  // scslre reads the patterns of ECMAScript 2022: `v` is read as `u`, which is stricter nowhere here.
  const { reports } = analyse({ source, flags: flags.replace('v', 'u') });
  const [report] = reports.toSorted((a, b) => Number(b.exponential) - Number(a.exponential));
  if (report === undefined) return null;
  return `${report.exponential ? 'exponential' : 'polynomial'} (${report.type})`;
}

const patterns = sources('src').flatMap(patternsOf);
const used = new Set();
let wrong = 0;
for (const pattern of patterns) {
  const fault = faultOf(pattern);
  if (fault === null) continue;
  const excuse = BOUNDED.find(({ file, source }) => file === pattern.file && source === pattern.source);
  if (excuse !== undefined) {
    used.add(excuse);
    continue;
  }
  wrong += 1;
  console.error(`${pattern.file}:${pattern.line}: ${fault}: /${pattern.source}/${pattern.flags}`);
}
for (const { file, source } of BOUNDED.filter((excuse) => !used.has(excuse))) {
  wrong += 1;
  console.error(`scripts/check-patterns/bounded.mjs: ${file} has no such pattern any more: /${source}/`);
}
if (patterns.length === 0) throw new Error('the check of patterns read none');
if (wrong > 0) process.exit(1);
console.log(
  `patterns: ${patterns.length} read, ${used.size} bounded by their input, nothing found in the others`,
);
