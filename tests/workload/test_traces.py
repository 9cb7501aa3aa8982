"""Reading and describing recorded traces."""

import json
import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.common.paths import ROOT, TRACE_CACHE
from anarchy.workload.traces import (
    MOONCAKE_BLOCK,
    TraceData,
    count_rows,
    describe_trace,
    load_trace,
    read_trace,
    reuse_ceiling,
)

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
        ("", "not JSON"),
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
        (row(4), "timestamp 4 after 5; rows must be in order"),
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
        (row(9, output=0), "output_length 0, allowed"),
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
        ("", "1 columns, expected 3"),
        ("2023-11-16 18:17:05,1,2,3", "4 columns, expected 3"),
        ("2023-11-16 18:17:03.9,1,2", "is earlier than the row before"),
        ("2023-11-16 18:17:05.12345678,1,2", "TIMESTAMP '2023-11-16 18:17:05.12345678'"),
        ("2023-02-30 18:17:05,1,2", "TIMESTAMP '2023-02-30 18:17:05'"),
        ("now,1,2", "TIMESTAMP 'now'"),
        ("2023-11-16 18:17:05,0,2", "ContextTokens 0, allowed are 1 to 2147483647"),
        ("2023-11-16 18:17:05,1,0", "GeneratedTokens 0, allowed"),
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


def test_the_suffix_tells_the_format(tmp_path):
    path = tmp_path / "trace.parquet"
    path.touch()
    with pytest.raises(InputError, match=r"unknown trace format; allowed: \.jsonl, \.csv"):
        load_trace(path)


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


# -------------------------------------------------------------------------- describing


def test_the_ceiling_of_a_small_trace_is_exact():
    data = TraceData(
        arrival=np.array([0.0, 1.0, 4.0, 6.0]),
        input_tokens=np.array([600, 1100, 600, 10]),
        output_tokens=np.array([1, 2, 3, 4]),
        # The third is the first again, with its partial block; the last has a new beginning.
        blocks=[(1, 2), (1, 3, 2), (1, 2), (4,)],
        block_tokens=512,
    )
    assert reuse_ceiling(data) == float(Fraction(512 + 600, 600 + 1100 + 600 + 10))
    described = values(data)
    assert described["requests"] == 4
    assert described["duration"] == 6.0
    assert described["rate"] == 0.5
    assert described["input-tokens-mean"] == 577.5
    assert described["input-tokens-p50"] == 600
    assert described["output-tokens-p50"] == 2.5
    assert described["unique-blocks"] == 4
    assert described["reuse-ceiling"] == reuse_ceiling(data)


def test_one_request_has_no_rate_and_no_reuse():
    data = TraceData(np.zeros(1), np.array([5]), np.array([7]), [(1,)], 512)
    described = values(data)
    assert described["rate"] is None
    assert described["reuse-ceiling"] == 0
    assert described["output-tokens-p99"] == 7


def test_without_prefix_information_there_is_no_ceiling():
    data = TraceData(np.zeros(2), np.array([5, 6]), np.array([7, 8]), [(), ()], None)
    assert not {"unique-blocks", "reuse-ceiling"} & set(values(data))
    with pytest.raises(ValueError, match="prefixes"):
        reuse_ceiling(data)


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=4)), min_size=1))
def test_the_ceiling_of_chained_hashes_is_that_of_the_prompts(prompts):
    """Ids that name whole prefixes, against a search over all earlier prompts."""
    names, blocks = {}, []
    for (prompt,) in prompts:
        prefixes = [tuple(prompt[: k + 1]) for k in range(len(prompt))]
        blocks.append(tuple(names.setdefault(prefix, len(names)) for prefix in prefixes))
    tokens = np.array([len(prompt) * MOONCAKE_BLOCK for (prompt,) in prompts])
    zeros = np.zeros(len(tokens))
    expected = 0
    for i, (prompt,) in enumerate(prompts):
        for k in range(len(prompt), 0, -1):
            if any(earlier[:k] == prompt[:k] for (earlier,) in prompts[:i]):
                expected += k * MOONCAKE_BLOCK
                break
    data = TraceData(zeros, tokens, tokens, blocks, MOONCAKE_BLOCK)
    assert reuse_ceiling(data) == expected / tokens.sum()


# --------------------------------------------------------------------------- real traces


def test_the_mooncake_conversation_trace():
    path = real("mooncake_conversation_trace.jsonl")
    seconds = []
    for _ in range(3):
        start = time.process_time()
        data = load_trace(path)
        seconds.append(time.process_time() - start)
    described = values(data)
    assert described["requests"] == 12_031
    assert described["duration"] == 3536.999
    assert described["unique-blocks"] == 182_790
    assert described["reuse-ceiling"] == pytest.approx(0.374, abs=5e-4)
    assert min(seconds) < 0.3


def test_the_azure_code_trace():
    described = values(load_trace(real("AzureLLMInferenceTrace_code.csv")))
    assert described["requests"] == 8_819
    assert described["duration"] == 3435.948056
