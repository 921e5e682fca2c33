"""Formulas of notebooks as MathML, which browsers draw by themselves: no script, no network.

The part of TeX that notebooks use. What it does not know is shown as it was typed, never dropped.
"""

import re
from html import escape

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ",
    "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "infty": "∞", "partial": "∂", "top": "⊤",
    "dots": "…", "ldots": "…", "cdots": "⋯",
}  # fmt: skip
OPERATORS = {
    "cdot": "·", "odot": "⊙", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠",
    "approx": "≈", "sim": "∼", "in": "∈", "to": "→", "rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒",
    "Longrightarrow": "⟹", "Longleftrightarrow": "⟺", "bmod": "mod",
    "mapsto": "↦", "pm": "±", "sum": "∑", "prod": "∏", "int": "∫", "|": "‖", "lVert": "‖", "rVert": "‖", "mid": "∣",
    "ll": "≪", "gg": "≫", "equiv": "≡", "propto": "∝", "ast": "∗", "star": "⋆", "circ": "∘", "otimes": "⊗",
    "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "{": "{", "}": "}",
}  # fmt: skip
WORDS = (
    "exp",
    "log",
    "ln",
    "max",
    "min",
    "cos",
    "sin",
    "tanh",
    "diag",
    "softmax",
    "sigmoid",
    "rank",
    "arg",
    "det",
    "lim",
)
SPACES = {"quad": "1em", "qquad": "2em", ",": "0.17em", ";": "0.28em", ":": "0.22em", " ": "0.25em", "!": "0"}
IGNORED = (
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "left",
    "right",
    "displaystyle",
    "textstyle",
    "limits",
    "mathrel",
    "mathbb",
)
PLAIN = ("text", "texttt", "mathrm", "operatorname", "textbf", "mathbf", "mathcal", "boldsymbol", "textit")
ACCENTS = {"bar": "¯", "hat": "^", "tilde": "~", "dot": "˙", "overline": "¯", "vec": "→"}
BIG = ("∑", "∏", "max", "min", "lim")


class Unknown(ValueError):
    """A piece of TeX that is not among those known here."""


def mathml(tex: str, *, display: bool = False) -> str:
    """A formula as MathML, with its TeX as the text that a screen reader falls back to; as typed if not understood."""
    try:
        tokens = [token for token in TOKEN.findall(tex.strip())]
        inside, rest = _row(tokens, 0, display)
        if rest != len(tokens):
            raise Unknown(tokens[rest])
    except (Unknown, IndexError):
        return f"<code>{escape(tex.strip())}</code>"
    kind = ' display="block"' if display else ""
    return f'<math{kind} aria-label="{escape(tex.strip())}"><mrow>{inside}</mrow></math>'


def _row(tokens: list[str], at: int, display: bool, until: str | None = None) -> tuple[str, int]:
    """Everything up to ``until`` (which is passed) or to the end."""
    parts: list[str] = []
    while at < len(tokens) and tokens[at] != until:
        if tokens[at] in "_^" or tokens[at] == "'":
            base = parts.pop() if parts else "<mrow></mrow>"
            part, at = _scripts(tokens, at, base, display)
        else:
            part, at = _atom(tokens, at, display)
        parts += [part] if part else []
    if until is not None:
        if at >= len(tokens):
            raise Unknown(f"no {until}")
        at += 1
    return "".join(parts), at


def _scripts(tokens: list[str], at: int, base: str, display: bool) -> tuple[str, int]:
    below = above = ""
    while at < len(tokens) and tokens[at] in ("_", "^", "'"):
        if tokens[at] == "'":
            above, at = above + "<mo>′</mo>", at + 1
            continue
        mark, (part, at) = tokens[at], _atom(tokens, _blank(tokens, at + 1), display)
        below, above = (part, above) if mark == "_" else (below, above + part)
    under = (display and re.sub(r"<[^>]+>", "", base) in BIG) or base.startswith("<munder")
    name = (
        ("m" + "under" * bool(below) + "over" * bool(above))
        if under
        else ("m" + "sub" * bool(below) + "sup" * bool(above))
    )
    scripts = "".join(f"<mrow>{part}</mrow>" for part in (below, above) if part)
    return f"<{name}>{base}{scripts}</{name}>", at


def _blank(tokens: list[str], at: int) -> int:
    while tokens[at].isspace():
        at += 1
    return at


def _atom(tokens: list[str], at: int, display: bool) -> tuple[str, int]:
    """One letter, number, sign, command or group."""
    token = tokens[at]
    if token.isspace():
        return "", at + 1
    if token == "{":
        inside, at = _row(tokens, at + 1, display, "}")
        return f"<mrow>{inside}</mrow>", at
    if token == "}" or token == "&":
        raise Unknown(token)
    if token.startswith("\\"):
        return _command(tokens, at, token[1:], display)
    if token[0].isdigit():
        return f"<mn>{token}</mn>", at + 1
    if token.isalpha():
        return f"<mi>{token}</mi>", at + 1
    sign = "−" if token == "-" else token
    stretchy = ' stretchy="false"' if token in "()[]|" else ""
    return f"<mo{stretchy}>{escape(sign)}</mo>", at + 1


def _command(tokens: list[str], at: int, name: str, display: bool) -> tuple[str, int]:
    at += 1
    if name in GREEK:
        return f"<mi>{GREEK[name]}</mi>", at
    if name in OPERATORS:
        return f"<mo>{escape(OPERATORS[name])}</mo>", at
    if name in WORDS:
        return f'<mi mathvariant="normal">{name}</mi>', at
    if name in SPACES:
        return f'<mspace width="{SPACES[name]}"/>', at
    if name in IGNORED:
        return "", at
    if name in PLAIN:
        return _plain(tokens, _blank(tokens, at))
    if name in ("frac", "tfrac", "dfrac", "binom"):
        upper, at = _atom(tokens, _blank(tokens, at), False)
        lower, at = _atom(tokens, _blank(tokens, at), False)
        line = ' linethickness="0"' if name == "binom" else ""
        fraction = f"<mfrac{line}>{upper}{lower}</mfrac>"
        return f"<mo>(</mo>{fraction}<mo>)</mo>" if line else fraction, at
    if name == "sqrt":
        inside, at = _atom(tokens, _blank(tokens, at), display)
        return f"<msqrt>{inside}</msqrt>", at
    if name in ACCENTS:
        inside, at = _atom(tokens, _blank(tokens, at), display)
        return f'<mover accent="true">{inside}<mo>{ACCENTS[name]}</mo></mover>', at
    if name == "underbrace":
        inside, at = _atom(tokens, _blank(tokens, at), display)
        return f"<munder>{inside}<mo>⏟</mo></munder>", at
    raise Unknown(name)


def _plain(tokens: list[str], at: int) -> tuple[str, int]:
    if tokens[at] != "{":
        return f"<mtext>{escape(tokens[at])}</mtext>", at + 1
    end = tokens.index("}", at) if "}" in tokens[at:] else len(tokens)
    return f"<mtext>{escape(''.join(tokens[at + 1 : end]))}</mtext>", end + 1
