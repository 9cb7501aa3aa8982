"""Reading and describing recorded traces."""

import gzip
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.common.paths import ROOT, TRACE_CACHE
from anarchy.workload import traces
from anarchy.workload.trace_facts import describe_trace
from anarchy.workload.traces import count_rows, load_trace, read_trace

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"


def row(timestamp=0, tokens=600, output=5, ids=(1, 2)):
    return {
        "timestamp": timestamp,
        "input_length": tokens,
        "output_length": output,
        "hash_ids": list(ids),
    }


def mooncake(folder, *lines):
    path = folder / "trace.jsonl"
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n")
    return path


def azure(folder, *lines, header=HEADER):
    path = folder / "trace.csv"
    path.write_bytes((header + "\r\n".join(lines)).encode())
    return path


def values(data):
    return {row["id"]: row["value"] for row in describe_trace(data)}


def real(name):
    """A real trace; not committed, hence perhaps not there."""
    for folder in (os.environ.get("ANARCHY_TRACE_DIR"), ROOT / TRACE_CACHE):
        if folder and (Path(folder) / name).is_file():
            return Path(folder) / name
    pytest.skip(f"{name} is in neither ANARCHY_TRACE_DIR nor data/traces")


# ------------------------------------------------------------------------------ Mooncake


def test_mooncake_rows_become_arrays(tmp_path):
    path = mooncake(tmp_path, row(1500), row(1500, 512, 1, [7]), row(2750, 513, 9, [7, 8]))
    data = load_trace(path)
    assert data.arrival.tolist() == [0.0, 0.0, 1.25]
    assert data.input_tokens.tolist() == [600, 512, 513]
    assert data.output_tokens.tolist() == [5, 1, 9]
    assert data.blocks == [(1, 2), (7,), (7, 8)]
    assert data.block_tokens == 512
    assert data.arrival.dtype == np.float64
    assert data.input_tokens.dtype == data.output_tokens.dtype == np.int64
    assert len(data) == 3


def test_a_last_line_without_newline_counts(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps(row()))
    assert len(load_trace(path)) == 1


def test_the_broken_line_4711_is_named(tmp_path):
    lines = [json.dumps(row(i)) for i in range(5000)]
    lines[4710] = lines[4710][:-9]
    path = mooncake(tmp_path, *lines)
    with pytest.raises(InputError, match=rf"^{path}:4711: not JSON: ") as fault:
        load_trace(path)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("}", "not JSON"),
        ("[]", "not a JSON object"),
        ("7", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"timestamp": ' + "9" * 5000 + "}", "not a JSON object"),
        ('{"timestamp": 3}', "key 'hash_ids' is missing"),
        (row(9, ids=[1]), "1 hash_ids, but 600 prompt tokens have 2 blocks of 512"),
        (row(9, ids=[1, 2, 3]), "3 hash_ids, but 600 prompt tokens have 2 blocks of 512"),
        (row(9, ids=[1, "2"]), "hash_ids must be a list of whole numbers"),
        (row(9, ids=[1, True]), "hash_ids must be a list of whole numbers"),
        (row(9) | {"hash_ids": "12"}, "hash_ids must be a list of whole numbers"),
        (row(9, ids=[1, -1]), "hash_ids must be whole numbers from 0 to 18446744073709551615"),
        (row(9, ids=[1, 2**64]), "hash_ids must be whole numbers from 0 to 18446744073709551615"),
        (row(9, ids=[1, 10**400]), "hash_ids must be whole numbers from 0"),
        (row(-1), "timestamp -1, allowed are milliseconds from 0"),
        (row(True), "timestamp True, allowed"),
        (row("9"), "timestamp '9', allowed"),
        (row(float("nan")), "timestamp nan, allowed"),
        (row(float("inf")), "timestamp inf, allowed"),
        (row(10**400), "allowed are milliseconds from 0"),
        (row(9, tokens=0, ids=[]), "input_length 0, allowed are 1 to 2147483647"),
        (row(9, tokens=-600), "input_length -600, allowed"),
        (row(9, tokens=600.0), "input_length 600.0, allowed"),
        (row(9, tokens=2**31), "input_length 2147483648, allowed"),
        (row(9, output=-1), "output_length -1, allowed are 0 to 2147483647"),
        (row(9, output=None), "output_length None, allowed"),
    ],
)
def test_a_faulty_mooncake_row_is_refused(tmp_path, broken, message):
    path = mooncake(tmp_path, row(5), broken, row(99))
    with pytest.raises(InputError) as fault:
        load_trace(path)
    assert str(fault.value).startswith(f"{path}:2: ")
    assert message in str(fault.value)


def test_an_empty_trace_is_refused(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text("")
    with pytest.raises(InputError, match="no requests"):
        load_trace(path)


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_bytes(json.dumps(row()).encode() + b"\n\xff\n")
    with pytest.raises(InputError, match=rf"{path}:2: not UTF-8"):
        load_trace(path)


# --------------------------------------------------------------------------------- Azure


def test_azure_times_are_exact_to_100_ns(tmp_path):
    path = azure(
        tmp_path,
        "2023-11-16 23:59:59.9999999,10,1",
        "2023-11-17 00:00:00.0000001,20,2",
        "2023-11-17 00:00:01,30,3",
        "2023-11-17 00:00:01.25,40,4",
    )
    data = load_trace(path)
    assert data.arrival.tolist() == [0.0, 2e-7, 1.0000001, 1.2500001]
    assert data.input_tokens.tolist() == [10, 20, 30, 40]
    assert data.output_tokens.tolist() == [1, 2, 3, 4]
    assert data.blocks == [(), (), (), ()]
    assert data.block_tokens is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("now", "1 columns, expected 3"),
        ("2023-11-16 18:17:05,1,2,3", "4 columns, expected 3"),
        ("2023-11-16 18:17:05+25:00,1,2", "TIMESTAMP '2023-11-16 18:17:05+25:00', expected"),
        ("2023-11-16 18:17:05.12345678,1,2", "TIMESTAMP '2023-11-16 18:17:05.12345678'"),
        ("2023-02-30 18:17:05,1,2", "TIMESTAMP '2023-02-30 18:17:05'"),
        ("now,1,2", "TIMESTAMP 'now'"),
        ("2023-11-16 18:17:05,0,2", "ContextTokens 0, allowed are 1 to 2147483647"),
        ("2023-11-16 18:17:05,1,2147483648", "GeneratedTokens 2147483648, allowed are 0 to"),
        ("2023-11-16 18:17:05,-1,2", "ContextTokens '-1', allowed"),
        ("2023-11-16 18:17:05,1,2.5", "GeneratedTokens '2.5', allowed"),
        ("2023-11-16 18:17:05,\u0661,2", "ContextTokens"),
        ("2023-11-16 18:17:05,99999999999,2", "ContextTokens '99999999999', allowed"),
    ],
)
def test_a_faulty_azure_row_is_refused(tmp_path, broken, message):
    path = azure(tmp_path, "2023-11-16 18:17:04,1,2", broken, "2023-11-16 19:00:00,1,2")
    with pytest.raises(InputError) as fault:
        load_trace(path)
    assert str(fault.value).startswith(f"{path}:3: ")
    assert message in str(fault.value)


def test_azure_times_of_2024_name_their_offset(tmp_path):
    path = azure(
        tmp_path,
        "2024-05-10 00:00:00.009930+00:00,2162,5",
        "2024-05-10T02:00:00.017335+02:00,2399,6",
        "2024-05-09 23:00:00.314Z,76,15",
        "2024-05-10 00:00:01,1,1",
    )
    data = load_trace(path)
    assert data.input_tokens.tolist() == [76, 2162, 2399, 1], "sorted: one is of the hour before"
    assert data.arrival.tolist() == [0.0, 3599.69593, 3599.703335, 3600.686]


@pytest.mark.parametrize("header", ["", "TIMESTAMP,ContextTokens\r\n"])
def test_another_azure_header_is_refused(tmp_path, header):
    path = azure(tmp_path, "2023-11-16 18:17:04,1,2", header=header)
    with pytest.raises(InputError, match=rf"{path}:1: the header must be TIMESTAMP,"):
        load_trace(path)


def test_an_azure_trace_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match="no requests"):
        load_trace(azure(tmp_path))


# ------------------------------------------------------------------------- whole files


@given(st.integers(1, 6), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_rows_are_counted_without_reading_them(tmp_path_factory, n, end, ended):
    last = end if ended else ""
    contents = {
        "mooncake": end.join([json.dumps(row())] * n) + last,
        "azure": end.join([HEADER.strip(), *["2023-11-16 18:17:04,1,2"] * n]) + last,
    }
    for format, text in contents.items():
        path = tmp_path_factory.getbasetemp() / "counted"
        path.write_bytes(text.encode())
        assert count_rows(text.encode(), format) == len(read_trace(path, format)) == n


def test_the_suffix_tells_the_format_or_else_the_first_line(tmp_path):
    rows = json.dumps(row()), HEADER + "2023-11-16 18:17:04,1,2"
    for text, blocks in zip(rows, [[(1, 2)], [()]], strict=True):
        path = tmp_path / "trace.log"
        path.write_text(text)
        assert load_trace(path).blocks == blocks


@pytest.mark.parametrize("content", [b"PAR1\x15\x04", b"time,prompt,output\n1,2,3\n", b"[]"])
def test_an_unreadable_format_is_answered_with_the_readable_ones(tmp_path, content):
    path = tmp_path / "trace.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError) as fault:
        load_trace(path)
    for part in ("unknown trace format", "hash_ids (.jsonl)", "GeneratedTokens (.csv)", "(.gz)"):
        assert part in str(fault.value)


BOTH = {
    "mooncake": [json.dumps(row(second * 1000, 500 + second, 1, [second])) for second in range(3)],
    "azure": [HEADER.strip(), *(f"2023-11-16 18:17:0{s},{500 + s},1" for s in range(3))],
}


@pytest.fixture(params=BOTH)
def written(request, tmp_path):
    """Writes the rows of a good trace, or others, and loads them."""

    def write(change=lambda lines: lines, end="\n", encode=str.encode, name="trace"):
        path = tmp_path / (name + {"mooncake": ".jsonl", "azure": ".csv"}[request.param])
        path.write_bytes(encode(end.join(change(BOTH[request.param])) + end))
        return load_trace(path)

    return write


def same(one, other):
    columns = ("arrival", "input_tokens", "output_tokens")
    assert [getattr(one, c).tolist() for c in columns] == [
        getattr(other, c).tolist() for c in columns
    ]
    assert list(one.blocks) == list(other.blocks)


def test_marks_of_byte_order_and_blank_lines_do_not_count(written, caplog):
    plain = written()
    assert plain.input_tokens.tolist() == [500, 501, 502]
    same(plain, written(end="\r\n"))
    same(plain, written(encode=lambda text: text.encode("utf-8-sig")))
    same(plain, written(lambda lines: ["", *lines[:2], "  \t", *lines[2:], "", ""]))
    assert not caplog.records


def test_rows_out_of_order_are_sorted_stably_with_a_note(written, caplog):
    plain = written()
    same(plain, written(lambda lines: [*lines[:-3], lines[-1], lines[-3], lines[-2]]))
    (note,) = caplog.records
    assert note.getMessage().endswith(": rows earlier than the row before: 1; all rows are sorted")


def test_rows_of_one_instant_keep_their_order(tmp_path):
    path = mooncake(tmp_path, row(9), row(5, ids=[3, 4]), row(9, ids=[7, 8]), row(5, ids=[1, 9]))
    data = load_trace(path)
    assert data.arrival.tolist() == [0.0, 0.0, 0.004, 0.004]
    assert list(map(len, data.blocks)) == [2, 2, 2, 2]
    assert data.blocks[::2] == [(3, 4), (1, 2)]


def test_no_output_tokens_count_as_one_with_a_note(written, caplog):
    def emptied(lines):
        swap = {'"output_length": 1': '"output_length": 0', ",500,1": ",500,0"}
        for old, new in swap.items():
            lines = [*lines[:-3], lines[-3].replace(old, new), *lines[-2:]]
        return lines

    same(written(), written(emptied))
    (note,) = caplog.records
    assert note.getMessage().endswith(
        ": requests without output tokens: 1; each counts as one token"
    )


def test_a_packed_trace_is_read_like_a_plain_one(written, tmp_path):
    same(written(), written(encode=lambda text: gzip.compress(text.encode())))
    path = mooncake(tmp_path, row())
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    same(load_trace(packed), load_trace(path))


@pytest.mark.parametrize("cut", [slice(-9), slice(15, None)])
def test_a_broken_archive_is_refused(tmp_path, cut):
    path = tmp_path / "trace.jsonl.gz"
    packed = gzip.compress(json.dumps(row()).encode())
    path.write_bytes(packed[:10] + packed[cut])
    with pytest.raises(InputError, match=rf"^{path}: cannot be read: "):
        load_trace(path)


def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=[json.dumps(row(7))])
    writer.start()
    assert load_trace(path).input_tokens.tolist() == [600]
    writer.join()


def test_files_without_end_are_not_read_to_theirs(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"^/dev/zero:1: the line has more than 16 MiB$"):
        load_trace(Path("/dev/zero"))
    monkeypatch.setattr(traces, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="more than 0 GiB are no trace that is read"):
        load_trace(mooncake(tmp_path, *[row()] * 20))


def test_a_folder_is_refused(tmp_path):
    path = tmp_path / "trace.csv"
    path.mkdir()
    with pytest.raises(InputError, match=rf"{path}: cannot be read"):
        load_trace(path)


def test_an_altered_file_is_refused(tmp_path):
    path = mooncake(tmp_path, row())
    with pytest.raises(InputError) as fault:
        read_trace(path, "mooncake", sha256="ab" * 32)
    assert str(fault.value).startswith(f"{path}: not the registered trace")
    assert "expected abababababab..." in str(fault.value)


# --------------------------------------------------------------------------- real traces


def test_the_mooncake_conversation_trace():
    path = real("mooncake_conversation_trace.jsonl")
    data = load_trace(path)
    recorded = [tuple(json.loads(line)["hash_ids"]) for line in path.read_text().splitlines()]
    assert data.blocks == recorded, "its ids name prefixes, so they are kept"
    described = values(data)
    assert described["requests"] == 12_031
    assert described["duration"] == 3536.999
    assert described["unique-blocks"] == 182_790
    assert described["reuse-ceiling"] == pytest.approx(0.374, abs=5e-4)


def test_the_azure_code_trace():
    described = values(load_trace(real("AzureLLMInferenceTrace_code.csv")))
    assert described["requests"] == 8_819
    assert described["duration"] == 3435.948056
