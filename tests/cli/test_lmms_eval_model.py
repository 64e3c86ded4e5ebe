"""LongPanda as a model of lmms-eval; a stand-in for the two names we take from it serves where it is not installed."""

import importlib
import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from longpanda.errors import ConfigError, ModelError
from longpanda.inference import load

HOME = "longpanda.cli.lmms_eval"
SETTINGS = {"until": [], "max_new_tokens": 64}


@pytest.fixture(scope="module")
def plugin():
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("lmms_eval") is None:
            for name in ("lmms_eval", "lmms_eval.api", "lmms_eval.api.model", "lmms_eval.models"):
                patch.setitem(sys.modules, name, ModuleType(name))
            registry = ModuleType("lmms_eval.models.registry_v2")
            patch.setitem(sys.modules, registry.__name__, registry)
            sys.modules["lmms_eval.api.model"].lmms = type("lmms", (), {})
            registry.ModelManifest = lambda model_id, **about: SimpleNamespace(model_id=model_id, **about)
        yield importlib.import_module(HOME)
        sys.modules.pop(HOME)


@pytest.fixture
def model(plugin, model_folder):
    return plugin.LongPandaModel(pretrained=model_folder, frames=4, batch_size="1")


def _request(model, content):
    """What lmms-eval gives a chat model for a document whose messages hold `content`."""
    model.task_dict = {"task": {"test": {0: "the document"}}}
    messages = [{"role": "user", "content": content}]
    return SimpleNamespace(args=("the context", lambda _: messages, SETTINGS, 0, "task", "test"))


def _ask(video, question):
    return [{"type": "video", "url": video}, {"type": "text", "text": question}]


def test_the_manifest_names_the_class(plugin):
    module, name = plugin.MANIFEST.chat_class_path.rsplit(".", 1)
    assert (plugin.MANIFEST.model_id, module) == ("longpanda", HOME)
    assert not getattr(plugin, name).is_simple


def test_answers_are_those_of_the_model_and_come_in_order(model, model_folder, film, bad, monkeypatch):
    asked = [(film, "Which card came first?"), (bad["text"], "What?"), (film, "What colour was the lamp?")]
    watched, watch = [], type(model.panda).watch
    monkeypatch.setattr(type(model.panda), "watch", lambda *args: watched.append(args[1]) or watch(*args))
    answers = model.generate_until([_request(model, _ask(*one)) for one in asked])
    assert sorted(watched) == sorted([film, bad["text"]])
    session = load(model_folder).watch(film, model.sampling)
    assert answers == [session.ask(asked[0][1]).text, "", session.ask(asked[2][1]).text]
    assert len(session.watched.tokens.frames_seconds) == 4


def test_what_cannot_be_asked_is_logged_and_empty(model, film, bad, caplog):
    assert model.generate_until([_request(model, _ask(bad["none"], "What?"))]) == [""]
    assert "no such file" in caplog.text
    assert model.generate_until([_request(model, _ask(film, " "))]) == [""]
    assert "empty question" in caplog.text


def test_an_answer_that_is_cut_is_logged(model, film, caplog):
    (answer,) = model.generate_until([_request(model, _ask(film, "Which card came first?"))])
    assert answer
    assert "no whole answer to 'Which card came first?': " in caplog.text
    assert "cut off after 64 tokens" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "words alone",
        [{"type": "image", "url": "a.jpg"}, {"type": "text", "text": "What?"}],
        [{"type": "video", "url": "a.mp4"}, {"type": "video", "url": "b.mp4"}, {"type": "text", "text": "What?"}],
        [{"type": "video", "url": "a.mp4", "start_time": 3.0, "end_time": 9.0}, {"type": "text", "text": "What?"}],
    ],
)
def test_anything_but_one_whole_video_is_refused(model, content):
    with pytest.raises(ConfigError, match="one whole video file and text"):
        model.generate_until([_request(model, content)])


def test_what_a_model_cannot_do_is_refused(model):
    for method in (model.loglikelihood, model.generate_until_multi_round):
        with pytest.raises(ConfigError, match="choose another task"):
            method([])


def test_wrong_arguments_are_refused(plugin, model_folder):
    with pytest.raises(ConfigError, match="did you mean 'frames'"):
        plugin.LongPandaModel(pretrained=model_folder, frame=4)
    with pytest.raises(ConfigError):
        plugin.LongPandaModel(pretrained=model_folder, frames=0)
    with pytest.raises(ModelError, match="no model 'none'"):
        plugin.LongPandaModel(pretrained="none")
