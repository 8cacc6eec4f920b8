/** Reads every input of a folder of cases and compares with what is right: `npm run cases -- DIR`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../src/util/errors.js';
import { checkAnswers } from './cases/answers.js';
import { checkImages } from './cases/images.js';
import { runScript } from './script-util.js';

await runScript(async () => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [folder, ...others] = positionals;
  if (folder === undefined || others.length > 0) {
    throw new UserError('give one folder of cases: npm run cases -- DIR');
  }
  const [answers, images] = [join(folder, 'answers.json'), join(folder, 'images')];
  if (!existsSync(answers) && !existsSync(images)) {
    throw new UserError(`${folder} has neither answers.json nor images/; give a folder of cases`);
  }
  const checked = existsSync(answers) ? await checkAnswers(answers) : [];
  const all = [...checked, ...(existsSync(images) ? await checkImages(images) : [])];
  for (const { name, isOk, detail } of all) console.log(`${isOk ? 'ok' : 'not ok'} ${name}${detail}`);
  const wrong = all.filter(({ isOk }) => !isOk).length;
  const right = checked.filter(({ isRight }) => isRight).length;
  const share = checked.length === 0 ? '' : `; answers read right: ${right} of ${checked.length}`;
  console.log(`${all.length - wrong} of ${all.length} ok${share}`);
  if (wrong > 0) process.exitCode = 1;
});
