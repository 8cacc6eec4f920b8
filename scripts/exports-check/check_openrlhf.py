"""Has OpenRLHF's own parser read an OpenRLHF export, without a GPU: python check_openrlhf.py EXPORT.

The export's launch.sh starts this instead of openrlhf.cli.train_ppo_ray. That module reads the arguments and checks them; what
it would train with (ray, its own trainers and models) is a stand-in, and the first thing asked of that ends the check.
"""
import runpy, sys
from unittest.mock import MagicMock

from launched import is_inside, launch

if not is_inside():
    launch(__file__)


class Read(Exception):
    pass


def read(args):
    raise Read(args)


for name in ("ray", "ray.util", "ray.util.placement_group", "openrlhf.trainer", "openrlhf.trainer.ray"):
    sys.modules[name] = MagicMock()
for name in ("launcher", "ppo_actor", "ppo_critic"):
    sys.modules[f"openrlhf.trainer.ray.{name}"] = MagicMock()
import importlib.util, types

# Its package imports DeepSpeed; the module that gives arguments their places does not.
package = types.ModuleType("openrlhf.utils")
package.__path__ = [f"{path}/utils" for path in importlib.util.find_spec("openrlhf").submodule_search_locations]
package.get_strategy = read
sys.modules["openrlhf.utils"] = package

try:
    runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__", alter_sys=True)
except Read as stopped:
    (args,) = stopped.args
    print(
        f"OpenRLHF reads this export: {args.rollout.n_samples_per_prompt} completions a prompt,"
        f" {args.algo.advantage.estimator}, clipped at {args.actor.eps_clip_low_high}"
    )
