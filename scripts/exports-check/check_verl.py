"""Has verl's own parser read a verl export, without a GPU: python check_verl.py EXPORT.

The export's launch.sh starts this instead of verl.trainer.main_ppo: hydra composes verl's configuration with the export's
and with the command line's (a name that verl lacks is an error there), verl validates it, and makes its own records of it.
"""
from launched import is_inside, launch

if not is_inside():
    launch(__file__)

import verl.trainer.main_ppo as main_ppo
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import omega_conf_to_dataclass, validate_config


def read(config, *_, **__):
    validate_config(
        config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config)
    )
    trained = config.actor_rollout_ref
    for name in ("actor", "rollout", "model"):
        print(f"{name}: {type(omega_conf_to_dataclass(trained[name])).__name__}")
    print(f"verl reads this export: {config.trainer.total_training_steps} steps, {trained.rollout.n} completions a prompt")


main_ppo.run_ppo = read
main_ppo.main()
