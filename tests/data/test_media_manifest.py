"""Manifests: every file looked at once, whatever crashes, hangs or is killed in between."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from annotated import record, write_film, write_folder, write_mixture, write_picture, write_records

from longpanda.data import manifest as manifests
from longpanda.data.manifest import Manifest, count_media, media_of, prepare
from longpanda.data.media import MediaFile, find_media, probe_media
from longpanda.data.media_facts import MediaError, MediaFacts, MediaFault
from longpanda.data.mixture import Root, Source, read_mixture
from longpanda.data.probing import probe_all
from longpanda.data.record_index import index_files
from longpanda.data.schema import Media
from longpanda.errors import ConfigError

pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'data'")
pytest.importorskip("pebble", reason="pebble is not installed: the extra 'data'")


@pytest.fixture
def mixed(tmp_path):
    """A mixture and the indexes of its annotation files."""
    mixture = read_mixture(write_mixture(tmp_path))
    return mixture, index_files([source.annotations for source in mixture.sources], tmp_path / "cache")


def _inline(calls, probe=probe_media):
    """In place of the pool: looks at files in this process and says at which."""

    def look(files, *_):
        for file in files:
            calls.append(file.path.name)
            yield probe(file)

    return look


def test_every_file_is_looked_at_once_and_kept(mixed, tmp_path):
    mixture, indexes = mixed
    reported = []
    made = prepare(mixture, indexes, tmp_path / "manifest", processes=2, progress=reported.append)
    assert sum(reported) == count_media(mixture, indexes) == 7, "3 films, a folder, and 1 + 2 pictures"
    assert len(made) == 4
    for source, index in zip(mixture.sources, indexes, strict=True):
        for number in range(len(index)):
            for media in index.read(number).media:
                if media.path == "z.jpg":
                    continue
                file = find_media(media, source)
                looked, kept = probe_media(file), Manifest.open(made.folder).facts(media, source)
                for name in ("path", "kind", *manifests._WORDS, *manifests._NUMBERS):
                    assert getattr(kept, name) == getattr(looked, name), name
    assert made.facts(Media("video", "films/gone.mp4"), mixture.sources[0]).fault is MediaFault.MISSING


def test_what_the_strategy_leaves_out_is_not_looked_at(mixed, tmp_path):
    mixture, indexes = mixed
    assert "z.jpg" not in {file.path.name for file in media_of(mixture, indexes)}
    made = prepare(mixture, indexes, tmp_path / "manifest")
    with pytest.raises(ConfigError, match=r"z\.jpg' is not in the manifest .*prepare again"):
        made.facts(Media("image", "z.jpg"), mixture.sources[2])


def test_a_second_run_looks_at_what_has_changed(mixed, tmp_path, monkeypatch):
    mixture, indexes = mixed
    calls = []
    monkeypatch.setattr(manifests, "probe_all", _inline(calls))
    prepare(mixture, indexes, tmp_path / "manifest")
    assert sorted(calls) == ["a film [1].mp4", "a.jpg", "gone.mp4", "show_1"]
    calls.clear()
    prepare(mixture, indexes, tmp_path / "manifest")
    assert calls == []
    write_film(tmp_path / "media/films/gone.mp4", 10)
    write_picture(tmp_path / "media/a.jpg", 20, quality=50)
    write_folder(tmp_path / "media/show_1", 22)
    made = prepare(mixture, indexes, tmp_path / "manifest")
    assert sorted(calls) == ["a.jpg", "gone.mp4", "show_1"]
    assert len(made) == 4, "the newest part counts"
    assert made.facts(Media("video", "films/gone.mp4"), mixture.sources[0]).frames == 10
    assert made.facts(Media("video", "show_1"), mixture.sources[1]).frames == 22


def test_a_killed_run_is_gone_on_with(mixed, tmp_path, monkeypatch):
    mixture, indexes = mixed
    calls = []
    monkeypatch.setattr(manifests, "PART_FILES", 2)

    def third_kills(file: MediaFile) -> MediaFacts:
        if len(calls) == 3:
            os._exit(9)
        return probe_media(file)

    child = os.fork()
    if not child:
        monkeypatch.setattr(manifests, "probe_all", _inline(calls, third_kills))
        prepare(mixture, indexes, tmp_path / "manifest")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(Manifest.open(tmp_path / "manifest")) == 2
    (tmp_path / "manifest/.part-000001.parquet.x.parquet").write_bytes(b"half")
    monkeypatch.setattr(manifests, "probe_all", _inline(calls))
    assert len(prepare(mixture, indexes, tmp_path / "manifest")) == 4
    assert len(calls) == 2
    assert not list((tmp_path / "manifest").glob(".part-*"))


def hang_or_crash(file: MediaFile) -> MediaFacts:
    """A decoder at its worst: some names hang it, and others end its process."""
    if file.path.name == "hang.mp4":
        threading.Event().wait()
    if file.path.name == "crash.mp4":
        os.kill(os.getpid(), signal.SIGSEGV)
    return MediaFacts(str(file.path), file.kind, frames=1)


def test_a_decoder_that_hangs_or_crashes_costs_one_file():
    names = [*(f"{number}.mp4" for number in range(40)), "hang.mp4", "crash.mp4", "last.mp4"]
    files = [MediaFile(Path(name), "video") for name in names]
    found = list(probe_all(files, 2, 1.0, hang_or_crash))
    assert sorted(facts.path for facts in found) == sorted(names)
    faults = {facts.path: facts.fault for facts in found if facts.fault}
    assert faults == {"hang.mp4": MediaFault.TIMEOUT, "crash.mp4": MediaFault.CRASHED}
    assert "no answer in 1 s" in next(facts.message for facts in found if facts.path == "hang.mp4")


def fail(file: MediaFile) -> MediaFacts:
    raise KeyError(file)


def test_a_bug_is_not_counted_as_a_bad_file():
    with pytest.raises(KeyError):
        list(probe_all([MediaFile(Path("a.mp4"), "video")], 1, 30.0, fail))


def test_files_that_were_stopped_are_looked_at_again_where_asked(mixed, tmp_path, monkeypatch):
    mixture, indexes = mixed
    calls = []

    def stopped(file: MediaFile) -> MediaFacts:
        facts = probe_media(file)
        return MediaFacts(
            facts.path, facts.kind, MediaFault.TIMEOUT, "", size_bytes=facts.size_bytes, modified_ns=facts.modified_ns
        )

    monkeypatch.setattr(manifests, "probe_all", _inline([], stopped))
    prepare(mixture, indexes, tmp_path / "manifest")
    monkeypatch.setattr(manifests, "probe_all", _inline(calls))
    prepare(mixture, indexes, tmp_path / "manifest")
    assert calls == []
    made = prepare(mixture, indexes, tmp_path / "manifest", is_retried=True)
    assert len(calls) == 4
    assert made.facts(Media("image", "a.jpg"), mixture.sources[2]).fault is MediaFault.NONE


def test_one_folder_has_the_rate_of_each_source(tmp_path):
    write_folder(tmp_path / "media/show", 12)
    write_records(tmp_path / "a.json", [record(video="show")])
    write_records(tmp_path / "b.json", [record(video="show")])
    entries = "".join(
        f"  - {{json_path: {name}.json, data_root: media, video_read_type: img, frames_fps: {fps}}}\n"
        for name, fps in (("a", 3), ("b", 1))
    )
    (tmp_path / "m.yaml").write_text(f"datasets:\n{entries}")
    mixture = read_mixture(tmp_path / "m.yaml")
    indexes = index_files([source.annotations for source in mixture.sources], tmp_path / "cache")
    made = prepare(mixture, indexes, tmp_path / "manifest")
    lengths = [made.facts(Media("video", "show"), source).duration_seconds for source in mixture.sources]
    assert (len(made), lengths) == (1, [4.0, 12.0])


def test_a_source_without_a_root_is_refused_for_each_record(mixed, tmp_path):
    made = prepare(*mixed, tmp_path / "manifest")
    with pytest.raises(MediaError) as caught:
        made.facts(Media("video", "a.mp4"), Source("text.jsonl", tmp_path / "text.jsonl"))
    assert caught.value.fault is MediaFault.NO_ROOT


def test_names_that_are_no_text_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    write_picture(tmp_path / "a.jpg").rename(tmp_path / name)
    source = Source("a.json", tmp_path / "a.json", Root(tmp_path))
    with manifests._Writer(tmp_path, is_empty=True) as writer:
        writer.add(probe_media(MediaFile(tmp_path / name, "image")))
        writer.add(probe_media(MediaFile(tmp_path / f"no {name}", "image")))
    made = Manifest.open(tmp_path)
    assert made.facts(Media("image", name), source).width_px == 64
    assert made.facts(Media("image", f"no {name}"), source).fault is MediaFault.MISSING


def test_what_is_wrong_with_a_file_is_kept(tmp_path):
    (tmp_path / "text.jpg").write_text("once upon a time")
    write_records(tmp_path / "a.json", [record(image="text.jpg"), record(image="gone.jpg")])
    (tmp_path / "m.yaml").write_text("datasets: [{json_path: a.json, data_root: .}]")
    mixture = read_mixture(tmp_path / "m.yaml")
    indexes = index_files([source.annotations for source in mixture.sources], tmp_path / "cache")
    made = prepare(mixture, indexes, tmp_path / "manifest")
    for name, said in (
        ("text.jpg", r"text\.jpg' is no picture that can be read"),
        ("gone.jpg", r"gone\.jpg': missing"),
    ):
        facts, expected = (
            made.facts(Media("image", name), mixture.sources[0]),
            "expected the image that the record names",
        )
        with pytest.raises(MediaError, match=f"{said}; {expected}; fetch it again"):
            facts.part(Media("image", name))
    (tmp_path / "text.jpg").unlink()
    gone = prepare(mixture, indexes, tmp_path / "manifest").facts(Media("image", "text.jpg"), mixture.sources[0])
    assert (gone.fault, gone.message) == (MediaFault.MISSING, "")


def test_a_folder_without_a_manifest_or_with_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no manifest in .*run: longpanda data prepare"):
        Manifest.open(tmp_path)
    (tmp_path / "part-000000.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ConfigError, match=r"part-000000\.parquet' is no part of a manifest"):
        Manifest.open(tmp_path)


@pytest.mark.parametrize("module", ["pebble", "pyarrow.parquet"])
def test_a_missing_library_is_named_before_the_work(mixed, tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'longpanda\[data\]'"):
        prepare(*mixed, tmp_path / "manifest")
    assert not (tmp_path / "manifest").exists()


def test_two_runs_do_not_write_at_once(mixed, tmp_path):
    from longpanda.files import exclusive_lock

    (tmp_path / "manifest").mkdir()
    with exclusive_lock(tmp_path / "manifest"), pytest.raises(ConfigError, match="is writing to"):
        prepare(*mixed, tmp_path / "manifest")
