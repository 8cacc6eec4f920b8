import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Policy } from './policy.js';

const folder = fileURLToPath(new URL('../../policies/', import.meta.url));

/** The example policies: file, title, number of statements, the first and the last one. */
const EXAMPLES: readonly (readonly [string, string, number, string, string])[] = [
  [
    'beach-festival.md',
    'beach-festival',
    7,
    'Our guests are adults on holiday.',
    'Any other sensitive subject is not allowed.',
  ],
  [
    'hospital-screens.md',
    'Hospital waiting room screens',
    9,
    'Patients look at these screens for hours.',
    'Any other sensitive subject is allowed.',
  ],
  [
    'museum-shop.md',
    'Museum shop',
    7,
    'We sell posters and books about the past.',
    'Any other sensitive subject is allowed.',
  ],
  [
    'school-newsletter.md',
    'School newsletter',
    9,
    'Our pictures are seen by visitors of all ages.',
    'Any other sensitive subject is not allowed.',
  ],
];

describe('the example policies', () => {
  it.each(EXAMPLES)('%s reads as meant', async (file, title, count, first, last) => {
    const policy = await Policy.load(`${folder}${file}`);
    expect(policy.title).toBe(title);
    expect(policy.statements).toHaveLength(count);
    expect([policy.statements[0], policy.statements.at(-1)]).toEqual([first, last]);
  });

  it('are all tested', () => {
    expect(readdirSync(folder).sort()).toEqual(EXAMPLES.map(([file]) => file));
  });
});
