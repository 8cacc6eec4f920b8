/**
 * Holds a real server to the checks of all engines: `tsx scripts/engines-conformance.ts --base-url URL --model NAME`.
 * With `--same-as FOLDER --limit N` it also compares its verdicts with those of an IconWorld model's folder in this process.
 */
import { parseArgs } from 'node:util';
import { CONFORMANCE } from '../src/engines/conformance.test-util.js';
import type { Engine } from '../src/engines/engine.js';
import { LocalEngine } from '../src/engines/local.js';
import { OpenAIEngine } from '../src/engines/openai.js';
import { drawPart, partSizes } from '../src/evaluation/tiny-items.js';
import { Guard, verdictsOf } from '../src/guard/guard.js';
import { profileNamed } from '../src/guard/profiles/index.js';
import type { Regime } from '../src/guard/regimes.js';
import { loadIcons } from '../src/iconworld/raster.js';
import { Policy } from '../src/policy/policy.js';
import { assert, messageOf, UserError } from '../src/util/errors.js';
import { chooseFrom, runScript, wholeNumber } from './script-util.js';

await runScript(async () => {
  const { values } = parseArgs({
    options: {
      'base-url': { type: 'string', default: 'http://localhost:8000/v1' },
      model: { type: 'string', short: 'm' },
      'api-key-variable': { type: 'string' },
      structured: { type: 'string', default: 'none' },
      prefix: { type: 'string', default: 'none' },
      timeout: { type: 'string', default: '120' },
      'same-as': { type: 'string' },
      limit: { type: 'string', short: 'n', default: '100' },
      // Servers shrink pictures in their own ways: shrunk before they are sent, both see the same.
      'max-pixels': { type: 'string' },
    },
  });
  if (values.model === undefined) throw new UserError('name the model with --model');
  const structured = ['none', 'vllm', 'vllm-guided', 'sglang', 'llama-server'] as const;
  const engine = new OpenAIEngine({
    baseURL: values['base-url'],
    model: values.model,
    ...(values['api-key-variable'] === undefined ? {} : { apiKeyVariable: values['api-key-variable'] }),
    structured: chooseFrom('--structured', values.structured, structured),
    prefix: chooseFrom('--prefix', values.prefix, ['none', 'vllm', 'trailing'] as const),
    timeout: wholeNumber('--timeout', values.timeout, 1) * 1000,
  });
  let failed = 0;
  for (const { name, applies, run } of CONFORMANCE) {
    const begun = performance.now();
    const skipped = applies?.(engine.capabilities) === false;
    const problem = skipped
      ? 'not claimed'
      : await run(engine).then(
          () => '',
          (error: unknown) => messageOf(error).split('\n')[0],
        );
    if (!skipped && problem !== '') failed++;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(6);
    const state = skipped ? 'skip' : problem === '' ? 'pass' : 'FAIL';
    console.log(`${state}  ${seconds} s  ${name}${problem === '' ? '' : `: ${problem}`}`);
  }
  console.log(`${failed} of ${CONFORMANCE.length} failed`);
  if (failed > 0) process.exitCode = 1;
  if (values['same-as'] !== undefined) {
    const local = await LocalEngine.load(values['same-as']);
    const asked = {
      limit: wholeNumber('--limit', values.limit, 1),
      ...(values['max-pixels'] && { maxPixels: wholeNumber('--max-pixels', values['max-pixels'], 1) }),
    };
    // `fast` asks for a begun answer.
    for (const regime of engine.capabilities.prefix ? (['reason', 'fast'] as const) : (['reason'] as const)) {
      console.log(await agreement([local, engine], regime, asked));
    }
    await local.close();
  }
  await engine.close();
});

/** Verdicts of both on free judgements of the evaluation, as one line. */
async function agreement(
  engines: readonly [local: Engine, remote: Engine],
  regime: Regime,
  { limit, ...pictures }: { readonly limit: number; readonly maxPixels?: number },
): Promise<string> {
  await loadIcons();
  const items = drawPart('free', 0, { ...partSizes(Math.max(2 * limit, 20)), free: limit });
  const judgements = items.map(({ image, policy }) => {
    assert(image, 'an item without its picture');
    return { image, policy: Policy.fromMarkdown(policy.text) };
  });
  const profile = profileNamed('iconworld');
  const [ours, theirs] = await Promise.all(
    engines.map((engine) =>
      verdictsOf(new Guard(engine, profile, pictures).judgeAll(judgements, { regime })),
    ),
  );
  const pairs = ours.map((verdict, i) => [verdict, theirs[i]] as const);
  const labels = pairs.filter(([a, b]) => a.label === b.label).length;
  const answers = pairs.filter(([a, b]) => a.raw === b.raw).length;
  const both = pairs.flatMap(([a, b]) =>
    a.raw !== b.raw || a.probability === null || b.probability === null
      ? []
      : [Math.abs(a.probability - b.probability)],
  );
  const apart =
    both.length === 0
      ? 'no P(unsafe) to compare'
      : `P(unsafe) at most ${Math.max(...both).toExponential(1)} apart`;
  return `${regime}: of ${limit} verdicts ${labels} have the same label, ${answers} the same answer letter for letter; of those ${apart}`;
}
