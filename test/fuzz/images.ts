/**
 * Damages pictures and decodes them, as many and as long as wanted:
 * `npx tsx test/fuzz/images.ts --count 100000 --seed 1 --keep FOLDER`. Ends with 1 if anything was found; the pictures
 * that showed it are kept in FOLDER.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { imageCampaign } from './image-campaign.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
  },
});
const count = Number(values.count);
const begun = performance.now();
const { accepted, refused, findings, peakRss } = await imageCampaign({
  count,
  seed: Number(values.seed),
  onProgress: (done) => process.stderr.write(`\r${done} of ${count}`),
});
process.stderr.write('\n');
for (const { index, seed, mutations, problem, bytes } of findings) {
  console.log(`${index} ${seed} ${mutations.join('+')}: ${problem}`);
  if (values.keep === undefined) continue;
  mkdirSync(values.keep, { recursive: true });
  writeFileSync(join(values.keep, `${index}-${seed}`), bytes);
}
const seconds = (performance.now() - begun) / 1000;
console.log(
  `${accepted} read, ${refused} refused, ${findings.length} findings, ${seconds.toFixed(0)} s, ` +
    `largest decoder ${Math.round(peakRss / 2 ** 20)} MiB`,
);
process.exitCode = findings.length === 0 ? 0 : 1;
