/** Holds a real server to the checks of all engines: `tsx scripts/engines-conformance.ts --base-url URL --model NAME`. */
import { parseArgs } from 'node:util';
import { CONFORMANCE } from '../src/engines/conformance.test-util.js';
import { OpenAIEngine } from '../src/engines/openai.js';
import { messageOf, UserError } from '../src/util/errors.js';
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
  await engine.close();
  console.log(`${failed} of ${CONFORMANCE.length} failed`);
  if (failed > 0) process.exitCode = 1;
});
