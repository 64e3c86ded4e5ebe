"""What is said about a file, and the error for each kind of file that is no video."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from movies import number_in, numbered, remux, write_movie, write_sound

from longpanda.errors import VideoError
from longpanda.video import decode, iter_frames, probe


def test_importing_the_package_imports_neither_av_nor_torch():
    code = "import sys, longpanda.video; print([m for m in ('av', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plain_file(plain):
    info = probe(plain)
    assert (info.width_px, info.height_px, info.codec, info.pixel_format) == (160, 64, "h264", "yuv420p")
    assert (info.rotation_degrees, info.sample_aspect_ratio, info.has_audio) == (0, 1, False)
    assert info.duration_seconds == pytest.approx(10.0)
    assert info.average_fps == pytest.approx(30.0)
    assert info.frames_promised == 300


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mov", "flv"])
def test_duration_in_other_containers(plain, tmp_path, suffix):
    assert probe(remux(plain, tmp_path / f"a.{suffix}")).duration_seconds == pytest.approx(10.0, abs=0.07)


def test_duration_is_read_where_no_header_has_it(plain, tmp_path):
    live = remux(plain, tmp_path / "live.mkv", options={"live": "1"})
    with av.open(str(live)) as container:
        assert container.duration is None
    assert probe(live).duration_seconds == pytest.approx(10.0, abs=0.05)


@pytest.mark.parametrize(("codec", "pix_fmt", "name"), [("png", "rgb24", "a.png"), ("mjpeg", "yuvj444p", "a.jpg")])
def test_a_still_image_is_a_video_of_one_frame(tmp_path, codec, pix_fmt, name):
    path = write_movie(tmp_path / name, [numbered(5)], codec=codec, pix_fmt=pix_fmt, format="image2")
    info = probe(path)
    assert (info.width_px, info.height_px) == (160, 64)
    clip = decode(path, [0.0])
    assert clip.pts_seconds.tolist() == [0.0]
    assert np.abs(clip.frames[0].astype(int) - numbered(5)).mean() < 3


def _cover_only(path):
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        packets = cover.encode(frame) + cover.encode()
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence) + sound.encode() + packets)
    return path


def _nothing_decodable(path, plain):
    data = bytearray(plain.read_bytes())
    at = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[at:end] = bytes(end - at)
    path.write_bytes(data)
    return path


KEY = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}


def _encrypted(path):
    return write_movie(path, [numbered(n) for n in range(10)], mux_options=KEY)


def _encrypted_later(path):
    """The first fragment is in the clear, and says nothing of its samples."""
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    frames, options = [numbered(n) for n in range(10)], {"g": "5", "bf": "0"}
    clear = write_movie(path.with_name("clear.mp4"), frames, options=options, mux_options=fragments).read_bytes()
    content = bytearray(write_movie(path, frames, options=options, mux_options=fragments | KEY).read_bytes())
    size = int.from_bytes(clear[clear.index(b"mdat") - 4 :][:4], "big") - 8
    places = [data.index(b"mdat") + 4 for data in (content, clear)]
    content[places[0] : places[0] + size] = clear[places[1] : places[1] + size]
    for box in (b"senc", b"saiz", b"saio"):
        at = content.index(box)
        content[at : at + 4] = b"free"
    path.write_bytes(content)
    return path


def _element(name, *payload):
    content = b"".join(payload)
    return bytes.fromhex(name) + bytes([0x80 | len(content)]) + content


def _encrypted_matroska(path):
    """A ContentEncryption (AES, with the identity of a key) in the place of the track's title."""
    title = "x" * 60
    write_movie(path, [numbered(n) for n in range(10)], prepare=lambda stream: stream.metadata.update(title=title))
    encryption = _element("5035", _element("47e1", b"\5"), _element("47e2", bytes(range(16))))
    encoding = _element("6240", _element("5032", b"\1"), _element("5033", b"\1"), encryption)
    written, wanted = _element("536e", title.encode()), _element("6d80", encoding)
    content = path.read_bytes()
    assert content.count(written) == 1
    padding = _element("ec", bytes(len(written) - len(wanted) - 2))
    path.write_bytes(content.replace(written, wanted + padding))
    return path


def _scrambled(path, plain):
    """MPEG-TS whose video packets say that they are scrambled, and are."""
    with av.open(str(remux(plain, path))) as container:
        pid = container.streams.video[0].id
    content, size = bytearray(path.read_bytes()), 192 if path.suffix == ".m2ts" else 188
    for end in range(size, len(content) + 1, size):
        at = end - 188
        if int.from_bytes(content[at + 1 : at + 3], "big") & 0x1FFF == pid:
            content[at + 3] |= 0x80
            body = at + 4 + (1 + content[at + 4] if content[at + 3] & 0x20 else 0)
            content[body:end] = bytes(byte ^ 0x5A for byte in content[body:end])
    path.write_bytes(content)
    return path


def _files(tmp_path, plain):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "subtitle.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "headless.mp4").write_bytes(plain.read_bytes()[:20000])
    return {
        "missing": (tmp_path / "missing.mp4", "no such file"),
        "directory": (tmp_path, "is a directory"),
        "empty": (tmp_path / "empty.mp4", "is empty"),
        "pipe": (tmp_path / "pipe.mp4", "is no regular file"),
        "text": (tmp_path / "text.mp4", "is no media file"),
        "noise": (tmp_path / "noise.mp4", "is no media file"),
        "headless": (tmp_path / "headless.mp4", "is no media file"),
        "subtitle": (tmp_path / "subtitle.srt", "holds no pictures"),
        "sound": (write_sound(tmp_path / "sound.m4a"), "sound but no pictures"),
        "cover": (_cover_only(tmp_path / "cover.m4a"), "only a cover picture"),
        "undecodable": (_nothing_decodable(tmp_path / "zero.mp4", plain), "no picture of"),
        "encrypted": (_encrypted(tmp_path / "encrypted.mp4"), "is encrypted"),
        "encrypted later": (_encrypted_later(tmp_path / "later.mp4"), "is encrypted"),
        "encrypted matroska": (_encrypted_matroska(tmp_path / "encrypted.mkv"), "is encrypted"),
        "scrambled": (_scrambled(tmp_path / "scrambled.ts", plain), "is encrypted"),
        "scrambled m2ts": (_scrambled(tmp_path / "scrambled.m2ts", plain), "is encrypted"),
    }


ENCRYPTED = ["encrypted", "encrypted later", "encrypted matroska", "scrambled", "scrambled m2ts"]
KINDS = ["missing", "directory", "empty", "pipe", "text", "noise", "headless", "subtitle", "sound", "cover"]


@pytest.mark.parametrize("kind", [*KINDS, "undecodable", *ENCRYPTED])
def test_what_is_no_video_is_refused_by_name(tmp_path, plain, kind):
    path, message = _files(tmp_path, plain)[kind]
    for call in (probe, lambda file: decode(file, [0.0])):
        with pytest.raises(VideoError, match=message) as caught:
            call(path)
        assert path.name in str(caught.value)
        assert caught.value.remedy


def test_pictures_without_times_are_shown_at_the_rate_of_the_stream(tmp_path, plain):
    raw = remux(plain, tmp_path / "raw.h264", format="h264")
    info = probe(raw)
    assert info.duration_seconds == pytest.approx(10.0)
    assert info.spacing_seconds == pytest.approx(1 / 30)
    assert info.average_fps == pytest.approx(30.0), "FFmpeg's own guess for any bare stream is 25"
    assert "The file holds no times" in info.notice
    assert [number_in(frame.pixels) for frame in iter_frames(raw)] == list(range(300))


def test_an_address_is_told_to_be_downloaded():
    with pytest.raises(VideoError, match="download it first"):
        probe("https://example.com/a.mp4")


def test_a_folder_that_may_not_be_entered_is_said_in_one_line(monkeypatch):
    def denied(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(VideoError, match=r"cannot be read .*check its permissions"):
        probe("locked/a.mp4")


def test_a_name_that_looks_like_a_protocol_is_a_file(tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = shutil.copy(plain, "2024-01-01T12:30:00.mp4")
    assert probe(name) == dataclasses.replace(probe(plain), path=name)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(plain, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(plain.read_bytes())
    path.chmod(0)
    with pytest.raises(VideoError, match="cannot be read"):
        probe(path)


def test_an_absurd_sample_aspect_ratio_is_refused(tmp_path):
    path = write_movie(tmp_path / "a.mp4", [numbered(0)], prepare=lambda s: setattr(s, "sample_aspect_ratio", 40))
    with pytest.raises(VideoError, match="1:16 to 16:1"):
        probe(path)
