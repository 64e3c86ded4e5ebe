"""The planned reader gives the frames that decoding everything gives, bit by bit, in every kind of file, for less."""

import av
import numpy as np
import pytest
from every_frame import Shown, every_frame, textured
from movies import B_FRAMES, remux, write_movie

from longpanda.errors import ConfigError
from longpanda.video import decode, iter_frames, uniform
from longpanda.video.gop import GopDecoder
from longpanda.video.opened import DecodeSpec, OpenVideo
from longpanda.video.packets import PacketReader

COUNT = 150
KINDS = {  # name: (suffix, encoder, what write_movie is given besides)
    "h264": ("mp4", "libx264", {"options": B_FRAMES | {"g": "40"}}),
    "h264 without B frames": ("mp4", "libx264", {"options": {"bf": "0", "g": "30"}}),
    "h264 open groups": ("mp4", "libx264", {"options": B_FRAMES | {"g": "30", "x264-params": "open-gop=1"}}),
    "h264 open groups mkv": ("mkv", "libx264", {"options": B_FRAMES | {"g": "30", "x264-params": "open-gop=1"}}),
    "h264 open groups ts": ("ts", "libx264", {"options": B_FRAMES | {"g": "30", "x264-params": "open-gop=1"}}),
    "h264 one group": ("mkv", "libx264", {"options": B_FRAMES | {"g": "1000", "keyint_min": "1000"}}),
    "h264 all keyframes": ("mp4", "libx264", {"options": {"g": "1"}}),
    "h264 intra refresh": ("ts", "libx264", {"options": {"bf": "0", "g": "30", "x264-params": "intra-refresh=1"}}),
    "h264 interlaced": ("ts", "libx264", {"options": B_FRAMES | {"g": "30", "x264-params": "tff=1"}}),
    "h264 fragmented": (
        "mp4",
        "libx264",
        {"options": B_FRAMES | {"g": "30"}, "mux_options": {"movflags": "frag_keyframe+empty_moov"}},
    ),
    "h264 10 bits": ("mp4", "libx264", {"options": B_FRAMES, "pix_fmt": "yuv420p10le"}),
    "hevc": ("mp4", "libx265", {"options": {"x265-params": "keyint=40:bframes=4:log-level=none"}}),
    "hevc ts": ("ts", "libx265", {"options": {"x265-params": "keyint=40:bframes=4:log-level=none"}}),
    "hevc closed groups": ("mp4", "libx265", {"options": {"x265-params": "keyint=40:open-gop=0:log-level=none"}}),
    "hevc sub-layers": (
        "mp4",
        "libx265",
        {"options": {"x265-params": "keyint=40:bframes=4:temporal-layers=3:log-level=none"}},
    ),
    "mpeg4 asp": ("mp4", "mpeg4", {"options": {"g": "24", "b": "4000000", "bf": "2"}}),
    "mpeg4 asp avi": ("avi", "mpeg4", {"options": {"g": "24", "b": "4000000", "bf": "2"}}),
    "mpeg2": ("ts", "mpeg2video", {"options": {"g": "24", "b": "4000000", "bf": "2"}}),
    "vp8": ("webm", "libvpx", {"options": {"g": "50", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}}),
    "vp9": ("webm", "libvpx-vp9", {"options": {"g": "50", "cpu-used": "8", "deadline": "realtime"}}),
    "av1": ("mkv", "libsvtav1", {"options": {"g": "50", "preset": "12"}}),
    "gif": ("gif", "gif", {"pix_fmt": "rgb8"}),
    "mjpeg": ("avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
}


PLANNED = ["h264", "h264 open groups", "h264 one group", "h264 10 bits", "h264 fragmented", "hevc", "hevc ts", "mpeg2"]


@pytest.fixture(scope="session")
def movies(tmp_path_factory):
    """One movie of each kind and all its frames, made when first asked for."""
    made, folder = {}, tmp_path_factory.mktemp("kinds")

    def movie(kind):
        if kind not in made:
            suffix, codec, options = KINDS[kind]
            try:
                av.codec.Codec(codec, "w")
            except av.codec.codec.UnknownCodecError:
                pytest.skip(f"this FFmpeg has no encoder {codec}")
            path = folder / f"{kind.replace(' ', '_')}.{suffix}"
            write_movie(path, textured(COUNT), codec=codec, **options)
            made[kind] = path, every_frame(path)
        return made[kind]

    return movie


def check(path, shown: Shown, seconds, **options):
    """Pixels and times are those of the slow reader, and none is missing."""
    clip = decode(path, seconds, **options)
    expected = shown.at(seconds)
    np.testing.assert_array_equal(clip.pts_seconds, shown.pts_seconds[expected])
    np.testing.assert_array_equal(clip.frames, shown.pixels[expected])


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_decoding_everything(movies, kind):
    path, shown = movies(kind)
    moments, end = shown.pts_seconds, float(shown.pts_seconds[-1])
    check(path, shown, moments)
    check(path, shown, uniform(end, 9))
    check(path, shown, np.sort(np.random.default_rng(1).uniform(0, end, 25)))
    check(path, shown, moments[COUNT // 3 : COUNT // 2], workers=2)


@pytest.mark.parametrize("kind", KINDS)
def test_each_second_alone_has_the_frame_it_has_among_others(movies, kind):
    path, shown = movies(kind)
    for second in np.random.default_rng(2).choice(shown.pts_seconds, 6).tolist():
        check(path, shown, [second])


@pytest.mark.parametrize("kind", PLANNED)
def test_groups_of_sound_files_are_decoded_once(movies, kind, monkeypatch):
    path, shown = movies(kind)
    monkeypatch.setattr(GopDecoder, "inspect", lambda *_: pytest.fail("decoded to see what there is"))
    check(path, shown, uniform(float(shown.pts_seconds[-1]), 9))


def decoded_by(monkeypatch, path, seconds, **options):
    """How many packets are read for these seconds, and which pictures they give; the first picture's is not counted."""
    fed = []
    original = PacketReader.packets

    def counted(self, first, last):
        for number, packet in original(self, first, last):
            fed.append(number)
            yield number, packet

    with OpenVideo(DecodeSpec(path, **options)) as video, monkeypatch.context() as patch:
        patch.setattr(PacketReader, "packets", counted)
        pts_seconds = [frame.pts_seconds for frame in video.at(seconds)]
    return len(fed), pts_seconds


def test_nothing_beyond_what_is_needed_is_decoded(plain, monkeypatch):
    assert decoded_by(monkeypatch, plain, [8.0])[0] == 1  # 240 = 4 * 60: a keyframe
    assert decoded_by(monkeypatch, plain, [8.4])[0] <= 16
    assert decoded_by(monkeypatch, plain, [0.5, 8.4])[0] <= 2 * 19
    assert decoded_by(monkeypatch, plain, [0.5, 1.0, 8.4])[0] <= 19 + 34


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_no_seek_where_no_whole_group_can_be_left_out(plain, tmp_path, monkeypatch, suffix):
    path = plain if suffix == "mp4" else remux(plain, tmp_path / f"a.{suffix}")
    seeks = []
    original = PacketReader._try
    monkeypatch.setattr(PacketReader, "_try", lambda self, how: (seeks.append(how), original(self, how))[1])
    monkeypatch.setattr(PacketReader, "reopen", lambda _: pytest.fail("opened again"))
    with OpenVideo(DecodeSpec(path)) as video:
        assert len(list(video.at(np.arange(0.004, 9.8, 0.7)))) == 14
        assert len(seeks) <= 2  # to the first picture once packets have been read, and back behind it
        seeks.clear()
        assert len(list(video.at([0.1, 8.1]))) == 2
        assert 1 <= len(seeks) <= 2


@pytest.mark.parametrize("kind", ["late", "elsewhere", "refused"])
def test_a_seek_is_not_taken_on_trust(plain, monkeypatch, kind):
    """Where it fails, or comes too late or to what is no keyframe of the file, the file is read from its start."""
    shown, original = every_frame(plain), av.container.InputContainer.seek

    def seek(self, offset, **options):
        if kind == "refused":
            raise av.error.PermissionError(1, "no")
        original(self, offset + 30_000 if kind == "late" else 10**9, **options)

    monkeypatch.setattr("longpanda.video.packets.seek", seek)
    check(plain, shown, [0.5, 3.1, 8.4])
    check(plain, shown, [3.1])


@pytest.mark.parametrize("failures", [1, 2, 9])
def test_seeking_goes_on_until_it_has_failed_three_times(plain, monkeypatch, failures):
    shown, tried = every_frame(plain), []

    def seek(container, offset, **options):
        tried.append(offset)
        if len(tried) <= 2 * failures:  # by either time of the keyframe
            raise av.error.PermissionError(1, "no")
        container.seek(offset, **options)

    monkeypatch.setattr("longpanda.video.packets.seek", seek)
    with OpenVideo(DecodeSpec(plain)) as video:
        for second in (8.1, 6.1, 4.1, 2.1, 0.1):
            (frame,) = video.at([second])
            np.testing.assert_array_equal(frame.pixels, shown.pixels[shown.at([second])[0]])
    assert len(tried) == {1: 2 + 4, 2: 4 + 3, 9: 6}[failures]


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "mp4"), ("mpeg2video", "mp4"), ("libx264", "nut")])
def test_a_container_that_calls_every_packet_a_keyframe_is_not_believed(tmp_path, codec, suffix):
    options = {"g": "30", "bf": "0"} | ({} if codec == "libx264" else {"b": "4000000"})
    honest = write_movie(tmp_path / "a.mp4", textured(90), codec=codec, options=options)
    lying = tmp_path / f"lying.{suffix}"
    with av.open(str(honest)) as read, av.open(str(lying), "w") as write:
        copy = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream, packet.is_keyframe = copy, True
                write.mux(packet)
    with av.open(str(lying)) as container:
        assert all(packet.is_keyframe for packet in container.demux(video=0) if packet.size)
    shown = every_frame(lying)
    for second in (0.3, 0.9, 1.4, 2.7):
        check(lying, shown, [second])
    check(lying, shown, [0.3, 0.9, 1.4, 2.7])


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """HEVC of which two pictures can be read to their half only, which its decoder does not say of itself."""
    folder = tmp_path_factory.mktemp("cut_off")
    texture = np.random.default_rng(7).integers(0, 255, (24, 34, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    frames = [np.roll(texture, (3 * n, 5 * n), (0, 1))[:256, :384] for n in range(80)]
    options = {"x265-params": "keyint=40:bframes=4:log-level=none"}
    try:
        whole = write_movie(folder / "whole.mp4", frames, codec="libx265", options=options)
    except av.codec.codec.UnknownCodecError:
        pytest.skip("this FFmpeg has no encoder libx265")
    with av.open(str(whole)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(whole.read_bytes())
    for place, size in (packets[5], packets[60]):
        content[place + size // 2 : place + size] = bytes(size - size // 2)
    path = folder / "cut_off.mp4"
    path.write_bytes(content)
    return path, every_frame(whole)


def test_of_hevc_pictures_that_are_cut_off_nothing_is_shown(cut_off):
    path, shown = cut_off
    times = shown.pts_seconds + 0.001
    together = {frame.number: frame for frame in iter_frames(path, times)}
    assert 10 < len(together) < 70
    for number, frame in together.items():
        np.testing.assert_array_equal(frame.pixels, shown.pixels[number])
    for step in (3, 7):
        some = {frame.number * step: frame.pixels for frame in iter_frames(path, times[::step])}
        assert set(some) == set(together) & set(range(0, 80, step))
    for number in range(0, 80, 9):
        assert len([*iter_frames(path, [times[number]])]) == (number in together)


def test_hevc_that_is_in_error_from_its_first_picture_on_is_shown_as_it_comes(cut_off, tmp_path):
    """It may be merely odd: decoders pass over much that encoders write wrongly."""
    content, path = bytearray(cut_off[0].read_bytes()), tmp_path / "odd.mp4"
    with av.open(str(cut_off[0])) as container:
        first = next(container.demux(video=0))
        place, size = first.pos, first.size
    content[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(content)
    assert len([*iter_frames(path)]) == 80
    assert len(decode(path, [0.0, 1.0, 2.5])) == 3


def test_what_is_decoded_without_its_reference_is_the_same_whoever_asks(movies, tmp_path):
    """Of H.264 whose slices do not begin as they should, the decoder gives no picture, and no error either."""
    whole = movies("h264")[0]
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    times = [float(packet.pts * packet.time_base) for packet in packets]
    lost = next(n for n in range(len(times) // 2, len(times)) if times[n] > times[n + 1] and not packets[n].is_keyframe)
    content, path = bytearray(whole.read_bytes()), tmp_path / "lost.mp4"
    place, size = packets[lost].pos, packets[lost].size
    content[place + 6 : place + size] = bytes(size - 6)
    path.write_bytes(content)
    asked = np.sort(times) + 0.001
    together = {round(frame.pts_seconds, 3): frame.pixels for frame in iter_frames(path, asked)}
    assert round(times[lost], 3) not in together
    for number in (lost + 1, lost + 2):
        (frame,) = iter_frames(path, [times[number] + 0.001])
        np.testing.assert_array_equal(frame.pixels, together[round(times[number], 3)])


def test_hevc_of_several_sub_layers_is_not_dropped_from(movies):
    for kind, drops in (("hevc", "NONREF"), ("hevc sub-layers", "DEFAULT")):
        with OpenVideo(DecodeSpec(movies(kind)[0])) as video:
            assert video.decoder.drops == drops


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("tolerance_seconds", [0.3, 1.0, 5.0])
def test_a_tolerance_gives_the_nearest_keyframe_within_it(plain, tmp_path, suffix, tolerance_seconds):
    path = plain if suffix == "mp4" else remux(plain, tmp_path / f"a.{suffix}")
    seconds = np.arange(0.1, 9.3, 0.25) + 0.004
    keys = np.arange(0, 10, 2.0)
    clip, exact = decode(path, seconds, tolerance_seconds=tolerance_seconds), decode(path, seconds)
    nearest = keys[np.abs(keys - seconds[:, None]).argmin(axis=1)]
    is_near = np.abs(nearest - seconds) <= tolerance_seconds
    assert 0 < is_near.sum() <= len(seconds)
    np.testing.assert_allclose(clip.pts_seconds, np.where(is_near, nearest, exact.pts_seconds), atol=2e-3)
    whole = {round(frame.pts_seconds, 3): frame.pixels for frame in iter_frames(path)}
    for pixels, pts_seconds in zip(clip.frames, clip.pts_seconds.tolist(), strict=True):
        np.testing.assert_array_equal(pixels, whole[round(pts_seconds, 3)])


def test_with_a_tolerance_keyframes_alone_are_decoded(plain, monkeypatch):
    fed, pts_seconds = decoded_by(monkeypatch, plain, [0.4, 3.7, 5.6, 8.3], tolerance_seconds=0.5)
    assert (fed, pts_seconds) == (4, [0.0, 4.0, 6.0, 8.0])


def test_where_the_keyframe_near_is_damaged_the_exact_picture_is_given(plain, tmp_path):
    with av.open(str(plain)) as container:
        key = [packet for packet in container.demux(video=0) if packet.is_keyframe][1]
        place, size = key.pos, key.size
    content = bytearray(plain.read_bytes())
    content[place + size // 4 : place + size] = bytes(size - size // 4)  # its header is whole
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    shown, seconds = every_frame(plain), [1.91, 1.97, 2.03, 4.1]
    clip = decode(damaged, seconds, tolerance_seconds=0.2)
    np.testing.assert_allclose(clip.pts_seconds, [57 / 30, 59 / 30, 4.0], atol=1e-3)
    np.testing.assert_array_equal(clip.frames, shown.pixels[[57, 59, 120]])


@pytest.mark.parametrize("tolerance_seconds", [-1.0, float("nan"), float("inf")])
def test_an_impossible_tolerance_is_refused(plain, tolerance_seconds):
    with pytest.raises(ConfigError, match="tolerance_seconds"):
        decode(plain, [0.0], tolerance_seconds=tolerance_seconds)
