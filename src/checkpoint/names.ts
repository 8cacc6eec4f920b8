/**
 * Where a weight's name begins and what stands there in the hub's flat layout; the first match counts.
 * transformers ≥ 4.52 nests (`model.language_model.*`, `model.visual.*`); its base model saved alone has no `model.` in
 * front; vLLM and other trainers write `language_model.model.*`.
 */
const PREFIXES: readonly (readonly [found: string, flat: string])[] = [
  ['model.visual.', 'visual.'],
  ['model.language_model.', 'model.'],
  ['model.lm_head.', 'lm_head.'],
  ['language_model.model.', 'model.'],
  ['language_model.lm_head.', 'lm_head.'],
  ['language_model.', 'model.'],
];

/** The hub's flat name of a weight: `visual.*`, `model.layers.*`, `model.embed_tokens.weight`, `lm_head.weight`. */
export function flatName(name: string): string {
  for (const [found, flat] of PREFIXES) {
    if (name.startsWith(found)) return flat + name.slice(found.length);
  }
  return name;
}
