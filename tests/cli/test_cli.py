"""The command ``theory``: exit codes, documents, sentences for bad input, and what a terminal shows."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import pytest

from tests import toy
from theory.cli import commands as cli
from theory.cli.terminal import HALF_RULER
from theory.core import bench
from theory.core.errors import Cancelled
from theory.core.vocabulary import Rival


@pytest.fixture(autouse=True)
def room(monkeypatch, store_path):
    toy.install(monkeypatch)


@pytest.fixture
def theory(capsys):
    def run(*words):
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_list(theory):
    code, out, err = theory("list")
    assert (code, err) == (0, "")
    assert all(claim.id in out and claim.title in out for claim in toy.ROOM.claims)
    listed = strict(theory("list", "--json")[1])
    assert [entry["claim"] for entry in listed] == ["heads", "identity", "seen"]
    assert [entry["id"] for entry in listed] == ["toy/heads", "toy/identity", "toy/seen"]


def test_show(theory):
    code, out, _ = theory("show", "heads")
    assert code == 0
    for part in (toy.HEADS.statement, toy.HEADS.latex, "too many: adds 0.4", "probability=0.3", "not a certain coin"):
        assert part in out
    assert "log10_flips" in out
    document = strict(theory("show", "heads", "--json")[1])
    assert document["rivals"] == [{"name": "too many", "slip": "adds 0.4", "witness": {"probability": 0.3}}]
    assert {entry["name"] for entry in document["parameters"]} == {"probability", "flips", "mode"}


def test_predict(theory):
    code, out, _ = theory("predict", "heads", "--set", "p=0.25", "--set", "log10_flips=3", "--json")
    assert code == 0
    document = strict(out)
    assert set(document) == {"claim", "id", "params", "assumptions", "prediction"}
    assert document["params"]["flips"] == 1000
    assert toy.runs == []
    assert "share of heads" in theory("predict", "heads")[1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["heads"], 0),
        (["seen"], 0),
        (["identity"], 0),
        (["heads", "--set", "p=1"], 3),
        (["heads", "--set", "flips=10"], 3),
        (["heads", "--set", "mode=diverge"], 4),
        (["heads", "--set", "mode=memory"], 4),
        (["heads", "--device", "cuda:99"], 4),
        (["heads", "--set", "mode=crash"], 70),
        (["heads", "--set", "p=2"], 2),
        (["heads", "--rivals"], 0),
        (["heads", "--no-store"], 0),
    ],
)
def test_exit_codes(theory, words, code):
    assert theory("check", *words)[0] == code
    assert theory("check", *words, "--json")[0] == code


def test_a_false_claim_fails(theory, monkeypatch):
    false = replace(toy.HEADS, predict=toy.heads_of(0.4))
    toy.install(monkeypatch, replace(toy.ROOM, claims=(false,)))
    code, out, _ = theory("check", "heads")
    assert code == 1
    assert "✗ Fails" in out


def test_a_verdict_for_people(theory):
    code, out, err = theory("check", "heads", "--seeds", 6)
    assert (code, err) == (0, "")
    assert "✓ Holds  heads" in out
    assert "\x1b" not in out
    ruler = next(line for line in out.splitlines() if "░" in line)
    assert "●" in ruler
    assert "×" in ruler
    assert len(ruler) < 2 * HALF_RULER + 30
    assert "too many (adds 0.4): rejected" in out
    assert "6 seeds, 6 measured now" in out


def test_a_verdict_for_programs(theory):
    document = strict(theory("check", "heads", "--json", "--rivals")[1])
    assert document["verdict"]["status"] == "holds"
    assert document["measurement"]["heads"]["dims"] == document["prediction"]["heads"]["dims"] == []
    assert set(document["measurement"]) == {"heads", "heads_se"} and document["raw"]["heads"]["dims"] == ["seed"]
    assert document["witnesses"][0]["status"] == "fails"


def test_all(theory):
    code, out, _ = theory("check", "--all", "--rivals", "--json")
    document = strict(out)
    assert code == document["exit"] == 0
    assert [entry["verdict"]["status"] for entry in document["results"]] == ["holds", "holds", "observed"]
    assert len(document["witnesses"]) == 2
    assert "5 verdicts: 5 as expected." in theory("check", "--all", "--rivals")[1]


@pytest.mark.parametrize(
    ("modes", "code"),
    [(["crash", "memory"], 70), (["memory", "false"], 1), (["memory", "normal"], 4), (["outside", "memory"], 4)],
)
def test_all_ends_with_the_worst(theory, monkeypatch, modes, code):
    changes = {
        "false": {"predict": toy.heads_of(0.4)},
        "outside": {"defaults": {"probability": 0.0}},
        **{mode: {"defaults": {"mode": mode}} for mode in ("crash", "memory", "normal")},
    }
    claims = tuple(replace(toy.HEADS, id=mode, **changes[mode]) for mode in modes)
    toy.install(monkeypatch, replace(toy.ROOM, claims=claims))
    assert theory("check", "--all")[0] == code


def test_a_rival_that_survives_its_witness_is_a_failure(theory, monkeypatch):
    weak = replace(toy.HEADS, rivals=(Rival("nearly", toy.heads_of(1e-6), {}, "adds a millionth"),))
    toy.install(monkeypatch, replace(toy.ROOM, claims=(weak,)))
    code, out, _ = theory("check", "--all", "--rivals")
    assert code == 1
    assert "Not rejected" in out
    assert theory("check", "--all")[0] == 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["check", "head"], ["claim = head", "heads"]),
        (["check"], ["CLAIM"]),
        (["frobnicate"], ["frobnicate", "list"]),
        ([], ["COMMAND"]),
        (["check", "heads", "--frob"], ["--frob"]),
        (["check", "heads", "--set", "p=2"], ["probability = 2", "from 0 to 1"]),
        (["check", "heads", "--set", "p=NaN"], ["probability = NaN", "from 0 to 1"]),
        (["check", "heads", "--set", "flips=1e9"], ["flips", "from 10 to 100,000"]),
        (["check", "heads", "--set", "flips=" + "9" * 5000], ["flips", "from 10 to 100,000"]),
        (["check", "heads", "--set", "p"], ["--set = p", "name=value"]),
        (["check", "heads", "--set", "q=1"], ["q = 1", "probability"]),
        (["check", "heads", "--set", "x=[1,"], ["values = [1,", "list of numbers"]),
        (["check", "heads", "--set", "size=40", "--set", "flips=20"], ["size = 40", "from 2 to 20"]),
        (["check", "heads", "--seeds", "0"], ["seeds = 0", "from 1 to 10,000"]),
        (["check", "heads", "--seeds", "-3"], ["seeds"]),
        (["check", "heads", "--seeds", "many"], ["seeds = many", "from 1 to 10,000"]),
        (["check", "heads", "--device", "tpu"], ["device = tpu", "cpu or cuda"]),
        (["check", "heads", "--params", "missing.json"], ["missing.json does not exist"]),
        (["check", "heads", "--params", "."], ["is not a file"]),
        (["check", "heads", "--params", "bad.json"], ["bad.json is not JSON", "line 1"]),
        (["check", "heads", "--params", "list.json"], ["list.json holds a list"]),
        (["check", "heads", "--params", "binary.json"], ["binary.json is not a text file"]),
        (["check", "heads", "--params", "deep.json"], ["deep.json"]),
        (["check", "heads", "--params", "empty.json"], ["empty.json is not JSON"]),
        (["check", "heads", "--params", "nan.json"], ["probability = NaN", "from 0 to 1"]),
        (["check", "heads", "--params", "huge.json"], ["huge.json has", "at most"]),
        (["check", "heads", "--params", "other.json"], ["claim = heads", "identity"]),
        (["check", "heads", "--data", "missing.json"], ["missing.json does not exist"]),
        (["check", "heads", "--data", "binary.json"], ["binary.json is not a list of numbers"]),
        (["check", "heads", "--expect-data", "abc"], ["data = sha256", "abc"]),
        (["check", "--all", "--set", "p=0.5"], ["--set", "--all"]),
        (["check", "heads", "--all"], ["heads", "--all"]),
    ],
)
def test_bad_input_is_one_sentence(theory, tmp_path, monkeypatch, words, parts):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("theory.cli.options.MAX_FILE_BYTES", 500_000)
    contents = {"bad": b"{p: 1}", "list": b"[1]", "binary": b"\xff\xfe\x00\x01", "deep": b"[" * 200_000, "empty": b""}
    contents |= {"nan": b'{"p": NaN}', "huge": b" " * 500_001, "other": b'{"claim": "identity", "params": {}}'}
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_bytes(content)
    code, out, err = theory(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert len(err) < 500
    assert all(part in err for part in parts), err
    if words:
        code, out, err = theory(*words, "--json")
        assert (code, strict(out)) == (2, {"error": err.strip()})
    assert toy.runs == []


def test_an_export_is_repeated_and_other_data_are_refused(theory, tmp_path):
    exported = tmp_path / "claim.json"
    exported.write_text(theory("check", "identity", "--set", "m=7", "--seeds", "5", "--json")[1])
    again = strict(theory("check", "identity", "--params", exported, "--json")[1])
    before = strict(exported.read_text())
    assert [again[part] == before[part] for part in ("params", "seeds", "measurement", "verdict")] == [True] * 4
    code, _, err = theory("check", "identity", "--params", exported, "--set", "data_seed=9")
    assert code == 2
    assert "sha256" in err


def test_own_data_leave_nothing_in_the_store(theory, tmp_path, store_path):
    data = tmp_path / "data.json"
    data.write_text("[1, 2, 3.5]")
    document = strict(theory("check", "identity", "--data", data, "--json")[1])
    assert document["verdict"]["status"] == "holds"
    assert not store_path.exists()
    code, _, _ = theory("check", "identity", "--data", data, "--expect-data", document["data"])
    assert code == 0
    data.write_text("[1, 2, 3.6]")
    assert theory("check", "identity", "--data", data, "--expect-data", document["data"])[0] == 2


def test_results_are_stored_unless_refused(theory):
    for words, runs in ((["--no-store"], 1), ([], 2), ([], 2), (["--no-store"], 3)):
        theory("check", "heads", *words)
        assert len(toy.runs) == runs


def test_internal_errors_show_where_only_on_request(theory):
    code, _, err = theory("check", "heads", "--set", "mode=crash")
    assert (code, err.count("\n")) == (70, 1)
    assert "RuntimeError: a bug" in err
    assert "Traceback" in theory("check", "heads", "--set", "mode=crash", "--debug")[2]


def test_interrupted(theory, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "check_claim", interrupt)
    for words in (["heads"], ["--all"]):
        code, _, err = theory("check", *words)
        assert (code, err) == (130, "Interrupted.\n")


def test_progress_is_for_terminals(theory, monkeypatch, capsys):
    assert theory("check", "heads")[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "heads" in theory("check", "heads", "--seeds", "9", "--set", "p=0.4")[2]


def test_colour_is_for_terminals(theory, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in theory("check", "heads")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in theory("check", "heads")[1]


def script(*words, **options):
    """The real command with the real rooms, in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "theory", *words], text=True, stdout=subprocess.PIPE, **options)


@pytest.mark.slow
def test_the_real_command_needs_no_torch():
    code = (
        "import sys; from theory.cli.commands import main; codes = [main(['list']), main(['show', 'loss-gap']), "
        "main(['predict', 'loss-gap', '--json']), main(['predict', 'graph-svm'])]; print(codes, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0] False"


@pytest.mark.slow
def test_the_real_claims_hold():
    process = script("check", "graph-svm", "--json")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert strict(out)["verdict"]["status"] == "holds"


@pytest.mark.slow
def test_a_closed_pipe_is_no_error():
    process = script("show", "loss-gap", stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="needs signals")
def test_interrupted_by_hand():
    process = script("check", "--all", "--no-store", stderr=subprocess.PIPE)
    process.stdout.readline()  # the first verdict: the second experiment is running
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("Interrupted.\n")


def test_an_interrupt_that_a_library_swallows_is_obeyed(theory, monkeypatch):
    def swallow(params, replicates, device, emit, stop):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if stop():
            raise Cancelled
        return toy.flip(params, replicates, device, emit, stop)

    claim = replace(toy.HEADS, experiment=replace(toy.COIN, run=swallow))
    toy.install(monkeypatch, replace(toy.ROOM, claims=(claim,)))
    before = signal.getsignal(signal.SIGINT)
    for words in (["heads"], ["--all"]):
        assert theory("check", *words)[0] == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert toy.runs == []


def test_the_store_says_how_much_it_keeps_and_forgets_on_request(theory, store_path):
    assert (
        theory("store", "path")[1].strip() == str(store_path / "results")
        or str(store_path) in theory("store", "path")[1]
    )
    theory("check", "heads", "--seeds", "6")
    found = strict(theory("store", "show", "--json")[1])
    assert found["entries"] == 6 and 0 < found["bytes"] < found["limit_bytes"]
    assert "6 results" in theory("store", "show")[1]
    assert strict(theory("store", "prune", "--json")[1])["entries"] == 6, "below its limit a store keeps everything"
    assert strict(theory("store", "prune", "--limit-mb", "0", "--json")[1])["entries"] == 0
    theory("check", "heads", "--seeds", "6")
    assert toy.runs == [6, 6]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["store"], ["action"]),
        (["store", "empty"], ["empty", "show", "prune", "path"]),
        (["store", "show", "--limit-mb", "3"], ["--limit-mb = 3"]),
        (["store", "prune", "--limit-mb", "-1"], ["--limit-mb"]),
        (["store", "prune", "--limit-mb", "1.5"], ["--limit-mb = 1.5", "whole number from 0"]),
        (["new-room"], ["name"]),
        (["new-room", "ccmc!"], ["name = ccmc!"]),
    ],
)
def test_the_store_and_new_rooms_refuse_nonsense(theory, words, parts):
    code, _, err = theory(*words)
    assert code == 2
    assert all(part in err for part in parts), err
