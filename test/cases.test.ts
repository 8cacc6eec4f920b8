import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkAnswers } from '../scripts/cases/answers.js';

/** Found in the issue lists of neighbouring projects and by people who tried them. */
const ANSWERS = 'test/cases/answers.json';

describe('answers that were read wrongly once', async () => {
  const checked = await checkAnswers(ANSWERS);

  it.each(checked)('$name is read as that or not at all', ({ isOk, detail }) => {
    expect({ isOk, detail }).toMatchObject({ isOk: true });
  });

  it('half of them are read right without asking', () => {
    const all = JSON.parse(readFileSync(ANSWERS, 'utf8')) as readonly unknown[];
    expect(checked).toHaveLength(all.length);
    expect(checked.filter(({ isRight }) => isRight).length).toBeGreaterThanOrEqual(all.length / 2);
  });
});
