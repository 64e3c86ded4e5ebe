"""Records on a page: the frames that are looked at, and the text that training gives the model."""

import io

import numpy as np
import pytest
from annotated import number_in, record, write_film, write_mixture, write_records
from PIL import Image
from tiny import FAMOUS, byte_tokenizer, tiny

from longpanda.data.frame_choice import FrameChoice
from longpanda.data.inventory import take_inventory
from longpanda.data.manifest import prepare
from longpanda.data.media import read_clip
from longpanda.data.mixture import LeftOut, Mixture, read_mixture
from longpanda.data.page import Page, write_page
from longpanda.data.record_index import index_files
from longpanda.data.samples import View, sample_views, turns_of
from longpanda.types import Conversation

pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'data'")
pytest.importorskip("pebble", reason="pebble is not installed: the extra 'data'")
PLAIN = View(FrameChoice(fps=1.0))


def _opened(path, folder):
    mixture = read_mixture(path)
    indexes = index_files([source.annotations for source in mixture.sources], folder / "cache")
    return mixture, indexes, prepare(mixture, indexes, folder / "manifest")


@pytest.fixture
def mixed(tmp_path):
    return _opened(write_mixture(tmp_path), tmp_path)


def _numbers(media):
    return [number_in(np.asarray(Image.open(io.BytesIO(picture.jpeg)))) for picture in media.pictures]


def test_samples_are_spread_over_what_is_selected_and_tell_what_is_wrong(mixed):
    views = list(sample_views(*mixed, PLAIN, per_source=3))
    assert [(view.source, view.record) for view in views] == [
        ("films.jsonl", 1),
        ("films.jsonl", 2),
        ("films.jsonl", 3),
        ("folders.json", 1),
        ("pictures.jsonl", 1),
        ("pictures.jsonl", 2),
        ("text.jsonl", 1),
    ]
    whole, part, gone, folder, one, two, text = views
    assert _numbers(whole.media[0]) == [0, 10, 20, 30, 40, 50]
    assert whole.media[0].about == "6.00 s at 10 frames a second, 64x48 px, h264; 6 looked at"
    assert _numbers(part.media[0]) == [10, 20, 30]
    assert [picture.seconds for picture in part.media[0].pictures] == [0.0, 1.0, 2.0]
    assert "from 1 s on" in part.media[0].about
    assert "gone.mp4" in gone.problem
    assert not gone.pieces
    assert _numbers(folder.media[0]) == [4, 6, 8]
    assert (len(one.media), len(two.media), len(text.media)) == (1, 2, 0)
    assert [piece.text for piece in two.pieces if piece.kind == "visual"] == ["image", "image"]
    assert [(piece.kind, piece.role, piece.text) for piece in text.pieces] == [
        ("given", "user", "Two and two?"),
        ("learned", "assistant", "Four."),
    ]


@pytest.mark.parametrize("backbone", ["qwen2", "llama"])
def test_the_text_is_the_one_of_training(mixed, backbone):
    _, processor = tiny(backbone, tokenizer=byte_tokenizer(*FAMOUS[backbone][:2]))
    mixture, indexes, manifest = mixed
    view = View(FrameChoice(fps=1.0), "short", processor)
    shown = next(sample_views(mixture, indexes, manifest, view, per_source=1))
    read = indexes[0].read(shown.record - 1)
    size_px = processor.image_processor.size_for(48, 64)
    clips = tuple(read_clip(media, mixture.sources[0], view.choice, size_px) for media in read.media)
    batch = processor.training_batch([(Conversation(clips, turns_of(read, clips, view)),)])
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    assert shown.tokens == len(ids)
    visual = sum(int(piece.text.split()[0]) for piece in shown.pieces if piece.kind == "visual")
    assert visual == int((ids == processor.video_token_id).sum())
    text = "".join(piece.text for piece in shown.pieces if piece.kind != "visual")
    assert text == processor.tokenizer.decode(ids[ids != processor.video_token_id])
    assert "and 3 frames are uniformly sampled from it." in text
    learned = "".join(piece.text for piece in shown.pieces if piece.kind == "learned")
    assert learned == processor.tokenizer.decode(labels[labels >= 0])
    assert learned.startswith((" It gets", "It gets"))


def test_the_page_shows_everything_and_escapes_it(tmp_path):
    write_film(tmp_path / "media/a & b <x>.mp4", 20)
    evil = '<script>alert("x")</script> & <img src=x> \ud800'
    write_records(
        tmp_path / "a <b>.jsonl",
        [record(evil, evil, video="a & b <x>.mp4"), record(video="<i>gone</i>.mp4")],
    )
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a <b>.jsonl, data_root: media}]")
    mixture, indexes, manifest = _opened(tmp_path / "m.yaml", tmp_path)
    inventory = take_inventory(mixture, indexes, manifest)
    samples = list(sample_views(mixture, indexes, manifest, PLAIN, per_source=2))
    known = Mixture(mixture.path, mixture.sources, ("<u>odd</u>",), (LeftOut("<s>", "no <file>"),))
    html = write_page(Page(known, "f00", inventory, samples, {"Frames": "<1>"}))
    assert html.count("data:image/jpeg;base64,") == 2
    assert html.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &lt;img src=x&gt; ?") == 2
    for tag in ("<script", "<img src=x", "<i>gone", "<x>", "<u>", "<s>", "<file>", "<1>", "a <b>"):
        assert tag not in html, tag
    for shown in ("50.0%", "missing", "&lt;i&gt;gone&lt;/i&gt;.mp4", "left out", "1.00 s", "f00", "2 frames"):
        assert shown in html, shown
