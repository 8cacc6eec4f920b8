/** @module What can go wrong in a GRPO run without an error, looked for at every step; a found one stops the run. */
import { UserError } from '../../util/errors.js';

/** A step as far as the checks ask. */
export interface CheckedStep {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** The largest |log p of the update − log p of the sampler| where both have the same weights; else null. */
  readonly mismatch: number | null;
  /** How much blanking the pictures moved any log-probability; null where it was not tried. */
  readonly imageEffect: number | null;
  /** Steps in a row, this one included, in which no group's rewards differed. */
  readonly silentSteps: number;
  readonly maxSilentSteps: number;
  /** Steps in a row, this one included, in which every completion was cut off. */
  readonly truncatedSteps: number;
  readonly maxTruncatedSteps: number;
  readonly maxCompletionLength: number;
}

interface SelfCheck {
  readonly name: string;
  /** Why the run must stop; null where all is well. */
  readonly problem: (step: CheckedStep) => string | null;
}

/** f32 sums in another order differ by some 1e-5; another model, prompt or mask by far more. */
const MISMATCH_LIMIT = 1e-2;

const SELF_CHECKS: readonly SelfCheck[] = [
  {
    name: 'finite',
    problem: ({ loss, gradNorm }) =>
      Number.isFinite(loss) && Number.isFinite(gradNorm)
        ? null
        : `the loss is ${loss} and the gradient norm ${gradNorm}: lower optimizer.lr, and give the last checkpoint as model and a new output folder to go on from it`,
  },
  {
    name: 'sampler-equals-trainer',
    problem: ({ mismatch }) =>
      mismatch === null || mismatch <= MISMATCH_LIMIT
        ? null
        : `sampled and re-scored log-probabilities of the same weights differ by ${mismatch.toFixed(3)} (limit ${MISMATCH_LIMIT}): sampler and trainer do not compute the same model; please report it with the configuration`,
  },
  {
    name: 'image-matters',
    problem: ({ imageEffect }) =>
      imageEffect === null || imageEffect > 0
        ? null
        : 'blanking the pictures changes no log-probability: the model does not see them; check that the prompts carry their images and that the checkpoint has a vision tower',
  },
  {
    name: 'reward-spread',
    problem: ({ silentSteps, maxSilentSteps }) =>
      silentSteps < maxSilentSteps
        ? null
        : `for ${silentSteps} steps all completions of every prompt earned the same, so nothing was learned: raise temperature or num_generations, choose harder or easier prompts, or add a reward that tells them apart`,
  },
  {
    name: 'completions-end',
    problem: ({ truncatedSteps, maxTruncatedSteps, maxCompletionLength }) =>
      truncatedSteps < maxTruncatedSteps
        ? null
        : `for ${truncatedSteps} steps every completion was cut off at ${maxCompletionLength} tokens: raise max_completion_length`,
  },
];

/** @throws UserError with the first problem found. */
export function checkStep(step: CheckedStep): void {
  for (const { name, problem } of SELF_CHECKS) {
    const found = problem(step);
    if (found !== null) throw new UserError(`Stopped at step ${step.step} (${name}): ${found}.`);
  }
}
