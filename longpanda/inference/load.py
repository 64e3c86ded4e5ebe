"""Load a model by name, path or hub id, and ask it about videos."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.errors import ConfigError, ModelError, counted, first_line, nearest
from longpanda.index.builder import IndexBuilder
from longpanda.index.video_index import VideoIndex
from longpanda.inference.adapter import PROCESSOR, base_of, merged
from longpanda.inference.planning import plan_index, plan_video
from longpanda.inference.saving import check_target, save_model
from longpanda.inference.session import Session
from longpanda.inference.watched import watch_index, watch_video
from longpanda.types import ANSWER_TOKENS, Answer, is_index
from longpanda.video import Sampling, probe

if TYPE_CHECKING:
    from longpanda.model.configuration import LongPandaConfig
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

ASSETS = Path(__file__).parent.parent / "assets"
MODEL_FILES = ["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
"""Patterns of the files that are fetched from a hub repository."""
TRAINING_CLASSES = {"PandaForTraining", "TaughtPanda"}
"""Classes in checkpoints of `longpanda train`, now and formerly; a plain transformers Trainer saves the model alone."""


@dataclass(frozen=True)
class LongPanda:
    """A loaded model with its processor.

    Args:
        name: the name under which it was loaded.
        model: the network, in evaluation mode.
        processor: turns clips and text into the network's inputs.
    """

    name: str
    model: "LongPandaForConditionalGeneration"
    processor: "LongPandaProcessor"

    @property
    def default_sampling(self) -> Sampling:
        """The default sampling of videos for this model."""
        return Sampling(**self.model.config.sampling)

    def watch(
        self,
        path: str | Path,
        sampling: Sampling | None = None,
        budget_tokens: int | None = None,
        memory_bytes: int | None = None,
        answer_tokens: int = ANSWER_TOKENS,
        frames: int | None = None,
    ) -> Session:
        """Read a video, or open an index of one, to ask any number of questions about it.

        Args:
            path: a video file, or an index that `longpanda index` made.
            sampling: the seconds of a video to use; None takes the model's own, thinned where they do not fit.
            budget_tokens: limit on the tokens of the visual part of a prompt.
            memory_bytes: limit on the memory for the language model's keys and values of one prompt; verifying an
                answer keeps those of two. Evidence needs several times the memory of one layer in addition
                (`planning.evidence_bytes`); if both exceed the limit, none is given and the answer's notice says so.
            answer_tokens: limit on the length of an answer.
            frames: number of frames to use, in place of `sampling`.

        Raises:
            VideoError: the file is missing or holds no pictures.
            IndexFileError: the index is missing, damaged, or another model's.
            ConfigError: `sampling` with an index, an invalid `sampling`, one that exceeds the limits, or no room for an
                answer.
        """
        path, sampling = Path(path), _sampling(sampling, frames)
        if answer_tokens < 1:
            raise ConfigError(f"an answer of at most {answer_tokens} tokens", "at least 1", "allow more")
        parts = self.model, self.processor
        if is_index(path):
            if sampling is not None:
                found = "a choice of frames for an index, whose frames are fixed"
                raise ConfigError(found, "none", "leave it out, or ask the video")
            watched = watch_index(path, self.model, self.name)
            plan = plan_index(watched, *parts, budget_tokens, memory_bytes, answer_tokens)
        else:
            info = probe(path)
            sampling, plan = plan_video(info, *parts, sampling, budget_tokens, memory_bytes, answer_tokens)
            watched = watch_video(path, info, sampling, *parts)
        return Session(self.name, *parts, watched, plan, None, answer_tokens, memory_bytes)

    def index(
        self,
        video: str | Path,
        out: str | Path | None = None,
        fps: float | None = None,
        storage: str | None = None,
        append: bool = False,
        tokens_per_frame: float | None = None,
        workers: int | None = None,
    ) -> VideoIndex:
        """Stream a video into an index on disk. Arguments and errors as of `IndexBuilder` and its `build`."""
        return self.index_builder(video, out, fps, storage, tokens_per_frame, workers).build(append)

    def index_builder(self, video: str | Path, *how: Any, **more: Any) -> IndexBuilder:
        """The builder that `index` uses, to see its `plan` first. Arguments and errors as of `IndexBuilder`."""
        return IndexBuilder(self.model, self.processor, self.name, video, *how, **more)

    def ask(
        self, path: str | Path, question: str, sampling: Sampling | None = None, frames: int | None = None
    ) -> Answer:
        """Read a video or an index and answer one question. Raises as `watch` and `Session.ask`."""
        return self.watch(path, sampling, frames=frames).ask(question)

    def save(self, folder: str | Path) -> None:
        """Write model and processor to a folder, for `longpanda.load` and as the `start` of a training run.

        Args:
            folder: a new or empty folder, or that of a model, which is replaced once the new one is complete.

        Raises:
            ConfigError: it is a file, or holds anything but a model, or the disk is full.
        """
        target = Path(folder).absolute()
        check_target(target)
        save_model(self.model, self.processor, target)


def _sampling(sampling: Sampling | None, frames: int | None) -> Sampling | None:
    """The sampling that one of two arguments gives. Raises ConfigError for both, or for what is no Sampling."""
    if sampling is not None and (frames is not None or not isinstance(sampling, Sampling)):
        found = f"sampling={sampling!r}" + (f" and frames={frames!r}" if frames is not None else "")
        remedy = "pass frames=8, or sampling=longpanda.video.Sampling(fps=0.5)"
        raise ConfigError(found, "a Sampling, or a number of frames", remedy)
    return sampling if frames is None else Sampling(frames=frames)


def bundled() -> dict[str, Path]:
    """The folders of the models that ship with the package, by name."""
    return {path.parent.name: path.parent for path in ASSETS.glob("*/config.json")}


def locate(name: str, revision: str | None = None, weights: bool = True) -> Path:
    """The folder of a model. A hub id's files are fetched unless they are in the local cache.

    Args:
        name: a bundled name, a folder, or a hub id (anything else with one slash).
        revision: branch, tag or commit of a hub id.
        weights: fetch all files of a hub id, not only its configuration.

    Raises:
        ModelError: there is no such model, or it is of another kind.
    """
    path = bundled().get(name, Path(name))
    if not path.is_dir():
        if name.count("/") != 1 or path.exists() or name.startswith((".", "/")):
            expected = "a bundled name, a model folder or a hub id"
            raise ModelError(f"no model '{name}'", expected, nearest(name, bundled()))
        path = _fetch(name, revision, ["config.json"])
        _check_kind(path)
        return _fetch(name, revision, MODEL_FILES) if weights else path
    _check_kind(path)
    return path


def folders_of(name: str) -> list[Path]:
    """The folders of a model: its own, or an adapter's and those of its base model. Raises ModelError as `load`."""
    base = _base_of(name)
    return [locate(name)] if base is None else [Path(name), *folders_of(base)]


def _base_of(name: str) -> str | None:
    """The base model of an adapter; None if the name is no adapter's. Raises ModelError as `base_of`."""
    base = base_of(Path(name))
    if base is None:
        return None
    folder = Path(base)
    if not folder.exists() and folder.parent.parts[-2:] == ASSETS.parts[-2:]:
        return folder.name  # for a bundled model, PEFT notes the folder, which differs between machines
    return base


def _fetch(name: str, revision: str | None, files: list[str]) -> Path:
    """Fetch files of a hub repository, or take them from the local cache if the hub cannot be reached."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except (OSError, ValueError) as error:
        found = f"no folder '{name}', and it cannot be fetched from the hub ({first_line(error)})"
        raise ModelError(found, "a model folder or a hub id", "check the name and your connection") from error


def load_config(name: str) -> "LongPandaConfig":
    """Load a model's configuration, for an adapter that of its base model. Raises ModelError as `load`."""
    if (base := _base_of(name)) is not None:
        return load_config(base)
    folder = locate(name, weights=False)
    from longpanda.model.configuration import LongPandaConfig

    try:
        config: LongPandaConfig = LongPandaConfig.from_pretrained(folder)
    except (OSError, ValueError, TypeError) as error:
        found = f"config.json of '{name}' cannot be used: {first_line(error)}"
        raise ModelError(found, "a saved LongPanda model", "save it again") from error
    return config


def _check_kind(folder: Path) -> None:
    config, expected = folder / "config.json", "a saved LongPanda model"
    if not config.exists():
        inside = folder / "model"
        remedy = f"use '{inside}'" if (inside / "config.json").exists() else "check the path"
        raise ModelError(f"no config.json in '{folder}'", expected, remedy)
    try:
        saved = json.loads(config.read_text())
        kind = saved["model_type"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"'{config}' cannot be read ({first_line(error)})", expected, "save it again") from error
    if kind != "longpanda":
        raise ModelError(f"a model of type '{kind}' in '{folder}'", "type 'longpanda'", "train one, or load 'nano'")
    if TRAINING_CLASSES & set(saved.get("architectures") or ()):
        found = f"'{folder}' is a checkpoint of a training run"
        raise ModelError(found, expected, f"use '{folder.parent.parent / 'model'}', which the run writes at its end")


def load(name: str | Path = "nano", **kwargs: Any) -> LongPanda:
    """Load a model.

    Args:
        name: a bundled model ("nano"), a folder with a saved model or a checkpoint of transformers' Trainer, a folder
            with an adapter that PEFT saved, or a hub id.
        **kwargs: passed to `from_pretrained`: dtype, device_map, quantization_config, revision, ...

    Raises:
        ModelError: there is no such model, or its weights do not fit.
        ConfigError: this version of transformers runs its language model wrongly (`Backbone.check`).
    """
    name = str(name)
    if (base := _base_of(name)) is not None:
        loaded = load(base, **kwargs)
        has_processor = (Path(name) / PROCESSOR).exists()
        processor = _processor(name, Path(name)) if has_processor else loaded.processor
        return LongPanda(name, merged(loaded.model, Path(name), base).eval(), processor)
    folder = locate(name, kwargs.pop("revision", None))
    import transformers
    from safetensors import SafetensorError

    from longpanda.model.modeling import LongPandaForConditionalGeneration

    transformers.utils.logging.disable_progress_bar()
    try:
        model, report = LongPandaForConditionalGeneration.from_pretrained(folder, output_loading_info=True, **kwargs)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise _unusable(name, folder, error) from error
    processor = _processor(name, folder)
    if missing := sorted(report["missing_keys"]):
        found = f"no weights for {counted(len(missing), 'tensor')} of model '{name}', such as '{missing[0]}'"
        raise ModelError(found, "weights that belong to its config.json", "save both again, from one model")
    model.eval().backbone.check()
    return LongPanda(name, model, processor)


def _processor(name: str, folder: Path) -> "LongPandaProcessor":
    from longpanda.processing import LongPandaProcessor

    if not (folder / PROCESSOR).exists() and (folder / "trainer_state.json").exists():
        found = f"model '{name}' cannot be loaded from '{folder}': a checkpoint without a processor"
        remedy = f"give the Trainer processing_class=processor, or write it with processor.save_pretrained('{folder}')"
        raise ModelError(found, PROCESSOR, remedy)
    try:
        processor: LongPandaProcessor = LongPandaProcessor.from_pretrained(folder)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise _unusable(name, folder, error) from error
    return processor


def _unusable(name: str, folder: Path, error: Exception) -> ModelError:
    why = first_line(error)
    if "ignore_mismatched_sizes" in str(error):
        why = "its weights have other sizes than its config.json says"
    elif isinstance(error, KeyError) or "tokenizer" in str(error):
        why = f"its tokenizer cannot be read ({type(error).__name__}: {why})"
    found = f"model '{name}' cannot be loaded from '{folder}': {why}"
    return ModelError(found, "a saved LongPanda model", "check its files, or save it again")
