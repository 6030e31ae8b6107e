"""Joining modules: what each form of import and export becomes, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from foretell.server.joining import JoiningError, join, without_comments

SOURCES = {
    "main.js": """\
/** Starts. */

import { b as c } from "lib";
import { twice, Thing } from "./deep/twice.js";
import * as all from "./deep/numbers.js";
import "./deep/quiet.js";

export const found = [twice(all.one), twice(all.two), new Thing().name, c];
globalThis.found = found;
""",
    "deep/twice.js": """import {
  add,
  one as first,
} from "./numbers.js";

/** @param {number} x `import { no } from "nowhere";` */
export function twice(x) {
  // twice
  return add(x, x) * first;
}

export class Thing {
  name = "export const no = 1";
}
""",
    "deep/numbers.js": """import lib from "lib";

const hidden = 2;

export const one = lib.one;

function add(a, b) {
  return a + b;
}

export async function* later() {
  yield import("../other/late.js");
}

export { add };

export const two = hidden;
""",
    "deep/quiet.js": 'globalThis.quiet = "yes";\n',
    "other/late.js": 'import { two } from "../deep/numbers.js";\nexport const four = two * 2;\n',
}


def test_each_form():
    joined = join("main.js", SOURCES)
    assert set(joined) == SOURCES.keys() - {"other/late.js"}
    code = joined["main.js"]
    assert code.count('from "lib"') == 1
    assert "const { add, one: first, } = m" in " ".join(code.split())
    assert 'import("./other/late.js")' in code
    assert joined["deep/numbers.js"] == (
        'import { parts } from "../main.js";\n'
        'export const { one, later, two, add } = parts["deep/numbers.js"];\n'
    )


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_it_does_what_the_modules_do(tmp_path: Path):
    check = """
        await import("./main.mjs");
        const { parts } = await import("./main.mjs");
        const { four } = await import("./other/late.mjs");
        for await (const late of parts["deep/numbers.js"].later()) globalThis.same = late.four;
        const { found, quiet, same } = globalThis;
        console.log(JSON.stringify({ found, quiet, four, same }));
    """
    sources = {**SOURCES, "lib.js": "export default { one: 1 };\nexport const b = 7;\n"}
    for name, code in {**sources, **join("main.js", SOURCES), "check.js": check}.items():
        path = tmp_path / name.replace(".js", ".mjs")
        path.parent.mkdir(exist_ok=True)
        path.write_text(code.replace('.js";', '.mjs";').replace('.js")', '.mjs")'))
    for path in tmp_path.rglob("*.mjs"):
        path.write_text(path.read_text().replace('"lib"', '"./lib.mjs"'))
    command = ["node", str(tmp_path / "check.mjs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    expected = {"found": [2, 4, "export const no = 1", 7], "quiet": "yes", "four": 4, "same": 4}
    assert json.loads(done.stdout) == expected


def test_comments_leave_their_lines():
    code = """\
/**
 * a
 */
export const a = 1; // goes
  // goes
const b = `/** stays */`;
const c = "a; // stays";
const url = "https://stays"; // "stays"
const c = d(
  /** @type {any} */ (stays),
);
/** goes */
"""
    assert (
        without_comments(code)
        == """\



export const a = 1;

const b = `/** stays */`;
const c = "a; // stays";
const url = "https://stays"; // "stays"
const c = d(
  (stays),
);

"""
    )


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("export default 5;", "export default 5;"),
        ("export let a = 5;", "export let a = 5;"),
        ("export const { a } = b;", "export const { a } = b;"),
        ('export * from "./a.js";', "export \\* from"),
        ('export { a } from "./a.js";', "export { a } from"),
        ("import { a } from './a.js';", "import { a } from './a.js';"),
        ("await 5;", "await 5;"),
        ('import a from "./a.js";', "must be names in braces"),
    ],
)
def test_what_cannot_be_joined_is_refused(code, complaint):
    sources = {"main.js": code + "\n", "a.js": "export const a = 1;\n"}
    with pytest.raises(JoiningError, match=complaint):
        join("main.js", sources)


def test_a_circle_of_imports_is_refused():
    sources = {
        "main.js": 'import { a } from "./a.js";\n',
        "a.js": 'import { b } from "./b.js";\nexport const a = 1;\n',
        "b.js": 'import { a } from "./a.js";\nexport const b = 1;\n',
    }
    with pytest.raises(JoiningError, match=r"each other: main\.js → a\.js → b\.js → a\.js"):
        join("main.js", sources)
