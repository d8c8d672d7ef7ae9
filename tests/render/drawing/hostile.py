"""Names as they may come from a foreign file."""

NAMES = (
    "x" * 10_000,
    "\u202eabc\u2066",
    "a\nb\x1b[31m\\n\\",
    '"] --> n0; click n0 "javascript:alert(1)"',
    "</script><img src=x onerror=alert(1)>",
    "[({`|%% end}])",
    "#quot; &amp; &lt;",
    "subgraph",
    "漢字" * 90,
    "שלום עולם",
    "\\",
    'tail\\"',
    "`**md**`",
    "%%{init: {}}%%",
    "}",
)
