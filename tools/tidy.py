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

# Code, as opposed to what these match: strings (plain, raw, over several lines) and comments.
NOT_CODE = re.compile(
    r'(#*)"""(?:\\.|(?!"""\1).)*"""\1' r'|(#*)"(?:\\.|(?!"\2)[^\n])*"\2' r"|//[^\n]*" r"|/\*.*?\*/",
    re.DOTALL,
)
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
    code = NOT_CODE.sub(blank, text)
    for word, remedy in BANNED.items():
        searched = text if word in IN_COMMENTS else code
        breaches += [f"{name}:{line}: {word} is banned: {remedy}" for line in lines_of(re.compile(word), searched)]
    for line, length in functions(code):
        if length > FUNCTION_LINES_MAX:
            breaches.append(f"{name}:{line}: a function of {length} lines; the most is {FUNCTION_LINES_MAX}")
    return breaches


def blank(match: re.Match) -> str:
    """Keeps the line breaks, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match.group())


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
