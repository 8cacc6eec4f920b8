/**
 * `npm run tiny:vocabulary`: writes the words that the grammar of policies speaks beside the embedded weights, and their
 * place into its guard.json.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { vocabularyFile } from '../src/iconworld/vocabulary.js';

const NAME = 'vocabulary.json';
const settings = { profile: 'iconworld', vocabulary: NAME };
writeFileSync(join(EMBEDDED_MODEL, NAME), vocabularyFile());
writeFileSync(join(EMBEDDED_MODEL, 'guard.json'), `${JSON.stringify(settings, null, 2)}\n`);
console.log(join(EMBEDDED_MODEL, NAME));
