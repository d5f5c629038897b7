"""Which source a result depends on, read from the imports of a package made for the test."""

import pytest

from mini_exp.experiment import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes files of a package that stands for ours; what is cached is forgotten."""
    monkeypatch.setattr(code, "PACKAGE", tmp_path)

    def write(sources):
        for name, text in sources.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        forget()

    def forget():
        code.code_hashes.cache_clear()
        code._code.cache_clear()

    yield write
    forget()


def names(*modules):
    return set(code.code_hashes(*modules))


def test_imports_are_followed(package):
    package(
        {
            "steps/train": "from mini_exp.seeds import generator\nimport mini_exp.spectral.width\n",
            "seeds": "import numpy\n",
            "spectral/width": "def f():\n    from mini_exp import files\n",
            "files": "",
            "spectral/other": "",
        }
    )
    assert names("mini_exp.steps.train") == {"steps.train", "seeds", "spectral.width", "files"}


def test_several_modules_add_up(package):
    package({"a": "from mini_exp import c\n", "b": "", "c": ""})
    assert names("mini_exp.a", "mini_exp.b") == {"a", "b", "c"}


def test_a_package_counts_where_its_own_names_are_imported(package):
    package(
        {
            "a": "from mini_exp.layers import KINDS\n",
            "b": "from mini_exp.layers.linear import f\n",
            "layers/__init__": "from mini_exp.layers.linear import f\n",
            "layers/linear": "",
        }
    )
    assert names("mini_exp.a") == {"a", "layers", "layers.linear"}
    assert names("mini_exp.b") == {"b", "layers.linear"}


def test_modules_that_import_each_other_end(package):
    package({"a": "import mini_exp.b\n", "b": "import mini_exp.a\n"})
    assert names("mini_exp.a") == {"a", "b"}


def test_settings_are_left_out_for_they_count_by_value(package):
    package(
        {
            "a": "from mini_exp import errors\nfrom mini_exp.settings.sections import Choose\n"
            "from mini_exp.settings import settings\nfrom mini_exp.tasks.section import Train\n"
            "from mini_exp.tasks.mini.settings import Mini\n"
            "from mini_exp.tasks.images import digits\n",
            "errors": "",
            "settings/__init__": "import mini_exp.b\n",
            "settings/sections": "import mini_exp.b\n",
            "settings/settings": "import mini_exp.b\n",
            "tasks/section": "",
            "tasks/mini/settings": "",
            "tasks/images/digits": "",
            "b": "",
        }
    )
    assert names("mini_exp.a") == {"a", "tasks.images.digits"}


def test_networks_count_though_the_sections_that_name_them_do_not(package):
    package(
        {
            "tasks/images/models": "def f():\n    from mini_exp.tasks.images import networks\n",
            "tasks/images/networks": "",
        }
    )
    assert names("mini_exp.tasks.images.models") == {"tasks.images.networks"}


@pytest.mark.parametrize(
    "same",
    [
        "# a comment\ndef f(x):\n    return x + 1\n",
        '"""A docstring."""\n\n\ndef f(x):\n    """Another."""\n    return (x +\n            1)\n',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(package, same):
    package({"a": "def f(x):\n    return x + 1\n"})
    before = code.code_hashes("mini_exp.a")
    package({"a": same})
    assert code.code_hashes("mini_exp.a") == before


@pytest.mark.parametrize("other", ["x + 2", "x - 1", "y + 1"])
def test_code_counts(package, other):
    package({"a": "def f(x):\n    return x + 1\n", "b": "import mini_exp.a\n"})
    before = code.code_hashes("mini_exp.b")
    package({"a": f"def f(x):\n    return {other}\n"})
    after = code.code_hashes("mini_exp.b")
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]


def test_templates_and_styles_count_where_their_package_is_reached(package):
    package(
        {"a": "import mini_exp.report.page\n", "report/page": "", "b": "", "report/drawing": ""}
    )
    (code.PACKAGE / "report" / "templates").mkdir()
    for name in ("templates/page.html", "drawing.mplstyle", "notes.txt"):
        (code.PACKAGE / "report" / name).write_text("one", encoding="utf-8")
    assert names("mini_exp.b") == {"b"}
    before = code.code_hashes("mini_exp.a")
    assert set(before) == {
        *("a", "report.page"),
        *("report/templates/page.html", "report/drawing.mplstyle"),
    }
    (code.PACKAGE / "report" / "templates" / "page.html").write_text("two", encoding="utf-8")
    package({})
    after = code.code_hashes("mini_exp.a")
    assert [name for name in before if before[name] != after[name]] == [
        "report/templates/page.html"
    ]
