/** `npm run tiny:vocabulary`: writes the words that the grammar of policies speaks beside the embedded weights. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMBEDDED_MODEL } from '../src/checkpoint/embedded.js';
import { vocabularyFile } from '../src/iconworld/vocabulary.js';

const path = join(EMBEDDED_MODEL, 'vocabulary.json');
writeFileSync(path, vocabularyFile());
console.log(path);
