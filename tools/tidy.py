#!/usr/bin/env python3
"""The project's rules of tidiness that swift-format does not know. Prints each breach as file:line and exits 1.

Swift: no file over 400 lines, no function over 70, none of the banned words.
Every tracked file: no path of somebody's own machine, no packages' file larger than 300 kB.
"""

import re
import subprocess
import sys
from pathlib import Path

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 300_000

# Each with what to do instead.
BANNED = {
    r"\bTask\.detached\b": "a plain Task keeps the logger's metadata; await it",
    r"\btry!": "handle the error",
    r"\bas!": "use `as?` and say what is wrong otherwise",
    r"\bfatalError\(": "throw, or preconditionFailure with a sentence when it cannot happen",
    r"\bFIXME\b": "mend it",
    r"\bTODO\b": "do it, or open an issue",
}
# A comment may be where a word is banned from, too, but FIXME and TODO live in nothing else.
IN_COMMENTS = (r"\bFIXME\b", r"\bTODO\b")

MACHINE_PATH = re.compile(r"(?<![\w.$)}])/(?:work|root|home|Users)/\w")

# Where something begins that is not code: a comment, or a string, plain or raw, of one line or several.
NOT_CODE = re.compile(r'//[^\n]*|/\*|(#*)("""|")')
FUNCTION = re.compile(r"\b(?:func\s+[^\s(<]+|init[?]?(?=[(<])|deinit|subscript(?=[(<]))")


def main() -> int:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(listing, capture_output=True, check=True, text=True)
    breaches = []
    for name in filter(None, tracked.stdout.split("\0")):
        path = Path(name)
        if not path.is_file():
            continue
        if path.stat().st_size > FILE_BYTES_MAX:
            breaches.append(f"{name}:1: {path.stat().st_size} bytes; large files do not belong into the repository")
            continue
        text = path.read_text(errors="replace")
        breaches += [f"{name}:{line}: a path of one machine" for line in lines_of(MACHINE_PATH, text)]
        if path.suffix == ".swift":
            breaches += swift_breaches(name, text)
    print("\n".join(breaches), file=sys.stderr, end="\n" if breaches else "")
    return 1 if breaches else 0


def swift_breaches(name: str, text: str) -> list[str]:
    breaches = []
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        breaches.append(f"{name}:{FILE_LINES_MAX}: {count} lines; split the file by topic")
    code = without_comments_and_strings(text)
    for word, remedy in BANNED.items():
        searched = text if word in IN_COMMENTS else code
        breaches += [f"{name}:{line}: {word} is banned: {remedy}" for line in lines_of(re.compile(word), searched)]
    for line, length in functions(code):
        if length > FUNCTION_LINES_MAX:
            breaches.append(f"{name}:{line}: a function of {length} lines; the most is {FUNCTION_LINES_MAX}")
    return breaches


def without_comments_and_strings(text: str) -> str:
    """The text with blanks in their place, so that lines and columns stay right."""
    pieces, position = [], 0
    while match := NOT_CODE.search(text, position):
        pieces.append(text[position : match.start()])
        if match.group().startswith("//"):
            position = match.end()
        elif match.group() == "/*":
            position = text.find("*/", match.end()) + 2
        else:
            position = string_end(text, match.end(), match[1], match[2])
        pieces.append(re.sub(r"[^\n]", " ", text[match.start() : position]))
    return "".join(pieces) + text[position:]


def string_end(text: str, position: int, hashes: str, quote: str) -> int:
    """Where the string whose content begins at `position` is over; interpolations belong to it."""
    # What has a meaning inside: the end, an escape, or an interpolation, which may hold strings again.
    special = re.compile(rf"{quote}{hashes}|\\{hashes}(\(|.)", re.DOTALL)
    while match := special.search(text, position):
        position = match.end()
        if match[1] is None:
            return position
        if match[1] == "(":
            position = interpolation_end(text, position)
    return len(text)


def interpolation_end(text: str, position: int) -> int:
    depth = 1
    while match := re.compile(r'[()]|(#*)("""|")').search(text, position):
        position = match.end()
        if match[2]:
            position = string_end(text, position, match[1], match[2])
        else:
            depth += 1 if match.group() == "(" else -1
            if depth == 0:
                return position
    return len(text)


def lines_of(pattern: re.Pattern, text: str) -> list[int]:
    return [text.count("\n", 0, match.start()) + 1 for match in pattern.finditer(text)]


def functions(code: str) -> list[tuple[int, int]]:
    """First line and number of lines of each function that has a body."""
    found = []
    for match in FUNCTION.finditer(code):
        end = body_end(code, match.end())
        if end is not None:
            first = code.count("\n", 0, match.start()) + 1
            found.append((first, code.count("\n", 0, end) + 2 - first))
    return found


def body_end(code: str, start: int) -> int | None:
    """The index of the brace that closes the body; None for a requirement of a protocol, or a call of init."""
    depth = parentheses = 0
    for index in range(start, len(code)):
        character = code[index]
        if character in "([":
            parentheses += 1
        elif character in ")]":
            parentheses -= 1
            if parentheses < 0:
                return None
        elif character == "{" and not parentheses:
            depth += 1
        elif character == "}" and not parentheses:
            depth -= 1
            if depth <= 0:
                return index if depth == 0 else None
        elif character == "\n" and depth == 0 and parentheses == 0 and not continues(code, index):
            return None
    return None


def continues(code: str, newline: int) -> bool:
    """Whether a signature goes on in the next line: `where`, `->`, `async`, `throws` or the brace may begin it."""
    parts = ("where", "->", "async", "throws")
    return code[newline:].lstrip().startswith((*parts, "{")) or code[:newline].rstrip().endswith((*parts, ","))


if __name__ == "__main__":
    sys.exit(main())
