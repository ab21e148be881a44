"""`segue train`: a policy that looks ahead, from a simulated world to a model file.

Where it stands: the simulator's environment goes in, what `policy.ppo.network` serves comes out.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from policy.errors import PolicyError
from policy.ppo.network import Network
from policy.ppo.settings import TrainingSettings
from simulator.dynamics.memory import keep_freed_memory
from simulator.dynamics.world import World
from simulator.errors import SimulatorError
from simulator.experiment.deciders import Fixed, Trained
from simulator.experiment.life import live_through
from simulator.experiment.prospect import prospects
from simulator.experiment.summary import interval
from simulator.lesson_env import LessonVectorEnv
from simulator.scenarios.scenario import load_world
from simulator.vector_env import CENTS_A_REWARD

train = typer.Typer(no_args_is_help=True, help="Train a policy on simulated shoppers.")

N_EVALUATED, N_JUDGED = 500, 4_000
EVALUATION_SEED = 2**40
"""Far from the seeds of training: shoppers that the policy has not met."""


@train.callback()
def _group() -> None:
    """Train a policy on simulated shoppers."""


@train.command()
def ppo(  # noqa: PLR0913, PLR0917  # each is an option of the command
    out: Annotated[Path, typer.Option(help="Where to write the model.")],
    scenario: Annotated[str, typer.Option(help="A shipped world, or a .toml file.")] = "steady",
    frames: Annotated[int, typer.Option(min=1, help="Simulated days to learn from.")] = 2_000_000,
    shoppers: Annotated[int, typer.Option(min=64, help="At once; a multiple of 64.")] = 256,
    gamma: Annotated[float, typer.Option(min=0.0, max=0.9999, help="Discount a day.")] = 0.995,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    days: Annotated[int | None, typer.Option(min=1, help="Instead of the world's horizon.")] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on from the checkpoint beside the model, if there is one.")
    ] = True,
) -> None:
    """Train PPO; needs pip install 'segue[train]'. Killed and called again, it goes on."""
    console = Console()
    try:
        world = load_world(scenario)
        world = world if days is None else replace(world, horizon_days=days)
        settings = settings_for(world, frames=frames, gamma=gamma, seed=seed)
        checkpoint = out.with_suffix(".checkpoint")
        if not out.absolute().parent.is_dir():
            raise SimulatorError(f"--out is {out}; its folder does not exist")
        if not resume:
            checkpoint.unlink(missing_ok=True)
        network = run(console, world, settings, shoppers, checkpoint)
        gain = interval(gains(world, network))
        out.write_bytes(
            network.to_bytes(
                {"scenario": world.name, "version": world.version, "frames": frames,
                 "gamma": gamma, "seed": seed, "gain": list(gain)}
            )
        )  # fmt: skip
        checkpoint.unlink(missing_ok=True)
        console.print(
            f"{out}: {gain[0]:+,.2f} a shopper over {world.horizon_days} days beside doing nothing "
            f"(95 % interval {gain[1]:+,.2f} to {gain[2]:+,.2f}), on shoppers that it had not met",
            highlight=False,
        )
    except (PolicyError, SimulatorError, OSError) as error:
        Console(stderr=True).print(
            f"segue train: {error}", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(1) from error


def settings_for(world: World, *, frames: int, gamma: float, seed: int) -> TrainingSettings:
    """What suits a world of shoppers, whose rewards are those of `simulator.lesson_env`."""
    alone = prospects(world, nothing(world), N_EVALUATED, seed=seed)
    return TrainingSettings(
        frames=frames, gamma=gamma, seed=seed, batch_size=2_048, epochs=8, gae_lambda=0.95,
        clip_range=0.3, entropy=0.0, idle=0.6,
        # What they earn over a life when nothing is done, halved: values are of the order of 1.
        reward_unit=max(abs(float(alone.mean())) / CENTS_A_REWARD / 2.0, 1e-6),
    )  # fmt: skip


def run(
    console: Console, world: World, settings: TrainingSettings, shoppers: int, checkpoint: Path
) -> Network:
    """The best network by what it can be expected to earn on shoppers that it has not met."""
    from policy.ppo.train import train as train_network  # noqa: PLC0415  # torch is optional

    keep_freed_memory()
    envs = LessonVectorEnv(shoppers, world=world)
    ids = tuple(action.id for action in world.actions)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} days"),
               TimeRemainingColumn())  # fmt: skip
    alone = prospects(world, nothing(world), N_EVALUATED, seed=EVALUATION_SEED)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("learning", total=settings.frames)

        def score(network: Network) -> float:
            earned = prospects(world, Trained(network), N_EVALUATED, seed=EVALUATION_SEED)
            value = float((earned - alone).mean()) / 100.0
            progress.update(task, description=f"learning, last {value:+,.2f} a shopper")
            return value

        return train_network(
            envs, envs.crowd.names, ids, settings, score=score, checkpoint=checkpoint,
            on_frames=lambda frames: progress.update(task, completed=frames),
        ).network  # fmt: skip


def gains(world: World, network: Network) -> npt.NDArray[np.float64]:
    """What the policy earns more than doing nothing, a shopper, on twins, in currency units."""
    lives = [
        live_through(world, decider, N_JUDGED, seed=EVALUATION_SEED + 1).returns_cents
        for decider in (Trained(network), nothing(world))
    ]
    return np.asarray((lives[0] - lives[1]) / 100.0)


def nothing(world: World) -> Fixed:
    """The world's first action, always."""
    return Fixed(np.eye(world.n_actions)[0])
