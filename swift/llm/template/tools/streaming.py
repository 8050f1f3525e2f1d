"""How the calls of a tool format are recognised while the answer is still being written.

A format states what its calls begin with; from there on nothing is given out as text until it is certain. Where the
arguments are a JSON object that is written as it stands, the format also states what surrounds it, so that the object can be
given out piece by piece; elsewhere each call is given out when the format's own parser reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Around", "Streaming", "json_list", "json_object", "tagged"]


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around the arguments of calls that are written as JSON objects.

    ``head`` matches from where a call begins up to the arguments, ``between`` from the end of one call's arguments up to those
    of the next one, both with the group ``name`` (and ``content``, where a text stands inside). ``closing`` ends the last one;
    white space counts for nothing in it.
    """

    head: re.Pattern[str]
    between: re.Pattern[str] | None
    closing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """The signs of one format.

    ``begins``: what calls begin with. ``follows``: the characters of which one must come next (after white space) for it to
    be a call; empty: any. ``leads``: white space that stands between a text and a call and belongs to neither, the longest
    first. ``ends``: what one whole call ends with, where calls can be read one by one. ``anchored``: calls come first in an
    answer or not at all. ``plain``: they look like ordinary text, and are looked for only where there are tools. ``stripped``:
    white space around the text is not part of it. ``goes_on``: text may stand behind the calls. ``thinking``: the tags around reasoning, where the format reads whole
    answers. ``opening`` and ``ending``: markers around the text that belong to neither text nor calls. ``channels``: the answer
    consists of several messages, each with a header.
    """

    begins: tuple[str, ...] = ()
    follows: str = ""
    leads: tuple[str, ...] = field(default=())
    around: Around | None = None
    ends: str = ""
    anchored: bool = False
    plain: bool = False
    stripped: bool = False
    goes_on: bool = False
    thinking: tuple[str, str] | None = None
    opening: tuple[str, ...] = ()
    ending: tuple[str, ...] = ()
    channels: bool = False


# A name as JSON quotes it, without escapes: a call whose name has them is read when it is whole.
_NAME = r'"(?P<name>[^"\\]+)"'


def json_object(name: str = "name", arguments: str = "arguments") -> str:
    """The beginning of an object that is a call, up to the object of its arguments."""
    return rf'\{{\s*"{name}"\s*:\s*{_NAME}\s*,\s*"{arguments}"\s*:\s*(?=\{{)'


def tagged(begin: str, end: str, arguments: str = "arguments") -> Around:
    """Calls written as ``begin {"name": ..., arguments: {...}} end``, several in a row."""
    head = re.escape(begin) + r"\s*" + json_object(arguments=arguments)
    return Around(re.compile(head), re.compile(r"\s*\}\s*" + re.escape(end) + r"\s*" + head), "}" + end)


def json_list(begin: str, end: str = "", name: str = "name", arguments: str = "arguments") -> Around:
    """Calls written as one list of objects between ``begin`` (a pattern) and ``end``."""
    one = json_object(name, arguments)
    # an id may stand behind the arguments
    between = r'\s*(?:,\s*"id"\s*:\s*"[^"]*"\s*)?\}\s*,\s*' + one
    return Around(re.compile(begin + r"\s*\[\s*" + one), re.compile(between), "}]" + end)
