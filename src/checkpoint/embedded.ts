import { fileURLToPath } from 'node:url';

/** The name of the model that comes with the package, wherever a model is named. */
export const EMBEDDED_NAME = 'safeguard-vl-tiny';

/** Its checkpoint folder: it understands IconWorld scenes only. */
export const EMBEDDED_MODEL = fileURLToPath(new URL(`../../models/${EMBEDDED_NAME}`, import.meta.url));
