"""What each of several processes takes, how many they are, and what they say to one another."""

import os
import socket
import subprocess
import sys

import pytest

from language.options import OptionError
from language.parallel import ALONE, Idle, Sharded, Sharing, begin_sharing, weight_of
from language.parallel.idle import filled_up

PIECES = [[5, 4], [3, 2], [1]]


@pytest.mark.chaos
def test_processes_of_a_launcher_that_sets_only_the_variables_share_as_well() -> None:
    """As Slurm or a job of Kubernetes starts them; taken for two runs they would both publish.

    They wait for one another for hours: the first looks at held-out prompts, and ten minutes are NCCL's own limit.
    """
    program = (
        "import torch.distributed; from language.parallel import begin_sharing; p = begin_sharing(); "
        "options = torch.distributed.group.WORLD._get_backend(torch.device('cpu')).options; "
        "print(p.rank, p.count, p.is_main, options._timeout.total_seconds() / 3600)"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    given = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **given, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [one.communicate(timeout=120)[0] for one in started] == ["0 2 True 12.0\n", "1 2 False 12.0\n"]


def test_alone_every_share_is_the_whole() -> None:
    assert ALONE.of([1, 2, 3]) == [1, 2, 3]
    assert ALONE.pieces_of(PIECES) == PIECES
    assert ALONE.interleave([1, 2, 3]) == [1, 2, 3]
    assert ALONE.gather("all") == ["all"]
    assert ALONE.add_sums({"loss": 2.0}) == {"loss": 2.0}
    assert ALONE.budget(100, 7) == 100
    assert begin_sharing("full") is begin_sharing("auto") is ALONE


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_are_everything_and_nothing_is_in_two(count: int) -> None:
    seats = [Sharing(rank, count) for rank in range(count)]
    taken = [piece for seat in seats for piece in seat.pieces_of(PIECES)]
    assert sorted(taken) == sorted(PIECES)
    numbers = list(range(7))
    assert [number for seat in seats for number in numbers[seat.span(7)]] == numbers
    assert all(seat.budget(100, 10) == (100 if count == 1 else -(-10 // count)) for seat in seats)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_where_networks_are_shared_out_all_have_equally_many_pieces(count: int) -> None:
    shares = [filled_up(PIECES, rank=rank, count=count) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    real = [piece for share in shares for piece in share if weight_of(piece)]
    assert sorted(real) == sorted(PIECES)
    filling = [piece for share in shares for piece in share if isinstance(piece, Idle)]
    assert len(filling) == {2: 1, 3: 0, 4: 1}[count]
    assert all(piece == [1] for piece in filling)  # the least work there is
    assert Sharded.is_sharded


def test_more_processes_than_rows_are_refused_in_words() -> None:
    Sharing(0, 2).require_members(2, "dialogues of data.jsonl")
    with pytest.raises(OptionError, match=r"3 processes cannot share 2 dialogues of data\.jsonl.* start at most 2"):
        Sharing(0, 3).require_members(2, "dialogues of data.jsonl")


def test_several_processes_that_are_to_share_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OptionError, match="--sharding none: 2 processes were started"):
        begin_sharing("none")
