/** @module Which hardware a session may use. */
import { availableParallelism } from 'node:os';
import { listSupportedBackends } from './onnxruntime.js';
import { UserError } from '../util/errors.js';

/** Execution providers of ONNX Runtime that this library knows how to use. */
const EXECUTION_PROVIDERS = ['cpu', 'webgpu', 'cuda'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

/** The providers that the installed ONNX Runtime ships: `cpu` everywhere. */
export function availableProviders(): ExecutionProvider[] {
  const shipped = listSupportedBackends().filter(({ bundled }) => bundled);
  return EXECUTION_PROVIDERS.filter(
    (name) => name === 'cpu' || shipped.some((backend) => backend.name === name),
  );
}

/** The provider of that name; a UserError with the list where it is unknown or not installed. */
export function chooseProvider(name = 'cpu'): ExecutionProvider {
  const available = availableProviders();
  const found = available.find((provider) => provider === name);
  if (found === undefined) {
    throw new UserError(`The device '${name}' is not available; choose one of: ${available.join(', ')}.`);
  }
  return found;
}

/** The number of threads for one run: what the operating system lets this process use. */
export function defaultThreads(): number {
  return availableParallelism();
}
