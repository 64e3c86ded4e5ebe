"""An index on disk gives what the video gives, wherever it was stopped and however often it was gone on with."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import save, scenery, squeezing

from longpanda.errors import ConfigError, IndexFileError, LongPandaError
from longpanda.index import VideoIndex, file_encoder, storage, store
from longpanda.index.thumbnails import EVERY_SECONDS
from longpanda.inference import load
from longpanda.model.local_encoding import LocalEncoding
from longpanda.video import Sampling, decode_pool
from longpanda.video import encode as write_video

QUESTION = "What number is on the red circle?"
FPS = 10.0


@pytest.fixture(scope="module", params=["plain", "compressed"])
def panda(request, model_folder, compressed_folder):
    return load(str(model_folder if request.param == "plain" else compressed_folder))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """So that 12 seconds are many blocks, for as many workers as are asked for."""
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 16)
    monkeypatch.setattr(decode_pool, "SEVERAL_KEYFRAMES", 0)


def files_of(index: Path) -> dict[str, bytes]:
    """All but the header, whose id is random, and what is written into the others of it."""
    return {path.name: contents(path) for path in sorted(index.glob("*.safetensors"))}


def contents(path: Path) -> bytes:
    tensors = load_file(path)
    return b"".join(
        name.encode() + tensors[name].flatten().view(torch.uint8).numpy().tobytes() for name in sorted(tensors)
    )


class Killed(BaseException):
    """What stops a builder in these tests; SIGKILL itself is in tests/cli/test_index.py."""


class StopAfter:
    """A progress that stops the work."""

    def __init__(self, blocks: int) -> None:
        self.left = blocks

    def __call__(self, _: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


@pytest.mark.parametrize("workers", [1, 3])
def test_an_index_gives_the_tokens_and_answers_of_the_video(panda, film, tmp_path, workers):
    index = panda.index(film, tmp_path / "film.vidx", fps=FPS, storage="float32", workers=workers)
    direct = panda.watch(film, Sampling(fps=FPS))
    assert index.is_complete
    assert torch.equal(index.tokens.values, direct.watched.tokens.values)
    for name in ("starts_seconds", "ends_seconds", "frames_seconds"):
        assert np.array_equal(getattr(index.tokens, name), getattr(direct.watched.tokens, name))
    stored = panda.watch(tmp_path / "film.vidx")
    assert stored.prompt_ids(QUESTION) == direct.prompt_ids(QUESTION)
    assert torch.equal(stored._embeddings(), direct._embeddings())
    assert stored.ask(QUESTION).text == direct.ask(QUESTION).text != ""


def test_blocks_of_any_size_give_the_tokens_of_the_whole(squeezed, film, monkeypatch):
    blocks = squeezed.watch(film, Sampling(fps=FPS)).watched.tokens.values
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 1000)
    whole = squeezed.watch(film, Sampling(fps=FPS)).watched.tokens.values
    # float32 sums in matrix products of other heights, carried through the scan: 1e-4 is 20 times what was seen.
    torch.testing.assert_close(blocks, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("calls", [1, 4, 7])
def test_an_index_that_was_stopped_goes_on_and_is_the_same(panda, film, tmp_path, calls):
    panda.index(film, tmp_path / "whole.vidx", fps=FPS)
    builder = panda.index_builder(film, tmp_path / "cut.vidx", FPS)
    with pytest.raises(Killed):
        builder.build(progress=StopAfter(calls))
    written = len(list((tmp_path / "cut.vidx").glob("block-*")))
    assert written == max(0, calls - 2), "blocks wait for a picture two seconds later"
    done: list[int] = []
    index = panda.index_builder(film, tmp_path / "cut.vidx", FPS, workers=2).build(progress=done.append)
    assert done[0] == 16 * written, "no frame of a written block is looked at twice"
    assert done[-1] == 120
    assert index.is_complete
    assert files_of(tmp_path / "cut.vidx") == files_of(tmp_path / "whole.vidx")


def test_an_index_can_be_asked_while_it_is_made(panda, film, tmp_path):
    with pytest.raises(Killed):
        panda.index_builder(film, tmp_path / "cut.vidx", FPS).build(progress=StopAfter(5))
    session = panda.watch(tmp_path / "cut.vidx")
    answer = session.ask(QUESTION)
    assert answer.notice.startswith("The index is not finished: it ends at 4.7 s.")
    assert len(answer.pts_seconds) == 48
    assert session.watched.tokens.seen_seconds == pytest.approx(4.8)
    assert session.plan.fps == pytest.approx(FPS)


def test_a_recording_that_grows_is_gone_on_with_and_is_as_if_made_at_once(panda, recording, tmp_path):
    growing, index = tmp_path / "growing.ts", tmp_path / "growing.vidx"
    whole = recording.read_bytes()
    for share in (0.3, 0.55, 0.8, 1.0):
        growing.write_bytes(whole[: int(share * len(whole))])
        appended = panda.index(growing, index, fps=FPS, append=True)
    rebuilt = panda.index(growing, tmp_path / "rebuilt.vidx", fps=FPS)
    assert files_of(index) == files_of(tmp_path / "rebuilt.vidx")
    assert torch.equal(appended.tokens.values, rebuilt.tokens.values)
    assert appended.tokens.duration_seconds == pytest.approx(12.0, abs=0.2)
    assert panda.ask(index, QUESTION).text == panda.ask(tmp_path / "rebuilt.vidx", QUESTION).text


def test_a_finished_index_is_left_alone(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "film.vidx").glob("*.safetensors")}
    done: list[int] = []
    panda.index_builder(film, tmp_path / "film.vidx", FPS).build(progress=done.append)
    assert not done
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "film.vidx").glob("*.safetensors")}


def test_the_plan_is_what_the_index_holds(panda, film, tmp_path):
    builder = panda.index_builder(film, tmp_path / "film.vidx", FPS)
    index = builder.build()
    assert builder.plan.frames == len(index.tokens.frames_seconds) == 120
    assert builder.plan.tokens == index.tokens.count
    assert builder.plan.token_bytes == index.tokens.values.nbytes
    assert index.store.bytes() > builder.plan.bytes > builder.plan.token_bytes
    (index.path / "prefix.safetensors").write_bytes(bytes(10**6))
    assert index.store.bytes() < 10**6, "a prefix is no part of what was planned"


def test_thumbnails_are_of_their_seconds(panda, film, tmp_path):
    small = panda.index(film, tmp_path / "film.vidx", fps=FPS).thumbnails
    seconds = [one.seconds for one in small]
    assert seconds == sorted(seconds)
    assert {second // EVERY_SECONDS for second in seconds} == {0, 1, 2}
    for one in small:
        picture = scenery(12)[round(one.seconds * 10)].astype(int)
        across = [pixels.astype(int).mean((0, 2)) for pixels in (one.pixels(), picture[::2, ::2])]
        bar = [int(np.abs(row - np.median(row)).argmax()) / len(row) for row in across]
        assert bar[0] == pytest.approx(bar[1], abs=0.1)


@pytest.mark.parametrize("stored", ["float32", "bfloat16", "int8"])
def test_storages_keep_what_they_promise(stored):
    values = torch.randn(50, 4, 32) * torch.logspace(-3, 3, 50)[:, None, None]
    values[7] = 0
    kept = storage.unpack(storage.pack(values, stored)).float()
    largest = values.abs().amax(-1, keepdim=True)
    bound = {"float32": 0.0, "bfloat16": 2**-8, "int8": 1 / 254 + 1e-6}[stored]
    assert ((kept - values).abs() <= bound * largest).all()
    assert sum(one.nbytes for one in storage.pack(values, stored).values()) == 200 * storage.bytes_per_token(stored, 32)


def test_int8_changes_answers_little(squeezed, film, tmp_path):
    logits = {}
    for stored in ("float32", "bfloat16", "int8"):
        squeezed.index(film, tmp_path / f"{stored}.vidx", fps=FPS, storage=stored)
        session = squeezed.watch(tmp_path / f"{stored}.vidx")
        ids = torch.tensor([session.prompt_ids(QUESTION)])
        with torch.no_grad():
            embeddings = squeezed.model.place(ids, session._embeddings())
            logits[stored] = squeezed.model(inputs_embeds=embeddings).logits[0, -1].log_softmax(-1)
    for stored in ("bfloat16", "int8"):
        error = (logits[stored] - logits["float32"]).abs().max()
        print(f"{stored}: log-probabilities off by at most {error:.3f}")
        assert 0 < error < 0.2  # 3 times what was seen; another question changes them by 2


def test_a_bidirectional_model_indexes_but_does_not_append(film, recording, tmp_path):
    panda = load(str(save(squeezing("bidirectional"), tmp_path / "model")))
    index = panda.index(film, tmp_path / "film.vidx", fps=FPS, storage="float32")
    assert torch.equal(index.tokens.values, panda.watch(film, Sampling(fps=FPS)).watched.tokens.values)
    growing = tmp_path / "growing.ts"
    growing.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    panda.index(growing, tmp_path / "growing.vidx", fps=FPS)
    growing.write_bytes(recording.read_bytes())
    with pytest.raises(ConfigError, match=r"--append with .* reads in both directions; expected a causal one"):
        panda.index(growing, tmp_path / "growing.vidx", fps=FPS, append=True)


def test_a_video_that_changed_is_refused(panda, film, tmp_path):
    video, index = tmp_path / "film.mp4", tmp_path / "film.vidx"
    shutil.copy(film, video)
    panda.index(video, index, fps=FPS)
    before = files_of(index)
    write_video([255 - frame for frame in scenery(12)], video, 10, preset="ultrafast", gop=5)
    with pytest.raises(IndexFileError, match=r"differs from 'film\.mp4' as it was .* pass --append if it has grown"):
        panda.index(video, index, fps=FPS)
    with pytest.raises(IndexFileError, match=r"shows something else at 0\.0 s than when it was indexed"):
        panda.index(video, index, fps=FPS, append=True)
    assert files_of(index) == before
    assert panda.ask(index, QUESTION).text


def test_another_model_is_refused(model_folder, compressed_folder, film, tmp_path):
    mine, other = load(str(model_folder)), load(str(compressed_folder))
    mine.index(film, tmp_path / "film.vidx", fps=FPS)
    for use, remedy in (
        (lambda: other.watch(tmp_path / "film.vidx"), "index again, to another --out"),
        (lambda: other.index(film, tmp_path / "film.vidx", fps=FPS), "use another --out, or delete it"),
    ):
        message = f"holds tokens of model '{model_folder}'.*expected those of.*{remedy}"
        with pytest.raises(IndexFileError, match=message):
            use()


def test_weights_in_bfloat16_are_the_same_model(model_folder, film, tmp_path):
    load(str(model_folder)).index(film, tmp_path / "film.vidx", fps=FPS)
    assert load(str(model_folder), dtype=torch.bfloat16).ask(tmp_path / "film.vidx", QUESTION).text


def test_what_is_not_said_again_is_as_it_was(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=5.0, storage="int8")
    index = panda.index(film, tmp_path / "film.vidx")
    assert (index.header.fps, index.header.storage) == (5.0, "int8")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"fps": 5.0}, r"an index of 10\.0 frames per second; expected one of 5\.0 .*; use the same --fps, or another"),
        ({"storage": "int8"}, "an index of bfloat16 tokens; expected one of int8 tokens; use the same --storage, or"),
    ],
)
def test_an_index_goes_on_as_it_began(panda, film, tmp_path, setting, message):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    with pytest.raises(IndexFileError, match=message):
        panda.index(film, tmp_path / "film.vidx", **{"fps": FPS, **setting})


def damage_flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def damage_swap(path: Path) -> None:
    shutil.copy(path.with_name("block-000001.safetensors"), path)


def damage_strip(path: Path) -> None:
    save_file(load_file(path), path)


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, damage_swap, damage_strip])
def test_a_damaged_file_is_named(panda, film, tmp_path, damage):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    damage(tmp_path / "film.vidx" / "block-000002.safetensors")
    before = {path: path.read_bytes() for path in (tmp_path / "film.vidx").iterdir()}
    for use in (
        lambda: panda.watch(tmp_path / "film.vidx"),
        lambda: panda.index(film, tmp_path / "film.vidx", fps=FPS),
        lambda: panda.index(film, tmp_path / "film.vidx", fps=FPS, append=True),
    ):
        with pytest.raises(IndexFileError, match=r"block-000002\.safetensors' is damaged: .*; restore it, or delete"):
            use()
    assert {path: path.read_bytes() for path in (tmp_path / "film.vidx").iterdir()} == before


def test_a_folder_with_other_things_is_not_written_into(panda, film, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(ConfigError, match="which is no index and not empty"):
            panda.index(film, out, fps=FPS)
    with pytest.raises(ConfigError, match="cannot be made"):
        panda.index(film, tmp_path / "none" / "film.vidx", fps=FPS)


def test_a_full_disk_leaves_what_was_there(panda, film, tmp_path, monkeypatch):
    panda.index(film, tmp_path / "whole.vidx", fps=FPS)
    real, written = store.write_atomic, []

    def write(target, content):
        written.append(target)
        if len(written) > 6:
            raise ConfigError(f"'{target}' cannot be written (No space left on device)", "free space", "make room")
        real(target, content)

    monkeypatch.setattr(store, "write_atomic", write)
    with pytest.raises(ConfigError, match="No space left"):
        panda.index(film, tmp_path / "cut.vidx", fps=FPS)
    monkeypatch.setattr(store, "write_atomic", real)
    assert panda.ask(tmp_path / "cut.vidx", QUESTION).text
    panda.index(film, tmp_path / "cut.vidx", fps=FPS)
    assert files_of(tmp_path / "cut.vidx") == files_of(tmp_path / "whole.vidx")


def test_two_writers_are_one_too_many(panda, film, tmp_path):
    hold = (
        "import sys, fcntl; file = open(sys.argv[1], 'a'); fcntl.lockf(file, fcntl.LOCK_EX); print(1, flush=True);"
        " sys.stdin.read()"
    )
    builder = panda.index_builder(film, tmp_path / "film.vidx", FPS)
    with pytest.raises(Killed):
        builder.build(progress=StopAfter(1))
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "film.vidx" / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        before = files_of(tmp_path / "film.vidx")
        with pytest.raises(ConfigError, match="another process is writing to"):
            panda.index_builder(film, tmp_path / "film.vidx", FPS).build()
        assert files_of(tmp_path / "film.vidx") == before
    finally:
        os.kill(other.pid, signal.SIGKILL)
        other.communicate()
    assert panda.index_builder(film, tmp_path / "film.vidx", FPS).build().is_complete


def test_an_index_with_nothing_in_it_yet_says_so(panda, film, tmp_path):
    with pytest.raises(Killed):
        panda.index_builder(film, tmp_path / "film.vidx", FPS).build(progress=StopAfter(0))
    with pytest.raises(IndexFileError, match="holds no frames yet"):
        panda.watch(tmp_path / "film.vidx")


def test_an_index_beyond_the_budget_is_thinned_and_says_so(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=100)
    answer = session.ask(QUESTION)
    assert session.plan.prompt_tokens <= 100
    assert answer.visual_tokens == session.plan.visual_tokens <= 100
    count, used = len(session.watched.tokens), len(session.groups)
    assert f"Left out {count - used} of {count} groups: a budget of 100 tokens" in answer.notice
    context = panda.model.config.text_config.max_position_embeddings
    assert panda.watch(tmp_path / "film.vidx").plan.prompt_tokens <= context - 512


def test_frames_of_an_index_are_not_chosen_again(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    with pytest.raises(LongPandaError, match="a choice of frames for an index"):
        panda.watch(tmp_path / "film.vidx", Sampling(frames=3))


def test_pictures_to_come_change_nothing_before_their_window(squeezed, film, tmp_path):
    """STAB looks at windows of 4 frames, which a group of 2 does not cross."""
    for module in squeezed.model.modules():
        if isinstance(module, LocalEncoding):  # new ones change nothing
            for weight in module.parameters():
                torch.nn.init.normal_(weight, std=0.5)
    changed = scenery(12)
    changed[70:] = [255 - frame for frame in changed[70:]]
    write_video(changed, tmp_path / "changed.mp4", 10, preset="ultrafast", gop=5)
    before, after = (
        squeezed.index(path, tmp_path / f"{path.stem}.vidx", fps=FPS, storage="float32").tokens.values
        for path in (film, tmp_path / "changed.mp4")
    )
    after, before = after.view(60, -1), before.view(60, -1)
    assert torch.equal(after[: 68 // 2], before[: 68 // 2])
    assert (after[68 // 2 :] - before[68 // 2 :]).abs().amax(1).min() > 1e-4


def test_what_a_killed_writer_leaves_is_cleared(panda, film, tmp_path):
    panda.index(film, tmp_path / "whole.vidx", fps=FPS)
    with pytest.raises(Killed):
        panda.index_builder(film, tmp_path / "cut.vidx", FPS).build(progress=StopAfter(5))
    shutil.copy(tmp_path / "cut.vidx" / "state-000003.safetensors", tmp_path / "cut.vidx" / "state-000002.safetensors")
    (tmp_path / "cut.vidx" / ".block-000003.safetensors.x1.safetensors").write_bytes(b"half")
    panda.index(film, tmp_path / "cut.vidx", fps=FPS)
    names = [{path.name for path in (tmp_path / name).iterdir()} for name in ("cut.vidx", "whole.vidx")]
    assert names[0] == names[1]


def test_a_file_without_a_readable_frame_is_refused(panda, film, tmp_path):
    video = tmp_path / "cut.mp4"
    video.write_bytes(film.read_bytes()[: film.stat().st_size // 10])
    with pytest.raises(LongPandaError):
        panda.index(video, tmp_path / "cut.vidx", fps=0.01)


def test_frames_that_could_not_be_read_are_told_of(panda, holed_film, tmp_path):
    index = panda.index(holed_film, tmp_path / "hole.vidx", fps=FPS)
    missing = 120 - len(index.tokens.frames_seconds)
    assert missing > 2
    notice = panda.ask(tmp_path / "hole.vidx", QUESTION).notice
    assert notice.startswith(f"{missing} frames of this video could not be read when it was indexed.")


def test_a_prefix_does_not_outlive_an_append(panda, recording, tmp_path):
    growing, index, kept = tmp_path / "growing.ts", tmp_path / "growing.vidx", tmp_path / "prefix.safetensors"
    growing.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    panda.index(growing, index, fps=FPS)
    panda.watch(index).keep_prefix(kept)
    growing.write_bytes(recording.read_bytes())
    panda.index(growing, index, fps=FPS, append=True)
    assert not panda.watch(index).use_prefix(kept)


@pytest.mark.parametrize("name", ["block-000001.safetensors", "block-000005.safetensors", "state-000006.safetensors"])
def test_a_missing_file_is_named(panda, film, tmp_path, name):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    (tmp_path / "film.vidx" / name).unlink()
    with pytest.raises(IndexFileError, match=name):
        panda.watch(tmp_path / "film.vidx")
    with pytest.raises(IndexFileError, match=name):
        panda.index(film, tmp_path / "film.vidx", fps=FPS)


def test_a_short_video_that_is_another_is_refused(panda, film, tmp_path, monkeypatch):
    """Shorter than a block: the tail's thumbnail tells."""
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 1000)
    video, index = tmp_path / "film.mp4", tmp_path / "film.vidx"
    shutil.copy(film, video)
    panda.index(video, index, fps=FPS)
    write_video([255 - frame for frame in scenery(12)], video, 10, preset="ultrafast", gop=5)
    with pytest.raises(IndexFileError, match=r"shows something else at 0\.0 s"):
        panda.index(video, index, fps=FPS, append=True)


def test_a_video_that_has_become_shorter_is_refused(panda, film, tmp_path):
    video, index = tmp_path / "film.mp4", tmp_path / "film.vidx"
    shutil.copy(film, video)
    panda.index(video, index, fps=FPS)
    write_video(scenery(8), video, 10, preset="ultrafast", gop=5)
    with pytest.raises(IndexFileError, match=r"is 8\.0 s long, and was 12\.0 s when it was indexed"):
        panda.index(video, index, fps=FPS, append=True)


def test_a_video_that_grows_before_it_is_read_is_not_taken_for_whole(panda, recording, tmp_path):
    growing, index = tmp_path / "growing.ts", tmp_path / "growing.vidx"
    growing.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    builder = panda.index_builder(growing, index, FPS)
    growing.write_bytes(recording.read_bytes())
    builder.build()
    with pytest.raises(IndexFileError, match=r"differs from 'growing\.ts' as it was when"):
        panda.index(growing, index)
    assert len(panda.index(growing, index, append=True).tokens.frames_seconds) == 120


def test_pictures_that_are_replaced_near_the_end_of_a_cut_file_are_read_again(panda, tmp_path):
    """A file whose header knows the whole length, cut anywhere, its last pictures reordered ones: append is rebuild."""
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "3", "b-adapt": "0", "g": "30"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for number, pixels in enumerate(scenery(12)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rebuilt = panda.index(whole, tmp_path / "rebuilt.vidx", fps=FPS)
    for share in (0.45, 0.6, 0.75):
        cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
        out = tmp_path / f"{share}.vidx"
        panda.index(cut, out, fps=FPS)
        cut.write_bytes(whole.read_bytes())
        panda.index(cut, out, append=True)
        assert torch.equal(VideoIndex(out).tokens.values, rebuilt.tokens.values)
        assert files_of(out) == files_of(tmp_path / "rebuilt.vidx")


def test_groups_that_are_left_out_give_no_frames(panda, film, tmp_path):
    panda.index(film, tmp_path / "film.vidx", fps=FPS)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=100)
    answer = session.ask(QUESTION)
    assert len(answer.pts_seconds) == len(session.groups) * panda.model.visual.frames_per_group < 120
    assert answer.pts_seconds[0] == session.timeline.starts_seconds[0]
