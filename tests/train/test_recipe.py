"""Recipes: every mistake is named before anything is trained."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from longpanda.errors import ConfigError
from longpanda.inference.load import ASSETS
from longpanda.longwatch.examples import LongWatchData
from longpanda.train.data_kinds import DATA_KINDS
from longpanda.train.recipe import Recipe, find_recipe, load_recipe, recipe_of

TEXT = """
name: small
seed: 3
model:
  stab_size: nano
  text: {model_type: qwen2, hidden_size: 32}
stages:
  - {name: one, steps: 10, batch: 2, learning_rate: 2.0e-3, data: {kind: longwatch, frames: [1, 4]}}
  - {name: two, steps: 20, batch: 1, learning_rate: 1, data: {kind: longwatch, families: [needle]}}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    return str(path)


def test_values_and_defaults(path):
    recipe = load_recipe(path)
    assert (recipe.name, recipe.seed, recipe.save_steps) == ("small", 3, 500)
    assert recipe.model.text == {"model_type": "qwen2", "hidden_size": 32}
    assert recipe.model.sampling == {"frames": 32}
    assert [stage.data.frames for stage in recipe.stages] == [(1, 4), (24,)]
    assert recipe.stages[1].learning_rate == 1.0
    assert isinstance(recipe.stages[1].learning_rate, float)
    assert recipe.stages[1].data.families == ("needle",)


def test_overrides(path):
    overrides = ["stages.0.steps=3", "model.text.hidden_size=64", "model.text.num_hidden_layers=1", "workers=0"]
    recipe = load_recipe(path, [*overrides, "stages.1.data.families=[order, count]", "stages.0.learning_rate=1e-3"])
    assert [stage.steps for stage in recipe.stages] == [3, 20]
    assert recipe.model.text == {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 1}
    assert recipe.workers == 0
    assert recipe.stages[1].data.families == ("order", "count")
    assert recipe.stages[0].learning_rate == 1e-3


def test_objectives_have_names_and_weights(path):
    first, second = load_recipe(path, ["stages.0.objectives=[{kind: cell_probe, weight: 0.5}, answers]"]).stages
    assert [(one.kind, one.weight) for one in first.objectives] == [("cell_probe", 0.5), ("answers", 1.0)]
    assert {one.kind for one in second.objectives} == {"answers", "cell_probe", "group_probe"}


def test_without_an_objective_that_reads_answers_the_language_model_learns_nothing(path):
    _, asks = load_recipe(path, ["stages.1.objectives=[cell_probe]"]).stages
    assert asks.frozen == {"language_model"}
    assert load_recipe(path).stages[1].frozen == set()


def test_a_recipe_that_was_written_down_is_the_same_again(path):
    recipe = load_recipe(path, ["stages.0.objectives=[{kind: cell_probe, weight: 0.5}]"])
    assert recipe_of(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_a_model_is_random_pretrained_or_that_of_the_start(path):
    backbone = ["model.text=null", "model.backbone=a/b"]
    assert load_recipe(path, backbone).model.backbone == "a/b"
    assert load_recipe(path, ["model=null", "start=nano"]).model is None
    assert load_recipe(path, ["start=nano"]).model.text is not None
    with pytest.raises(ConfigError, match=r"model.backbone beside start; expected one pretrained language model"):
        load_recipe(path, [*backbone, "start=nano"])
    with pytest.raises(ConfigError, match=r"words beside model.backbone"):
        load_recipe(path, [*backbone, "words=[never]"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["stages.0.frames=[1]", "stages.0.stills=true"],
            "stages.0.frames, stages.0.stills, in the form of older recipes; expected "
            "data: {kind: longwatch, frames: [1], stills: true}; "
            "write that, or as an override stages.0.data.stills=true",
        ),
        (["stages.1.families=[]"], "expected data: {kind: longwatch, families: []}; write that"),
        (
            ["stages.1.freeze_vision=true", "stages.1.freeze=[language_model]"],
            "stages.1.freeze_vision, in the form of older recipes; expected freeze: [stab, projector, language_model]; "
            "write that, or as an override stages.1.freeze=[stab, projector, language_model]",
        ),
        (["stages.1.freeze_vision=false"], "expected freeze: []"),
        (
            ["stages.0.cell_weight=0.5"],
            "stages.0.cell_weight, in the form of older recipes; expected objectives: [answers, "
            "{kind: cell_probe, weight: 0.5}, {kind: group_probe, weight: 0.5}]",
        ),
    ],
)
def test_recipes_in_the_old_form_are_refused_with_the_new_one(path, overrides, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_recipe(path, overrides)


def test_the_new_form_that_is_named_is_one_that_is_taken(tmp_path):
    """What a stage of the old form is told to write makes a recipe."""
    tree = yaml.safe_load(TEXT)
    old = {"stills": True, "frames": [1], "freeze_vision": True, "cell_weight": 0.5}
    del tree["stages"][0]["data"]
    tree["stages"][0] |= old
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError) as refused:
        load_recipe(str(tmp_path / "old.yaml"))
    for name in old:
        del tree["stages"][0][name]
    tree["stages"][0] |= yaml.safe_load(f"{{{refused.value.expected}}}")
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(tree))
    first = load_recipe(str(tmp_path / "new.yaml")).stages[0]
    assert (first.data.frames, first.data.stills, first.freeze) == ((1,), True, ("stab", "projector"))
    assert [one.weight for one in first.objectives] == [1.0, 0.5, 0.5]


def test_stages_with_labels_of_two_kinds_are_refused(path, monkeypatch):
    monkeypatch.setitem(DATA_KINDS, "other", OtherLabels)
    with pytest.raises(ConfigError, match=r"stages 'one' and 'two' with labels of two kinds"):
        load_recipe(path, ["stages.1.data={kind: other}"])


@dataclasses.dataclass(frozen=True)
class OtherLabels(LongWatchData):
    """With fewer attributes."""

    kind: str = dataclasses.field(default="other", init=False)
    label_classes = {"colour": 3}  # noqa: RUF012 - the protocol's


def test_a_compressor_is_there_or_not(path):
    assert load_recipe(path).model.temporal is None
    assert load_recipe(path, ["model.temporal=null"]).model.temporal is None
    given = load_recipe(
        path, ["model.temporal={layers: 1}", "model.temporal.grid=[2, 2]", "stages.0.freeze=[temporal]"]
    )
    assert given.model.temporal == {"layers": 1, "grid": [2, 2]}


def test_what_a_stage_freezes(path):
    one, two = load_recipe(
        path, ["stages.0.freeze=[stab, projector]", "stages.1.freeze=[stab, temporal]", "model.temporal={}"]
    ).stages
    assert one.frozen == {"stab", "projector", "language_model"}, "there is no question to learn from"
    assert two.frozen == {"stab", "temporal"}


@pytest.mark.parametrize("name", sorted(path.stem for path in find_recipe("nano").parent.glob("*.yaml")))
def test_shipped_recipes_are_recipes(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert isinstance(recipe, Recipe)


@pytest.mark.parametrize("name", ["nano", "nano-long"])
def test_what_made_a_bundled_model_can_be_read(name):
    stored = json.loads((ASSETS / name / "recipe.json").read_text())
    recipe = recipe_of(stored)
    assert recipe.name == name
    assert [stage.steps for stage in recipe.stages] == [stage.steps for stage in load_recipe(name).stages]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sead=1", r"unknown field 'sead'; expected a field of Recipe; did you mean 'seed'\?"),
        ("stages.0.step=1", r"unknown field 'stages.0.step'; .* StageRecipe; did you mean 'steps'\?"),
        ("stages.2.steps=1", r"unknown field 'stages.2'; .* choose one of: 0, 1"),
        ("stagges.0.steps=1", r"unknown field 'stagges'; .* did you mean 'stages'\?"),
        ("model.stab_sise=nano", r"unknown field 'model.stab_sise'; .* did you mean 'stab_size'\?"),
        ("seed.value=1", r"unknown field 'seed.value'; expected 'seed' alone, a single value; write seed=VALUE"),
        ("seed=x", r"seed = 'x'; expected a value of type int"),
        ("seed=1.5", r"seed = 1.5; expected a value of type int"),
        ("seed=true", r"seed = True; expected a value of type int"),
        ("bf16=1", r"bf16 = 1; expected a value of type bool"),
        ("weight_decay=much", r"weight_decay = 'much'; expected a value of type float"),
        ("weight_decay=true", r"weight_decay = True; expected a value of type float"),
        ("stages.0.data.frames=4", r"stages.0.data.frames = 4; expected a list"),
        ("stages.0.data.frames=[a]", r"stages.0.data.frames.0 = 'a'; expected a value of type int"),
        ("stages.0.data.step_seconds=[1.0]", r"stages.0.data.step_seconds = \[1.0\]; expected 2 values"),
        ("stages=3", r"stages = 3; expected a list"),
        ("stages=[]", r"recipe 'small' without stages"),
        ("stages.0=3", r"override 'stages.0=3'; expected the field of an element"),
        ("model=3", r"model = 3; expected a mapping"),
        ("model={text: {}}", r"model has no 'stab_size'; expected every field of ModelRecipe; add stab_size"),
        ("seed", r"override 'seed'; expected field=value"),
        ("seed=[", r"override 'seed=\['; expected a value in YAML"),
        ("stages.0.steps=0", r"steps = 0 of stage 'one'; expected at least 1"),
        ("stages.0.batch=0", r"batch = 0 of stage 'one'"),
        ("stages.0.learning_rate=-1", r"learning_rate = -1.0 of stage 'one'; expected above 0"),
        ("stages.0.decay=0.96", r"warmup = 0.05 and decay = 0.96 of stage 'one'"),
        ("save_steps=0", r"save_steps = 0 and log_steps = 50"),
        ("stages.0.learning_rate=.inf", r"learning_rate = inf of stage 'one'; expected above 0"),
        ("stages.0.data.frames=[]", r"frames=\(\) in stages.0.data; expected clip lengths of at least 1"),
        ("stages.0.data.frames=[4, 0]", r"frames=\(4, 0\) in stages.0.data"),
        ("stages.0.data.step_seconds=[8, 5]", r"step_seconds=\(8.0, 5.0\) in stages.0.data; .* the shortest first"),
        ("stages.0.data.step_seconds=[0, 5]", r"step_seconds=\(0.0, 5.0\) in stages.0.data; expected above 0"),
        ("stages.0.data.step_seconds=[5, .inf]", r"step_seconds=\(5.0, inf\) in stages.0.data"),
        ("stages.0.data.questions=0", r"questions=0 in stages.0.data; expected at least 1"),
        (
            "stages.0.objectives=[{kind: answers, weight: -1}]",
            r"weight=-1.0 in stages.0.objectives.0; expected at least 0",
        ),
        ("stages.0.name=''", r"name = '' of a stage; expected letters"),
        ("stages.0.name=a/b", r"name = 'a/b' of a stage"),
        ("stages.0.name=..", r"name = '..' of a stage"),
        ("stages.0.name=a..b", r"name = 'a..b' of a stage"),
        ("name=../up", r"name = '../up' of a recipe"),
        ("stages.0.name=two", r"stages named two, two; expected a name for each"),
        ("seed=-1", r"seed = -1; expected 0 <= seed < 2\*\*32"),
        ("seed=4294967296", r"seed = 4294967296; expected"),
        ("attention_scale=0", r"attention_scale = 0.0; expected above 0"),
        ("attention_scale=.inf", r"attention_scale = inf; expected above 0"),
        ("beta2=0", r"beta2 = 0.0; expected between 0 and 1"),
        ("beta2=1", r"beta2 = 1.0; expected between 0 and 1"),
        ("workers=-1", r"workers = -1 and threads = 0; expected at least 0 each"),
        ("threads=-1", r"workers = 1 and threads = -1; expected at least 0 each"),
        ("weight_decay=-0.1", r"weight_decay = -0.1 and max_grad_norm = 1.0; expected at least 0 each"),
        ("weight_decay=.nan", r"weight_decay = nan and max_grad_norm = 1.0; expected at least 0 each"),
        ("max_grad_norm=.inf", r"weight_decay = 0.01 and max_grad_norm = inf; expected at least 0 each"),
        ("stages.0.freeze=[stap]", r"freeze = 'stap' of stage 'one'; expected parts of stab, .* did you mean 'stab'"),
        ("stages.0.freeze=[temporal]", r"freeze = temporal of stage 'one', without model.temporal"),
        ("stages.0.data.start_minutes=-1", r"start_minutes=-1.0 in stages.0.data; expected 0 to 1440"),
        ("stages.0.positions=-1", r"positions = -1 of stage 'one'; expected at least 0"),
        ("times_seconds=-1", r"times_seconds = -1.0; expected at least 0"),
        ("model.temporal=3", r"model.temporal = 3; expected a value of type dict"),
        ("stages.0.data={frames: [1]}", r"stages.0.data = \{'frames': \[1\]\}; .* write \{kind: longwatch, ...\}"),
        ("stages.0.data=7", r"stages.0.data = 7; expected a mapping with the kind of data"),
        ("stages.0.data.kind=longwach", r"stages.0.data.kind = 'longwach'; .* did you mean 'longwatch'"),
        ("stages.0.data.kind=[longwatch]", r"stages.0.data.kind = \['longwatch'\]; expected one of longwatch"),
        ("stages.0.data.frame=[1]", r"unknown field 'stages.0.data.frame'; .* did you mean 'frames'"),
        ("stages.0.data.families=[needel]", r"family 'needel' in stages.0.data; .* did you mean 'needle'"),
        ("stages.0.data.size_px=16", r"size_px=16 in stages.0.data; expected at least 48"),
        ("stages.0.objectives=answers", r"stages.0.objectives = 'answers'; expected a list"),
        ("stages.0.objectives=[]", r"objectives = \[\] of stage 'one'; expected at least one, and each once"),
        ("stages.0.objectives=[answers, answers]", r"objectives = \[answers, answers\] of stage 'one'"),
        ("stages.0.objectives=[answer]", r"stages.0.objectives.0.kind = 'answer'; .* did you mean 'answers'"),
        ("stages.0.objectives=[{weight: 1}]", r"stages.0.objectives.0 = \{'weight': 1\}; .* the kind of objectives"),
        ("stages.0.objectives=[{kind: answers, wait: 1}]", r"unknown field 'stages.0.objectives.0.wait'"),
        ("stages.0.objectives=[{kind: answers, weight: .nan}]", r"weight=nan in stages.0.objectives.0"),
        ("model.backbone=some/name", r"model with both text and backbone; expected text .* or backbone"),
        (
            "model.text=null",
            r"model with neither text nor backbone; .* leave out `model` to continue that of `start`",
        ),
        ("model.chat_template=x", r"model.chat_template for a language model with random weights"),
        ("model=null", r"recipe 'small' without model and start; expected a model to make, or start"),
        ("max_grad_norm=-1", r"weight_decay = 0.01 and max_grad_norm = -1.0; expected at least 0 each"),
    ],
)
def test_mistakes_are_named(path, override, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe(path, [override])


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe\x00", b"", b"- 1", b"hello"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, data):
    (tmp_path / "bad.yaml").write_bytes(data)
    with pytest.raises(ConfigError, match=r"bad.yaml' (is not YAML|holds)"):
        load_recipe(str(tmp_path / "bad.yaml"), ["seed=1"])


def test_an_unknown_recipe_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"no recipe 'nanno'; .*did you mean 'nano'\?"):
        load_recipe("nanno")
    with pytest.raises(ConfigError, match="no recipe"):
        load_recipe(str(tmp_path))


def test_a_missing_field_is_named(tmp_path):
    tree = yaml.safe_load(TEXT)
    del tree["stages"][1]["steps"]
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match=r"stages.1 has no 'steps'; expected every field of StageRecipe; add steps"):
        load_recipe(str(tmp_path / "small.yaml"))


def test_recipes_do_not_change(path):
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_recipe(path).seed = 4


def test_the_recipe_on_the_page_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs/command_line.md").read_text()
    (tmp_path / "mine.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.model.backbone
    assert "language_model" in recipe.stages[0].frozen
    assert not recipe.stages[1].frozen
