/** @module YAML that Python's readers take the same way. */
import { stringify } from 'yaml';

/** PyYAML takes `1e-8` for a word: a number with an exponent needs a point. */
export const yamlOf = (value: unknown): string =>
  stringify(value).replace(/(?<=^[^'"#\n]*[ ])(-?\d+)(e[-+]?\d+)$/gmu, '$1.0$2');
