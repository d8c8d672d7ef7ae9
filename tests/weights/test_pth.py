"""PyTorch files: one that PyTorch wrote, others written instruction by instruction, and hostile ones."""

import base64
import io
import pickle
import random
import struct
import tracemalloc
import zipfile
import zlib
from array import array
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.errors import WeightsError
from convcalc.weights import pickled, pickles
from convcalc.weights.files import open_weights
from convcalc.weights.tensors import Tensors

# --- a small writer of pickles and archives -----------------------------------------------------------------

ORDERED = b"ccollections\nOrderedDict\n)R"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def whole(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def several(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def numbers(values) -> bytes:
    return several(*map(whole, values))


def named(path: str) -> bytes:
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def storage(kind: str = "torch.FloatStorage", key: str = "0", count: int = 6) -> bytes:
    return several(text("storage"), named(kind), text(key), text("cpu"), whole(count)) + b"Q"


def tensor(shape=(2, 3), strides=(3, 1), offset=0, held: bytes | None = None) -> bytes:
    """A tensor of six 32-bit floats under key 0, unless said otherwise."""
    held = storage() if held is None else held
    arguments = several(held, whole(offset), numbers(shape), numbers(strides), b"\x89", ORDERED)
    return named("torch._utils._rebuild_tensor_v2") + arguments + b"R"


def mapping(entries: dict[str, bytes], start: bytes = b"}") -> bytes:
    return start + b"(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def program(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


SIX = struct.pack("<6f", 1, 2, 3, 4, 5, -6.5)


def archived(
    code: bytes, storages: dict[str, bytes] | None = None, root: str = "archive", order: bytes | None = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> bytes:  # fmt: skip
    members = {"data.pkl": code}
    if order is not None:
        members["byteorder"] = order
    members |= {f"data/{key}": data for key, data in ({"0": SIX} if storages is None else storages).items()}
    members["version"] = b"3\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{root}/{name}", content)
    return buffer.getvalue()


def saved(entries: dict[str, bytes], **options) -> bytes:
    return archived(program(mapping(entries)), **options)


def opened(folder, content: bytes) -> Tensors:
    path = folder / "w.bin"  # the name tells nothing: files are known by what is in them
    path.write_bytes(content)
    return open_weights(path)


def read_all(folder, content: bytes) -> None:
    for found in opened(folder, content).values():
        assert len(found.values()) == found.count


# --- what is read -------------------------------------------------------------------------------------------

# Written by PyTorch 2.14.1: the state_dict of Sequential(Conv2d(2, 3, (1, 2), bias=False), BatchNorm2d(3)) with
# entries added, among them views of one storage of 0…23. Deflated and in base 85.
REAL = (
    "c-pO4TXY*o86L^D?5K_}X)bLF!KH=DC3SSMCAqoS5ka(UY3xl?)Dn<a(#8^zR{D2GNz>FsG}sB0i%VPRjgl6crY)BqUMMf%({pGaIrIP"
    "zoWLoE0*9ya#ACxhJL}EP2wSPdp8VOYvft&O`Df;rW|XdOLi+kh(=|jkk)x#tXx-Fz6*Q`i)sB_ZsR44oa5en-e6?KG^R!eotl&Yjpqq"
    "N(Kq*gyKt@&Yg))pgJa$4a%@-;7^R#N_i(}b3EtRcc*3@(LQn`?&x?xq#?D1$2x<a8$FJdfwQ=8YJn?r)>a#f>;_=iF0$@myA1TtNC&)"
    "4eEtMpUon^j0i=~DcPPw`XO5K_AF-}po!__ZQ)bPa`m6*k(oBCECril|!bE^^ig3>JHpE($})rgSaBu;N>UO&otMh0Q8#$pmbCuB2J8R"
    "X|5!8%JN~ps#1>?Hqjrg%7Fl;mm-IHtU8_GUl@tT{B>Zz!HOxaF!8=<wnNxQO<G`g_~9QSZ1TZa$Gav;{wSz+`>sh4#_AZxs{WAg2GM}"
    "Zp&=3NsM|Wo6~5%s9RZTYWZV&0me9)GyZo~jd^$YciH?C5Jr9++X(WHj&j~8g_sKCnIOJ^OommfT1Yk_IEzCZk=Id3FlPa!dkK;_Wq~D"
    "_<Se&S*sa1IdzxyxS*cUx*t^P6bkO_kyx1I{g(<xGl>W0Y%^CJnNU88id!nqOhGhu{Wc;UQl^&&g5z=g2KFx7=P`Fct&p0(`mI??|WZ+"
    "%1sMWIwpJjjD&4C9g%&0JH&q}_i8HQfAvSrPppbEJs;1DOd$1YaCU9MQHheJv~8v{0B_j1b5QOKxpUk2AGDQe}TaKA7mci>0vlziSMPr"
    "?yC<zH~7{EIBLET@~JpsA3{^x%s*Q!5#e7x+^48jHkT&VtQ32|DLI>Tu38&LZb5QTUPy$LwJ)RO`924rPJ#fc>FMS;_cW!G*y<PRzQ>I"
    "Q@%IW1PS_O$wF@)b?o=tN2(KC=apET*l*^F#;zz;{%Klm;Vx+WGjCO9^|a2C_JRXf?ZN|!z#@iII~}Fu_48RaQce!n6oJb4;%DkO)t0}"
    "8r(w^zJeaQDLm|Cb%tg2Rj$A2xUZKC9OED?Q8=r@IXg>g)@c#57iObcExQ6==K?W!geUn8N8p=G;9Fea+Z2{ncr>$ttr^YKDmv9o_|6&"
    "`x^D#GF}FT#k#TsOFY71xNa7HFm*2j}g`TAFlnPIuvmc&03(u<XeLD@kQllr~IgxGxet>j@!g)rA1+)auW6dMo3!LtU6n><_i}eM#V0*"
    "{?kZSDAftT$6zZlA}6A4~kfLH8gd0aOwJa6Dt#b-I^z>gQ;Cq?%;0zX}VpW(CLs$03S8Kt-HpKmSRc>#-*#mt(g-ZrwuJ@v+pR?Uh=vy"
    "NIiH7p%|ctsfXFW$R!hN-exn|eD*T%mUAD65sR3@f@p)2Uc9d+RGc&J0YQfPb-}_OEMTm`u3_awn-?WruY-wYweN)vH{hw5&4^i+lfeJ"
    "=+5U>v|X<`-HAyS2&%zy#oUd?LI;p7%Lc<BpJb&#+busU@T*t$9QduIju(K>S0ziEu3x^okr5BA=0ehm|6|S{rKGvUFt`4e+%xU$Q@0m"
    "#z_bH+n1f&n}0afhJLIAeU|&L@jlJ;|Jrq-)`tFg`}+Tv@t<f{f7CPfn=jmOhKcpH(B30z$J41K>8$=){$v{eU^Fn!W2|7jgF*IVFOM;"
    "T5yqItn8BFCs9`iP&S5NLJc)50<08gu7_aYVc|E-Uk}-!wb1m|^S<EYuPK}VO^zZm&c`)zHFL82UzNejBR{b{|pEHj4i%vevj_;b23-|"
    "x?KbHz^_)lJy|0G$te2S^$9{ug#+t~jmJKO&nQzI+6(@g(QZ@zbHYyCm8SK8HZ1D<T(z|&8$>z7l{*2%d&?<U@7PTqZE`QVWK4RU=aG0"
    "6#Tu)98}6CZj1GShtPncwVVO>%b&%_&JU+Tr=<BbROcrC0uPOFR0pj`f-PuWouH)B5}$#3d%G<F>oE6Lq$J-?8`oxynB_i20MN%73E6{"
    "MXC&T35^M;09%_Sdh8@-E;GYTaVuk61~#E+4e2nEMW)tpvHdv$d(G})Yu11CY*?eCt~45G@eLKCZm&+v1BBi#HV;HG7*l%!^v<Y5s4+3"
    "%bi<J?+&4lknPgP%(_0k-R)45bNP218SQOgw+YDq1jt(buuS4@LbnSfv%O@U&R6E~Hj={v&)Xgzw}F-6-tKNdfZy9kq~24;db<Y^OEyT"
    "@NRzIo^AfQ~WNcK%db=hOdr8K|uHN&JpoATlvEGhF(v`6jGS=G_h}g_E5;iVly(hAW4fjjfgpBo`vm*B2GBzn=y=SCU8yh9;q>S~RYJ&"
    "pyk1{sWR9N2QNd(Ug$l#{R@}4as`1eiVrqc2r4I=oSK^fdsTi#t=1i#$`c8lwOZ~TJtkPL3BF7J*kf>%7?HFhHJM!7=(ZyF{ow(uDx5Z"
    "Jl8;dkBUBDYHS`+E5O_2Jbo0D)fnOSZFr^4|h_0vxl|exJYlUyyfa^8"
)
VIEWED = {
    "0.weight": ((3, 2, 1, 2), "F32", [n / 8 for n in range(12)]),
    "1.weight": ((3,), "F32", [1, 1, 1]),
    "1.bias": ((3,), "F32", [0, 0, 0]),
    "1.running_mean": ((3,), "F32", [0.5, -1, 2]),
    "1.running_var": ((3,), "F32", [1, 1, 1]),
    "1.num_batches_tracked": ((), "I64", [41]),
    "transposed": ((6, 4), "F32", [6 * j + i for i in range(6) for j in range(4)]),
    "permuted": (
        (3, 4, 2),
        "F32",
        [12 * k + 4 * i + j for i in range(3) for j in range(4) for k in range(2)],
    ),
    "shared": ((4,), "F32", [5, 6, 7, 8]),
    "strided": ((5,), "F32", [1, 6, 11, 16, 21]),
    "channels_last": ((2, 3, 2, 2), "F32", list(range(24))),
    "half": ((3,), "F16", [0.5, -2, 65504]),
    "brain": ((3,), "BF16", [1, -2.5, 3.00405527047391e38]),
    "double": ((2,), "F64", [0.1, -1e300]),
    "short": ((1, 2), "I16", [1, -2]),
    "unsigned": ((2,), "U16", [1, 65535]),
    "truth": ((2,), "BOOL", [1, 0]),
    "parameter": ((1, 1), "F32", [7]),
    "empty": ((0, 3), "F32", []),
}


def real() -> bytes:
    return zlib.decompress(base64.b85decode(REAL))


def test_a_file_that_pytorch_wrote(tmp_path):
    tensors = opened(tmp_path, real())
    assert {name: (t.shape, t.dtype, list(t.values())) for name, t in tensors.items()} == VIEWED
    assert list(tensors) == list(VIEWED)
    assert tensors.note == ""


def test_the_same_file_compressed_by_someone(tmp_path):
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(real())) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in sorted(source.namelist()):  # data.pkl is no longer the first
            target.writestr(name, source.read(name))
    assert {n: list(t.values()) for n, t in opened(tmp_path, buffer.getvalue()).items()} == {
        name: values for name, (_, _, values) in VIEWED.items()
    }


def test_a_file_written_by_hand(tmp_path):
    tensors = opened(tmp_path, saved({"conv.weight": tensor()}))
    weight = tensors["conv.weight"]
    assert (weight.name, weight.shape, weight.dtype, weight.count) == ("conv.weight", (2, 3), "F32", 6)
    assert weight.values() == array("f", [1, 2, 3, 4, 5, -6.5])


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("FloatStorage", "<2f", [1.5, -2]),
        ("DoubleStorage", "<2d", [0.1, -2]),
        ("HalfStorage", "<2e", [0.5, -2]),
        ("LongStorage", "<2q", [-1, 2**40]),
        ("IntStorage", "<2i", [-1, 2**30]),
        ("ShortStorage", "<2h", [-1, 300]),
        ("CharStorage", "<2b", [-1, 3]),
        ("ByteStorage", "<2B", [255, 3]),
        ("BoolStorage", "<2?", [1, 0]),
    ],
)
@pytest.mark.parametrize("order", ["little", "big"])
def test_types_and_byte_orders(tmp_path, kind, data, expected, order):
    held = {"0": struct.pack(data.replace("<", "<" if order == "little" else ">"), *expected)}
    for strides, values in (((1,), expected), ((2,), expected[:1])):  # as they lie, and picked one by one
        entry = tensor((len(values),), strides, held=storage(f"torch.{kind}", count=2))
        content = saved({"t": entry}, storages=held, order=order.encode())
        assert list(opened(tmp_path, content)["t"].values()) == values


def test_bfloat16(tmp_path):
    held = storage("torch.BFloat16Storage", count=2)
    content = saved({"t": tensor((2,), (1,), held=held)}, storages={"0": bytes.fromhex("803f 20c0")})
    assert list(opened(tmp_path, content)["t"].values()) == [1, -2.5]


def test_files_of_before_the_byte_order_was_written(tmp_path):
    assert list(opened(tmp_path, saved({"t": tensor()}, order=None))["t"].values()) == [1, 2, 3, 4, 5, -6.5]


@given(st.data())
def test_any_strides(tmp_path_factory, data):
    """A tensor's number at (i, j, …) is the storage's at offset + i·stride + j·stride + …"""
    shape = data.draw(st.lists(st.integers(0, 4), max_size=4))
    strides = data.draw(st.lists(st.integers(1, 9), min_size=len(shape), max_size=len(shape)))
    offset = data.draw(st.integers(0, 5))
    reach = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if n) + 1
    count = max(reach, prod(shape)) + data.draw(st.integers(0, 3))
    held = {"0": struct.pack(f"<{count}H", *range(count))}
    entry = tensor(shape, strides, offset, storage("torch.ShortStorage", count=count))
    got = opened(tmp_path_factory.getbasetemp(), saved({"t": entry}, storages=held))["t"]
    expected = [
        offset + sum(i * s for i, s in zip(place, strides, strict=True))
        for place in product(*map(range, shape))
    ]
    assert got.shape == tuple(shape)
    assert list(got.values()) == expected


def test_stored_numbers_are_a_window_on_the_file(tmp_path):
    count = 1 << 22
    held = storage(count=count)
    content = saved({"t": tensor((count,), (1,), held=held)}, storages={"0": bytes(4 * count)})
    path = tmp_path / "large.pth"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        open_weights(path)["t"].read()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_parameters_and_attributes(tmp_path):
    """A parameter is its tensor; what a state_dict carries besides (`_metadata`) is passed over."""
    parameter = named("torch._utils._rebuild_parameter") + several(tensor(), b"\x88", ORDERED) + b"R"
    attributes = mapping({"_metadata": mapping({"": mapping({"version": b"K\x01"})}, ORDERED)})
    code = program(mapping({"p": parameter}, ORDERED) + attributes + b"b")
    assert list(opened(tmp_path, archived(code))["p"].values()) == [1, 2, 3, 4, 5, -6.5]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_instructions_that_pythons_pickler_writes(tmp_path, protocol):
    """Whatever its protocol writes for scalars and containers is understood; only tensors are asked for."""
    besides = {
        "n": None,
        "i": [0, -1, 300, 2**40, -(2**80)],
        "f": 0.5,
        "t": (True, (), [], {}, "é" * 300),
        3: "x",
    }
    besides |= {"pairs": ((1, 2), (1, 2, 3, 4)), "many": list(range(2000)), "b": b"x" if protocol > 2 else ""}
    code = pickle.dumps(besides, protocol)
    whole_code = code[:-1] + b"(" + text("state_dict") + mapping({"w": tensor()}) + b"u."
    if protocol < 4:
        tensors = opened(tmp_path, archived(whole_code))
        assert list(tensors) == ["w"]
    else:  # the pickle is cut into frames, so the addition is written behind the last one
        assert pickles.PickleInterpreter().run(code) == besides


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_weights_inside_a_checkpoint(tmp_path, wrapper):
    entries = {
        "epoch": b"K\x03",
        wrapper: mapping({"w": tensor()}, ORDERED),
        "optimizer": mapping({"lr": b"K\1"}),
    }
    tensors = opened(tmp_path, saved(entries))
    assert list(tensors) == ["w"]
    assert tensors.note == f"the weights are those under '{wrapper}'"


def test_layers_named_like_wrappers(tmp_path):
    tensors = opened(tmp_path, saved({"model": tensor(), "state_dict": tensor()}))
    assert list(tensors) == ["model", "state_dict"]
    assert tensors.note == ""


# --- what is refused ----------------------------------------------------------------------------------------

W = {"w": tensor()}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "holds no tensors by name, but an empty dictionary"),
        ({"epoch": b"K\x03"}, "holds no tensors by name, but 'epoch' (a number)"),
        ({"state_dict": mapping({"w": b"N"})}, "holds no tensors by name under 'state_dict', but 'w' (None)"),
        ({"state_dict": mapping({})}, "holds no tensors by name under 'state_dict'"),
        ({"w": tensor((2, 4), (4, 1))}, "ends at number 8 of a storage of 6"),
        ({"w": tensor((2, 3), (3, 1), 1)}, "ends at number 7 of a storage of 6"),
        ({"w": tensor((2, 3), (4, 1))}, "ends at number 7 of a storage of 6"),
        ({"w": tensor((2**40,), (1,))}, "ends at number 1,099,511,627,776 of a storage of 6"),
        ({"w": tensor((2**40,), (0,))}, "is expanded from fewer numbers"),
        ({"w": tensor((2, 3), (0, 1))}, "is expanded from fewer numbers"),
        ({"w": tensor((3, 3), (1, 1))}, "is expanded from fewer numbers"),
        ({"w": tensor((2**47,) * 64, (0,) * 64)}, "is expanded from fewer numbers"),
        ({"w": tensor((2**60,), (1,))}, "shape or strides are damaged"),
        ({"w": tensor((1,) * 65, (1,) * 65)}, "shape or strides are damaged"),
        ({"w": tensor((-2, -3), (3, 1))}, "shape or strides are damaged"),
        ({"w": tensor((2, 3), (-3, 1))}, "shape or strides are damaged"),
        ({"w": tensor((2, 3), (1,))}, "shape or strides are damaged"),
        ({"w": tensor((6,), (1,), -1)}, "its offset is damaged"),
        ({"w": tensor((6,), (1,), 2**60)}, "its offset is damaged"),
        ({"w": tensor(held=storage(count=7))}, "should have 28 bytes and has 24"),
        ({"w": tensor(held=storage(count=10**9))}, "should have 4,000,000,000 bytes and has 24"),
        ({"w": tensor(held=storage(count=-6))}, "describes a storage wrongly"),
        ({"w": tensor(held=storage(count=2**70))}, "describes a storage wrongly"),
        ({"w": tensor(held=storage("torch.DoubleStorage"))}, "should have 48 bytes and has 24"),
        ({"w": tensor(held=storage(key="1"))}, "storage '1', which the file does not have"),
        ({"w": tensor(held=storage(key="../data/0"))}, "storage '../data/0', which the file does not have"),
        ({"w": tensor(held=storage(key="/etc/passwd"))}, "which the file does not have"),
        ({"w": tensor(held=storage("torch.float32"))}, "describes a storage wrongly"),
        ({"w": tensor(held=storage("torch.QInt8Storage"))}, "but 'w' (a torch.QInt8Storage)"),
        ({"w": tensor(held=b"N")}, "describes a tensor wrongly"),
        ({"w": storage()}, "holds no tensors by name, but 'w' (a single value)"),
        ({"w": text("w") + b"Q"}, "refers to something that is not a storage"),
        ({"w": named("torch._utils._rebuild_tensor_v2") + b")R"}, "is damaged"),
        (
            {"w": named("torch._utils._rebuild_parameter") + several(b"N", b"N", b"N") + b"R"},
            "parameter wrongly",
        ),
        ({"w": named("collections.OrderedDict") + several(b"N") + b"R"}, "in a way PyTorch does not"),
        ({"w": named("collections.OrderedDict") + several(b"](K\x01e") + b"R"}, "in a way PyTorch does not"),
        ({"w": named("torch.FloatStorage") + b")R"}, "it calls torch.FloatStorage"),
        ({"w": b"K\x01)R"}, "it calls a number"),
        ({"w": named("collections.OrderedDict") + b"]R"}, "without arguments"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, entries, message):
    with pytest.raises(WeightsError) as caught:
        opened(tmp_path, saved(entries))
    assert message in str(caught.value)
    assert str(tmp_path / "w.bin") in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "has no end|damaged"),
        (b"\x80\x02}", "damaged"),
        (program(b"")[:-1], "damaged"),
        (program(b""), "takes what was never given"),
        (program(b"}u"), "an end without a beginning"),
        (program(b"]K\x01s"), "takes what was never given|not a container"),
        (program(b"](K\x01K\x02u"), "not a container"),
        (program(b"}(K\x01u"), "a key has no value"),
        (program(b"}(K\x01K\x02K\x01K\x03u"), "twice"),
        (program(b"}))s"), "holds no tensors by name, but a key"),
        (program(b"h\x07"), "recalls what was never kept"),
        (program(b"K\x01K\x02\x93"), "a name is not text"),
        (program(b"\xff"), "damaged"),
        (program(b"X\xff\xff\xff\xff-"), "damaged"),
        (program(b"X\x01\0\0\0\xff"), "damaged"),
        (program(b"I" + b"9" * 5000 + b"\n"), "damaged"),
        (program(b"K\x01"), "holds no tensors by name, but a number"),
        (program(b"]"), "holds no tensors by name, but a list"),
        (program(tensor()), "holds no tensors by name, but a tensor"),
        (program(b"]" + b"2" * 5), "the instruction DUP"),
    ],
)
def test_damaged_pickles(tmp_path, code, message):
    with pytest.raises(WeightsError, match=message) as caught:
        opened(tmp_path, archived(code))
    assert caught.value.hint


def hostile(marker: str) -> list[tuple[str, bytes]]:
    """Ways in which a pickle makes Python create the file `marker`, and what they must be refused for."""
    command = text(f"touch {marker}")
    system, arguments = b"cposix\nsystem\n", command + b"\x85"
    call = system + arguments + b"R"
    return [
        ("posix.system", call),
        ("os.system", b"cos\nsystem\n" + arguments + b"R"),
        ("builtins.eval", b"cbuiltins\neval\n" + arguments + b"R"),
        ("builtins.__import__", b"cbuiltins\n__import__\n" + arguments + b"R"),
        ("posix.system", text("posix") + text("system") + b"\x93" + arguments + b"R"),
        ("posix.system", mapping({"w": tensor(), "x": b"](" + call + b"e"})),
        ("posix.system", mapping(W) + mapping({"_metadata": call}) + b"b"),
        ("posix.system", b"}(" + call + b"K\x01u"),
        ("posix.system", call + b"0" + mapping(W)),
        ("posix.system", system + b"q\x01" + mapping(W)),
        ("posix.system", storage(key="0")[:-2] + call + b"tQ"),
        ("INST", b"(" + command + b"iposix\nsystem\n"),
        ("OBJ", b"(" + named("collections.OrderedDict") + command + b"o"),
        ("collections.OrderedDict", named("collections.OrderedDict") + arguments + b"\x81"),
        ("collections.OrderedDict", named("collections.OrderedDict") + arguments + b"}\x92"),
        ("EXT1", b"\x82\x01" + arguments + b"R"),
        ("EXT4", b"\x84\x01\0\0\0" + arguments + b"R"),
        ("PERSID", b"Pposix.system\n"),
        ("torch._utils.__builtins__", b"ctorch._utils\n__builtins__\n"),
        ("torch.storage._load_from_bytes", b"ctorch.storage\n_load_from_bytes\n" + b"C\x01x\x85R"),
        ("collections.OrderedDict.__init__.__globals__", b"ccollections\nOrderedDict.__init__.__globals__\n"),
        ("torch._utils._rebuild_tensor_v2.__globals__", named("torch._utils._rebuild_tensor_v2.__globals__")),
        ("__main__.FloatStorage", b"c__main__\nFloatStorage\n"),
    ]


def test_nothing_is_ever_run(tmp_path):
    marker = tmp_path / "was_here"
    for told, code in hostile(str(marker)):
        for value in (program(code), program(mapping({"state_dict": mapping({"w": code})}))):
            with pytest.raises(WeightsError) as caught:
                opened(tmp_path, archived(value))
            assert told in str(caught.value), code
            assert not marker.exists()


def test_what_pythons_own_pickler_makes_of_objects(tmp_path):
    class Trap:
        def __reduce__(self):
            return exec, ("raise SystemExit",)

    for protocol in range(2, 6):
        with pytest.raises(WeightsError, match="exec, which no tensor needs; nothing was run"):
            opened(tmp_path, archived(pickle.dumps({"w": Trap()}, protocol)))


def test_nesting_and_repetition_cost_no_more_than_their_bytes(tmp_path):
    deep = b"]" * 200_000 + b"a" * 199_999
    doubled = b"]q\x00" + b"](h\x00h\x00eq\x00" * 100  # as a tree, 2 to the power of 100 lists
    tuples = b")q\x00" + b"h\x00h\x00\x86q\x00" * 100
    keys = program(b"}" + tuples + b"K\x01s")  # hashing the key would take for ever
    memo = program(b"]" + b"".join(b"r" + struct.pack("<I", place) for place in range(200_000)))
    itself = program(b"}q\x00" + text("state_dict") + b"h\x00s")
    for code in (program(deep), program(doubled), program(tuples), keys, memo, itself):
        with pytest.raises(WeightsError):
            opened(tmp_path, archived(code))


def test_more_instructions_than_any_network_needs(tmp_path):
    with pytest.raises(WeightsError, match="more than 524,288 instructions"):
        opened(tmp_path, archived(program(b"(" * (1 << 19)), compression=zipfile.ZIP_DEFLATED))


def test_a_pickle_longer_than_any_networks(tmp_path):
    code = program(text("x" * (1 << 25)))
    with pytest.raises(
        WeightsError, match=r"'archive/data.pkl' has 33,554,\d+ bytes; 33,554,432 are the most"
    ):
        opened(tmp_path, archived(code, compression=zipfile.ZIP_DEFLATED))


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    count = 1 << 27  # 512 MiB of zeros in half a megabyte
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(
            "archive/data.pkl", program(mapping({"w": tensor((count,), (1,), held=storage(count=count))}))
        )
        with file.open("archive/data/0", "w", force_zip64=True) as member:
            for _ in range(count * 4 >> 24):
                member.write(bytes(1 << 24))
    with pytest.raises(WeightsError, match="would expand to"):
        open_weights(path)


def test_a_member_that_expands_further_than_it_says(tmp_path):
    content = bytearray(saved(W, storages={"0": SIX + bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED))
    place = content.rindex(b"archive/data/0") - 46  # its line in the table of contents
    content[place + 24 : place + 28] = struct.pack("<I", len(SIX))
    tensors = opened(tmp_path, bytes(content))
    with pytest.raises(WeightsError, match="not as long as it says"):
        tensors["w"].values()


def test_a_table_of_contents_without_end(tmp_path):
    content = bytearray(saved(W))
    end = content.rindex(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<I", 1 << 30)
    with pytest.raises(WeightsError, match="table of contents has 1,073,741,824 bytes"):
        opened(tmp_path, bytes(content))
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 5, 5, 1 << 40, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    with pytest.raises(WeightsError, match="table of contents has 1,099,511,627,776 bytes"):
        opened(tmp_path, saved(W)[:end] + record + locator + saved(W)[end:])


def edited(content: bytes, at: int, change: bytes, name: bytes = b"archive/data/0") -> bytes:
    """The archive with `change` at an offset of the member's line in the table of contents."""
    place = content.rindex(name) - 46 + at
    return content[:place] + change + content[place + len(change) :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(W)[:-30], "cut short"),
        (b"PK\3\4" + bytes(22) + b"\x0c\0\0\0a/data.pkl..", "cut short"),
        (edited(saved(W), 8, b"\x01"), "encrypted or compressed in a way PyTorch does not use"),
        (edited(saved(W), 10, b"\x0c"), "encrypted or compressed in a way PyTorch does not use"),
        (edited(saved(W), 20, struct.pack("<II", 9999, 9999)), "more bytes than the file has"),
        (edited(saved(W), 20, struct.pack("<II", 30, 30)), "should have 24 bytes and has 30"),
        (edited(saved(W), 20, struct.pack("<II", 20, 24)), "is not as long as it says"),
        (edited(saved(W), 20, struct.pack("<I", 400), b"archive/version"), "ends beyond the file"),
        (edited(saved(W), 42, struct.pack("<I", 1)), "is not where the table of contents says"),
        (edited(saved(W), 42, struct.pack("<I", 1 << 31)), "is not where the table of contents says"),
        (saved(W, order=b"middle"), "neither little nor big"),
        (saved(W, order=b"little" * 9), "16 are the most"),
        (saved(W, storages={}), "storage '0', which the file does not have"),
        (saved(W, storages={"1": SIX}), "storage '0', which the file does not have"),
        (saved(W, storages={"0": SIX + b"."}), "should have 24 bytes and has 25"),
    ],
)
def test_damaged_archives(tmp_path, content, message):
    with pytest.raises(WeightsError) as caught:
        read_all(tmp_path, content)
    assert message in str(caught.value)
    assert caught.value.hint


def test_archives_with_several_or_no_descriptions(tmp_path):
    for names in (["a/x"], ["a/data.pkl", "b/data.pkl"]):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for name in names:
                file.writestr(name, program(mapping(W)))
        with pytest.raises(WeightsError, match="should have one"):
            opened(tmp_path, buffer.getvalue())


def test_two_members_of_one_name(tmp_path):
    content = saved(W, storages={"0": SIX, "1": SIX}).replace(b"archive/data/1", b"archive/data/0")
    with pytest.raises(WeightsError, match="'archive/data/0' twice"):
        opened(tmp_path, content)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_numbers_that_do_not_match_their_checksum(tmp_path, compression):
    content = saved(W, compression=compression)
    tensors = opened(tmp_path, edited(content, 16, b"\0\0\0\0"))
    with pytest.raises(WeightsError, match=r"checksum \(CRC\): the file is damaged"):
        tensors["w"].values()


# --- the format from before PyTorch 1.6 ---------------------------------------------------------------------

# The same entries (but `unsigned`, which that format cannot hold), written by PyTorch 2.14.1 with
# _use_new_zipfile_serialization=False.
LEGACY = (
    "c-noHS$ES$6vt)RNx&pP7h33=?oOA~mTlQ-DM=_zX~mL=F6u&!Y>P;sNWRi2G*Fjx$pYQd9Vl(nokt$&Q}a=H=u1CB&*_2QSz_X#pmVO"
    "J8IOMdxw^|t%cs-sf9FU3?LBf~bX)(ly!W3Z{x(6%7@H+YY6L#<Yrb2Vw1Uv_JxJgJqX++S9YS2IVtIAP^gy0B(l|+`8dfEAj$0uln~="
    "&F9XJ`<en6l@lZ_;f9FIV!mNHV5;d|rIrKO?>HESs2S~Y?yVS0a1w*sra%c+qxNPRjaGR8W5Binz>a>i`}a*g;w&F-&6#BsxPC9tZI<J"
    "K$0@<KnTOe$$eW->+>)yI|QxCJTxN_xcgO>%%wrlG^wh-(H4#X?C@OG-Ykmb1{wwpwdMxV!Fs1lEmdQbtQ^vX;<f0_!tc3ZHRAAbrZF`"
    "`bXETZbOD$=vcLH`=%dJ7urdP;zP(HrZWT64{%PttDsRCM_`oH*?x81a8$~i_ytwRmTkBwzXLKYyoZ;tgV8zjk50GtUC$ZrNiCqwOoG?"
    "d7k5qS0*fs+CA4Zb45i_^M#@c_X=jOVBSZW_jBe01Rm7kA(jZ&n3HAz562_RN^wAeM+7n>kbM;SC`Ud<;Bg(EFt#wH7fn>ECaKw0SRsK"
    "~J8IRTpQA+-_h9a{g7{>cS|OXw4ycetwFIi=P_3_zt0)BWIuv-a2BsG_{1DN__>Wsq%9so)a<(F;M0bs;I}2q@gU(qP;LN88Jgvia7W#"
    "%2Ohg2U&)kT(Ll6hqcc8g62Sa#EXx(!#%&9vGJgdVlmI9$|VllvTH)4(m=JR7(hnAXw-SpeOz*#R6&~(@%sv&Ud2-|xj*ggT<KZbkin1"
    "NCHGsa;$fde|c#A08wP0zF3u;Q8_ftO=rpD(H<wG6Ka<g2WdWL8XAN=8QOre9M_5_pXZyiVW^9o}Re!ZzK*aIh`#yK$-&__x}ma*8rgQ"
    "lTQ!?2t$^lYWXSht~+yb+A}tss^Ux!QnRgPSzcAYD;0f{rePiS)~BBP;i985vp*ME4TzEbnsZ<>V8ypE%4hUcCpEpK%-qiE#`9y01C(`"
    "5KsYm20|)8xIjc;Qio$Jdh6S5`~!5Zg`Zj-Un~zeF7PKP9$VThyhFR$EHt^qy97?^FwG=L5D^>RYyV2V@3s`)UtQ`Y>_{I7g%5=TGt_}"
    "uPM;$%ufr*0JuMhBFefZx1#o(ej^0|4hL7TNRxK4UCLfD(|AhO5&V0&mpK;X%0-x*f#XK8)IR{_q@HKPLnrM(I_+|}uxtv$vTVzYfK11"
    "0U@mV;F35@J>oc$ev^E!MVHQ@*56}DGm)=gr<kL>@&jDfQf{M3Y>SrslHr@v^4&`8jO4SsFHZ+2^(gWsF*2ae@13afZL9;8QdOtL59db"
    "b?ceUou<O2yS`M_fDYj61}-;!dM=aYyR<xI9e9HJ=S}71teCB|UL@urV%xo2-6%qO+?kEnPj)8cEWiBu)Q?_n~WZ(}T+<i<yM9Ra$vX5"
    "8=-+U$uzOn};bul9teV@p%aEm(jBHnXW@yL>on$N4tP_2yFrFB3c9O4BDmPgiz=c_qbgprR%Tm_Tdg(hqknXd)SLMgmy?U7U;gwF0SzK"
    "%GFgq4sxHUFVx>f;ooK9JN23Ry6oeq@TnpEofrO{5x!p#zFrzmwiJ4oswbCsaPBO<{v13XN%PzPE?r5qcES|d^*{DvoJ{"
)


def legacy() -> bytes:
    return zlib.decompress(base64.b85decode(LEGACY))


def series(value: bytes, keys: list[str], data: bytes, machine: object = None, version: int = 1001) -> bytes:
    machine = {"protocol_version": 1001, "little_endian": True} if machine is None else machine
    start = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, version, machine))
    return start + value + pickle.dumps(keys, 2) + data


def old_storage(count: int = 6) -> bytes:
    return several(
        text("storage"), named("torch.FloatStorage"), text("0"), text("cpu"), whole(count), b"N"
    ) + b"Q"  # fmt: skip


SIX_OLD = struct.pack("<q", 6) + SIX


def test_a_legacy_file_that_pytorch_wrote(tmp_path):
    tensors = opened(tmp_path, legacy())
    expected = {name: entry for name, entry in VIEWED.items() if name != "unsigned"}
    assert {name: (t.shape, t.dtype, list(t.values())) for name, t in tensors.items()} == expected


def test_a_legacy_file_as_python_2_wrote_it(tmp_path):
    """Byte strings for text, an ordered dictionary from a list of pairs, and the first way to rebuild a tensor."""
    arguments = several(old_storage(), whole(0), numbers((2, 3)), numbers((3, 1)))
    first = named("torch._utils._rebuild_tensor") + arguments + b"R"
    pairs = b"](](U\x01w" + first + b"ee"
    code = program(b"ccollections\nOrderedDict\n" + pairs + b"\x85R")
    assert list(opened(tmp_path, series(code, ["0"], SIX_OLD))["w"].values()) == [1, 2, 3, 4, 5, -6.5]


OLD = program(mapping({"w": tensor(held=old_storage())}))
VIEW = old_storage()[:-3] + several(text("1"), whole(0), whole(6)) + b"tQ"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (series(OLD, ["0"], SIX_OLD[:-1]), "bytes and has"),
        (series(OLD, ["0"], SIX_OLD + b"."), "bytes and has"),
        (series(OLD, ["0"], struct.pack("<q", 5) + SIX), "is not as long as it says"),
        (series(OLD, ["0"], struct.pack("<q", -1) + SIX), "is not as long as it says"),
        (series(OLD, [], b""), "which the file does not have"),
        (series(OLD, ["0", "0"], SIX_OLD * 2), "list of its storages is damaged"),
        (series(OLD, ["1"], SIX_OLD), "list of its storages is damaged"),
        (series(OLD, [3], SIX_OLD), "list of its storages is damaged"),
        (series(OLD, {}, SIX_OLD), "list of its storages is damaged"),
        (series(OLD, ["0"], SIX_OLD, {"little_endian": False}), "version or on a machine"),
        (series(OLD, ["0"], SIX_OLD, []), "version or on a machine"),
        (series(OLD, ["0"], SIX_OLD, version=1002), "version or on a machine"),
        (series(program(mapping({"w": tensor(held=VIEW)})), ["0"], SIX_OLD), "not a storage"),
        (series(b"\x80\x02cposix\nsystem\n.", ["0"], SIX_OLD), "posix.system"),
        (series(OLD, ["0"], SIX_OLD, version=1001).replace(b"M\xe9\x03.", b"cposix\nsystem\n.", 1), "posix.system"),
    ],
)  # fmt: skip
def test_damaged_legacy_files(tmp_path, content, message):
    with pytest.raises(WeightsError) as caught:
        opened(tmp_path, content)
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.slow
def test_every_truncation_of_a_legacy_file_is_an_error(tmp_path):
    content = legacy()
    for length in range(len(content)):
        with pytest.raises(WeightsError):
            opened(tmp_path, content[:length])


@given(st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutations_of_a_legacy_file_are_read_or_refused(tmp_path_factory, changes):
    content = bytearray(legacy())
    for place, value in changes:
        content[place % len(content)] = value
    try:
        read_all(tmp_path_factory.getbasetemp(), bytes(content))
    except WeightsError:
        return


def test_every_truncation_is_an_error(tmp_path):
    content = saved(W)
    for length in range(len(content)):
        with pytest.raises(WeightsError):
            read_all(tmp_path, content[:length])


def test_every_truncated_pickle_is_an_error():
    with zipfile.ZipFile(io.BytesIO(real())) as file:
        code = file.read("fixture/data.pkl")
    for length in range(len(code)):
        with pytest.raises(pickled.InvalidFile):
            pickles.PickleInterpreter().run(code[:length])


@given(st.lists(st.tuples(st.integers(0, 6002), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutations_are_read_or_refused(tmp_path_factory, changes):
    content = bytearray(real())
    for place, value in changes:
        content[place] = value
    try:
        read_all(tmp_path_factory.getbasetemp(), bytes(content))
    except WeightsError:
        return


ALPHABET = [
    b"(", b")", b"]", b"}", b"t", b"u", b"s", b"e", b"a", b"R", b"b", b"Q", b"N", b"\x85", b"\x86", b"\x87", b"q\0",
    b"h\0", b"q\1", b"h\1", b"K\3", b"\x94", b"\x93", text("0"), text("storage"), text("torch"), tensor(), storage(),
    ORDERED, *map(named, sorted(pickled.KNOWN)),
]  # fmt: skip


@given(st.lists(st.sampled_from(ALPHABET), max_size=60))
def test_any_program_ends_in_a_value_or_a_refusal(parts):
    try:
        pickles.PickleInterpreter().run(program(b"".join(parts)))
    except pickled.InvalidFile:
        return


def test_random_bytes(tmp_path):
    source = random.Random(3)
    for _ in range(300):
        with pytest.raises(WeightsError):
            opened(tmp_path, archived(source.randbytes(source.randint(0, 60))))
