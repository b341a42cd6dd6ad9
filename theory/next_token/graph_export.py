"""The condensation as people see it and take it with them: networkx, GraphML, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import networkx as nx
import numpy as np
import numpy.typing as npt

from theory.next_token.graph import PriorityStructure

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def condensation_graph(
    structure: PriorityStructure,
    k: int,
    names: Sequence[str] = (),
    scores: npt.NDArray[np.float64] | None = None,
    levels: npt.NDArray[np.float64] | None = None,
) -> nx.DiGraph[int]:
    """Cover relations between the seen components for last token ``k``.

    Nodes are component numbers with attributes ``tokens`` (ids joined by spaces), ``label`` (their names), ``size``,
    ``depth`` (longest path from the top), and ``scores`` and ``level`` where these arrays (K, K), indexed
    [token, last], are given. All attributes are text or numbers, so every format can hold them.
    """
    column = structure.column(k)
    graph: nx.DiGraph[int] = nx.DiGraph(last=names[k] if names else str(k))
    for component in range(column.n_seen):
        members: list[int] = column.members(component).tolist()
        label = " ".join([names[token] if names else str(token) for token in members])
        attributes: dict[str, str | int | float] = {
            "label": label,
            "tokens": " ".join(map(str, members)),
            "size": len(members),
            "depth": int(column.depth[component]),
        }
        if scores is not None:
            attributes["scores"] = " ".join(f"{scores[token, k]:.12g}" for token in members)
        if levels is not None:
            attributes["level"] = float(levels[members[0], k])
        graph.add_node(component, **attributes)
    graph.add_edges_from(column.reduced_edges.tolist())
    return graph


def to_graphml(graph: nx.DiGraph[int]) -> str:
    """GraphML text; characters that XML cannot hold are replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", "\n".join(nx.generate_graphml(graph)))


def to_json(graph: nx.DiGraph[int]) -> str:
    """Node-link JSON, readable by networkx and d3."""
    return json.dumps(nx.node_link_data(graph, edges="edges"), ensure_ascii=False, indent=1)
