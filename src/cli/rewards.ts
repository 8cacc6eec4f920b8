/** @module `safeguard rewards serve`: a run's rewards over HTTP, for engines that train on a cluster. */
import { type Command, InvalidArgumentError } from 'commander';
import { UserError } from '../util/errors.js';

interface ServeOptions {
  readonly config: string;
  readonly host?: string;
  readonly port?: number;
  readonly allowHost?: readonly string[];
  readonly tokenEnv?: string;
}

/** What asks the service to stop; given twice, it ends at once. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const MAX_PORT = 65_535;

function portNumber(text: string): number {
  if (/^\d{1,5}$/u.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw new InvalidArgumentError(
    `It must be a whole number from 0 to ${MAX_PORT}; 0 takes any that is free.`,
  );
}

export function registerRewards(program: Command): void {
  program
    .command('rewards')
    .description('rewards of GRPO as a service')
    .command('serve')
    .description("answers engines that train on a cluster with a configuration's rewards, until Ctrl-C")
    .requiredOption('--config <file>', 'the GRPO run as YAML')
    .option('--host <address>', 'where to listen; anybody who reaches it may ask (default: 127.0.0.1)')
    .option('--allow-host <name...>', 'further names by which it may be asked')
    .option('--token-env <name>', 'the environment variable with a token that clients must send')
    .option('--port <number>', 'at which port (default: 8710)', portNumber)
    .action(async ({ config: path, host, port, allowHost, tokenEnv }: ServeOptions) => {
      const [{ loadGrpoConfig }, { profileOf, rewardsOf }, { serveRewards }, { isLoopback }] =
        await Promise.all([
          import('../training/grpo/config.js'),
          import('../training/grpo/rewards.js'),
          import('../training/rewards/service.js'),
          import('../training/rewards/doorkeeper.js'),
        ]);
      const config = loadGrpoConfig(path);
      const token = tokenEnv === undefined ? undefined : tokenIn(tokenEnv);
      const service = await serveRewards({
        table: rewardsOf(config, await profileOf(config)),
        maxCompletionLength: config.max_completion_length,
        host,
        port,
        allowedHosts: allowHost,
        token,
        onFault: (message) => process.stderr.write(`error: ${message}\n`),
      });
      if (host !== undefined && !isLoopback(host) && token === undefined) {
        process.stderr.write(
          `warning: whoever reaches ${host} may ask this service; keep it within a network of your own, or give --token-env\n`,
        );
      }
      process.stdout.write(`${service.url}\n`);
      await stopSignal();
      await service.close();
    });
}

/** The token in a variable. What was given as its name is not shown: it may be the token itself. */
function tokenIn(variable: string): string {
  const token = process.env[variable];
  if (token !== undefined && /^[\x21-\x7e]+$/u.test(token)) return token;
  throw new UserError(
    'the environment variable of --token-env holds no token; set it to letters without spaces, and give its name, never the token',
    { code: 'invalid_option' },
  );
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      // Without these listeners the next signal ends the process.
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
      resolve();
    };
    for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  });
}
